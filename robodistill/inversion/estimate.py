"""`PoseEstimate`: where a camera is, how sure that is, and what speaks for it."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pydantic

from robodistill.capture.write import write_whole
from robodistill.errors import BadInput, UnsupportedVersion

SCHEMA = 1


@dataclass(frozen=True, eq=False)
class PoseEstimate:
    """A camera pose in a field; to be acted upon only where `converged`."""

    T_world_camera: np.ndarray | None
    """(4, 4) float64, OpenCV camera axes; None where there was no candidate at all."""
    covariance: np.ndarray | None
    """(6, 6) of the twist (v, omega) on the right, `T @ exp(twist)`: the camera's own axes, metres and rad."""
    confidence: float
    """Chance that the pose is right to 5 cm and 5 degrees, in [0, 1]; calibrated on simulated tables."""
    converged: bool
    """The confidence suffices and nothing speaks against the pose."""
    reason: str
    """Why not converged; empty where it is."""
    K: np.ndarray
    """(3, 3) of the picture as given, or as found where the focal length was unknown; pixels."""
    evidence: dict[str, float] = field(default_factory=dict)
    """What the confidence was made of, see `verify.Evidence`, and `gain` and `offset` of the exposure."""
    source: str = ""
    """Of the hypothesis that won: matches, semantics, spine or previous."""
    seconds: float = 0.0

    @property
    def T_camera_world(self) -> np.ndarray | None:
        """The inverse: for a field of one object, the object's pose in the camera."""
        return None if self.T_world_camera is None else np.linalg.inv(self.T_world_camera)

    def as_values(self) -> dict:
        """Plain numbers and lists."""
        return {
            "T_world_camera": None if self.T_world_camera is None else self.T_world_camera.tolist(),
            "converged": self.converged,
            "confidence": self.confidence,
            "covariance": None if self.covariance is None else self.covariance.tolist(),
            "reason": self.reason,
            "K": self.K.tolist(),
            "evidence": self.evidence,
            "source": self.source,
            "seconds": self.seconds,
        }

    def save(self, path: Path, overwrite: bool = False) -> Path:
        """Write JSON; it appears when it is whole.

        Raises:
            BadInput: The file exists and `overwrite` is not given.
        """
        path = Path(path)
        if path.exists() and not overwrite:
            raise BadInput(f"{path} exists; give another name or --overwrite")
        write_whole(path, json.dumps({"schema": SCHEMA, **self.as_values()}, indent=1).encode())
        return path

    @classmethod
    def load(cls, path: Path) -> "PoseEstimate":
        """Read what `save` wrote.

        Raises:
            BadInput: Not there or not a pose estimate.
            UnsupportedVersion: Of another schema, or with keys that this one does not know.
        """
        try:
            values = json.loads(Path(path).read_text())
        except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise BadInput(f"{path} cannot be read as a pose estimate: {error}") from None
        try:
            file = _File.model_validate(values)
        except pydantic.ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the file"
            raise UnsupportedVersion(
                f"{path}: {where}: {first['msg']}; a pose estimate has the keys {', '.join(_File.model_fields)}"
            ) from None
        if file.schema_ != SCHEMA:
            raise UnsupportedVersion(f"{path}: schema {file.schema_}; this program reads {SCHEMA}")

        def array(rows: list[list[float]] | None, size: int) -> np.ndarray | None:
            if rows is not None and [len(row) for row in rows] != [size] * size:
                raise BadInput(f"{path}: a matrix is not of {size} x {size} numbers")
            return None if rows is None else np.array(rows, np.float64)

        return cls(
            array(file.T_world_camera, 4),
            array(file.covariance, 6),
            *(file.confidence, file.converged, file.reason),
            array(file.K, 3),
            *(file.evidence, file.source, file.seconds),
        )


class _File(pydantic.BaseModel, extra="forbid"):
    schema_: int = pydantic.Field(alias="schema")
    T_world_camera: list[list[float]] | None
    converged: bool
    confidence: float
    covariance: list[list[float]] | None
    reason: str
    K: list[list[float]]
    evidence: dict[str, float]
    source: str
    seconds: float
