"""Patches of Gaussians that lie and look together: what is averaged before anything is learned from noisy features."""

import numpy as np
from scipy.sparse import csr_matrix
from torch import Tensor

from robodistill.features.products import product
from robodistill.field.gaussians import GaussianField
from robodistill.field.graph import neighbour_graph
from robodistill.raster.sh import sh0_to_rgb

_LENGTH = 0.05  # metres that count as much as ...
_COLOR = 0.25  # ... this difference of colour
_LIKENESS = 0.06  # difference of colour at which patches hardly belong together


class Patches:
    """A partition of a field into patches of at most `size` Gaussians, and the graph of neighbouring patches.

    A k-d tree over place and colour: patches are small where the field is fine, and end at edges of colour.
    """

    def __init__(self, field: GaussianField, size: int) -> None:
        """Cut the field up."""
        colors = sh0_to_rgb(field.sh[:, 0]).detach().cpu().numpy()
        places = field.means.detach().cpu().numpy()
        self.of = _leaves(np.concatenate([places / _LENGTH, colors / _COLOR], 1), size)
        """(N,) patch of each Gaussian."""
        counts = np.bincount(self.of)
        self.count = len(counts)
        mean = csr_matrix((1 / counts[self.of], (self.of, np.arange(len(self.of)))), shape=(self.count, len(self.of)))
        self._centers, self._colors = (mean @ places).astype(np.float32), mean @ colors

    def diffused(self, features: np.ndarray, rounds: int) -> np.ndarray:
        """(P, D) features spread over neighbouring patches of like colour, again and again: the noise averages out."""
        graph = neighbour_graph(Tensor(self._centers))
        if not graph.neighbours.size:
            return features
        colors = ((self._colors[graph.neighbours] - self._colors[:, None]) ** 2).sum(-1)
        near = np.median(graph.distances, 1, keepdims=True).clip(1e-9)
        weights = np.exp(-colors / (2 * _LIKENESS**2) - graph.distances**2 / (2 * near**2))
        total = 1 + weights.sum(1, keepdims=True).astype(np.float32)
        matrix = graph.matrix(weights)
        for _ in range(rounds):
            features = (features + product(matrix, features)) / total
        return features


def _leaves(points: np.ndarray, size: int) -> np.ndarray:
    """(N,) leaf numbers of a balanced k-d tree that is split along the widest side."""
    order, leaf = np.arange(len(points)), np.zeros(len(points), np.int64)
    waiting, leaves = [(0, len(points))], 0
    while waiting:
        a, b = waiting.pop()
        if b - a <= size:
            leaf[order[a:b]] = leaves
            leaves += 1
            continue
        inside = points[order[a:b]]
        axis, middle = np.argmax(np.ptp(inside, axis=0)), (b - a) // 2
        order[a:b] = order[a:b][np.argpartition(inside[:, axis], middle)]
        waiting += [(a, a + middle), (a + middle, b)]
    return leaf
