"""A simulated table as the language benchmarks use it: scanned with sensor noise, fitted, with labels of Gaussians."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from torch import Tensor

from robodistill.capture.frame import Frame
from robodistill.capture.open import open_capture
from robodistill.capture.read import read_json
from robodistill.config import BuildConfig, FeaturesConfig
from robodistill.field.gaussians import FieldView, GaussianField
from robodistill.parts.quality import majority_labels
from robodistill.pipeline.build import build_field, is_held_out

VIEWS, EVERY = 44, 11


@dataclass(frozen=True, eq=False)
class Scan:
    """One scene."""

    seed: int
    folder: Path
    truth: dict
    field: GaussianField
    frames: list[Frame]
    """That the field was made from."""
    views: list[FieldView]
    kept_out: list[Frame]
    objects: np.ndarray
    """(N,) object id of each Gaussian, 0 = none."""
    parts: np.ndarray
    """(N,) part id of each Gaussian."""

    def mask(self, kind: str, name: str) -> np.ndarray:
        """(H, W) ids of a frame; kind is masks or parts."""
        return _mask(self.folder, kind, name)


def make_scan(parent: Path, seed: int, objects: list[str] | None = None, config: BuildConfig | None = None) -> Scan:
    """Simulate and fit a table; with `objects`, of these categories only."""
    from robodistill.sim.tabletop import make_tabletop

    folder = parent / f"{seed}_{'_'.join(objects or ['table'])}"
    make_tabletop(seed, VIEWS, 320, 240, "sensor", folder, objects)
    config = replace(config or BuildConfig(), hold_out=EVERY, features=FeaturesConfig(way="none"))
    field = GaussianField.load(build_field(folder, folder.with_suffix(".field"), config).path)
    every = list(open_capture(folder).frames())
    used = [i for i in range(len(every)) if not is_held_out(i, EVERY)]
    scan = Scan(
        seed,
        folder,
        read_json(folder / "truth.json"),
        field,
        [every[i] for i in used],
        [field.views[i] for i in used],
        [frame for i, frame in enumerate(every) if is_held_out(i, EVERY)],
        np.zeros(0),
        np.zeros(0),
    )
    labels = {
        kind: majority_labels(field, [(f.camera, f.T_world_camera, scan.mask(kind, f.name)) for f in scan.frames])
        for kind in ("masks", "parts")
    }
    return replace(scan, objects=labels["masks"].numpy(), parts=labels["parts"].numpy())


def true_parts(folder: Path, field: GaussianField, frames: Iterable[Frame]) -> Tensor:
    """(N,) part of each Gaussian, 0 = none, by the masks of a simulated capture's frames."""
    seen = [(f.camera, f.T_world_camera, _mask(folder, "parts", f.name)) for f in frames]
    return majority_labels(field, seen)


def _mask(folder: Path, kind: str, name: str) -> np.ndarray:
    return cv2.imread(str(folder / kind / f"{name}.png"), cv2.IMREAD_UNCHANGED).astype(np.int64)
