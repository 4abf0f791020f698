"""`Selection`: some Gaussians of a field, where they are, and why they were chosen; and its files."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from robodistill.capture.write import write_whole
from robodistill.errors import BadInput, UnsupportedVersion
from robodistill.field.gaussians import GaussianField

SCHEMA = 1


@dataclass(frozen=True)
class Box:
    """An oriented box."""

    T_world_box: list[list[float]]
    """(4, 4): origin in the middle, axes along the sides."""
    size: list[float]
    """Lengths of the sides along the box's axes, metres, longest first."""


@dataclass(frozen=True, eq=False)
class Selection:
    """What a phrase or a prompt names in a field of N Gaussians."""

    phrase: str
    found: bool
    score: float
    """In [0, 1]; one half and more means found."""
    gaussians: Tensor
    """(M,) int64 indices; the best candidate's, where nothing was found."""
    center: list[float]
    """Median of the centres, metres, world frame; empty where there is no candidate."""
    box: Box | None
    reason: str = ""
    """Why nothing was found."""

    def mask(self, n: int) -> Tensor:
        """(N,) bool."""
        mask = torch.zeros(n, dtype=torch.bool, device=self.gaussians.device)
        mask[self.gaussians] = True
        return mask

    def save(self, path: Path, overwrite: bool = False) -> Path:
        """Write `path` (JSON) and beside it the indices, as `.safetensors`.

        Raises:
            BadInput: It exists and `overwrite` is not given.
        """
        from safetensors.torch import save

        path = Path(path)
        if path.exists() and not overwrite:
            raise BadInput(f"{path} exists; give another name or ask to overwrite it")
        values = {"schema": SCHEMA, "kind": "selection", "phrase": self.phrase, "found": self.found}
        values |= {"score": self.score, "center": self.center, "box": self.box and asdict(self.box)}
        write_whole(path.with_suffix(".safetensors"), save({"gaussians": self.gaussians.cpu().contiguous()}))
        write_whole(path, json.dumps(values | {"reason": self.reason}, indent=1).encode())
        return path

    @classmethod
    def load(cls, path: Path) -> "Selection":
        """Read what `save` wrote.

        Raises:
            BadInput: Not there or not a selection.
            UnsupportedVersion: Of another version.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load

        path = Path(path)
        try:
            values = json.loads(path.read_text())
            gaussians = load(path.with_suffix(".safetensors").read_bytes())["gaussians"]
            if values.pop("schema") != SCHEMA or values.pop("kind") != "selection":
                raise UnsupportedVersion(f"{path} is not a selection of schema {SCHEMA}")
            box = values.pop("box")
            return cls(**values, gaussians=gaussians, box=box and Box(**box))
        except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
            raise BadInput(f"{path} is not a selection: {type(error).__name__} {error}") from None


def select(field: GaussianField, ids: Tensor, phrase: str, score: float, reason: str = "") -> Selection:
    """A selection of Gaussians by indices; found where it holds any and no reason speaks against it."""
    if not len(ids):
        return Selection(phrase, False, score, ids, [], None, reason or "no Gaussian fits")
    points = field.means[ids].detach().cpu().numpy()
    return Selection(phrase, not reason, score, ids, np.median(points, 0).tolist(), oriented_box(points), reason)


def oriented_box(points: np.ndarray) -> Box:
    """A small box around most of (M, 3) points: the smallest of those that stand on a principal plane of theirs.

    The outermost percent at each side is left out, so that a stray Gaussian does not blow it up.
    """
    middle = np.median(points, 0)
    _, axes = np.linalg.eigh(np.cov((points - middle).T) if len(points) > 3 else np.eye(3))
    best = None
    for k in range(3):
        up, a, b = axes[:, k], axes[:, (k + 1) % 3], axes[:, (k + 2) % 3]
        flat = np.stack([(points - middle) @ a, (points - middle) @ b], 1)
        angle = np.radians(cv2.minAreaRect(_inner(flat).astype(np.float32))[2])
        first = np.cos(angle) * a + np.sin(angle) * b
        R = np.stack([first, np.cross(up, first), up], 1)
        inside = (points - middle) @ R
        low, high = np.percentile(inside, [1, 99], axis=0)
        if best is None or np.prod(high - low + 1e-4) < np.prod(best[2] - best[1] + 1e-4):
            best = R, low, high
    R, low, high = best
    order = np.argsort(low - high)
    R, middle = R[:, order], middle + R @ ((low + high) / 2)
    if np.linalg.det(R) < 0:
        R[:, 2] *= -1
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = R, middle
    return Box(T.tolist(), (high - low)[order].tolist())


def _inner(points: np.ndarray) -> np.ndarray:
    low, high = np.percentile(points, [1, 99], axis=0)
    kept = points[((points >= low) & (points <= high)).all(1)]
    return kept if len(kept) > 2 else points
