"""Parts without being told: pieces of the standing object, and which of them a film shows to be one."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from robodistill.config import PartsConfig
from robodistill.errors import HonestNo
from robodistill.field.gaussians import GaussianField
from robodistill.field.standing import standing_object
from robodistill.parts.parts import find_parts

_LEAST = 0.05  # of the object's Gaussians that a piece has, to be followed on its own
_MOST = 7  # pieces
_NEIGHBOURS, _GAP = 10, 3.0  # of a Gaussian; how far they may be, in their median distance


def pieces(field: GaussianField) -> np.ndarray:
    """(N,) piece of each Gaussian, -1 for what is not the object: the finest scale with few enough pieces.

    Too many pieces are put together again where they move as one; a piece that holds two parts is not taken apart.

    Raises:
        HonestNo: Nothing stands alone in this field.
    """
    keep = standing_object(field).numpy()
    if not keep.any():
        raise HonestNo("no single object stands in this field: give its parts (field with groups, --scale)")
    thing = field.select(standing_object(field))
    layer = next(iter(thing.features.values()), None)
    groups = thing.groups if thing.groups is not None else find_parts(thing, PartsConfig(), layer)
    chosen = np.zeros(len(thing), int)
    for scale in range(groups.shape[1]):
        labels = _whole(groups[:, scale].numpy(), thing.means.double().numpy())
        if labels.max() < _MOST:
            chosen = labels
            break
    labels = np.full(len(field), -1)
    labels[keep] = chosen
    return labels


def merged(labels: np.ndarray, one: Sequence[tuple[int, int]], parts: int) -> np.ndarray | None:
    """(N,) labels with each pair of parts made one; None where there is no pair."""
    if not one:
        return None
    a, b = np.array(one).T
    numbers = connected_components(coo_matrix((np.ones(len(a)), (a, b)), shape=(parts, parts)), directed=False)[1]
    return np.where(labels >= 0, numbers[np.maximum(labels, 0)], -1)


def grouped(field: GaussianField, scale: int) -> np.ndarray:
    """(N,) parts of the standing object as a scale of the field's groups has them, -1 for what is not the object."""
    field = replace(field, groups=field.groups[:, scale : scale + 1])
    return pieces(field)


def _whole(labels: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(N,) from 0, a number for each connected piece; small ones and loose Gaussians go with the large one beside them.

    A part is in one piece: what is alike but apart, such as white labels on three sides, is not one part.
    """
    labels = _connected(labels, points)
    names, counts = np.unique(labels[labels > 0], return_counts=True)
    large = names[counts >= _LEAST * len(labels)]
    if not len(large):
        return np.zeros(len(labels), int)
    kept = np.isin(labels, large)
    out = np.searchsorted(large, labels)
    nearest = cKDTree(points[kept]).query(points[~kept])[1]
    out[~kept] = out[kept][nearest]
    return out


def _connected(labels: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(N,) from 1 (0 stays 0): pieces of one label whose Gaussians are next to each other."""
    distance, other = cKDTree(points).query(points, k=_NEIGHBOURS + 1)
    distance, other = distance[:, 1:], other[:, 1:]
    near = (distance < _GAP * np.median(distance)) & (labels[:, None] == labels[other])
    rows, columns = np.nonzero(near)
    links = coo_matrix((np.ones(len(rows)), (rows, other[rows, columns])), shape=(len(points),) * 2)
    pieces = connected_components(links, directed=False)[1] + 1
    return np.where(labels > 0, pieces, 0)
