"""Grow a region of a field from seeds until its border is where neighbours differ most.

Local clustering by personalised PageRank and a sweep over its order: Andersen, Chung & Lang, "Local Graph Partitioning
using PageRank Vectors", FOCS 2006. It never needs to know what the background is, and a single weak link does not leak,
as the score of a border is that of all its edges. Differs in that walkers die where nothing looks like the seeds.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix, diags
from scipy.sparse.csgraph import connected_components

from robodistill.config import PromptConfig
from robodistill.features.cues import (
    edge_differences,
    feature_vectors,
    fold,
    lab_colors,
    noise,
    smoothed,
    surface_normals,
)
from robodistill.field.features import FeatureLayer
from robodistill.field.gaussians import GaussianField
from robodistill.field.graph import Graph, neighbour_graph

_LAB = np.array([0.6, 1, 1], np.float32)  # light and shadow change the first alone


class Likeness:
    """How alike neighbouring Gaussians are; prepared once, then regions are grown in it."""

    def __init__(self, field: GaussianField, layer: FeatureLayer | None, config: PromptConfig) -> None:
        """Compare features, where there is a layer, colours and the shape of the surface."""
        self._config = config
        graph = neighbour_graph(field.means, config.neighbours)
        colors = self._averaged(lab_colors(field) * _LAB, graph)
        normals = surface_normals(field, graph)
        unlike = edge_differences(colors, graph) / config.color**2
        unlike += fold(field.means.cpu().numpy(), normals, graph) / config.fold
        spacing = np.median(graph.distances) if graph.distances.size else 1.0
        unlike += (graph.distances / (config.reach * max(spacing, 1e-9))) ** 2
        self._features = None
        self.looks = colors / config.color
        """(N, d) what each looks like, by features where there are any; different things are more than 1 apart."""
        if layer is not None:
            self._features = self._averaged(feature_vectors(layer), graph)
            width = max(config.feature, 2 * noise(self._features, graph, 1e-3))
            self.looks = self._features / width
            unlike = config.weak * unlike + edge_differences(self._features, graph) / width**2
        weights = graph.matrix(np.exp(-np.minimum(unlike, 30)))
        self.matrix = weights.maximum(weights.T).tocsr()
        self.degrees = np.asarray(self.matrix.sum(1)).ravel()

    def _averaged(self, vectors: np.ndarray, graph: Graph) -> np.ndarray:
        for _ in range(self._config.smoothing):
            vectors = smoothed(vectors, graph)
        return vectors

    def grow(self, seeds: np.ndarray, outside: np.ndarray | None = None) -> "Growth":
        """Grow from seeds (N,) >= 0 that sum to 1, never into `outside` (N,) bool."""
        alive = self._alike(seeds)
        if outside is not None:
            alive = alive * ~outside
        step = self.matrix @ diags(1 / np.maximum(self.degrees, 1e-12))
        restart = self._config.restart
        p = seeds.copy()
        for _ in range(self._config.steps):
            p = restart * seeds + (1 - restart) * alive * (step @ p)
        return Growth(self.matrix, p / np.maximum(self.degrees, 1e-3) * (alive > 0), self._config)

    def _alike(self, seeds: np.ndarray) -> np.ndarray:
        """(N,) in [0, 1]: the chance that a walker survives on each Gaussian."""
        if self._features is None:
            return np.ones(len(seeds), np.float32)
        mean = seeds @ self._features
        norms = np.linalg.norm(self._features, axis=1) * max(float(np.linalg.norm(mean)), 1e-12)
        cosines = self._features @ mean / np.maximum(norms, 1e-12)
        return 1 / (1 + np.exp(-(cosines - self._config.cosine) / 0.05))


@dataclass(frozen=True, eq=False)
class Growth:
    """Nested regions around seeds: the first k of `order`."""

    matrix: csr_matrix
    score: np.ndarray
    """(N,) how well each Gaussian is reached from the seeds."""
    config: PromptConfig

    def __post_init__(self) -> None:
        order = np.argsort(-self.score, kind="stable")[: int((self.score > 1e-9 * self.score.max()).sum())]
        rank = np.full(len(self.score), len(order))
        rank[order] = np.arange(len(order))
        object.__setattr__(self, "order", order)
        object.__setattr__(self, "rank", rank)

    def borders(self) -> np.ndarray:
        """(len(order),) mean likeness across the border of each region, in [0, 1]: low is a good border."""
        edges = self.matrix.tocoo()
        a, b = self.rank[edges.row], self.rank[edges.col]
        out = a < b  # each edge once; it crosses the border of the regions that hold a and not yet b
        n = len(self.order) + 1
        cut, crossed = (
            np.cumsum(np.bincount(a[out], w, n) - np.bincount(b[out], w, n))[: n - 1]
            for w in (edges.data[out], np.ones(int(out.sum())))
        )
        # a region without neighbours has the best of borders: as long as that of any patch of its size, and unlike
        length = np.maximum(crossed, self.config.neighbours * np.sqrt(np.arange(1, n)))
        # a short border says little: as if `doubt` more edges were neither like nor unlike
        return (cut + 0.5 * self.config.doubt) / (length + self.config.doubt)

    def region(self, size: int) -> np.ndarray:
        """(N,) bool: the first `size`, connected with the best reached of them, and holes filled."""
        chosen = self.rank < size
        labels = connected_components(self.matrix[chosen][:, chosen], directed=False)[1]
        ids = np.flatnonzero(chosen)
        chosen[ids[labels != labels[np.searchsorted(ids, self.order[0])]]] = False
        links = (self.matrix > 0).astype(np.float32)
        share = (links @ chosen.astype(np.float32)) / np.maximum(np.asarray(links.sum(1)).ravel(), 1)
        return (chosen & (share > 0.25)) | (share > 0.75)
