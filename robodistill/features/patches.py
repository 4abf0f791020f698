"""Patches of Gaussians that lie and look together: what is averaged before anything is learned from noisy features."""

from functools import cached_property

import numpy as np
from scipy.sparse import csr_matrix, diags, identity
from scipy.spatial import cKDTree
from torch import Tensor

from robodistill.features.products import rows_of
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
        self.order = np.argsort(self.of, kind="stable")
        """(N,) Gaussians patch by patch: what is near in space is then near in memory, too."""
        self._starts = np.concatenate([[0], np.cumsum(counts)])
        self._centers, self._colors = (self.sums(x[self.order]) / counts[:, None] for x in (places, colors))

    def sums(self, ordered: np.ndarray) -> np.ndarray:
        """(P, ...) sums over patches of what their Gaussians have (N, ...), in `order`."""
        return np.add.reduceat(ordered, self._starts[:-1])

    def rows(self, ordered: csr_matrix) -> csr_matrix:
        """(P, m) sums over patches of rows (N, m), in `order`; a column may come more than once in a row."""
        return csr_matrix(
            (ordered.data, ordered.indices, ordered.indptr[self._starts]), shape=(self.count, ordered.shape[1])
        )

    def diffused(self, features: Tensor, rounds: int) -> Tensor:
        """(P, D) features spread over neighbouring patches of like colour, again and again: the noise averages out."""
        if self._mean is not None:
            for _ in range(rounds):
                features = self._mean @ features
        return features

    @cached_property
    def _mean(self) -> Tensor | None:
        """(P, P) weights of a patch itself and its neighbours, rows of sum one; None where there are no neighbours."""
        graph = neighbour_graph(Tensor(self._centers))
        if not graph.neighbours.size:
            return None
        colors = ((self._colors[graph.neighbours] - self._colors[:, None]) ** 2).sum(-1)
        near = np.median(graph.distances, 1, keepdims=True).clip(1e-9)
        weights = np.exp(-colors / (2 * _LIKENESS**2) - graph.distances**2 / (2 * near**2))
        mean = graph.matrix(weights) + identity(self.count, np.float32, format="csr")
        return rows_of(diags(1 / mean.sum(1).A1.astype(np.float32)) @ mean)


def _leaves(points: np.ndarray, size: int) -> np.ndarray:
    """(N,) leaf numbers of a balanced k-d tree."""
    tree = cKDTree(points, leafsize=size)
    waiting, first = [tree.tree], np.zeros(len(points), np.int64)
    while waiting:
        node = waiting.pop()
        if node.lesser is None:
            first[node.start_idx] = 1
        else:
            waiting += [node.lesser, node.greater]
    leaf = np.empty(len(points), np.int64)
    leaf[tree.indices] = np.cumsum(first) - 1
    return leaf
