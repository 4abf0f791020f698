"""Ways through free space and time along ways.

Free motions: straight in joint space if that is free, else RRTConnect (Kuffner & LaValle, ICRA 2000) by OMPL. Timing:
TOPP-RA (Pham & Pham, T-RO 2018), with the demonstration's own clock as one more coordinate whose speed is limited.
"""

from collections.abc import Callable
from types import ModuleType

import numpy as np

from robodistill.errors import MissingPart
from robodistill.robots.description import HINT
from robodistill.robots.ik import InverseKinematics

_RANGE = 0.4  # rad, of one extension
_STEP = 0.06  # rad in any joint between configurations that are looked at
_SECONDS = 4.0  # that a search may take
_LEAP = 0.35  # rad between two poses of a straight way
_STRAIGHT = 9  # poses on it
_SHORTCUTS = 60
_GRID = 120  # points of the timing


def load_ompl() -> tuple[ModuleType, ModuleType]:
    """`ompl.base` and `ompl.geometric`, silent.

    Raises:
        MissingPart: It is not installed.
    """
    try:
        from ompl import base, geometric, util
    except (ImportError, OSError) as error:
        raise MissingPart(f"{HINT.replace('coal', 'ompl')}; loading it failed: {error}") from None
    util.setLogLevel(util.LogLevel.LOG_NONE)
    return base, geometric


def straight(
    solver: InverseKinematics, q: np.ndarray, T_world_grasp: np.ndarray, shift: np.ndarray
) -> np.ndarray | None:
    """(K, J) from joint values `q` (J,) at a pose along a straight way by `shift` (3,) metres; None if it breaks."""
    rows = [q]
    for share in np.linspace(0, 1, _STRAIGHT)[1:]:
        T = T_world_grasp.copy()
        T[:3, 3] += share * shift
        near = solver.nearest(T, rows[-1])
        if near is None or np.abs(near - rows[-1]).max() > _LEAP:
            return None
        rows.append(near)
    return np.array(rows)


def free_way(
    start: np.ndarray, goal: np.ndarray, limits: np.ndarray, free: Callable[[np.ndarray], bool], seed: int = 0
) -> np.ndarray | None:
    """(K, J) configurations from one to another; None where none was found in time.

    Args:
        limits: (J, 2).
        free: Whether a configuration (J,) touches nothing.

    Raises:
        MissingPart: ompl is not installed.
    """
    if not free(start) or not free(goal):
        return None
    if _all_free(start, goal, free):
        return np.stack([start, goal])
    base, geometric = load_ompl()
    from ompl import util

    util.RNG.setSeed(seed + 1)
    count = len(start)
    space = base.RealVectorStateSpace(count)
    bounds = base.RealVectorBounds(count)
    for k, (low, high) in enumerate(limits):
        bounds.setLow(k, float(low))
        bounds.setHigh(k, float(high))
    space.setBounds(bounds)
    setup = geometric.SimpleSetup(space)
    setup.setStateValidityChecker(lambda state: bool(free(np.array([state[k] for k in range(count)]))))
    information = setup.getSpaceInformation()
    information.setStateValidityCheckingResolution(_STEP / space.getMaximumExtent())
    planner = geometric.RRTConnect(information)
    planner.setRange(_RANGE)
    setup.setPlanner(planner)
    ends = [space.allocState(), space.allocState()]
    for state, values in zip(ends, (start, goal), strict=True):
        for k, value in enumerate(values):
            state[k] = float(value)
    setup.setStartAndGoalStates(*ends)
    if not setup.solve(_SECONDS) or not setup.haveExactSolutionPath():
        return None
    way = np.array([[state[k] for k in range(count)] for state in setup.getSolutionPath().getStates()])
    return _shortened(np.concatenate([start[None], way[1:-1], goal[None]]), free, np.random.default_rng(seed))


def _all_free(a: np.ndarray, b: np.ndarray, free: Callable[[np.ndarray], bool]) -> bool:
    count = max(2, int(np.ceil(np.abs(b - a).max() / _STEP)) + 1)
    order = np.argsort(np.abs(np.linspace(0, 1, count) - 0.5))  # the middle first: it is the likeliest to touch
    return all(free(a + share * (b - a)) for share in np.linspace(0, 1, count)[order])


def _shortened(way: np.ndarray, free: Callable[[np.ndarray], bool], rng: np.random.Generator) -> np.ndarray:
    """A way with detours cut off between any two of its corners."""
    for _ in range(_SHORTCUTS):
        if len(way) < 3:
            break
        i, j = np.sort(rng.choice(len(way), 2, replace=False))
        if j - i > 1 and _all_free(way[i], way[j], free):
            way = np.concatenate([way[: i + 1], way[j:]])
    return way


def timed(
    way: np.ndarray, speed: np.ndarray, acceleration: np.ndarray, clock: np.ndarray | None = None, step: float = 0.04
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """When to be where along a way, from rest to rest.

    Args:
        way: (K, J) rad.
        speed: (J,) greatest, rad/s; kept to a hundredth, for limits hold at the timing's own grid.
        acceleration: (J,) greatest, rad/s^2.
        clock: (K,) seconds of a demonstration at each configuration; it is not run faster than it went. Without it the
            way's corners are straight lines and the joints are in time with one another.
        step: Seconds between two answers.

    Returns:
        Times (T,) from 0, positions (T, J), velocities (T, J), and clock (T,).

    Raises:
        MissingPart: toppra is not installed.
    """
    if np.abs(np.diff(way, axis=0)).max(initial=0) < 1e-6 and clock is None:
        return np.zeros(1), way[:1], np.zeros_like(way[:1]), np.zeros(1)
    try:
        import toppra
        from toppra import algorithm, constraint
    except (ImportError, OSError) as error:
        raise MissingPart(f"{HINT.replace('coal', 'toppra')}; loading it failed: {error}") from None
    import logging

    logging.getLogger("toppra").setLevel(logging.ERROR)
    if clock is None:
        return _cornered(way, speed, acceleration, step)
    points = np.column_stack([way, clock])
    path = toppra.SplineInterpolator(clock, points)
    top = np.append(speed, 1.0)
    rise = np.append(acceleration, 4.0)
    limits = [constraint.JointVelocityConstraint(np.column_stack([-top, top]))]
    limits.append(constraint.JointAccelerationConstraint(np.column_stack([-rise, rise])))
    grid = np.linspace(clock[0], clock[-1], max(_GRID, 2 * len(clock)))
    solver = algorithm.TOPPRA(limits, path, gridpoints=grid, parametrizer="ParametrizeConstAccel")
    found = solver.compute_trajectory(0, 0)
    assert found is not None, "a smooth path from rest to rest can always be timed"
    times = np.append(np.arange(0, found.duration, step), found.duration)
    values, slopes = found(times), found(times, 1)
    return times, values[:, :-1], slopes[:, :-1], values[:, -1]


def _cornered(
    way: np.ndarray, speed: np.ndarray, acceleration: np.ndarray, step: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Straight pieces, at rest in each corner: between corners the way is exactly the one that was looked at."""
    from toppra import SplineInterpolator, algorithm, constraint

    times, positions, velocities = [np.zeros(1)], [way[:1]], [np.zeros_like(way[:1])]
    # pieces of one direction are one line
    keep = [0]
    for k in range(1, len(way) - 1):
        a, b = way[k] - way[keep[-1]], way[k + 1] - way[k]
        if np.linalg.norm(a) * np.linalg.norm(b) - a @ b > 1e-9:
            keep.append(k)
    corners = way[[*keep, len(way) - 1]]
    for a, b in zip(corners, corners[1:], strict=False):
        if np.abs(b - a).max() < 1e-6:
            continue
        path = SplineInterpolator([0.0, 1.0], np.stack([a, b]))
        limits = [constraint.JointVelocityConstraint(np.column_stack([-speed, speed]))]
        limits.append(constraint.JointAccelerationConstraint(np.column_stack([-acceleration, acceleration])))
        found = algorithm.TOPPRA(limits, path, gridpoints=np.linspace(0, 1, 41), parametrizer="ParametrizeConstAccel")
        found = found.compute_trajectory(0, 0)
        at = np.append(np.arange(step, found.duration, step), found.duration)
        times.append(times[-1][-1] + at)
        positions.append(found(at))
        velocities.append(found(at, 1))
    times = np.concatenate(times)
    return times, np.concatenate(positions), np.concatenate(velocities), np.zeros(len(times))
