"""`Grasp` and `GraspList`: hand poses, how the arm gets there, and why other candidates were not taken.

The grasp frame: z is the direction of approach, x that in which the pads close, the origin is midway between them.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from robodistill.capture.write import write_whole
from robodistill.errors import BadInput, UnsupportedVersion

SCHEMA = 1


@dataclass(frozen=True, eq=False)
class Grasp:
    """One way to take hold of a thing."""

    T_world_grasp: np.ndarray
    """(4, 4)."""
    width: float
    """Of the thing between the pads, metres."""
    score: float
    """In [0, 1], higher is better."""
    opening: float
    """Between the pads while they approach, metres."""
    angles: tuple[float, float]
    """Between the line of the contacts and the normals there, rad."""
    clearance: float
    """Between the open gripper and anything but the thing, metres."""
    arm: str = ""
    """Empty where no robot was asked."""
    T_world_pregrasp: np.ndarray | None = None
    """(4, 4) from where the gripper comes in a straight line."""
    T_world_lift: np.ndarray | None = None
    """(4, 4) straight above."""
    approach: np.ndarray | None = None
    """(K, J) joint values from the home pose to the pre-grasp, rad."""
    reach: np.ndarray | None = None
    """(K, J) from the pre-grasp to the grasp."""
    raise_: np.ndarray | None = None
    """(K, J) from the grasp to the lift."""


@dataclass(frozen=True, eq=False)
class GraspList:
    """Grasps of what a phrase names, best first."""

    phrase: str
    robot: str
    """Name of its file."""
    grasps: tuple[Grasp, ...]
    rejected: dict[str, int] = field(default_factory=dict)
    """Candidates by the reason why they were not taken."""
    center: tuple[float, ...] = ()
    """(3,) where the phrase's thing or part is, metres, world frame."""
    seconds: float = 0.0

    def save(self, path: Path, overwrite: bool = False) -> Path:
        """Write `path` (JSON).

        Raises:
            BadInput: It exists and `overwrite` is not given.
        """
        path = Path(path)
        if path.exists() and not overwrite:
            raise BadInput(f"{path} exists; give another name or ask to overwrite it")
        values = {"schema": SCHEMA, "kind": "grasps", "phrase": self.phrase, "robot": self.robot}
        values |= {"center": list(self.center), "seconds": self.seconds, "rejected": self.rejected}
        values["grasps"] = [{k: _plain(v) for k, v in vars(grasp).items()} for grasp in self.grasps]
        write_whole(path, json.dumps(values).encode())
        return path

    @classmethod
    def load(cls, path: Path) -> "GraspList":
        """Read what `save` wrote.

        Raises:
            BadInput: Not there or not a list of grasps.
            UnsupportedVersion: Of another version.
        """
        try:
            values = json.loads(Path(path).read_text())
            if (values.pop("schema"), values.pop("kind")) != (SCHEMA, "grasps"):
                raise UnsupportedVersion(f"{path} is not a list of grasps of schema {SCHEMA}")
            grasps = [
                Grasp(**{key: np.array(v) if key in _ARRAYS and v is not None else v for key, v in it.items()})
                for it in values.pop("grasps")
            ]
            values["center"] = tuple(values["center"])
            return cls(**values, grasps=tuple(grasps))
        except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadInput(f"{path} is not a list of grasps: {type(error).__name__} {error}") from None


_ARRAYS = ("T_world_grasp", "T_world_pregrasp", "T_world_lift", "approach", "reach", "raise_")


def _plain(value: object) -> object:
    return np.round(value, 7).tolist() if isinstance(value, np.ndarray) else value
