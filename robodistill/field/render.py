"""Render a field from a camera: colour, depth, normals, and any per-Gaussian channels beside them."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from robodistill.field.gaussians import GaussianField
from robodistill.geometry.camera import Camera
from robodistill.raster.projection import quats_to_matrices
from robodistill.raster.rasterize import rasterize, view_colors

_LOW_PASS = 0.3  # square pixels that Gaussians are blurred with in the views that they are fitted to
_LEAST = 0.05  # elsewhere
_USUAL = 0.5  # elsewhere, where nobody knows these views: most pictures show a thing from nearer than its scan
_EDGE_ON = 0.1
"""Cosine of the angle between a Gaussian's normal and the ray to it below which its plane is not used."""


@dataclass(frozen=True, eq=False)
class Rendering:
    """What a camera sees of a field."""

    rgb: Tensor
    """(H, W, 3) in [0, 1]; the field's background where nothing covers it."""
    depth: Tensor
    """(H, W) depth of the blended surface along the optical axis, metres; 0 where alpha is below one half."""
    alpha: Tensor
    """(H, W) in [0, 1]."""
    normals: Tensor
    """(H, W, 3) towards the camera, world frame, unit; 0 where alpha is below one half."""
    features: Tensor | None = None
    """(H, W, D) blended channels, where any were given."""


def low_pass(field: GaussianField, camera: Camera, distance: float) -> float:
    """Square pixels that a thing is blurred with, drawn as large as it is, so many metres away.

    Gaussians that were fitted with a low pass of some pixels are too thin by that: they are drawn with as many
    millimetres of it (compare Yu et al., "Mip-Splatting", CVPR 2024). With as many pixels, as usual, a picture from
    nearer than the scan has thin things too thin, and thus too near; a small one has them too thick, and too far.
    """
    if field.detail is None:
        return _USUAL
    return max(_LEAST, _LOW_PASS * (camera.focal / (max(distance, 0.01) * field.detail)) ** 2)


def render(
    field: GaussianField,
    camera: Camera,
    T_world_camera: np.ndarray | Tensor,
    features: Tensor | None = None,
    eps2d: float = _LOW_PASS,
) -> Rendering:
    """Render one view.

    Args:
        field: The Gaussians; the work is done on their device.
        camera: Pinhole camera.
        T_world_camera: (4, 4); as a tensor it may carry a gradient.
        features: (N, D) further channels.
        eps2d: Square pixels that each Gaussian is blurred with, see `low_pass`.
    """
    viewmats, Ks = view_tensors(field.means, camera, T_world_camera)
    colors = view_colors(field.means, field.sh, viewmats, field.sh_degree)[0]
    axes = shortest_axes(field.quats_wxyz, field.scales)
    columns = [colors, turned_to(axes, field.means, viewmats[0]), surface_planes(field.means, axes, viewmats[0])]
    if features is not None:
        columns.append(features.to(colors.dtype))
    image, alphas, _ = rasterize(
        *(field.means, field.quats_wxyz, field.scales, field.opacities, torch.cat(columns, -1)),
        *(viewmats, Ks, camera.width, camera.height),
        eps2d=eps2d,
    )
    rgb, normal, plane, feature = image[0].split([3, 3, 3, image.shape[-1] - 9], -1)
    alpha = alphas[0, ..., 0]
    solid = alpha >= 0.5
    return Rendering(
        rgb=rgb + (1 - alphas[0]) * rgb.new_tensor(field.background),
        depth=solid * alpha / inverse_depth(plane, camera).clamp_min(1e-6),
        alpha=alpha,
        normals=torch.nn.functional.normalize(normal, dim=-1) * solid[..., None],
        features=None if features is None else feature,
    )


def view_tensors(like: Tensor, camera: Camera, T_world_camera: np.ndarray | Tensor) -> tuple[Tensor, Tensor]:
    """View matrix (1, 4, 4) and K (1, 3, 3) as the rasteriser takes them, of `like`'s type and device."""
    T = torch.as_tensor(T_world_camera).to(like)
    K = torch.as_tensor(camera.K_corner).to(like)
    R, t = T[:3, :3], T[:3, 3]
    top = torch.cat([R.mT, -(R.mT @ t)[:, None]], 1)
    return torch.cat([top, T.new_tensor([[0, 0, 0, 1.0]])])[None], K[None]


def shortest_axes(quats_wxyz: Tensor, scales: Tensor) -> Tensor:
    """(N, 3) the axis along which each Gaussian is thinnest, world frame, of either sign."""
    R = quats_to_matrices(quats_wxyz)
    return R.gather(2, scales.argmin(-1)[:, None, None].expand(-1, 3, 1))[..., 0]


def turned_to(axes: Tensor, means: Tensor, viewmat: Tensor) -> Tensor:
    """(N, 3) axes, each with the sign that points to the camera."""
    center = -(viewmat[:3, :3].mT @ viewmat[:3, 3])
    away = ((means - center) * axes).sum(-1, keepdim=True) > 0
    return torch.where(away, -axes, axes)


def surface_planes(means: Tensor, axes: Tensor, viewmat: Tensor) -> Tensor:
    """(N, 3) the plane of each Gaussian in the camera frame: `q` with inverse depth = <q, ray> for a ray (x, y, 1).

    `axes` (N, 3) are the Gaussians' normals, of either sign.

    Blending `q` instead of the depth of the centre makes the depth of a slanted surface exact: all Gaussians of a
    plane agree in every pixel, while the blended depth of their centres leans towards the camera (the order of
    blending favours the near ones). Compare Zhang et al., "RaDe-GS: Rasterizing Depth in Gaussian Splatting", 2024;
    differs in that the inverse depth is blended, which is linear in the image: three channels of any rasteriser.
    """
    R, t = viewmat[:3, :3], viewmat[:3, 3]
    center = means @ R.mT + t
    normal = axes @ R.mT
    distance = (normal * center).sum(-1, keepdim=True)
    # a plane seen edge-on says nothing of the depth: there the Gaussian counts as facing the camera
    edge_on = distance.abs() < _EDGE_ON * center.norm(dim=-1, keepdim=True)
    facing = torch.cat([torch.zeros_like(center[:, :2]), 1 / center[:, 2:].clamp_min(1e-6)], -1)
    return torch.where(edge_on, facing, normal / torch.where(edge_on, 1.0, distance))


def inverse_depth(planes: Tensor, camera: Camera) -> Tensor:
    """(H, W) inverse depth, times alpha, of blended planes (H, W, 3)."""
    return (planes * torch.from_numpy(camera.rays()).to(planes)).sum(-1)
