"""Parts without being told: pieces of the standing object, small enough to be of one part each."""

import warnings
from dataclasses import dataclass, replace

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

FEW, MANY = 6, 64
"""Pieces that are large enough to be followed on their own, and pieces that are mostly of one part."""
_LEAST = 0.05  # of the object's Gaussians that one group of them has
_SCALES = 6  # of groups that are asked
_NEIGHBOURS, _GAP = 10, 3.0  # of a Gaussian; how far they may be, in their median distance
_AROUND = 16  # Gaussians over which a surface's direction and colour are taken
_DIRECTION, _COLOR, _GROUP = 0.35, 1.2, 0.15  # of the object's size, that a full change of these is worth


@dataclass(frozen=True, eq=False)
class Pieces:
    """A tree of pieces of the standing object."""

    keep: np.ndarray
    """(N,) bool: which Gaussians of the field are the object's n."""
    few: np.ndarray
    """(n,) one of FEW pieces, from 0."""
    branches: np.ndarray
    """(M, n) bool: all pieces of the tree from its two largest down to MANY small ones."""


def pieces(field: GaussianField) -> Pieces:
    """The standing object in pieces: Ward's tree (1963) over place, direction of the surface, colour and groups, along
    neighbours. Parts are put together from them by their motion (`part_search`).

    Raises:
        HonestNo: Nothing stands alone in this field.
    """
    from sklearn.cluster import AgglomerativeClustering
    from sklearn.neighbors import kneighbors_graph

    keep, thing = _standing(field)
    points = thing.means.double().numpy()
    links = kneighbors_graph(points, min(_NEIGHBOURS, len(points) - 1), include_self=False)
    with warnings.catch_warnings():  # an object may come in pieces that are not linked
        warnings.simplefilter("ignore", UserWarning)
        tree = AgglomerativeClustering(1, connectivity=links, linkage="ward", compute_full_tree=True)
        merges = tree.fit(_columns(thing, points)).children_
    small, names = _cut(merges, min(MANY, len(points)))
    branches = {name: small == k for k, name in enumerate(names)}
    for k, (a, b) in enumerate(merges):
        if a in branches and b in branches:
            branches[len(points) + k] = branches[a] | branches[b]
    del branches[max(branches)]  # all of it
    return Pieces(keep, _cut(merges, min(FEW, len(points)))[0], np.stack(list(branches.values())))


def _cut(merges: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """(n,) piece, from 0, of each leaf of a tree (n - 1, 2) that is cut in so many, and the pieces' (count,) nodes."""
    n = len(merges) + 1
    owner, first = np.arange(2 * n - 1), 2 * n - count  # the last merges are undone
    for node in range(first - 1, n - 1, -1):
        owner[merges[node - n]] = owner[node]
    names, labels = np.unique(owner[:n], return_inverse=True)
    return labels, names


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
