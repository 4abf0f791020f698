"""Which Gaussians are neighbours: the graph that smoothing, selection and grouping work on."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix
from scipy.spatial import cKDTree
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Graph:
    """The k nearest neighbours of each of N points, itself left out."""

    neighbours: np.ndarray
    """(N, k) int32 indices, nearest first."""
    distances: np.ndarray
    """(N, k) float32, metres."""

    def __len__(self) -> int:
        return len(self.neighbours)

    def matrix(self, weights: np.ndarray) -> csr_matrix:
        """(N, N) sparse matrix of one weight (N, k) an edge; not symmetric."""
        n, k = self.neighbours.shape
        starts = np.arange(n + 1, dtype=np.int32) * k
        return csr_matrix((weights.astype(np.float32).ravel(), self.neighbours.ravel(), starts), shape=(n, n))


def neighbour_graph(means: Tensor, k: int = 12) -> Graph:
    """The graph of (N, 3) centres; with fewer than k + 1 points, of as many neighbours as there are."""
    points = means.detach().cpu().numpy()
    k = min(k, max(len(points) - 1, 0))
    if k == 0:
        return Graph(np.zeros((len(points), 0), np.int32), np.zeros((len(points), 0), np.float32))
    tree = cKDTree(points, balanced_tree=False)  # as many points as there are leaves to find: the sooner built wins
    distances, ids = tree.query(points, k + 1, workers=-1)
    # of points in one place any may come first; the column that is the point itself goes, or the last one
    own = ids == np.arange(len(points))[:, None]
    own[~own.any(1), -1] = True
    return Graph(ids[~own].reshape(-1, k).astype(np.int32), distances[~own].reshape(-1, k).astype(np.float32))
