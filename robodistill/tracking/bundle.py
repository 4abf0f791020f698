"""All frames and the joints at once: what the pictures say of each frame, joints that all share, and smooth motion.

Bundle adjustment (Triggs et al., 1999) with a smoother (Rauch, Tung & Striebel, 1965) for the states: each frame's
quadratic is put on its root pose and joint values, which accelerate little from frame to frame; these are solved out of
a banded system, and what they leave over is a small one in the joints' axes and places. A frame that objects to what
the others say of it was lost, and is weighed down. RSRD's joint pass smooths the poses of free parts instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import solveh_banded
from scipy.spatial.transform import Rotation

from robodistill.tracking.articulation import Articulation, State
from robodistill.tracking.photometric import Quadratic
from robodistill.tracking.rest import Rest

_JERK = (0.0008, 0.01)  # change of a frame's step, metres and rad, one standard deviation
_STEP = (0.02, 0.25)  # the step itself: what is hidden for long comes to rest
_VALUE = 0.003  # metres that a joint's outer points change their step by
_OBJECTION = 30.0  # of a frame, that halves its weight
_DOUBT = 0.02  # weight of all frames before it is known which of them go with the others
_ROUNDS = 4  # of weighing
_DAMPING = (0.0, 1e-9, 1e-7, 1e-5)  # of the largest curvature: the least that does
_ALIKE = 30.0  # frames that err together
_SEEN = 0.5  # share of each part that a frame must agree with to tell of joints


@dataclass(frozen=True, eq=False)
class Smooth:
    """What is known of frames that follow each other."""

    reaches: np.ndarray
    """(J,) metres that a joint's outer points go for a unit of its value."""
    values: np.ndarray
    """(T, J) near which the joints' are."""
    stds: np.ndarray
    """(T, J) how near."""


@dataclass(frozen=True, eq=False)
class _Frame:
    A: np.ndarray
    b: np.ndarray
    cross: np.ndarray
    shape: np.ndarray
    slope: np.ndarray


def bundled(
    articulation: Articulation,
    states: Sequence[State],
    quadratics: Sequence[Quadratic],
    prior: tuple[np.ndarray, np.ndarray],
    smooth: Smooth | None,
    rests: Sequence[Rest] = (),
) -> tuple[Articulation, list[State], np.ndarray]:
    """The joints and all states after one Gauss-Newton step, and the (shapes, shapes) covariance of the joints.

    Args:
        quadratics: Of each frame about the states' poses.
        prior: H (shapes, shapes) and g (shapes,) of the joints' shapes.
        smooth: None where frames do not follow each other.
        rests: Of each frame and the next, about the states' poses.
    """
    frames = [_frame(articulation, state, q) for state, q in zip(states, quadratics, strict=True)]
    count, freedoms = len(states), articulation.freedoms
    band, pull = np.zeros((3 * freedoms, count * freedoms)), np.zeros(count * freedoms)
    band[0] = 1e-6
    if smooth is not None:
        _smooth(band, pull, articulation, states, smooth)
    _keep_at_rest(band, pull, articulation, states, rests)
    weights = np.full(count, _DOUBT)
    for _ in range(_ROUNDS):
        system, right = band.copy(), pull.copy()
        cross = np.zeros((count * freedoms, len(prior[1])))
        shape, slope = _ALIKE * prior[0], _ALIKE * prior[1]
        for t, (frame, weight) in enumerate(zip(frames, weights, strict=True)):
            rows = slice(t * freedoms, (t + 1) * freedoms)
            _add(system, t * freedoms, weight * frame.A)
            right[rows] += weight * frame.b
            cross[rows] = weight * frame.cross
            shape, slope = shape + weight * frame.shape, slope + weight * frame.slope
        solved = _solved(system, np.column_stack([cross, right]))
        left = np.linalg.inv(shape - cross.T @ solved[:, :-1])
        y = -left @ (slope - cross.T @ solved[:, -1])
        x = (-solved[:, -1] - solved[:, :-1] @ y).reshape(count, freedoms)
        objections = [_objection(frame, each) for frame, each in zip(frames, x, strict=True)]
        weights = (1 + np.array(objections) / _OBJECTION) ** -2.0
    moved = [articulation.moved(state, step) for state, step in zip(states, x, strict=True)]
    return articulation.reshaped(y), moved, left * _ALIKE


def _solved(band: np.ndarray, right: np.ndarray) -> np.ndarray:
    """What a lower band (b, n) times gives (n, k).

    Pictures are in single precision: what they do not show at all may come out a little below nought.
    """
    for damping in _DAMPING:
        damped = band.copy()
        damped[0] += damping * band[0].max()
        try:
            return solveh_banded(damped, right, lower=True)
        except np.linalg.LinAlgError as error:
            failed = error
    raise failed


def _frame(articulation: Articulation, state: State, q: Quadratic) -> _Frame:
    J, S = articulation.jacobian(state), articulation.shape_jacobian(state)
    if not np.isfinite(q.cost):
        n, m = J.shape[1], S.shape[1]
        return _Frame(np.zeros((n, n)), np.zeros(n), np.zeros((n, m)), np.zeros((m, m)), np.zeros(m))
    sure = float((q.visible >= _SEEN).all())
    A, b = J.T @ q.H @ J, J.T @ q.g
    return _Frame(A, b, sure * J.T @ q.H @ S, sure * S.T @ q.H @ S, sure * S.T @ q.g)


def _objection(frame: _Frame, x: np.ndarray) -> float:
    """To a step, over that to the frame's own best one."""
    A = frame.A + 1e-3 * np.eye(len(x))
    return max(0.0, float(frame.b @ x + 0.5 * x @ A @ x + 0.5 * frame.b @ np.linalg.solve(A, frame.b)))


def _smooth(
    band: np.ndarray, right: np.ndarray, articulation: Articulation, states: Sequence[State], smooth: Smooth
) -> None:
    """Add what is known to the lower band (3 f, T f) of a system and its right side (T f,): small steps and changes of
    them, of a root twist about the root's middle and of the joints' values; free joints are as smooth as a root.
    """
    count, f = len(states), articulation.freedoms
    path = np.zeros((count - 1, f))  # steps between frames, as twists of the later one
    jerk, step = (np.concatenate([np.repeat(sigma, 3), np.full(f - 6, np.inf)]) for sigma in (_JERK, _STEP))
    center = articulation.centers[articulation.root]
    roots = np.array([state.T_camera_root for state in states])
    middles = roots[:, :3, :3] @ center + roots[:, :3, 3]
    path[:, :3] = np.diff(middles, axis=0)
    path[:, 3:6] = Rotation.from_matrix(roots[1:, :3, :3] @ roots[:-1, :3, :3].transpose(0, 2, 1)).as_rotvec()
    values = np.diff([state.values for state in states], axis=0).reshape(count - 1, -1)
    at = 6
    for k, joint in enumerate(articulation.joints):
        if joint.kind == "free":
            jerk[at : at + 6], step[at : at + 6] = np.repeat(_JERK, 3), np.repeat(_STEP, 3)
            at += 6
        elif joint.kind != "fixed":
            path[:, at] = values[:, k]
            jerk[at], step[at] = _VALUE / smooth.reaches[k], _STEP[0] / smooth.reaches[k]
            sure = smooth.stds[:, k] ** -2.0
            band[0, at::f] += sure
            right[at::f] += sure * ([state.values[k] for state in states] - smooth.values[:, k])
            at += 1
    for t in range(count - 1):
        _tie(band, right, t, np.array([-1.0, 1.0]), path[t], step)
        if t:
            _tie(band, right, t - 1, np.array([1.0, -2.0, 1.0]), path[t] - path[t - 1], jerk)


def _keep_at_rest(
    band: np.ndarray, right: np.ndarray, articulation: Articulation, states: Sequence[State], rests: Sequence[Rest]
) -> None:
    """Add what rests to a lower band and its right side; a step of the joints moves both frames alike."""
    f = articulation.freedoms
    Ts = [articulation.poses(state) for state in states]
    Js = [articulation.jacobian(state) for state in states]
    for t, it in enumerate(rests):
        turned = Js[t].reshape(-1, 2, 3, f)
        turn = Ts[t + 1][:, :3, :3] @ Ts[t][:, :3, :3].transpose(0, 2, 1)
        before = np.einsum("pij,pkjf->pkif", turn, turned).reshape(-1, f)
        J = np.concatenate([-before, Js[t + 1]], axis=1)
        _add(band, t * f, J.T @ it.H @ J)
        right[t * f : (t + 2) * f] -= J.T @ it.H @ it.twist


def _tie(
    band: np.ndarray, right: np.ndarray, first: int, factors: np.ndarray, residual: np.ndarray, sigma: np.ndarray
) -> None:
    """Add `(residual + sum of factors times the steps of frames from the first on) / sigma`, squared."""
    f = len(residual)
    own = np.arange(f)
    for i, one in enumerate(factors):
        right[(first + i) * f + own] += one * residual / sigma**2
        for j in range(i + 1):
            band[(i - j) * f, (first + j) * f + own] += one * factors[j] / sigma**2


def _add(band: np.ndarray, at: int, block: np.ndarray) -> None:
    """Add a symmetric block on the diagonal of a lower band."""
    n = len(block)
    for offset in range(n):
        band[offset, at : at + n - offset] += np.diagonal(block, -offset)
