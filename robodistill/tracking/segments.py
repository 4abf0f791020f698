"""Parts without being told: pieces of the standing object, small enough to be of one part each."""

import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from robodistill.config import PartsConfig
from robodistill.errors import HonestNo
from robodistill.field.gaussians import GaussianField
from robodistill.field.render import shortest_axes
from robodistill.field.standing import standing_object
from robodistill.parts.parts import find_parts
from robodistill.raster.sh import sh0_to_rgb

LARGE, SMALL = 8, 64
"""Pieces that are large enough to be followed on their own, and pieces that are mostly of one part."""
_LEAST = 0.05  # of the object's Gaussians that one group of them has
_SCALES = 6  # of groups that are asked
_NEIGHBOURS, _GAP = 10, 3.0  # of a Gaussian; how far they may be, in their median distance
_AROUND = 16  # Gaussians over which a surface's direction and colour are taken
_DIRECTION, _COLOR, _GROUP = 0.35, 1.2, 0.15  # of the object's size, that a full change of these is worth


def pieces(field: GaussianField, counts: Sequence[int] = (LARGE, SMALL)) -> np.ndarray:
    """(N, len(counts)) piece of each Gaussian of the standing object, -1 for what is not it, in so many pieces each.

    Ward's tree (1963) over place, direction of the surface, colour and groups, along neighbours, cut at some heights:
    a large piece is whole small ones. Parts are put together from them by their motion (`regroup`).

    Raises:
        HonestNo: Nothing stands alone in this field.
    """
    from sklearn.cluster import AgglomerativeClustering
    from sklearn.neighbors import kneighbors_graph

    keep, thing = _standing(field)
    points = thing.means.double().numpy()
    columns = _columns(thing, points)
    links = kneighbors_graph(points, min(_NEIGHBOURS, len(points) - 1), include_self=False)
    labels = np.full((len(field), len(counts)), -1)
    for k, count in enumerate(counts):
        tree = AgglomerativeClustering(min(count, len(points)), connectivity=links, linkage="ward")
        with warnings.catch_warnings():  # an object may come in pieces that are not linked
            warnings.simplefilter("ignore", UserWarning)
            labels[keep, k] = tree.fit_predict(columns)
    return labels


def grouped(field: GaussianField, scale: int) -> np.ndarray:
    """(N,) parts of the standing object as a scale of the field's groups has them, -1 for what is not the object.

    Raises:
        HonestNo: Nothing stands alone in this field.
    """
    keep, thing = _standing(replace(field, groups=field.groups[:, scale : scale + 1]))
    labels = np.full(len(field), -1)
    labels[keep] = _whole(thing.groups[:, 0].numpy(), thing.means.double().numpy())
    return labels


def _columns(thing: GaussianField, points: np.ndarray) -> np.ndarray:
    """(n, d) what makes Gaussians alike, each over its surroundings and in the object's size."""
    size = np.linalg.norm(np.ptp(np.percentile(points, [1, 99], axis=0), axis=0))
    around = cKDTree(points).query(points, k=min(_AROUND, len(points)))[1]
    axes = shortest_axes(thing.quats_wxyz, thing.scales).double().numpy()
    directions = np.einsum("ni,nj->nij", axes, axes).reshape(-1, 9)  # which side is outside nobody knows
    colors = sh0_to_rgb(thing.sh[:, 0].double()).numpy()
    columns = [points / size, _DIRECTION * directions[around].mean(1), _COLOR * colors[around].mean(1)]
    layer = next(iter(thing.features.values()), None)
    groups = thing.groups if thing.groups is not None else find_parts(thing, PartsConfig(scales=_SCALES), layer)
    for scale in groups.numpy().T:
        labels = _whole(scale, points)
        if labels.max():
            columns.append(_GROUP * np.eye(labels.max() + 1)[labels][around].mean(1))
    return np.concatenate(columns, 1)


def _standing(field: GaussianField) -> tuple[np.ndarray, GaussianField]:
    keep = standing_object(field)
    if not keep.any():
        raise HonestNo("no single object stands in this field: give its parts (field with groups, --scale)")
    return keep.numpy(), field.select(torch.as_tensor(keep))


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
