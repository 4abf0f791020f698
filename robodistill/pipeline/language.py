"""The verbs of language on field folders: query, segment, prompt, parts, edit."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from robodistill.capture.write import write_png, write_whole
from robodistill.config import QueryConfig
from robodistill.errors import BadInput, HonestNo
from robodistill.field.features import FeatureLayer
from robodistill.field.gaussians import GaussianField
from robodistill.field.render import render
from robodistill.geometry.camera import Camera
from robodistill.language.prompt import PromptResult, prompt
from robodistill.language.prompt_sam import prompt_sam
from robodistill.language.query import Querier
from robodistill.language.segment import Segmentation, label_gaussians, segment
from robodistill.language.selection import Selection, select
from robodistill.pipeline.picture import chosen_view, picture_path
from robodistill.report.pictures import label_colors
from robodistill.teachers.registry import load_prompt_decoder, load_text_teacher
from robodistill.teachers.teacher import TextTeacher


@dataclass(frozen=True, eq=False)
class Answer:
    """A selection and how long it took once the field was loaded."""

    selection: Selection
    seconds: float


def open_language(path: Path, teacher: str | None) -> tuple[GaussianField, FeatureLayer, TextTeacher]:
    """A field, the features of a teacher in it (the first that reads text), and its text encoder.

    Raises:
        BadInput: Not a field, or without features that words can be compared with.
    """
    field = GaussianField.load(path)
    return field, *text_layer(field, path, teacher)


def text_layer(field: GaussianField, name: object, teacher: str | None = None) -> tuple[FeatureLayer, TextTeacher]:
    """The features of a teacher in a field (the first that reads text), and its text encoder.

    Raises:
        BadInput: None that words can be compared with; the field is called `name`.
    """
    if teacher is not None:
        layer = field.layer(teacher)
        return layer, load_text_teacher(layer.teacher)
    refusals = []
    for layer in field.features.values():
        try:
            return layer, load_text_teacher(layer.teacher)
        except BadInput as error:
            refusals.append(str(error))
    if refusals:
        raise BadInput(f"{name} has no features that words can be compared with: {'; '.join(refusals)}")
    return field.layer(), None  # raises: there are no features at all


def query_field(
    path: Path,
    phrase: str,
    *,
    teacher: str | None = None,
    view: int | None = None,
    pose: Path | None = None,
    mask: Path | None = None,
    out: Path | None = None,
    overwrite: bool = False,
    config: QueryConfig | None = None,
) -> Answer:
    """Find what a phrase names; found or not, the answer comes back.

    Args:
        mask: PNG to write, 255 where the view shows what was found; needs `view` or `pose`.
        out: JSON to write the selection to.

    Raises:
        BadInput: An argument is not valid.
    """
    if (mask is None) != (view is None and pose is None):
        raise BadInput("--mask and --view (or --pose) belong together")
    if mask is not None:
        mask = picture_path(mask, overwrite)
    if out is not None and Path(out).exists() and not overwrite:
        raise BadInput(f"{out} exists; give another name or --overwrite")
    field, layer, text = open_language(path, teacher)
    at = None if mask is None else chosen_view(field, view, pose)
    querier = Querier(field, layer, text, config or QueryConfig())
    start = time.perf_counter()
    selection = querier(phrase)
    seconds = time.perf_counter() - start
    if mask is not None:
        chosen = selection.mask(len(field)) & selection.found
        write_png(mask, (view_mask(field, chosen, *at) * 255).astype(np.uint8))
    if out is not None:
        selection.save(out, overwrite)
    return Answer(selection, seconds)


@torch.no_grad()
def view_mask(field: GaussianField, selection: torch.Tensor, camera: Camera, T_world_camera: np.ndarray) -> np.ndarray:
    """(H, W) bool: pixels that are made mostly by the selected Gaussians (N,) bool."""
    seen = render(field, camera, T_world_camera, selection[:, None].float())
    return (seen.features[..., 0] > 0.5 * seen.alpha.clamp_min(0.5)).cpu().numpy()


def segment_field(
    path: Path,
    labels: Sequence[str],
    out: Path,
    *,
    teacher: str | None = None,
    view: int | None = None,
    pose: Path | None = None,
    overwrite: bool = False,
) -> Segmentation:
    """Label the pixels of a view, as a PNG with a palette: index 0 is nothing, k the k-th label.

    Raises:
        BadInput: An argument is not valid.
    """
    out = picture_path(out, overwrite)
    field, layer, text = open_language(path, teacher)
    camera, T_world_camera = chosen_view(field, view, pose)
    found = segment(field, label_gaussians(layer, text, labels), labels, camera, T_world_camera)
    write_whole(out, _palette_png(found.labels + 1, len(labels)))
    return found


def _palette_png(indices: np.ndarray, count: int) -> bytes:
    import io

    from PIL import Image

    if count > 255:
        raise BadInput(f"{count} labels; a picture with a palette holds at most 255")
    picture = Image.fromarray(indices.astype(np.uint8), mode="P")
    picture.putpalette(label_colors(np.arange(256)).astype(np.uint8).tobytes())
    data = io.BytesIO()
    picture.save(data, "PNG")
    return data.getvalue()


def prompt_field(
    path: Path,
    out: Path,
    *,
    view: int,
    point: tuple[float, float] | None = None,
    box: tuple[float, float, float, float] | None = None,
    teacher: str | None = None,
    selection_out: Path | None = None,
    overwrite: bool = False,
) -> PromptResult:
    """Select by a click or a box; the mask goes to the PNG `out`.

    Raises:
        BadInput: An argument is not valid.
        HonestNo: Nothing of the field is there.
    """
    out = picture_path(out, overwrite)
    field = GaussianField.load(path)
    layer = field.layer(teacher) if teacher or field.features else None
    at = chosen_view(field, view, None)
    if layer is not None and layer.teacher.partition(":")[0] in ("sam", "sam2"):
        found = prompt_sam(field, layer, *at, sam=load_prompt_decoder(layer.teacher), point=point, box=box)
    else:
        found = prompt(field, layer, *at, point=point, box=box)
    if selection_out is not None:
        chosen = found.selection.nonzero()[:, 0]
        select(field, chosen, f"{point or box} in view {view}", found.score).save(selection_out, overwrite)
    write_png(out, (found.mask * 255).astype(np.uint8))
    return found


def not_found(answer: Answer) -> HonestNo:
    """The error that says no."""
    selection = answer.selection
    return HonestNo(f"{selection.phrase!r} was not found: {selection.reason}", answer_values(answer))


def answer_values(answer: Answer) -> dict:
    """What `--json` prints of an answer."""
    it = answer.selection
    return {
        "found": it.found,
        "score": round(it.score, 4),
        "center": it.center,
        "box": it.box and {"T_world_box": it.box.T_world_box, "size": it.box.size},
        "gaussians": len(it.gaussians),
        "seconds": round(answer.seconds, 5),
    }
