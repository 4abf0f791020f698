"""A grasp as a trajectory of the whole robot: to the pre-grasp, in, close, up, hold."""

import numpy as np

from robodistill.errors import BadInput
from robodistill.grasp.grasp import Grasp
from robodistill.robots.robot import Robot
from robodistill.robots.trajectory import RobotTrajectory

_SHARE = 0.35  # of the greatest joint speeds, on the way
_SLOW = 0.12  # of them, near the thing
_CLOSE = 0.8  # s that closing takes
_SETTLE = 0.3  # s before and after it
_HOLD = 3.4  # s that the thing is held up: the judge wants 3
_FADE = 0.25  # s in which a stretch begins and ends


def lift_trajectory(robot: Robot, robot_name: str, grasp: Grasp, task: dict, close: bool = True) -> RobotTrajectory:
    """The motion of a grasp; the other arms stay at home.

    Args:
        robot_name: Of its file.
        task: Kept in the trajectory, `kind` and `arm` are added.
        close: False leaves the gripper open: a control that must fail.

    Raises:
        BadInput: The grasp was found without a robot.
    """
    if grasp.approach is None:
        raise BadInput("this grasp knows no arm: find grasps with a robot")
    arm = robot.arm(grasp.arm)
    held = grasp.opening if not close else 0.0
    pieces = [_timed(grasp.approach, arm.velocity * _SHARE), _timed(grasp.reach, arm.velocity * _SLOW)]
    pieces += [(np.array([_SETTLE]), grasp.reach[-1:]), (np.array([_CLOSE + _SETTLE]), grasp.reach[-1:])]
    pieces += [_timed(grasp.raise_, arm.velocity * _SLOW), (np.array([_HOLD]), grasp.raise_[-1:])]
    gripper = [grasp.opening] * 3 + [held] * 3
    times, positions, openings = [0.0], [grasp.approach[0]], [arm.opening]
    for (lasts, values), opening in zip(pieces, gripper, strict=True):
        times += (times[-1] + lasts).tolist()
        positions += list(values)
        openings += [opening] * len(values)
    count = len(times)
    every = np.tile(robot.home, (count, 1))
    every[:, arm.columns] = positions
    grippers = np.tile([it.opening for it in robot.arms.values()], (count, 1))
    grippers[:, list(robot.arms).index(grasp.arm)] = openings
    times = np.array(times)
    velocities = np.gradient(every, times, axis=0)
    names = {name: it.joints for name, it in robot.arms.items()}
    facts = {**task, "kind": "lift", "arm": grasp.arm}
    return RobotTrajectory(robot_name, names, times, every, velocities, grippers, facts)


def _timed(way: np.ndarray, speed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Times (K,) from its begin and values (K, J) along a way (n, J), no joint faster than `speed`, ends eased."""
    spans = np.abs(np.diff(way, axis=0)) / speed
    at = np.concatenate([[0.0], np.cumsum(spans.max(1))])
    if at[-1] == 0:
        return np.array([_FADE]), way[-1:]
    lasts = at[-1] + _FADE
    share = np.arange(1, max(4, int(np.ceil(lasts / 0.05))) + 1)
    share = share / share[-1]
    eased = share**2 * (3 - 2 * share)  # half as fast again in the middle
    values = np.stack([np.interp(eased * at[-1], at, column) for column in way.T], -1)
    return share * lasts * 1.5, values
