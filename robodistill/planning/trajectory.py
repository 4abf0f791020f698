"""`BimanualTrajectory`: what two arms do to repeat a demonstration, which parts they hold meanwhile, and its checks.

Its file is that of `RobotTrajectory`, so that whatever runs, shows or judges trajectories takes it as it is; holds,
progress and checks stand in its task.
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from robodistill.errors import BadInput
from robodistill.robots.trajectory import RobotTrajectory

KIND = "follow"
"""Of the task."""
_DEPARTURES = {"not_lifted": "handled where it stands", "let_go_midway": "let go midway and taken hold of anew"}


@dataclass(frozen=True, eq=False)
class PartHold:
    """An arm has hold of a part."""

    arm: str
    part: int
    """Number in the motion."""
    T_part_grasp: np.ndarray
    """(4, 4) the grasp frame in the part's, which is the field's with the part at rest."""
    width: float
    """Of the part between the pads, metres."""
    start: float
    """Seconds at which the gripper is closed."""
    end: float
    """Seconds at which it begins to open; the trajectory's end where it does not."""

    @property
    def contacts(self) -> np.ndarray:
        """(4, 2) homogeneous points at which the pads press, in the part's frame."""
        T, half = self.T_part_grasp, self.width / 2
        return np.column_stack([T[:, 3] + side * half * T[:, 0] for side in (-1.0, 1.0)])


@dataclass(frozen=True, eq=False)
class BimanualTrajectory:
    """A plan."""

    motion: RobotTrajectory
    """Joint values and openings over time; its task is kept in the fields below."""
    holds: tuple[PartHold, ...]
    progress: np.ndarray
    """(T,) seconds of the demonstration that each time of the motion is at; constant while nothing is moved."""
    parts: tuple[str, ...]
    T_world_object: np.ndarray
    """(4, 4) of the root part when the demonstration begins: the field's coordinates in the robot's world."""
    base: str
    """`stays` where the root part must not move, else `carried`."""
    checks: dict
    """Figures of `planning.checks`, plain values."""

    def __post_init__(self) -> None:
        assert self.progress.shape == self.motion.times.shape and self.base in ("stays", "carried")

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.motion.duration

    @property
    def arms(self) -> dict[str, str]:
        """Names of the parts that each arm holds, one after the other, by arm; without arms that hold nothing."""
        held: dict[str, list[str]] = {}
        for hold in self.holds:
            held.setdefault(hold.arm, []).append(self.parts[hold.part])
        return {arm: ", ".join(dict.fromkeys(parts)) for arm, parts in held.items()}

    @property
    def departures(self) -> list[str]:
        """What it does otherwise than the demonstration, and why."""
        return [f"{told}: {self.checks[name]}" for name, told in _DEPARTURES.items() if name in self.checks]

    def progress_at(self, times: np.ndarray) -> np.ndarray:
        """Seconds of the demonstration at times (...) of the motion."""
        return np.interp(times, self.motion.times, self.progress)

    def save(self, path: Path, overwrite: bool = False) -> Path:
        """Write `path` (JSON).

        Raises:
            BadInput: It exists and `overwrite` is not given.
        """
        task = {
            "kind": KIND,
            "parts": list(self.parts),
            "base": self.base,
            "T_world_object": self.T_world_object.tolist(),
            "holds": [{k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in asdict(h).items()}
                      for h in self.holds],
            "progress": np.round(self.progress, 6).tolist(),
            "checks": self.checks,
        }  # fmt: skip
        return replace(self.motion, task=task).save(path, overwrite)

    @classmethod
    def load(cls, path: Path) -> "BimanualTrajectory":
        """Read what `save` wrote.

        Raises:
            BadInput: Not there or not such a plan.
            UnsupportedVersion: Of another version.
        """
        motion = RobotTrajectory.load(path)
        task = motion.task
        if task.get("kind") != KIND:
            raise BadInput(f"{path}: a task of kind {task.get('kind')!r}; a plan's is {KIND!r}")
        try:
            holds = tuple(PartHold(**it | {"T_part_grasp": np.array(it["T_part_grasp"])}) for it in task["holds"])
            progress, T = np.array(task["progress"], float), np.array(task["T_world_object"], float)
            return cls(motion, holds, progress, tuple(task["parts"]), T, task["base"], task["checks"])
        except (KeyError, TypeError, ValueError, AssertionError) as error:
            raise BadInput(f"{path} is not a plan: {type(error).__name__} {error}") from None

    def ros(self) -> dict:
        """The plain dict of a ROS `trajectory_msgs/JointTrajectory` of all arms' joints, one point a time."""
        motion = self.motion
        points = []
        for at, position, velocity in zip(motion.times, motion.positions, motion.velocities, strict=True):
            nanoseconds = round(float(at - motion.times[0]) * 1e9)
            points.append(
                {
                    "positions": position.tolist(),
                    "velocities": velocity.tolist(),
                    "accelerations": [],
                    "effort": [],
                    "time_from_start": {"sec": nanoseconds // 10**9, "nanosec": nanoseconds % 10**9},
                }
            )
        header = {"stamp": {"sec": 0, "nanosec": 0}, "frame_id": "world"}
        names = [name for joints in motion.arms.values() for name in joints]
        return {"header": header, "joint_names": names, "points": points}
