"""`RobotTrajectory`: what all arms and grippers of a robot do over time, and its files."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from robodistill.capture.write import write_whole
from robodistill.errors import BadInput, UnsupportedVersion

SCHEMA = 1


@dataclass(frozen=True, eq=False)
class RobotTrajectory:
    """Positions at times, between which they change linearly."""

    robot: str
    """Name of a robot's file."""
    arms: dict[str, tuple[str, ...]]
    """Joint names by arm, in the order of the columns."""
    times: np.ndarray
    """(T,) seconds from the start, ascending."""
    positions: np.ndarray
    """(T, J) rad, arm after arm."""
    velocities: np.ndarray
    """(T, J) rad/s."""
    openings: np.ndarray
    """(T, A) of each arm's gripper, metres."""
    task: dict = field(default_factory=dict)
    """What it is for: `kind`, and what that kind needs to be judged; plain JSON values."""

    def __post_init__(self) -> None:
        T, J = len(self.times), sum(map(len, self.arms.values()))
        assert self.positions.shape == self.velocities.shape == (T, J), (self.positions.shape, (T, J))
        assert self.openings.shape == (T, len(self.arms)) and (np.diff(self.times) >= 0).all()

    @property
    def duration(self) -> float:
        """Seconds."""
        return float(self.times[-1] - self.times[0])

    def at(self, times: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
        """Positions (..., J) and openings (..., A) at times (...); before and after the ends, those of the ends."""
        columns = np.concatenate([self.positions, self.openings], 1).T
        values = np.stack([np.interp(times, self.times, column) for column in columns], -1)
        return values[..., : self.positions.shape[1]], values[..., self.positions.shape[1] :]

    def save(self, path: Path, overwrite: bool = False) -> Path:
        """Write `path` (JSON), with per arm a `JointTrajectory`'s names and points, and grippers beside them.

        Raises:
            BadInput: It exists and `overwrite` is not given.
        """
        path = Path(path)
        if path.exists() and not overwrite:
            raise BadInput(f"{path} exists; give another name or ask to overwrite it")
        arms, first = {}, 0
        for k, (name, joints) in enumerate(self.arms.items()):
            columns = slice(first, first + len(joints))
            first += len(joints)
            arms[name] = {
                "joint_names": list(joints),
                "positions": np.round(self.positions[:, columns], 6).tolist(),
                "velocities": np.round(self.velocities[:, columns], 6).tolist(),
                "openings": np.round(self.openings[:, k], 6).tolist(),
            }
        values = {"schema": SCHEMA, "kind": "trajectory", "robot": self.robot, "task": self.task}
        values |= {"times": np.round(self.times, 6).tolist(), "arms": arms}
        write_whole(path, json.dumps(values).encode())
        return path

    @classmethod
    def load(cls, path: Path) -> "RobotTrajectory":
        """Read what `save` wrote.

        Raises:
            BadInput: Not there or not a trajectory.
            UnsupportedVersion: Of another version.
        """
        try:
            values = json.loads(Path(path).read_text())
            if (values["schema"], values["kind"]) != (SCHEMA, "trajectory"):
                raise UnsupportedVersion(f"{path} is not a trajectory of schema {SCHEMA}")
            arms = values["arms"]
            stacked = {
                key: np.concatenate([np.array(arm[key], float) for arm in arms.values()], 1)
                for key in ("positions", "velocities")
            }
            names = {name: tuple(arm["joint_names"]) for name, arm in arms.items()}
            openings = np.array([arm["openings"] for arm in arms.values()], float).T
            times = np.array(values["times"], float)
            return cls(values["robot"], names, times, **stacked, openings=openings, task=values["task"])
        except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError, AttributeError, AssertionError) as error:
            raise BadInput(f"{path} is not a trajectory: {type(error).__name__} {error}") from None
