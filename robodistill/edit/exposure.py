"""How well the cameras of a field saw each Gaussian: what lies under or inside a thing is a guess of the fit."""

import numpy as np
import torch
from torch import Tensor

from robodistill.field.gaussians import GaussianField
from robodistill.field.render import view_tensors
from robodistill.raster.projection import project_gaussians
from robodistill.raster.rasterize import cell_weights

_LONG_SIDE = 240  # pixels; finer pictures tell no more
_MOST_VIEWS = 24


def exposure(field: GaussianField) -> Tensor:
    """(N,) share of each Gaussian that comes through in the view that shows it best; all 1 without views.

    It is the sum of its blending weights over a picture, divided by what it would be were nothing before it.
    """
    if not field.views:
        return torch.ones_like(field.opacities)
    best = torch.zeros_like(field.opacities)
    picks = np.unique(np.linspace(0, len(field.views) - 1, _MOST_VIEWS).round().astype(int))
    for view in (field.views[k] for k in picks):
        camera = view.camera
        scale = min(1.0, _LONG_SIDE / max(camera.width, camera.height))
        camera = camera.resized(max(1, round(scale * camera.width)), max(1, round(scale * camera.height)))
        viewmats, Ks = view_tensors(field.means, camera, view.T_world_camera)
        shape = (field.means, field.quats_wxyz, field.scales)
        size = (viewmats, Ks, camera.width, camera.height)
        starts, _, pieces = cell_weights(*shape, field.opacities, viewmats[0], Ks[0], *size[2:], 1, 1)
        weights = torch.zeros_like(field.opacities)
        weights.scatter_add_(0, torch.arange(len(field)).repeat_interleave(starts.diff()), pieces)
        p = project_gaussians(*shape, field.opacities, *size)
        xx, xy, yy = p.covs2d[0].unbind(-1)
        alone = 2 * torch.pi * field.opacities * (xx * yy - xy * xy).clamp_min(1e-12).sqrt()
        x, y = p.means2d[0].unbind(-1)
        whole = (p.radii[0, :, 0] > 0) & (x > 0) & (y > 0) & (x < camera.width) & (y < camera.height)
        best = torch.where(whole, torch.maximum(best, weights / alone.clamp_min(1e-6)), best)
    return best.clamp_max(1.0)
