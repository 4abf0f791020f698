"""Region merging on a graph: neighbours that differ little become one region, at ever larger tolerances.

The cost of joining two regions is what it adds to the squared deviation of the nodes' vectors from their region's mean
(Ward's criterion), and what the border itself says against it. Without more this is Ward's hierarchical clustering of
what touches (J. Am. Stat. Assoc. 1963); divided by the length of the border it is the full lambda-schedule of Koepfler,
Lopez & Morel, "A multiscale algorithm for image segmentation by variational method", SIAM J. Numer. Anal. 1994, which
follows weak cues better and keeps the mixed rims of things as regions of their own. We differ in that many pairs are
joined at once, so that a level takes tens of array operations instead of a heap with as many steps as there are nodes,
and in that alike regions on either side of a third may join.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components

_CHUNK = 65_536  # pairs compared at a time
_STEP = 1.5  # growth of the tolerance between two levels: cheap pairs are joined before dear ones
_LEAF = 0.1  # a region of this share of its neighbour's size joins without being the neighbour's first choice
_HUB = 24.0  # twins lie on a region at most so many times their size: two mugs on one table are no twins
_TWIN = 0.5  # price of joining twins by length, relative to the tolerance: what touches joins first
_MOST = 4000  # regions up to which twins are looked for


@dataclass(frozen=True, eq=False)
class RegionGraph:
    """R regions and the M borders between them."""

    sizes: np.ndarray
    """(R,) float32 number of nodes."""
    means: np.ndarray
    """(R, D) float32 mean vectors, in units of their noise."""
    pairs: np.ndarray
    """(M, 2) int32 regions that touch, the lower number first, each pair once."""
    lengths: np.ndarray
    """(M,) float32 links that cross each border."""
    barriers: np.ndarray
    """(M,) float32 sums over these links of what speaks against joining."""
    by_length: bool = True
    """Whether a cost is shared among the links of the border; else the mean barrier counts as a squared difference."""

    def costs(self) -> np.ndarray:
        """(M,) price of joining each pair."""
        a, b = self.pairs.T
        spread = np.empty(len(a), np.float32)
        for start in range(0, len(a), _CHUNK):
            part = slice(start, start + _CHUNK)
            difference = self.means[a[part]] - self.means[b[part]]
            spread[part] = np.einsum("md,md->m", difference, difference)
        weight = self.sizes[a] * self.sizes[b] / (self.sizes[a] + self.sizes[b])
        if self.by_length:
            return (spread * weight + self.barriers) / self.lengths
        return (spread + self.barriers / self.lengths) * weight

    def joined(self, labels: np.ndarray, count: int) -> "RegionGraph":
        """The graph in which regions of the same label (R,), below `count`, are one."""
        gather = csr_matrix((self.sizes, (labels, np.arange(len(labels)))), shape=(count, len(labels)))
        sizes = np.bincount(labels, self.sizes, count).astype(np.float32)
        borders = unite(labels[self.pairs], self.lengths, self.barriers, count)
        return RegionGraph(sizes, gather @ self.means / sizes[:, None], *borders, self.by_length)


def unite(
    links: np.ndarray, lengths: np.ndarray, barriers: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`pairs`, `lengths` and `barriers` of a `RegionGraph` from links (M, 2) in any order, which may repeat.

    Links within one region fall out.
    """
    crossing = links[:, 0] != links[:, 1]
    ends = np.sort(links[crossing], axis=1)
    # converting a sparse matrix sums what repeats; a complex number carries both sums at once
    both = coo_matrix((lengths[crossing] + 1j * barriers[crossing], ends.T), shape=(count, count)).tocsr()
    rows = np.repeat(np.arange(count, dtype=np.int32), np.diff(both.indptr))
    pairs = np.column_stack([rows, both.indices])
    return pairs, both.data.real.astype(np.float32), both.data.imag.astype(np.float32)


def merge_levels(graph: RegionGraph, tolerances: Sequence[float], twins: bool = False) -> list[np.ndarray]:
    """Labels (R,) from 0 at each of the rising tolerances; every region of one level lies in one of the next.

    Args:
        graph: What to merge.
        tolerances: Cost up to which pairs are joined.
        twins: Also join regions that do not touch but lie on the same third one, as the two halves of a band.
    """
    assert all(low < high for low, high in zip(tolerances, tolerances[1:], strict=False)) and tolerances[0] > 0
    levels, labels = [], np.arange(len(graph.sizes))
    for k, target in enumerate(tolerances):
        start = tolerances[k - 1] if k else target / _STEP**2
        steps = max(1, round(np.log(target / start) / np.log(_STEP)))
        for tolerance in np.geomspace(start, target, steps + 1)[1:]:
            graph, labels = _merge(graph, labels, tolerance)
        if twins and len(graph.sizes) <= _MOST:
            parent = _merge(_twins(graph, target), np.arange(len(graph.sizes)), target)[1]
            graph, labels = graph.joined(parent, parent.max(initial=-1) + 1), parent[labels]
        levels.append(labels)
    return levels


def _merge(graph: RegionGraph, labels: np.ndarray, tolerance: float) -> tuple[RegionGraph, np.ndarray]:
    """Join pairs until each costs more than this."""
    while len(graph.pairs):
        costs = graph.costs()
        count = len(graph.sizes)
        a, b = graph.pairs.T
        cheapest = np.full(count, np.inf, np.float32)
        np.minimum.at(cheapest, a, costs)
        np.minimum.at(cheapest, b, costs)
        of_a, of_b = costs <= cheapest[a], costs <= cheapest[b]
        # mutual first choices commute; a leaf hardly changes what it joins, and a hub may have hundreds of leaves
        leaf = (of_a & (graph.sizes[a] < _LEAF * graph.sizes[b])) | (of_b & (graph.sizes[b] < _LEAF * graph.sizes[a]))
        chosen = (costs <= tolerance) & ((of_a & of_b) | leaf)
        if not chosen.any():
            break
        links = csr_matrix((np.ones(chosen.sum(), np.int8), (a[chosen], b[chosen])), shape=(count, count))
        count, parent = connected_components(links, directed=False)
        graph, labels = graph.joined(parent, count), parent[labels]
    return graph, labels


def _twins(graph: RegionGraph, tolerance: float) -> RegionGraph:
    """The graph whose pairs are the regions that do not touch and lie on a third one not much larger than they are."""
    count = len(graph.sizes)
    a, b = np.concatenate([graph.pairs, graph.pairs[:, ::-1]]).T
    near = graph.sizes[b] <= _HUB * graph.sizes[a]
    lies_on = csr_matrix((np.ones(near.sum(), np.float32), (a[near], b[near])), shape=(count, count))
    touch = csr_matrix((np.ones(len(a), np.float32), (a, b)), shape=(count, count))
    shared = (lies_on @ lies_on.T).tocoo()
    pairs = np.column_stack([shared.row, shared.col])[shared.row < shared.col]
    pairs = pairs[touch[pairs[:, 0], pairs[:, 1]].A1 == 0] if len(pairs) else pairs
    perimeters = np.bincount(a, np.concatenate([graph.lengths, graph.lengths]), count).astype(np.float32)
    lengths = perimeters[pairs].min(1) / 2 if len(pairs) else np.zeros(0, np.float32)
    price = _TWIN * tolerance if graph.by_length else 0.0
    return replace(graph, pairs=pairs, lengths=lengths, barriers=price * lengths)
