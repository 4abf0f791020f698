"""Diffusion of features over neighbouring Gaussians that look and lie alike: it sharpens what coarse maps blur.

The idea is LUDVIG's graph diffusion (Marrie et al., ICCV 2025), written from its description; there the likeness is of
DINOv2 features and diffuses masks, here it is of colour and surface and diffuses the codes themselves.
"""

import torch
from torch import Tensor
from torch.nn.functional import embedding

from robodistill.config import UpliftConfig
from robodistill.features.products import rows_of
from robodistill.field.gaussians import GaussianField
from robodistill.field.graph import neighbour_graph
from robodistill.field.render import shortest_axes
from robodistill.raster.sh import sh0_to_rgb

_SKETCH = 24  # dimensions
_RENEWED = 3  # rounds between looks at the features
_ROWS = 4096  # compared at a time
_SAMPLED = 8  # of so many Gaussians one tells the median
_QUIET = 0.01  # least squared difference that is taken for noise


def smooth(field: GaussianField, codes: Tensor, support: Tensor, config: UpliftConfig) -> Tensor:
    """(N, d) codes after diffusion; those that no view supports take their neighbours'.

    Args:
        codes: (N, d) of any length.
        support: (N,) summed weights of the views, at least 0.
    """
    graph = neighbour_graph(field.means, config.neighbours)
    if not config.rounds or not graph.neighbours.size:
        return codes
    near = torch.from_numpy(graph.neighbours)
    weights = _weights(field, near, torch.from_numpy(graph.distances), config.likeness)
    sure = (support / (support + support.median().clamp_min(1e-6))).cpu()
    weights *= sure[near]
    own = config.own * sure[:, None]
    first = codes.cpu()
    smoothed, base, *turns = first, *(torch.empty_like(first) for _ in range(3))
    for k in range(config.rounds):
        if k % _RENEWED == 0:  # with less noise, smaller differences are seen
            kept = weights * torch.exp(-_excess(smoothed, near) / config.contrast)
            total = (own + kept.sum(1, keepdim=True)).clamp_min(1e-9)
            matrix = rows_of(graph.matrix((kept / total).numpy()))
            torch.mul(first, own / total, out=base)
        smoothed = torch.addmm(base, matrix, smoothed, out=turns[k % 2])
    return smoothed.to(codes)


def _weights(field: GaussianField, near: Tensor, distances: Tensor, likeness: float) -> Tensor:
    """(N, k) how near neighbours are in place, colour and surface."""
    colors = sh0_to_rgb(field.sh[:, 0]).detach().cpu()
    normals = shortest_axes(field.quats_wxyz, field.scales).detach().cpu()
    places = field.means.detach().cpu()
    unlike = (embedding(near, colors) - colors[:, None]).square().sum(-1) / (2 * likeness**2)
    reach = distances.mean(1, keepdim=True).clamp_min(1e-9)
    bend = 1 - (embedding(near, normals) * normals[:, None]).sum(-1) ** 2
    aside = ((embedding(near, places) - places[:, None]) * normals[:, None]).sum(-1) / reach
    return torch.exp(-unlike - distances**2 / (2 * reach**2) - bend - aside**2)


def _excess(codes: Tensor, near: Tensor) -> Tensor:
    """(N, k) squared difference between neighbours' directions, over what noise makes of it: the median.

    Taken in a few random dimensions, which keep differences to about a fifth.
    """
    random = torch.randn(codes.shape[1], _SKETCH, generator=torch.Generator().manual_seed(0)) / _SKETCH**0.5
    sketch = codes @ random / codes.norm(dim=-1, keepdim=True).clamp_min(1e-5)
    squares = torch.empty(near.shape)
    for start in range(0, len(near), _ROWS):  # so that what is compared stays in the cache
        rows = slice(start, start + _ROWS)
        squares[rows] = (embedding(near[rows], sketch) - sketch[rows, None]).square_().sum(-1)
    return squares / max(float(squares[::_SAMPLED].median()), _QUIET)
