"""Parts without clicks, on scans of articulated things in one pose.

Twice: scans of the thing by itself, as tracking takes them, where a part has hundreds of Gaussians; and scans of a
table on which it stands, seen from as far as other things, where a blade is a few pixels wide and 30 to 90 Gaussians.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from robodistill.bench.scans import make_scan, true_parts
from robodistill.capture.frame import Frame
from robodistill.capture.open import open_capture
from robodistill.config import BuildConfig, FeaturesConfig, PartsConfig
from robodistill.features.uplift import uplift
from robodistill.field.gaussians import FieldView, GaussianField
from robodistill.parts.parts import find_parts
from robodistill.parts.quality import part_iou
from robodistill.pipeline.build import build_field
from robodistill.progress import Progress
from robodistill.teachers.truth import TruthTeacher

OBJECTS = ("cabinet", "chest", "scissors", "stapler")
NOISY = "stride=4,noise=5.4"
_FILMED = 30  # frames, the fewest: only the scan is used


def bench_parts(add: Callable, folder: Path, seeds: Sequence[int], progress: Progress) -> None:
    """`part_miou` of the best scale, with noisy features and with colour and geometry alone."""
    for k, seed in enumerate(seeds):
        for i, name in enumerate(OBJECTS):
            progress("parts", k * len(OBJECTS) + i, len(seeds) * len(OBJECTS), name)
            scan = make_scan(folder, seed, [name])
            tabled = scan.folder, scan.field, scan.frames, torch.from_numpy(scan.parts)
            for where, scanned in (("", _scanned(folder, name, seed)), (" on a table", tabled)):
                for method, found in _best(*scanned).items():
                    add(f"parts of {name}{where}", method, "part_miou", found)
                    add(f"parts{where}", method, "part_miou", found)
    progress("parts", len(seeds) * len(OBJECTS), len(seeds) * len(OBJECTS))


def _scanned(parent: Path, name: str, seed: int) -> tuple[Path, GaussianField, list[Frame], Tensor]:
    """Capture, field, frames and true parts (N,) of a thing that was scanned by itself."""
    from robodistill.sim.articulated.make import make_articulated

    made = parent / f"{seed}_{name}_by_itself"
    folder = make_articulated(name, seed, made, frames=_FILMED).scan
    config = BuildConfig(features=FeaturesConfig(way="none"))
    field = GaussianField.load(build_field(folder, made / "object.field", config).path)
    frames = list(open_capture(folder).frames())
    return folder, field, frames, true_parts(folder, field, frames)


def _best(folder: Path, field: GaussianField, frames: Sequence[Frame], truth: Tensor) -> dict[str, float]:
    """By method, the mean IoU of the true parts at the scale that fits them best."""
    teacher = TruthTeacher(NOISY, folder)
    views = [FieldView(f.name, f.camera, f.T_world_camera) for f in frames]
    layer = uplift(field, views, [teacher.encode(frame) for frame in frames], FeaturesConfig().uplift)
    groups = {"features": layer, "colour and geometry": None}
    return {way: float(part_iou(find_parts(field, PartsConfig(), x), truth).max()) for way, x in groups.items()}
