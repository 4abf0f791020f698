"""How well masks of many views hold two Gaussians of a field together: how often both lie in the same region."""

from collections.abc import Iterable

import numpy as np
import torch

from robodistill.field.gaussians import GaussianField
from robodistill.field.render import render
from robodistill.geometry.camera import Camera

_BEHIND = 0.02  # of the depth: a centre this far behind the surface is still seen


def mask_agreement(
    field: GaussianField, pairs: np.ndarray, masks: Iterable[tuple[Camera, np.ndarray, np.ndarray]]
) -> np.ndarray:
    """Share of the views and levels with both Gaussians of a pair in a region that have them in the same one.

    Args:
        field: N Gaussians.
        pairs: (M, 2) indices.
        masks: Camera, T_world_camera (4, 4) and (L, H, W) int32 label maps of each view, 0 = no region.

    Returns:
        (M,) float32 in [0, 1]; 1 where no view tells.
    """
    together, views = np.zeros(len(pairs), np.int32), np.zeros(len(pairs), np.int32)
    for camera, T_world_camera, maps in masks:
        seen, pixels = _visible(field, camera, T_world_camera)
        for level in maps:
            region = np.zeros(len(field), np.int32)
            region[seen] = level.ravel()[pixels]
            a, b = region[pairs].T
            both = (a > 0) & (b > 0)
            together += both & (a == b)
            views += both
    return np.where(views > 0, together / np.maximum(views, 1), 1).astype(np.float32)


@torch.no_grad()
def _visible(field: GaussianField, camera: Camera, T_world_camera: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the Gaussians whose centre a camera sees, and the flat index of the pixel each lies in."""
    depth = render(field, camera, T_world_camera).depth.cpu().numpy()
    T = np.linalg.inv(T_world_camera)
    uv, z = camera.project(field.means.cpu().numpy() @ T[:3, :3].T + T[:3, 3])
    front = np.flatnonzero(z > 0)
    u, v = np.rint(uv[front]).astype(np.int64).T
    inside = (u >= 0) & (u < camera.width) & (v >= 0) & (v < camera.height)
    seen, pixels = front[inside], v[inside] * camera.width + u[inside]
    surface = depth.ravel()[pixels]
    visible = (surface > 0) & (z[seen] <= surface * (1 + _BEHIND))
    return seen[visible], pixels[visible]
