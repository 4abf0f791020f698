"""What tells the parts of a field apart, without words: features, colour, and how the surface folds."""

import numpy as np
import torch
from torch import Tensor

from robodistill.field.features import FeatureLayer
from robodistill.field.gaussians import GaussianField
from robodistill.field.graph import Graph
from robodistill.field.render import shortest_axes

_DIM = 128  # of features compared
_ROWS = 16_384  # rows decoded at a time
_EDGE_ROWS = 4096  # rows compared with their neighbours at a time
_SH0 = 0.28209479177387814  # constant basis function of spherical harmonics


def lab_colors(field: GaussianField) -> np.ndarray:
    """(N, 3) CIE Lab of the colours from no particular side."""
    import cv2

    rgb = (field.sh[:, 0] * _SH0 + 0.5).clamp(0, 1).cpu().numpy().astype(np.float32)
    return cv2.cvtColor(rgb[None], cv2.COLOR_RGB2LAB)[0]


def feature_vectors(layer: FeatureLayer, seed: int = 0) -> np.ndarray:
    """(N, d) unit vectors, d <= 128, with the cosines of the layer's features; 0 where the teacher saw nothing.

    A layer of more dimensions is projected at random, which keeps cosines to about 0.1 (Johnson & Lindenstrauss,
    1984); principal directions of the field would lose its small parts, which are few among many Gaussians.
    """
    W = layer.decoder.weights[0].float()
    if layer.decoder.is_linear and W.shape[1] <= _DIM:
        values, vectors = torch.linalg.eigh(W.mT @ W)
        lengthen = vectors * values.clamp_min(0).sqrt()  # (d, d): |c @ lengthen| = |W c|
        rows = [torch.nn.functional.normalize(codes @ lengthen, dim=-1) for codes in layer.codes.float().split(_ROWS)]
    else:
        random = torch.randn(layer.dim, _DIM, generator=torch.Generator().manual_seed(seed))
        axes = torch.linalg.qr(random)[0] if layer.dim > _DIM else torch.eye(layer.dim)
        rows = []
        for codes in layer.codes.float().split(_ROWS):
            seen = (codes != 0).any(-1, keepdim=True)
            features = torch.nn.functional.normalize(layer.decoder(codes) @ axes.to(codes), dim=-1)
            rows.append(features * seen)
    return torch.cat(rows).cpu().numpy().astype(np.float32)


def smoothed(vectors: np.ndarray, graph: Graph) -> np.ndarray:
    """(N, d) vectors averaged over those neighbours that are alike: noise goes, borders stay.

    A bilateral mean whose width is the median difference between neighbours, which is that of noise wherever most
    neighbours are of one kind.
    """
    squared = edge_differences(vectors, graph)
    if not squared.size:
        return vectors
    weights = graph.matrix(np.exp(-squared / max(float(np.median(squared)), 1e-12)))
    return ((vectors + weights @ vectors) / (1 + np.asarray(weights.sum(1)).reshape(-1, 1))).astype(np.float32)


def edge_differences(vectors: np.ndarray, graph: Graph) -> np.ndarray:
    """(N, k) squared differences between each point and its neighbours."""
    squared = np.empty(graph.neighbours.shape, np.float32)
    for start in range(0, len(vectors), _EDGE_ROWS):
        part = slice(start, start + _EDGE_ROWS)
        difference = vectors[graph.neighbours[part]] - vectors[part, None]
        squared[part] = np.einsum("nkd,nkd->nk", difference, difference)
    return squared


def noise(vectors: np.ndarray, graph: Graph, least: float) -> float:
    """Standard deviation of a vector (all dimensions together), from neighbours that mostly are of one kind."""
    squared = edge_differences(vectors, graph)
    return max(float(np.sqrt(np.median(squared) / 2)), least) if squared.size else least


def surface_normals(field: GaussianField, graph: Graph) -> np.ndarray:
    """(N, 3) unit normals, averaged over neighbours without regard to sign, turned to the mean of the cameras.

    Without views they are turned away from the middle of the field.
    """
    axes = shortest_axes(field.quats_wxyz, field.scales)
    outer = _outer(axes)
    around = graph.matrix(np.ones(graph.neighbours.shape)) @ outer + outer
    normals = np.linalg.eigh(around.reshape(-1, 3, 3))[1][..., 2]
    means = field.means.cpu().numpy()
    if field.views:
        outward = np.mean([v.T_world_camera[:3, 3] for v in field.views], 0) - means
    else:
        outward = means - means.mean(0)
    return np.where((normals * outward).sum(1, keepdims=True) < 0, -normals, normals).astype(np.float32)


def _outer(axes: Tensor) -> np.ndarray:
    """(N, 9) products of an axis with itself, which are the same for either sign."""
    x = axes.detach().cpu().numpy()
    return (x[:, :, None] * x[:, None, :]).reshape(-1, 9)


def fold(means: np.ndarray, normals: np.ndarray, graph: Graph) -> np.ndarray:
    """(N, k) in [0, 1]: how hollow or stepped the surface between two neighbours is, as where things stand on others.

    Edges that stick out do not count: a box has them all around. Compare Stein et al., "Object partitioning using local
    convexity", CVPR 2014; differs in that a step between parallel surfaces counts, too.
    """
    away = means[graph.neighbours] - means[:, None]
    away /= np.maximum(graph.distances, 1e-9)[..., None]
    other = normals[graph.neighbours]
    hollow = -((other - normals[:, None]) * away).sum(-1) / 2
    step = np.abs(((other + normals[:, None]) * away).sum(-1)) / 2
    return np.clip(np.maximum(hollow, step), 0, 1).astype(np.float32)
