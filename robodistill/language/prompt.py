"""A click or a box on a rendered view becomes a 3D selection and its mask.

The selection grows from what made the clicked pixels (`grow.py`): by features where the field has them, else by colour
and the shape of the surface, which is worse. Parts that the field knows (`field.groups`) are snapped to.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from robodistill.config import PromptConfig
from robodistill.errors import BadInput
from robodistill.field.features import FeatureLayer
from robodistill.field.gaussians import GaussianField
from robodistill.geometry.camera import Camera
from robodistill.language.grow import Likeness
from robodistill.language.lift import ViewWeights, pixel_seeds, view_weights
from robodistill.language.prompt_box import Box, fill_box

Point = tuple[float, float]


@dataclass(frozen=True, eq=False)
class PromptResult:
    """What was meant."""

    mask: np.ndarray
    """(H, W) bool: what of the view shows the selection."""
    selection: Tensor
    """(N,) bool."""
    score: float
    """In [0, 1]: how sharp its border is, and for a box, how well it fills it."""


def prompt(
    field: GaussianField,
    layer: FeatureLayer | None,
    camera: Camera,
    T_world_camera: np.ndarray,
    *,
    point: Point | None = None,
    box: Box | None = None,
    config: PromptConfig | None = None,
) -> PromptResult:
    """Select by one click or one box; `Prompter` is quicker for several.

    Args:
        field: N Gaussians.
        layer: Features to tell things apart by; None for colour and shape alone.
        camera: Of the view that was clicked.
        T_world_camera: (4, 4).
        point: Pixel (u, v), centres at integers.
        box: Pixels (u0, v0, u1, v1), corners of what is meant, in any order.
        config: Defaults where None.

    Raises:
        BadInput: Not one of point and box, or it lies outside the image.
        HonestNo: Nothing of the field is there.
    """
    return Prompter(field, layer, config or PromptConfig())(camera, T_world_camera, point=point, box=box)


class Prompter:
    """A field made ready for prompts."""

    def __init__(self, field: GaussianField, layer: FeatureLayer | None, config: PromptConfig) -> None:
        self._field, self._config = field, config
        self._likeness = Likeness(field, layer, config)

    def __call__(
        self, camera: Camera, T_world_camera: np.ndarray, *, point: Point | None = None, box: Box | None = None
    ) -> PromptResult:
        """See `prompt`."""
        check_prompt(camera, point, box)
        view = view_weights(self._field, camera, T_world_camera)
        if box is None:
            selection, score = self._of_point(view, point)
        else:
            selection, score = fill_box(view, self._likeness, _sorted(box))
        selection = self._snapped(selection)
        return PromptResult(view.mask(selection), torch.from_numpy(selection).to(self._field.means.device), score)

    def _of_point(self, view: ViewWeights, point: Point) -> tuple[np.ndarray, float]:
        growth = self._likeness.grow(pixel_seeds(view, *(round(x) for x in point)))
        borders = growth.borders()
        sizes = np.arange(1, len(borders) + 1)
        allowed = (sizes >= self._config.least) & (sizes <= view.count // 2)
        best = int(np.where(allowed, borders, np.inf).argmin()) if allowed.any() else len(borders) - 1
        return growth.region(best + 1), float(1 - borders[best])

    def _snapped(self, region: np.ndarray) -> np.ndarray:
        """The known part that the region is most like, or the region itself."""
        groups = self._field.groups
        best, snapped = self._config.snap, region
        for labels in [] if groups is None else groups.cpu().numpy().T:
            sizes, common = np.bincount(labels), np.bincount(labels[region], minlength=labels.max() + 1)
            overlap = common / (sizes + region.sum() - common)
            overlap[0] = 0
            if overlap.max() >= best:
                best, snapped = overlap.max(), labels == overlap.argmax()
        return snapped


def check_prompt(camera: Camera, point: Point | None, box: Box | None) -> None:
    """Raise `BadInput` unless there is one of point and box, and it touches the image."""
    if (point is None) == (box is None):
        raise BadInput("a prompt is one point (u, v) or one box (u0, v0, u1, v1)")
    size = f"the image has {camera.width}x{camera.height} pixels"
    if point is not None and not (-0.5 <= point[0] < camera.width - 0.5 and -0.5 <= point[1] < camera.height - 0.5):
        raise BadInput(f"the point {point} lies outside: {size}")
    if box is not None:
        u0, v0, u1, v1 = _sorted(box)
        if not (u1 - u0 >= 1 and v1 - v0 >= 1):
            raise BadInput(f"the box {box} must have opposite corners, at least a pixel apart")
        if not (u1 > 0 and v1 > 0 and u0 < camera.width - 1 and v0 < camera.height - 1):
            raise BadInput(f"the box {box} lies outside: {size}")


def _sorted(box: Box) -> Box:
    u0, v0, u1, v1 = box
    return min(u0, u1), min(v0, v1), max(u0, u1), max(v0, v1)
