"""Perspective projection of 3D Gaussians to 2D Gaussians (EWA splatting), in plain PyTorch.

Zwicker et al., "EWA Splatting", TVCG 2002, in the form of Kerbl et al., "3D Gaussian Splatting", SIGGRAPH 2023, with
the conventions of gsplat 1.5.3. Left out: lens distortion, the antialiasing compensation factor.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

ALPHA_MIN = 1 / 255
"""A Gaussian whose alpha at a pixel is below this leaves the pixel as it is."""
_EXTENT = 3.33  # standard deviations; just beyond the distance at which opacity 1 has faded to ALPHA_MIN
_FRUSTUM_MARGIN = 0.3  # of half the field of view


class Projection(NamedTuple):
    """N Gaussians as C cameras see them, pixels."""

    means2d: Tensor
    """(C, N, 2) centres; the image spans [0, width] x [0, height], pixel centres at +0.5."""
    covs2d: Tensor
    """(C, N, 3) covariances xx, xy, yy with the low-pass `eps2d` on both diagonal terms, square pixels."""
    depths: Tensor
    """(C, N) distance along the optical axis, metres; 1 for Gaussians outside the near and far planes."""
    radii: Tensor
    """(C, N, 2) half sides of the box that holds every pixel the Gaussian can change; 0 if it changes none."""


def quats_to_matrices(quats_wxyz: Tensor) -> Tensor:
    """(..., 3, 3) rotations of (..., 4) quaternions of any length but zero."""
    w, x, y, z = F.normalize(quats_wxyz, dim=-1).unbind(-1)
    rows = [
        *(1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        *(2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        *(2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    ]
    return torch.stack(rows, -1).unflatten(-1, (3, 3))


def project_gaussians(
    means: Tensor,
    quats: Tensor,
    scales: Tensor,
    opacities: Tensor,
    viewmats: Tensor,
    Ks: Tensor,
    width: int,
    height: int,
    *,
    near_plane: float = 0.01,
    far_plane: float = 1e10,
    eps2d: float = 0.3,
) -> Projection:
    """Project Gaussians into cameras; differentiable with respect to every tensor (the box has no gradient).

    Args:
        means: (N, 3) centres in the world, metres.
        quats: (N, 4) orientations wxyz, of any length but zero.
        scales: (N, 3) standard deviations along the Gaussian's axes, metres.
        opacities: (N,) in [0, 1]; they only shrink the box.
        viewmats: (C, 4, 4) `T_camera_world`, OpenCV cameras.
        Ks: (C, 3, 3) pixels, origin at the *corner* of the first pixel (`Camera.K_corner`).
        near_plane: Gaussians at this depth or nearer are dropped, metres.
        far_plane: Gaussians at this depth or further are dropped, metres.
        eps2d: Low-pass added to the 2D covariance, square pixels.
    """
    R_camera_world = viewmats[:, :3, :3]
    points = torch.einsum("cij,nj->cni", R_camera_world, means) + viewmats[:, None, :3, 3]
    depths = points[..., 2]
    in_range = (depths > near_plane) & (depths < far_plane)
    # A dropped Gaussian is moved in front of the camera: 0 * (1 / 0) would make its zero gradient NaN.
    points = torch.where(in_range[..., None], points, points.new_tensor([0.0, 0.0, 1.0]))
    depths = points[..., 2]
    means2d = torch.einsum("cij,cnj->cni", Ks[:, :2], points) / depths[..., None]

    axes = torch.einsum("cij,njk->cnik", R_camera_world, quats_to_matrices(quats) * scales[:, None, :])
    focal = Ks[:, None, [0, 1], [0, 1]]
    center = Ks[:, None, [0, 1], [2, 2]]
    size = means.new_tensor([width, height])
    margin = _FRUSTUM_MARGIN * 0.5 * size / focal
    # Only the linearisation is clamped: far outside the image it would blow a Gaussian up over all of it.
    slopes = points[..., :2] / depths[..., None]
    slopes = torch.minimum(torch.maximum(slopes, -center / focal - margin), (size - center) / focal + margin)
    # Rows of the Jacobian are focal / z * (1, 0, -x/z) and focal / z * (0, 1, -y/z).
    rows = (focal / depths[..., None])[..., None] * (axes[..., :2, :] - slopes[..., None] * axes[..., 2:, :])
    xx = (rows[..., 0, :] ** 2).sum(-1) + eps2d
    xy = (rows[..., 0, :] * rows[..., 1, :]).sum(-1)
    yy = (rows[..., 1, :] ** 2).sum(-1) + eps2d

    with torch.no_grad():
        reach = (2 * torch.log(opacities / ALPHA_MIN)).clamp(min=0).sqrt().clamp(max=_EXTENT)
        radii = torch.ceil(reach[:, None] * torch.stack([xx, yy], -1).sqrt())
        inside = ((means2d + radii > 0) & (means2d - radii < size)).all(-1)
        keep = in_range & inside & (opacities >= ALPHA_MIN)
        radii = torch.where(keep[..., None], radii, 0.0)
    return Projection(means2d, torch.stack([xx, xy, yy], -1), depths, radii)


def min_distance_to_rectangle(mean: Tensor, cov: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """(n,) half squared Mahalanobis distance from (n, 2) `mean`, (n, 3) `cov` to the boxes (n, 2) `low`..`high`.

    The nearest point lies on one of the two sides that face the mean; along a side the distance is a parabola.
    """
    xx, xy, yy = cov.unbind(-1)
    det = (xx * yy - xy * xy).clamp(min=1e-10)
    near = torch.minimum(torch.maximum(mean, low), high)
    dx, dy = (near - mean).unbind(-1)
    # On the side x = near, y is best at its mean given x, and the other way round.
    y = torch.minimum(torch.maximum(xy / xx * dx, low[:, 1] - mean[:, 1]), high[:, 1] - mean[:, 1])
    x = torch.minimum(torch.maximum(xy / yy * dy, low[:, 0] - mean[:, 0]), high[:, 0] - mean[:, 0])

    def half_distance(dx: Tensor, dy: Tensor) -> Tensor:
        return 0.5 * (yy * dx * dx - 2 * xy * dx * dy + xx * dy * dy) / det

    return torch.minimum(half_distance(dx, y), half_distance(x, dy))
