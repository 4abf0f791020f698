"""A thing that stands free is taken hold of as a whole, whatever of it a phrase selected: a bottle with its cap.

Kerr et al., "LERF-TOGO", CoRL 2023, flood the whole object from what a phrase found by features of DINO. Ours is by
shape alone: of a connected piece above the support of which at least half was selected, what stands over or under the
rest. A neighbour that touches stands beside it, and is left out.
"""

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from robodistill.grasp.surface import Surface

_ABOVE = 0.006  # metres above the support from where a piece is looked at: lower, the support links all
_GAP = 0.006  # metres between points of neighbours of one piece
_SHARE = 0.5  # of a piece's Gaussians that must be selected
_BESIDE = 0.005  # metres across the support from something selected within which a point is over or under it


def standing_pieces(place: Surface) -> tuple[np.ndarray, np.ndarray]:
    """Gaussians (n,) above the support, and (n,) the number of the connected piece that each is of."""
    points, owners = (values[place.heights(place.points) > _ABOVE] for values in (place.points, place.ids))
    ids, owner = np.unique(owners, return_inverse=True)
    return ids, linked(owner[cKDTree(points).query_pairs(_GAP, output_type="ndarray")], len(ids))


def linked(pairs: np.ndarray, count: int) -> np.ndarray:
    """(count,) the number of the connected piece that each of so many is of, by pairs (m, 2) that are linked."""
    links = coo_matrix((np.ones(len(pairs), bool), tuple(pairs.T)), shape=(count, count))
    return connected_components(links, directed=False)[1]


def completed(selected: np.ndarray, pieces: tuple[np.ndarray, np.ndarray], place: Surface) -> np.ndarray:
    """Selected Gaussians, and what else of a standing piece that they make half of is over or under them; ascending."""
    ids, piece = pieces
    if not len(ids):
        return np.unique(selected)
    share = np.bincount(piece, weights=np.isin(ids, selected)) / np.bincount(piece)
    rest = np.isin(place.ids, np.setdiff1d(ids[share[piece] >= _SHARE], selected))
    mine = np.isin(place.ids, selected)
    if not rest.any() or not mine.any():
        return np.unique(selected)
    across = np.linalg.svd(place.up[None])[2][1:]  # (2, 3) along the support
    away = cKDTree(place.points[mine] @ across.T).query(place.points[rest] @ across.T)[0]
    return np.union1d(selected, place.ids[rest][away < _BESIDE])
