"""A few steps of fitting around what changed, on the pieces of the new views that show it; all else stays as it is."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from robodistill.capture.frame import Frame
from robodistill.config import FitConfig, PolicyConfig
from robodistill.field.fit import Fit
from robodistill.field.gaussians import GaussianField
from robodistill.field.render import view_tensors
from robodistill.geometry.camera import Camera
from robodistill.raster.projection import project_gaussians

_STEPS = 75
_COLORS, _LAST = 0.04, 0.2  # learning rate of colours, and share of all rates left at the end: few steps are made
_COLORS_OF = ("sh0", "shN")
_REACH = 0.05  # metres around what changed: shadows and light
_MARGIN = 6  # pixels around its picture
_LEAST = 8  # pixels of a side


class _PartialFit(Fit):
    """Fits some Gaussians only, and splits none."""

    def __init__(self, field: GaussianField, frames: list[Frame], free: Tensor, rigid: Tensor) -> None:
        """Begin; `free` (N,) bool are those that are fitted, `rigid` (N,) bool those that keep place and shape."""
        policy = PolicyConfig(first_step=10 * _STEPS)
        rates = {"lr_colors": _COLORS, "lr_final": _LAST}
        config = FitConfig(steps=_STEPS, sh_degree=field.sh_degree, sh_from=0.0, policy=policy, **rates)
        super().__init__(field, frames, config)
        self._fixed, self._known = ~free, ~free | rigid

    def _update(self) -> None:
        for name, p in self.params.items():
            if p.grad is not None:
                p.grad[self._fixed if name in _COLORS_OF else self._known] = 0
        super()._update()


def refined(field: GaussianField, frames: Sequence[Frame], changed: np.ndarray, rigid: Tensor) -> GaussianField:
    """The field, fitted to new views around changed places (n, 3); features stay.

    Of rigid Gaussians (N,) bool only the colours are: they were seen by more views, in another light.
    """
    means = field.means.cpu().numpy().astype(float)
    if not len(changed):
        return field
    near = cKDTree(changed).query(means, distance_upper_bound=_REACH)[0] < _REACH
    pieces = [piece for piece in (_around(frame, means[near]) for frame in frames) if piece is not None]
    if not pieces:
        return field
    rows = torch.stack([_shown(field, piece) for piece in pieces]).any(0).nonzero()[:, 0]  # what no piece shows costs
    free = torch.from_numpy(near).to(rows.device)[rows]
    fit = _PartialFit(replace(field, features={}, groups=None).select(rows), pieces, free, rigid[rows])
    while not fit.is_done:
        fit.step()
    return _replaced(field, rows[free], fit.field().select(free))


@torch.no_grad()
def _shown(field: GaussianField, piece: Frame) -> Tensor:
    """(N,) bool: Gaussians that a piece may show."""
    viewmats, Ks = view_tensors(field.means, piece.camera, piece.T_world_camera)
    shape = (field.means, field.quats_wxyz, field.scales, field.opacities)
    return project_gaussians(*shape, viewmats, Ks, piece.camera.width, piece.camera.height).radii[0, :, 0] > 0


def _replaced(field: GaussianField, rows: Tensor, part: GaussianField) -> GaussianField:
    """A field with other Gaussians in some rows; their features stay."""
    values = {}
    for name in ("means", "quats_wxyz", "scales", "opacities", "sh"):
        values[name] = getattr(field, name).clone()
        values[name][rows] = getattr(part, name)
    return replace(field, **values)


def _around(frame: Frame, points: np.ndarray) -> Frame | None:
    """The piece of a frame that shows points (n, 3); None where hardly anything of it does."""
    T = np.linalg.inv(frame.T_world_camera)
    uv, z = frame.camera.project(points @ T[:3, :3].T + T[:3, 3])
    uv = uv[z > 0.05]
    if not len(uv):
        return None
    low, high = np.percentile(uv, (1, 99), axis=0)  # strays behind a near surface would widen it
    size = frame.camera.width, frame.camera.height
    u0, v0 = (int(max(0, np.floor(x) - _MARGIN)) for x in low)
    u1, v1 = (int(min(most, np.ceil(x) + _MARGIN + 1)) for x, most in zip(high, size, strict=True))
    if u1 - u0 < _LEAST or v1 - v0 < _LEAST:
        return None
    K = frame.camera.K - np.array([[0, 0, u0], [0, 0, v0], [0, 0, 0]])
    rgb, depth = (np.ascontiguousarray(image[v0:v1, u0:u1]) for image in (frame.rgb, frame.depth))
    return replace(frame, rgb=rgb, depth=depth, camera=Camera(K, u1 - u0, v1 - v0))
