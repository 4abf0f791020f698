"""Where one part ends and the next begins: each Gaussian has a cost in each part, and alike neighbours are one.

Potts' model over the neighbour graph, solved by expansion moves (Boykov, Veksler & Zabih, "Fast approximate energy
minimization via graph cuts", 2001); a link is weak where the colour changes (as in Rother et al., "GrabCut", 2004) and
where the surface is hollow or stepped.
"""

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix, triu
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

from robodistill.features.cues import edge_differences, fold, lab_colors, smoothed, surface_normals
from robodistill.field.gaussians import GaussianField
from robodistill.field.graph import neighbour_graph

LINK = 0.12
"""Robust error that a border costs a link of alike Gaussians."""
_NEIGHBOURS, _GAP = 10, 3.0  # of a Gaussian; how far they may be, in their median distance
_WHOLE = 1e5  # capacities are whole numbers
_SWEEPS = 4


def alike(field: GaussianField) -> coo_matrix:
    """(N, N) weights in [0, 1] of neighbours, each pair once."""
    graph = neighbour_graph(field.means, _NEIGHBOURS)
    changes = edge_differences(smoothed(lab_colors(field), graph), graph)
    folds = fold(field.means.cpu().numpy(), surface_normals(field, graph), graph)
    weights = np.exp(-changes / (2 * changes.mean() + 1e-9)) * (1 - folds)
    weights = graph.matrix(weights * (graph.distances < _GAP * np.median(graph.distances)))
    return triu(weights.maximum(weights.T), format="coo")


def within(links: coo_matrix, some: np.ndarray) -> coo_matrix:
    """(N, N) those of weights (N, N) that link two of some (N,) bool."""
    both = some[links.row] & some[links.col]
    return coo_matrix((links.data[both], (links.row[both], links.col[both])), shape=links.shape)


def cut(costs: np.ndarray, links: coo_matrix, labels: np.ndarray) -> np.ndarray:
    """(N,) labels of the least `sum costs + sum links between different labels` that expansion moves find.

    Args:
        costs: (N, P) of each label.
        links: (N, N) as of `alike`, each pair once.
        labels: (N,) to start from.
    """
    labels, rows = labels.copy(), np.arange(len(labels))
    for _ in range(_SWEEPS):
        before = labels.copy()
        for wanted in range(costs.shape[1]):
            moved = _expanded(costs[:, wanted] - costs[rows, labels], links, labels, wanted)
            labels[moved] = wanted
        if np.array_equal(labels, before):
            break
    return labels


def _expanded(change: np.ndarray, links: coo_matrix, labels: np.ndarray, wanted: int) -> np.ndarray:
    """(N,) bool: which take a label, all at once, for the least sum; `change` is what it costs each."""
    a, b, w = links.row, links.col, links.data
    # what a link costs with neither moved, with b alone, and with a alone (Kolmogorov & Zabih, 2004)
    neither, b_alone, a_alone = (
        w * differ for differ in (labels[a] != labels[b], labels[a] != wanted, labels[b] != wanted)
    )
    n = len(labels)
    change = change + np.bincount(a, a_alone - neither, n) - np.bincount(b, a_alone, n)
    own, source, sink = np.arange(n), np.full(n, n), np.full(n, n + 1)
    starts, ends = np.concatenate([a, source, own]), np.concatenate([b, own, sink])
    sizes = np.concatenate([b_alone + a_alone - neither, np.maximum(change, 0), np.maximum(-change, 0)])
    sizes = np.rint(_WHOLE * sizes).astype(np.int32)
    some = sizes > 0
    capacity = csr_matrix((sizes[some], (starts[some], ends[some])), shape=(n + 2, n + 2))
    left = capacity - maximum_flow(capacity, n, n + 1).flow
    left.data = np.maximum(left.data, 0)
    left.eliminate_zeros()
    moved = np.ones(n + 2, bool)
    moved[breadth_first_order(left, n, return_predecessors=False)] = False
    return moved[:n] & (labels != wanted)
