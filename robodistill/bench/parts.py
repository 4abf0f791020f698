"""Parts without clicks, on scans of articulated things in one pose."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from robodistill.bench.scans import make_scan
from robodistill.config import FeaturesConfig, PartsConfig
from robodistill.features.uplift import uplift
from robodistill.parts.parts import find_parts
from robodistill.parts.quality import part_iou
from robodistill.progress import Progress
from robodistill.teachers.truth import TruthTeacher

OBJECTS = ("cabinet", "chest", "scissors", "stapler")
NOISY = "stride=4,noise=5.4"


def bench_parts(add: Callable, folder: Path, seeds: Sequence[int], progress: Progress) -> None:
    """`part_miou` of the best scale, with noisy features and with colour and geometry alone."""
    for k, seed in enumerate(seeds):
        progress("parts", k, len(seeds))
        for name in OBJECTS:
            scan = make_scan(folder, seed, [name])
            truth = torch.from_numpy(scan.parts)
            teacher = TruthTeacher(NOISY, scan.folder)
            maps = [teacher.encode(frame) for frame in scan.frames]
            layer = uplift(scan.field, scan.views, maps, FeaturesConfig().uplift)
            for method, features in (("features", layer), ("colour and geometry", None)):
                groups = find_parts(scan.field, PartsConfig(), features)
                add(f"parts of {name}", method, "part_miou", float(part_iou(groups, truth).max()))
                add("parts", method, "part_miou", float(part_iou(groups, truth).max()))
    progress("parts", len(seeds), len(seeds))
