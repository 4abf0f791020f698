"""Where a camera is mounted on a robot, or before it, and what it saw of a target; files of both."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydantic

from robodistill.capture.write import write_whole
from robodistill.errors import BadInput, UnsupportedVersion
from robodistill.robots.robot import Robot

SCHEMA = 1
WORLD = "world"
"""As a frame: what does not move."""


@dataclass(frozen=True, eq=False)
class HandEye:
    """Where a camera is mounted."""

    frame: str
    """`world`, or a link of the robot."""
    T_frame_camera: np.ndarray
    """(4, 4) OpenCV camera axes."""

    def T_world_camera(self, robot: Robot | None = None, q: np.ndarray | None = None) -> np.ndarray:
        """(..., 4, 4) while the robot is at (..., J) joint values; those are needed where the camera is on a link.

        Raises:
            BadInput: The robot has no such link, or the joint values are missing.
        """
        if self.frame == WORLD:
            return self.T_frame_camera
        if robot is None or q is None:
            raise BadInput(f"the camera is on {self.frame}, which moves: the robot and its joint values are needed")
        if self.frame not in robot.model.links:
            raise BadInput(f"the camera is on {self.frame!r}; robot {robot.name} has {', '.join(robot.model.links)}")
        return robot.link_poses(q)[self.frame] @ self.T_frame_camera

    def save(self, path: Path, overwrite: bool = False) -> Path:
        """Write JSON.

        Raises:
            BadInput: The file exists and `overwrite` is not given.
        """
        path = Path(path)
        if path.exists() and not overwrite:
            raise BadInput(f"{path} exists; give another name or --overwrite")
        values = {"schema": SCHEMA, "frame": self.frame, "T_frame_camera": self.T_frame_camera.tolist()}
        write_whole(path, json.dumps(values, indent=1).encode())
        return path

    @classmethod
    def load(cls, path: Path) -> "HandEye":
        """Read what `save` wrote.

        Raises:
            BadInput: Not there, or not such a file.
            UnsupportedVersion: Of another version, or with keys that this one does not know.
        """
        file = _read(path, _HandEyeFile, "a hand-eye calibration")
        return cls(file.frame, _rigid(file.T_frame_camera, f"{path}: T_frame_camera"))


@dataclass(frozen=True, eq=False)
class Samples:
    """What a camera saw of one target while the robot stood at several places."""

    camera_frame: str
    target_frame: str
    """Links, one of them `world`."""
    joints: np.ndarray
    """(N, J) of the robot, rad."""
    Ts_camera_target: np.ndarray
    """(N, 4, 4)."""

    def __post_init__(self) -> None:
        if (self.camera_frame == WORLD) == (self.target_frame == WORLD):
            raise BadInput(
                f"camera on {self.camera_frame!r}, target on {self.target_frame!r}: one of them must be {WORLD!r}"
            )

    @classmethod
    def load(cls, path: Path, robot: Robot) -> "Samples":
        """Read JSON: `camera_frame`, `target_frame`, and `samples`, each with `joints` and `T_camera_target` (4x4).

        Joints are a list in the order of `robot.joints`, or values by name; joints that are not named are at home.

        Raises:
            BadInput: Not there, of another form, or of another robot.
            UnsupportedVersion: Of another version, or with keys that this one does not know.
        """
        file = _read(path, _SamplesFile, "samples of a hand-eye calibration")
        rows, poses = [], []
        for k, it in enumerate(file.samples):
            where = f"{path}: sample {k}"
            rows.append(joint_values(robot, it.joints, where))
            poses.append(_rigid(it.T_camera_target, f"{where}: T_camera_target"))
        joints, Ts = np.array(rows).reshape(-1, len(robot.joints)), np.array(poses).reshape(-1, 4, 4)
        made = cls(file.camera_frame, file.target_frame, joints, Ts)
        made.Ts_world_hand(robot)
        return made

    def Ts_world_hand(self, robot: Robot) -> np.ndarray:
        """(N, 4, 4) of the link that moves.

        Raises:
            BadInput: The robot has no such link.
        """
        link = self.target_frame if self.camera_frame == WORLD else self.camera_frame
        if link not in robot.model.links:
            raise BadInput(f"robot {robot.name} has no link {link!r}; it has {', '.join(robot.model.links)}")
        return np.ascontiguousarray(robot.link_poses(self.joints)[link])


def joint_values(robot: Robot, joints: list[float] | dict[str, float], where: str) -> np.ndarray:
    """(J,) a configuration from a list in `robot.joints`' order or from values by name, the others at home.

    Raises:
        BadInput: A wrong number of values, or a joint that the robot has not.
    """
    if isinstance(joints, dict):
        unknown = sorted(set(joints) - set(robot.joints))
        if unknown:
            raise BadInput(f"{where}: no joint {unknown[0]!r}; robot {robot.name} has {', '.join(robot.joints)}")
        joints = [joints.get(name, home) for name, home in zip(robot.joints, robot.home, strict=True)]
    if len(joints) != len(robot.joints) or not np.isfinite(joints).all():
        raise BadInput(f"{where}: {len(joints)} joint values; {len(robot.joints)} finite ones are needed, in rad: "
                       f"{', '.join(robot.joints)}")  # fmt: skip
    return np.array(joints, float)


def read_joints(path: Path, robot: Robot) -> np.ndarray:
    """(J,) a configuration of a JSON file, in either form of `joint_values`.

    Raises:
        BadInput: Not there, not JSON, or not of this robot.
    """
    try:
        joints = json.loads(Path(path).read_text())
        return joint_values(robot, {k: float(v) for k, v in joints.items()} if isinstance(joints, dict)
                            else [float(v) for v in joints], str(path))  # fmt: skip
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, TypeError, ValueError) as error:
        raise BadInput(f"{path} holds no joint values, a JSON list or values by name: {error}") from None


def _rigid(rows: Sequence[Sequence[float]], what: str) -> np.ndarray:
    try:
        T = np.array(rows, float)
    except ValueError:
        T = np.zeros(0)
    rigid = T.shape == (4, 4) and np.isfinite(T).all() and np.allclose(T[3], [0, 0, 0, 1])
    if not rigid or not np.allclose(T[:3, :3] @ T[:3, :3].T, np.eye(3), atol=1e-3) or np.linalg.det(T[:3, :3]) < 0:
        raise BadInput(f"{what} is not a rigid pose of 4 rows of 4 numbers")
    u, _, vt = np.linalg.svd(T[:3, :3])
    T[:3, :3] = u @ vt
    return T


def _read(path: Path, kind: type[pydantic.BaseModel], what: str) -> Any:
    try:
        file = kind.model_validate(json.loads(Path(path).read_text()))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BadInput(f"{path} cannot be read as {what}: {error}") from None
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise UnsupportedVersion(
            f"{path}: {where}: {first['msg']}; {what} has the keys schema, {', '.join([*kind.model_fields][1:])}"
        ) from None
    if file.schema_ != SCHEMA:
        raise UnsupportedVersion(f"{path}: schema {file.schema_}; this program reads {SCHEMA}")
    return file


class _HandEyeFile(pydantic.BaseModel, extra="forbid"):
    schema_: int = pydantic.Field(SCHEMA, alias="schema")
    frame: str
    T_frame_camera: list[list[float]]


class _Sample(pydantic.BaseModel, extra="forbid"):
    joints: dict[str, float] | list[float]
    T_camera_target: list[list[float]]


class _SamplesFile(pydantic.BaseModel, extra="forbid"):
    schema_: int = pydantic.Field(SCHEMA, alias="schema")
    camera_frame: str
    target_frame: str
    samples: list[_Sample]
