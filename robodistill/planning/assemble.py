"""The whole motion of a plan: there, in, close, follow, and where the base stayed in place open, out, home."""

from collections.abc import Sequence

import numpy as np

from robodistill.planning.branch import RETREAT, Branch
from robodistill.planning.motions import free_way, straight, timed
from robodistill.planning.task import Task
from robodistill.planning.timeline import Timeline
from robodistill.planning.trajectory import BimanualTrajectory, PartHold
from robodistill.planning.workpiece import Surroundings
from robodistill.robots.ik import InverseKinematics
from robodistill.robots.robot import Robot
from robodistill.robots.trajectory import RobotTrajectory

_FREE, _NEAR, _FOLLOW = 0.4, 0.12, 0.5  # shares of the greatest joint speeds: far, near the object, with it in hand
_RISE, _RISE_FOLLOW = 3.0, 2.5  # rad/s^2: greatest joint accelerations
_CLOSE, _OPEN, _SETTLE, _HOLD = 0.6, 0.6, 0.3, 1.0  # s


class NoWay(Exception):
    """No free motion was found."""


def assembled(
    robot: Robot, robot_name: str, solvers: dict[str, InverseKinematics], task: Task, pair: Sequence[Branch],
    path: np.ndarray, free: Surroundings,
) -> tuple[BimanualTrajectory, tuple[float, float]]:  # fmt: skip
    """A plan without checks, and from when to when hands may touch what they hold.

    Args:
        path: (K, J) at the key frames.
        free: Where hands may touch nothing.

    Raises:
        NoWay: A free motion was not found.
    """
    keys = task.key_times(len(path))
    Ts_key = task.at(keys)
    top = np.concatenate([arm.velocity for arm in robot.arms.values()])
    names = list(robot.arms)
    wide = np.array([robot.arms[name].opening for name in names])
    ready, shut, gone = wide.copy(), wide.copy(), wide.copy()
    for it in pair:
        k = names.index(it.arm)
        ready[k], shut[k], gone[k] = it.opening, 0.0, it.release
    held = {it.arm for it in pair}
    begin = float(keys[0])
    into = _straight_ways(robot, solvers, task, pair, path[0], Ts_key[0])
    line = Timeline()
    there = _free_motion(robot, into[-1], held, dict(zip(names, ready, strict=True)), free,
                         Ts_key[0])  # fmt: skip
    line.move(timed(there, _FREE * top, np.full(len(top), _RISE))[:3], ready, begin)
    line.openings[0][0] = wide
    line.stay(0.1)
    touch = line.now
    line.move(timed(into[::-1], _NEAR * top, np.full(len(top), _RISE))[:3], ready, begin)
    line.stay(_SETTLE)
    line.stay(_CLOSE, shut)
    line.stay(_SETTLE)
    start = line.now
    times, q, qd, clock = timed(path, _FOLLOW * top, np.full(len(top), _RISE_FOLLOW), keys)
    line.move((times, q, qd), shut, clock)
    line.stay(_HOLD if task.carried else _SETTLE)
    end = line.now
    if not task.carried:
        line.stay(_OPEN, gone)
        out = _straight_ways(robot, solvers, task, pair, path[-1], Ts_key[-1])
        line.move(timed(out, _NEAR * top, np.full(len(top), _RISE))[:3], gone, float(keys[-1]))
        last = line.now
        back = _free_motion(robot, out[-1], held, dict(zip(names, gone, strict=True)), free,
                            Ts_key[-1])[::-1]  # fmt: skip
        line.move(timed(back, _FREE * top, np.full(len(top), _RISE))[:3], gone, float(keys[-1]))
    else:
        last = line.now
    times, positions, velocities, openings, progress = line.joined()
    joints = {name: arm.joints for name, arm in robot.arms.items()}
    motion = RobotTrajectory(robot_name, joints, times, positions, velocities, openings)
    holds = tuple(PartHold(it.arm, it.part, it.T_part_grasp, it.width, start, end) for it in pair)
    base = "carried" if task.carried else "stays"
    return BimanualTrajectory(
        motion, holds, progress, task.parts, task.Ts_world_part[0, task.root], base, {}
    ), (touch, last)  # fmt: skip


def _straight_ways(
    robot: Robot, solvers: dict[str, InverseKinematics], task: Task, pair: Sequence[Branch], q: np.ndarray,
    Ts: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """(K, J) of all arms at once from the grasp back along each approach."""
    ways = {}
    for it in pair:
        T = Ts[it.part] @ it.T_part_grasp
        columns = robot.arms[it.arm].columns
        way = straight(solvers[it.arm], q[columns], T, -RETREAT * T[:3, 2])
        if way is None:
            raise NoWay(f"the {it.arm} arm has no straight way to or from {task.parts[it.part]}")
        ways[it.arm] = way
    rows = np.tile(q, (len(next(iter(ways.values()))), 1))
    for arm, way in ways.items():
        rows[:, robot.arms[arm].columns] = way
    return rows


def _free_motion(
    robot: Robot, goal: np.ndarray, held: set[str], openings: dict[str, float], free: Surroundings,
    Ts_world_part: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """(K, J) from home to where straight ways begin: all arms at once, else one after the other."""
    home = robot.home
    free.put(Ts_world_part)

    def is_free(q: np.ndarray) -> bool:
        return free.touching(q, openings) is None

    for q, what in ((home, "the home pose"), (goal, "the pose before the grasps")):
        touched = free.touching(q, openings)
        if touched is not None:
            raise NoWay(f"in {what} {' and '.join(touched)} touch")
    for order in (sorted(held), sorted(held, reverse=True)):
        way = [home]
        for arm in order:
            columns = robot.arms[arm].columns
            now = way[-1].copy()

            def alone(q_arm: np.ndarray, now: np.ndarray = now, columns: slice = columns) -> bool:
                q = now.copy()
                q[columns] = q_arm
                return is_free(q)

            part = free_way(now[columns], goal[columns], robot.arms[arm].limits, alone)
            if part is None:
                break
            rows = np.tile(now, (len(part), 1))
            rows[:, columns] = part
            way += list(rows[1:])
        else:
            return np.array(way)
    raise NoWay("no free way from the home pose to the grasps was found in time")
