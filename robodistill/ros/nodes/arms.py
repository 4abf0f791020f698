"""Plans as what arms take: trajectories of joints and fingers, and the way of each gripper, to be looked at."""

from typing import Any

import numpy as np
from builtin_interfaces.msg import Duration
from nav_msgs.msg import Path as PathMessage
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from robodistill.planning.trajectory import BimanualTrajectory
from robodistill.robots.robot import Robot
from robodistill.ros.nodes.convert import as_pose_stamped

_SHOWN = 100  # poses of a gripper's way


def arm_trajectories(plan: BimanualTrajectory, at: Any) -> list[JointTrajectory]:
    """One an arm, in the plan's order; a header whose stamp is zero means "begin when you get this"."""
    motion, made, first = plan.motion, [], 0
    for joints in motion.arms.values():
        columns = slice(first, first + len(joints))
        first += len(joints)
        made.append(_trajectory(joints, motion.times, motion.positions[:, columns], motion.velocities[:, columns], at))
    return made


def gripper_trajectories(plan: BimanualTrajectory, robot: Robot, at: Any) -> list[JointTrajectory]:
    """One an arm: its finger joints, metres or rad as the robot's description has them."""
    motion, made = plan.motion, []
    for k, arm in enumerate(motion.arms):
        values = robot.finger_values(arm, motion.openings[:, k])
        made.append(_trajectory(tuple(values), motion.times, np.stack(list(values.values()), 1), None, at))
    return made


def gripper_paths(plan: BimanualTrajectory, robot: Robot, at: Any) -> list[PathMessage]:
    """nav_msgs/msg/Path of each arm's grasp frame in the robot's world, for RViz."""
    motion = plan.motion
    times = np.linspace(motion.times[0], motion.times[-1], _SHOWN)
    positions = motion.at(times)[0]
    return [
        PathMessage(
            header=at,
            poses=[as_pose_stamped(T, at) for T in robot.tool_poses(arm, positions[:, robot.arm(arm).columns])],
        )
        for arm in motion.arms
    ]


def _trajectory(
    names: tuple[str, ...], times: np.ndarray, positions: np.ndarray, velocities: np.ndarray | None, at: Any
) -> JointTrajectory:
    points = []
    for k, seconds in enumerate(times - times[0]):
        nanoseconds = round(float(seconds) * 1e9)
        point = JointTrajectoryPoint(positions=[float(v) for v in positions[k]])
        if velocities is not None:
            point.velocities = [float(v) for v in velocities[k]]
        point.time_from_start = Duration(sec=nanoseconds // 10**9, nanosec=nanoseconds % 10**9)
        points.append(point)
    return JointTrajectory(header=at, joint_names=list(names), points=points)
