"""Teachers into a field: the maps of all frames, kept on disk so that an interrupted build goes on, then a way."""

import logging
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from robodistill.capture.frame import Frame
from robodistill.capture.write import write_whole
from robodistill.config import FeaturesConfig
from robodistill.errors import BadInput
from robodistill.features.contrastive import contrastive
from robodistill.features.distill import distill
from robodistill.features.shape import add_shape
from robodistill.features.uplift import uplift
from robodistill.field.features import FeatureLayer
from robodistill.field.gaussians import FieldView, GaussianField
from robodistill.progress import Progress, silent
from robodistill.teachers.registry import load_image_teacher, load_mask_proposer, resolve_auto
from robodistill.teachers.teacher import ImageTeacher, ShapeTeacher

log = logging.getLogger(__name__)
WAYS = ("uplift", "distill", "contrastive")


class TeacherMaps(Sequence):
    """Feature maps of frames, each encoded once and kept in half precision: in a folder, or in memory."""

    def __init__(self, teacher: ImageTeacher, frames: Sequence[Frame], folder: Path | None, progress: Progress) -> None:
        """Nothing is encoded yet."""
        self._teacher, self._frames, self._folder, self._progress = teacher, frames, folder, progress
        self._kept: dict[int, Tensor] = {}

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: int) -> Tensor:
        if index in self._kept:
            return self._kept[index].float()
        path = None if self._folder is None else self._folder / f"{index:05d}.safetensors"
        if path is not None and path.exists():
            from safetensors.torch import load

            return load(path.read_bytes())["map"].float()
        seen = self._teacher.encode(self._frames[index]).half()
        self._progress("teacher", index + 1, len(self))
        if path is None:
            self._kept[index] = seen
        else:
            from safetensors.torch import save

            write_whole(path, save({"map": seen.cpu().contiguous()}))
        return seen.float()


def resolve_teachers(teacher: str) -> list[str]:
    """Specs of a comma-separated list; "auto" is what is installed, and says so.

    A comma inside a spec's argument belongs to it where no known name follows: `clip,truth:noise=1,stride=4` are two.
    """
    from robodistill.teachers.catalog import TEACHERS

    specs: list[str] = []
    for piece in filter(None, (p.strip() for p in teacher.split(","))):
        known = piece.partition(":")[0] in TEACHERS or piece == "auto"
        if known or not specs:
            specs.append(piece)
        else:
            specs[-1] += f",{piece}"
    if specs != ["auto"]:
        return specs
    found = resolve_auto()
    log.warning("features by %s", found)
    return [found]


def checked_features(config: FeaturesConfig, capture: Path | None) -> FeaturesConfig:
    """The config with its teachers named: what is wrong or missing of them is told before any work is done.

    Raises:
        BadInput: An unknown teacher or way.
        MissingPart: A teacher that is not there.
    """
    if config.way == "none":
        return config
    if config.way not in WAYS:
        raise BadInput(f"features {config.way!r}: one of {', '.join(WAYS)} or none is needed")
    specs = resolve_teachers(config.teacher)
    names = [spec.partition(":")[0] for spec in specs]
    if len(set(names)) < len(names):
        raise BadInput(f"teachers {', '.join(specs)}: a field holds one of each name; put the other into another field")
    for spec in specs:
        _ = load_image_teacher(spec, capture).dim  # finds the model
    return replace(config, teacher=",".join(specs))


def add_features(
    field: GaussianField,
    frames: Sequence[Frame],
    views: Sequence[FieldView],
    capture: Path | None,
    config: FeaturesConfig,
    cache: Path | None = None,
    progress: Progress = silent,
) -> GaussianField:
    """The field with a layer for each teacher of the config; one of the same name that it has already is replaced.

    Args:
        frames: Posed frames to look at.
        views: Their views, in the same order.
        capture: Folder of the capture, for teachers that read more than the frames.
        cache: Folder for the maps, so that they survive an interruption.

    Raises:
        BadInput: An unknown teacher or way.
        MissingPart: A teacher's weights are not there.
    """
    if config.way == "none":
        return field
    layers, config = dict(field.features), checked_features(config, capture)
    for spec in resolve_teachers(config.teacher):
        teacher = load_image_teacher(spec, capture)
        folder = None if cache is None else cache / "".join(c if c.isalnum() else "_" for c in spec)
        maps = TeacherMaps(teacher, frames, folder, progress)
        layer = _layer(field, frames, views, maps, capture, spec, config, progress)
        if isinstance(teacher, ShapeTeacher) and teacher.kind.stop <= teacher.dim:  # features of words, not of places
            layer = add_shape(field, layer, teacher, config.shape)
        layers[spec.partition(":")[0]] = layer
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
    return replace(field, features=layers)


def _layer(
    field: GaussianField,
    frames: Sequence[Frame],
    views: Sequence[FieldView],
    maps: TeacherMaps,
    capture: Path | None,
    spec: str,
    config: FeaturesConfig,
    progress: Progress,
) -> FeatureLayer:
    if config.way == "uplift":
        layer = uplift(field, views, maps, config.uplift, spec, progress)
    elif config.way == "distill":
        layer = distill(field, list(views), maps, config.distill, progress)
    else:
        proposer = load_mask_proposer(config.masks, capture)
        masks = [proposer.propose(frame) for frame in frames]
        layer = contrastive(field, list(views), maps, masks, config.contrastive, progress)
    return replace(layer, teacher=spec)


@torch.no_grad()
def feature_colors(layer: FeatureLayer) -> Tensor:
    """(N, 3) in [0, 1]: the three strongest directions in which features differ, for pictures."""
    codes = torch.nn.functional.normalize(layer.codes.float(), dim=-1)
    centred = codes - codes.mean(0)
    _, directions = torch.linalg.eigh((centred.mT @ centred).double())
    shown = centred @ directions[:, -3:].flip(1).float()
    low, high = shown.quantile(0.02, 0), shown.quantile(0.98, 0)
    return ((shown - low) / (high - low).clamp_min(1e-9)).clamp(0, 1)
