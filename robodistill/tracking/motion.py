"""`PartMotion`: where each part of a scanned object is in each frame of a video, and the joints that this shows."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pydantic

from robodistill.capture.write import write_whole
from robodistill.errors import BadInput, UnsupportedVersion
from robodistill.geometry.camera import Camera

SCHEMA = 1
JointKind = Literal["fixed", "revolute", "prismatic", "screw", "free"]


@dataclass(frozen=True, eq=False)
class Joint:
    """How a part moves against another; the field's coordinates, both parts at rest as they were scanned.

    At value q a point x of the child, at rest, is carried, as seen from the parent at rest, to
    `origin + R(axis, q) (x - origin) + pitch q axis` (revolute: pitch 0), or `x + q axis` (prismatic).
    """

    kind: JointKind
    parent: int
    """Number of the part that stays."""
    child: int
    axis: np.ndarray
    """(3,) unit direction; zeros where the kind has none (fixed, free)."""
    origin: np.ndarray
    """(3,) the point of the axis nearest to the child's middle, metres."""
    pitch: float
    """Of a screw, metres per radian; else 0."""
    values: np.ndarray
    """(T,) rad, or metres where prismatic; 0 is rest; zeros where fixed or free."""
    range: tuple[float, float]
    """Smallest and largest value that was seen for sure."""
    axis_std: float = 0.0
    """Uncertainty of the direction, rad."""
    origin_std: float = 0.0
    """Of the axis' place, across it, metres."""
    value_std: float = 0.0
    """Of one value."""
    residual: float = 0.0
    """Root mean square of what the joint does not explain, metres at the child's points."""

    @property
    def turned_round(self) -> "Joint":
        """The same with parent and child exchanged, values as they are."""
        return replace(self, parent=self.child, child=self.parent, axis=-self.axis)


@dataclass(frozen=True, eq=False)
class PartMotion:
    """T frames of P parts."""

    parts: tuple[str, ...]
    """Their names."""
    Ts_camera_part: np.ndarray
    """(T, P, 4, 4) float64: the field's coordinates of a part at rest to the camera's in that frame."""
    confidence: np.ndarray
    """(T, P) in [0, 1], that the pose is right to 5 % of the object's size."""
    visible: np.ndarray
    """(T, P) share of the part that neither hands nor other parts hide, in [0, 1]."""
    held: np.ndarray
    """(T, P) bool: a hand has hold of the part."""
    joints: tuple[Joint, ...]
    """One less than parts, a tree; empty for a single part."""
    labels: np.ndarray
    """(N,) int32 part of each Gaussian of the field, -1 for none (the table that it stood on)."""
    times: np.ndarray
    """(T,) seconds."""
    camera: Camera
    """Of the video."""

    def __post_init__(self) -> None:
        frames, parts = self.Ts_camera_part.shape[:2]
        assert self.Ts_camera_part.shape == (frames, parts, 4, 4) and len(self.parts) == parts
        assert self.confidence.shape == self.visible.shape == self.held.shape == (frames, parts)
        assert self.times.shape == (frames,) and self.labels.ndim == 1
        assert all(joint.values.shape == (frames,) for joint in self.joints)

    def __len__(self) -> int:
        return len(self.times)

    @property
    def root(self) -> int:
        """The part that no joint has as its child."""
        children = {joint.child for joint in self.joints}
        return next(k for k in range(len(self.parts)) if k not in children)

    def rooted(self, part: int) -> "PartMotion":
        """The same with another root: joints on the way to it are told the other way round, values as they are."""
        joints, upper = list(self.joints), part
        while upper != self.root:
            k = next(k for k, joint in enumerate(self.joints) if joint.child == upper)
            joint = self.joints[k]
            joints[k] = joint.turned_round
            upper = joint.parent
        return replace(self, joints=tuple(joints))

    def relative(self, parent: int, child: int) -> np.ndarray:
        """(T, 4, 4) motion of the child against the parent, in the field's coordinates; identity at rest."""
        return np.linalg.inv(self.Ts_camera_part[:, parent]) @ self.Ts_camera_part[:, child]

    def save(self, path: Path, overwrite: bool = False) -> Path:
        """Write `path` (JSON) and the arrays beside it (`.safetensors`); the JSON appears last.

        Raises:
            BadInput: The file exists and `overwrite` is not given, or does not end in .json.
        """
        from safetensors.numpy import save

        path = Path(path)
        if path.suffix != ".json":
            raise BadInput(f"{path}: a motion is written as .json (its arrays beside it)")
        if path.exists() and not overwrite:
            raise BadInput(f"{path} exists; give another name or --overwrite")
        arrays = {name: np.ascontiguousarray(getattr(self, name)) for name in _ARRAYS}
        write_whole(path.with_suffix(".safetensors"), save(arrays))
        camera = {"K": self.camera.K.tolist(), "width": self.camera.width, "height": self.camera.height}
        joints = [
            {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in asdict(joint).items()}
            for joint in self.joints
        ]
        index = {"schema": SCHEMA, "parts": self.parts, "camera": camera, "joints": joints, "frames": len(self)}
        write_whole(path, json.dumps(index, indent=1).encode())
        return path

    @classmethod
    def load(cls, path: Path) -> "PartMotion":
        """Read what `save` wrote.

        Raises:
            BadInput: Not there, not a motion, or its two files do not fit each other.
            UnsupportedVersion: Of another schema, or with keys that this one does not know.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load

        path = Path(path)
        try:
            values = json.loads(path.read_text())
            arrays = load(path.with_suffix(".safetensors").read_bytes())
        except (OSError, UnicodeDecodeError, json.JSONDecodeError, SafetensorError) as error:
            raise BadInput(f"{path} cannot be read as a motion: {error}") from None
        try:
            file = _File.model_validate(values)
        except pydantic.ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the file"
            raise UnsupportedVersion(
                f"{path}: {where}: {first['msg']}; a motion has the keys {', '.join(_File.model_fields)}"
            ) from None
        if file.schema_ != SCHEMA:
            raise UnsupportedVersion(f"{path}: schema {file.schema_}; this program reads {SCHEMA}")
        if set(arrays) != set(_ARRAYS) or arrays["Ts_camera_part"].shape[:2] != (file.frames, len(file.parts)):
            raise BadInput(
                f"{path}: the arrays beside it are not those of {file.frames} frames, {len(file.parts)} parts"
            )
        joints = tuple(
            replace(
                joint, **{name: np.array(getattr(joint, name), np.float64) for name in ("axis", "origin", "values")}
            )
            for joint in (Joint(**entry.model_dump()) for entry in file.joints)
        )
        camera = Camera(np.array(file.camera.K), file.camera.width, file.camera.height)
        return cls(parts=tuple(file.parts), joints=joints, camera=camera, **arrays)


_ARRAYS = ("Ts_camera_part", "confidence", "visible", "held", "labels", "times")


class _Camera(pydantic.BaseModel, extra="forbid"):
    K: list[list[float]]
    width: int
    height: int


class _Joint(pydantic.BaseModel, extra="forbid"):
    kind: JointKind
    parent: int
    child: int
    axis: list[float]
    origin: list[float]
    pitch: float
    values: list[float]
    range: tuple[float, float]
    axis_std: float
    origin_std: float
    value_std: float
    residual: float


class _File(pydantic.BaseModel, extra="forbid"):
    schema_: int = pydantic.Field(alias="schema")
    parts: list[str]
    camera: _Camera
    joints: list[_Joint]
    frames: int
