"""Diffusion of features over neighbouring Gaussians that look and lie alike: it sharpens what coarse maps blur.

The idea is LUDVIG's graph diffusion (Marrie et al., ICCV 2025), written from its description; there the likeness is of
DINOv2 features and diffuses masks, here it is of colour and surface and diffuses the codes themselves.
"""

import numpy as np
import torch
from torch import Tensor

from robodistill.config import UpliftConfig
from robodistill.features.products import product
from robodistill.field.gaussians import GaussianField
from robodistill.field.graph import neighbour_graph
from robodistill.field.render import shortest_axes
from robodistill.raster.sh import sh0_to_rgb

_SKETCH = 24  # dimensions
_RENEWED = 2  # rounds between looks at the features
_ROWS = 1024  # compared at a time
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
    near = graph.neighbours
    colors = sh0_to_rgb(field.sh[:, 0]).detach().cpu().numpy()
    normals = shortest_axes(field.quats_wxyz, field.scales).detach().cpu().numpy()
    places = field.means.detach().cpu().numpy()
    unlike = ((colors[near] - colors[:, None]) ** 2).sum(-1) / (2 * config.likeness**2)
    reach = graph.distances.mean(1, keepdims=True).clip(1e-9)
    bend = 1 - (normals[near] * normals[:, None]).sum(-1) ** 2
    aside = np.abs(((places[near] - places[:, None]) * normals[:, None]).sum(-1)) / reach
    sure = (support / (support + support.median().clamp_min(1e-6))).cpu().numpy()
    weights = np.exp(-unlike - graph.distances**2 / (2 * reach**2) - bend - aside**2) * sure[near]
    own = config.own * sure[:, None].astype(np.float32)
    first = codes.cpu().numpy()
    smoothed = first
    for k in range(config.rounds):
        if k % _RENEWED == 0:  # with less noise, smaller differences are seen
            kept = weights * np.exp(-_excess(smoothed, near) / config.contrast)
            matrix = graph.matrix(kept)
            total = (own + kept.sum(1, keepdims=True)).clip(1e-9).astype(np.float32)
        smoothed = (own * first + product(matrix, smoothed)) / total
    return torch.from_numpy(smoothed).to(codes)


def _excess(codes: np.ndarray, near: np.ndarray) -> np.ndarray:
    """(N, k) squared difference between neighbours' directions, over what noise makes of it: the median.

    Taken in a few random dimensions, which keep differences to about a fifth.
    """
    random = np.random.default_rng(0).standard_normal((codes.shape[1], _SKETCH), np.float32) / _SKETCH**0.5
    sketch = codes @ random / np.sqrt(np.einsum("nd,nd->n", codes, codes)).clip(1e-9)[:, None]
    own = np.einsum("nd,nd->n", sketch, sketch)
    squares = np.take(own, near) + own[:, None]
    for start in range(0, len(near), _ROWS):
        rows = slice(start, start + _ROWS)
        squares[rows] -= 2 * np.einsum("nkd,nd->nk", np.take(sketch, near[rows], axis=0), sketch[rows])
    return squares.clip(0) / max(float(np.median(squares)), _QUIET)
