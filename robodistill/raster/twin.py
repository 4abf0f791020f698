"""The rasteriser in plain PyTorch: the oracle of the compiled kernel, and the fallback where there is no compiler.

Kerbl et al., "3D Gaussian Splatting", SIGGRAPH 2023, with the conventions of gsplat 1.5.3: pixel centres at +0.5,
alpha = min(0.999, opacity * exp(-sigma)), no effect below 1/255, and a pixel stops *before* the Gaussian that would
bring its transmittance to 1e-4 or less. Every gradient is autograd's. Blending is dense over (pixels of a tile) x
(Gaussians of the tile) in a Python loop over tiles; nothing loops over Gaussians. Differs from gsplat in one line:
sigma is written as a sum of squares, so it is never negative and needs no test for that.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from robodistill.errors import BadInput
from robodistill.raster.projection import ALPHA_MIN, Projection, min_distance_to_rectangle, project_gaussians

ALPHA_MAX = 0.999
LIGHT_MIN = 1e-4
TILE = 16
RENDER_MODES = ("RGB", "D", "ED", "RGB+D", "RGB+ED")


def rasterize_twin(
    means: Tensor,
    quats: Tensor,
    scales: Tensor,
    opacities: Tensor,
    colors: Tensor,
    viewmats: Tensor,
    Ks: Tensor,
    width: int,
    height: int,
    *,
    near_plane: float = 0.01,
    far_plane: float = 1e10,
    eps2d: float = 0.3,
    backgrounds: Tensor | None = None,
    render_mode: str = "RGB",
) -> tuple[Tensor, Tensor]:
    """Render Gaussians into cameras, differentiable with respect to every tensor.

    Arguments and results are those of `robodistill.raster.rasterize.rasterize`, without spherical harmonics.

    Raises:
        BadInput: Unknown `render_mode`.
    """
    if render_mode not in RENDER_MODES:
        raise BadInput(f"render_mode must be one of {', '.join(RENDER_MODES)}; got {render_mode!r}")
    C, N, D = len(viewmats), len(means), colors.shape[-1]
    assert means.shape == (N, 3) and quats.shape == (N, 4) and scales.shape == (N, 3) and opacities.shape == (N,)
    assert colors.shape in ((N, D), (C, N, D)), colors.shape
    assert viewmats.shape == (C, 4, 4) and Ks.shape == (C, 3, 3), (viewmats.shape, Ks.shape)
    assert backgrounds is None or backgrounds.shape == (C, D), backgrounds.shape

    projection = project_gaussians(
        *(means, quats, scales, opacities, viewmats, Ks, width, height),
        near_plane=near_plane,
        far_plane=far_plane,
        eps2d=eps2d,
    )
    seen, counts = _gaussians_of_tiles(projection, opacities, width, height)
    columns = []
    if "RGB" in render_mode:
        columns.append(colors.flatten(0, -2)[seen if colors.ndim == 3 else seen % N])
    if "D" in render_mode:
        columns.append(projection.depths.flatten()[seen, None])
    columns.append(torch.ones_like(columns[0][:, :1]))  # blending ones gives alpha
    tiles = _blend_tiles(projection, opacities[seen % N], torch.cat(columns, -1), seen, counts, (C, height, width))

    image, alphas = tiles[..., :-1], tiles[..., -1:]
    depth = image[..., -1:] / alphas.clamp(min=1e-10) if "ED" in render_mode else image[..., -1:]
    if "RGB" not in render_mode:
        return depth, alphas
    rgb = image[..., :D]
    if backgrounds is not None:
        rgb = rgb + (1 - alphas) * backgrounds[:, None, None]
    return (rgb if render_mode == "RGB" else torch.cat([rgb, depth], -1)), alphas


@torch.no_grad()
def _gaussians_of_tiles(projection: Projection, opacities: Tensor, width: int, height: int) -> tuple[Tensor, list[int]]:
    """Indices into the flattened (C, N) Gaussians, tile after tile, nearest first; and how many each tile has."""
    C, N = projection.depths.shape
    across, down = -(-width // TILE), -(-height // TILE)
    means, covs, radii = (x.flatten(0, 1) for x in (projection.means2d, projection.covs2d, projection.radii))
    order = torch.argsort(projection.depths.flatten(), stable=True)
    order = order[radii[order, 0] > 0]

    limit = torch.tensor([across, down], device=means.device)
    first = ((means - radii)[order] / TILE).floor().long().clamp(min=0)
    last = torch.minimum(((means + radii)[order] / TILE).ceil().long(), limit)
    sides = (last - first).clamp(min=0)
    count = sides.prod(-1)
    row = torch.repeat_interleave(torch.arange(len(order), device=means.device), count)
    seen = order[row]
    within = torch.arange(len(row), device=means.device) - (count.cumsum(0) - count)[row]
    tile_x = first[row, 0] + within % sides[row, 0]
    tile_y = first[row, 1] + within // sides[row, 0]

    # The box of a slanted Gaussian covers tiles that the ellipse does not reach; they cost as much as the others.
    low = torch.stack([tile_x, tile_y], -1).to(means.dtype) * TILE + 0.5
    distance = min_distance_to_rectangle(means[seen], covs[seen], low, low + (TILE - 1))
    reached = distance <= torch.log(opacities / ALPHA_MIN)[seen % N] + 1e-3  # generous against rounding
    seen, tile_x, tile_y = seen[reached], tile_x[reached], tile_y[reached]
    tile = (seen // N * down + tile_y) * across + tile_x
    by_tile = torch.argsort(tile, stable=True)
    return seen[by_tile], torch.bincount(tile, minlength=C * down * across).tolist()


def _blend_tiles(
    projection: Projection, opacities: Tensor, features: Tensor, seen: Tensor, counts: list[int], shape: tuple
) -> Tensor:
    """(C, H, W, X) sums of `features` (n, X) weighted by what each pixel sees of each Gaussian."""
    C, height, width = shape
    across, down = -(-width // TILE), -(-height // TILE)
    xx, xy, yy = projection.covs2d.flatten(0, 1)[seen].unbind(-1)
    mean = projection.means2d.flatten(0, 1)[seen]
    tile = torch.repeat_interleave(torch.tensor(counts, device=mean.device))
    corner = torch.stack([tile % across, tile // across % down], -1) * TILE + 0.5
    dx, dy = (torch.arange(TILE, device=mean.device)[:, None, None] + (corner - mean)).unbind(-1)

    # A 2D Gaussian is that of y times that of x given y: sigma = (slide_x - slide_y)^2 / 2 + dy^2 / (2 yy), and
    # what depends on a pixel's column or row alone is worked out once for all tiles.
    precision = (yy / (xx * yy - xy * xy).clamp(min=1e-10)).sqrt()
    slide_x = precision * dx
    slide_y = precision * (xy / yy) * dy
    log_peak = torch.log(opacities) - 0.5 * dy * dy / yy

    terms = (x.split(counts, -1) for x in (slide_x, slide_y, log_peak))
    tiles = [_blend_tile(*tile) for tile in zip(*terms, features.split(counts), strict=True)]
    image = torch.stack(tiles).view(C, down, across, TILE, TILE, -1).transpose(2, 3)
    return image.reshape(C, down * TILE, across * TILE, -1)[:, :height, :width]


def _blend_tile(slide_x: Tensor, slide_y: Tensor, log_peak: Tensor, features: Tensor) -> Tensor:
    """(TILE * TILE, X) blend of (g, X) features; the terms are (TILE, g), by column, row and row."""
    slide = slide_x[None] - slide_y[:, None]
    alpha = torch.addcmul(log_peak[:, None], slide, slide, value=-0.5).exp().clamp(max=ALPHA_MAX)
    alpha = F.threshold(alpha, ALPHA_MIN, 0.0)
    passed = 1 - alpha
    light = F.threshold(passed.cumprod(-1), LIGHT_MIN, 0.0)  # behind the Gaussian; it falls, so once 0 it stays 0
    return (light * (alpha / passed)).flatten(0, 1) @ features
