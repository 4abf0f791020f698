"""Parts from motion: small pieces of an object that can share their way through a film are put together.

Larger pieces were followed on their own, well or badly: all their poses together are a bank of motions, and where one
was lost another may be right. Of each frame each small piece says what it costs it to move by each of these. A part
moves as one: its cost in a frame is that of the one motion that suits all of it, and what two parts lose by sharing one
is how far they are apart. Then each Gaussian is asked: pieces may lie across a border, and parts end where the film
says. RSRD tells parts apart by a grouping field and clicks, and never asks the film.
"""

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import map_coordinates
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from robodistill.geometry.camera import Camera
from robodistill.tracking.borders import alike, cut
from robodistill.tracking.model import PartModel
from robodistill.tracking.photometric import lit_by, robust, window_of
from robodistill.tracking.tracker import Followed

_FRAMES = 24  # that are asked
_SPREAD = 0.05  # brightness
_UNSEEN = 0.25  # robust error, in [0, 1], of what would be out of sight
_BEFORE = 0.03  # of the object's size by which a surface hides another
# robust error of the object's mean Gaussian, that one motion instead of two may cost: of pieces that were followed
# badly, which rather stay apart, and of parts that were followed well
_DOUBT, _APART = 0.0025, 0.007
_MOST = 5  # parts
_LINK, _TURNS = 0.1, 8  # robust error that a border costs a link of alike Gaussians; rounds over motions and parts
_NEIGHBOURS, _GAP, _LINKED = 10, 3.0, 3  # of a Gaussian, how far in their median distance, and how many link pieces


def regrouped(
    model: PartModel, small: np.ndarray, frames: Sequence[np.ndarray], camera: Camera, followed: Followed
) -> np.ndarray:
    """(N,) part, from 0, of each Gaussian: rather too many parts than too few.

    Args:
        model: Whose parts are the larger pieces, as they were followed.
        small: (N,) small piece, from 0, of each Gaussian.
        frames: That were followed.
    """
    errors = _all_errors(model, frames, camera, followed)
    return _settled(errors, _together(errors, model.points, small, _DOUBT), alike(model.field))


def corrected(model: PartModel, frames: Sequence[np.ndarray], camera: Camera, followed: Followed) -> np.ndarray:
    """(N,) part of each Gaussian, by the motions of the model's own parts: borders are moved, parts made one."""
    errors = _all_errors(model, frames, camera, followed)
    return _together(errors, model.points, _settled(errors, model.labels, alike(model.field)), _APART)


def _settled(errors: np.ndarray, labels: np.ndarray, links: coo_matrix) -> np.ndarray:
    """(N,) part of each Gaussian: by turns the motions that suit the parts, and the parts that suit the motions.

    Args:
        errors: (T, K, N) of Gaussians that move with each of the bank.
        labels: (N,) to start from.
        links: (N, N) of `alike`.
    """
    # what a hand covers says no more than what is out of sight
    errors, times = np.minimum(errors, _UNSEEN), np.arange(len(errors))
    for _ in range(_TURNS):
        own = [errors[:, :, labels == p].sum(2, dtype=np.float64).argmin(1) for p in range(labels.max() + 1)]
        costs = np.stack([errors[times, k].mean(0, dtype=np.float64) for k in own], 1)
        found = np.unique(cut(costs, _LINK * links, labels), return_inverse=True)[1]
        if np.array_equal(found, labels):
            break
        labels = found
    return labels


def merged(labels: np.ndarray, one: Sequence[tuple[int, int]], parts: int) -> np.ndarray | None:
    """(N,) labels with each pair of parts made one; None where there is no pair."""
    if not one:
        return None
    a, b = np.array(one).T
    numbers = connected_components(coo_matrix((np.ones(len(a)), (a, b)), shape=(parts, parts)), directed=False)[1]
    return np.where(labels >= 0, numbers[np.maximum(labels, 0)], -1)


def _together(errors: np.ndarray, points: np.ndarray, pieces: np.ndarray, apart: float) -> np.ndarray:
    """(N,) part of each Gaussian, of (N,) pieces by their errors (T, K, N) and what they are next to."""
    costs = np.stack([errors[:, :, pieces == k].sum(2, dtype=np.float64) for k in range(pieces.max() + 1)])
    return _agglomerated(costs, _linked(points, pieces), apart * len(pieces))[pieces]


def _agglomerated(costs: np.ndarray, linked: np.ndarray, apart: float) -> np.ndarray:
    """(S,) part of each piece, by its costs (S, T, K) and what it is next to (S, S)."""
    numbers = np.arange(len(costs))
    alive, linked = np.ones(len(costs), bool), linked & ~np.eye(len(costs), dtype=bool)
    lowest = costs.min(2)

    def losses(a: int) -> np.ndarray:
        """(S,) mean over the frames, by sharing one motion with `a`."""
        return ((costs[a] + costs).min(2) - lowest[a] - lowest).mean(1)

    loss = np.stack([losses(a) for a in range(len(costs))])
    while alive.sum() > 1:
        candidates = linked & alive[:, None] & alive
        if not candidates.any():  # an object in pieces
            candidates = alive[:, None] & alive & ~np.eye(len(costs), dtype=bool)
        a, b = np.unravel_index(np.where(candidates, loss, np.inf).argmin(), loss.shape)
        if loss[a, b] > apart and alive.sum() <= _MOST:
            break
        costs[a] += costs[b]
        lowest[a] = costs[a].min(1)
        numbers[numbers == b] = a
        alive[b] = False
        linked[a] |= linked[b]
        linked[:, a] |= linked[:, b]
        linked[a, a] = False
        loss[a] = loss[:, a] = losses(a)
    return np.unique(numbers, return_inverse=True)[1]


def _linked(points: np.ndarray, small: np.ndarray) -> np.ndarray:
    """(S, S) bool: pieces next to each other."""
    distance, other = cKDTree(points).query(points, k=min(_NEIGHBOURS + 1, len(points)))
    near = distance < _GAP * np.median(distance[:, 1:])
    one = np.broadcast_to(small[:, None], other.shape)[near]
    count = small.max() + 1
    links = coo_matrix((np.ones(len(one)), (one, small[other[near]])), shape=(count, count)).toarray()
    return links + links.T >= _LINKED


def _all_errors(model: PartModel, frames: Sequence[np.ndarray], camera: Camera, followed: Followed) -> np.ndarray:
    """(T, K, N) float32 errors of the Gaussians' pixels in T frames, were they to move with each of K parts."""
    whole = PartModel(model.field, np.zeros(len(model.labels), int))
    good = np.flatnonzero([np.isfinite(q.cost) for q in followed.quadratics])
    chosen = good[np.linspace(0, len(good) - 1, min(_FRAMES, len(good))).astype(int)]
    errors = np.empty((len(chosen), model.parts, len(model.labels)), np.float32)
    for k, t in enumerate(chosen):
        rgb = frames[t].astype(np.float32) / 255
        behind = followed.background.under(rgb)
        for p, T in enumerate(followed.Ts_camera_part[t]):
            errors[k, p] = _errors(whole, T, rgb, behind, camera, followed.quadratics[t].lights[p : p + 1])
    return errors


def _errors(
    whole: PartModel, T: np.ndarray, rgb: np.ndarray, behind: np.ndarray, camera: Camera, lights: np.ndarray
) -> np.ndarray:
    """(N,) errors of the Gaussians' pixels were all of the object at one pose."""
    errors = np.full(len(whole.labels), _UNSEEN)
    window = window_of(whole, T[None], camera)
    if window is None:
        return errors
    layers = whole.draw(T[None], window)
    error = robust(layers.over(lit_by(layers, lights)[0], behind[window.pixels]) - rgb[window.pixels], _SPREAD)
    points = whole.posed_points(T[None])
    pixels = points @ window.K_corner.T
    at = pixels[:, :2] / pixels[:, 2:] - 0.5
    end = np.array([window.width, window.height]) - 1
    inside = ((at >= 0) & (at <= end)).all(1) & (points[:, 2] > 0)
    column, row = np.clip(np.rint(at), 0, end).astype(int).T
    surface = np.where(layers.alpha > 0.5, layers.depth / np.maximum(layers.alpha, 0.5), np.inf)[0, row, column]
    seen = inside & (points[:, 2] < surface + _BEFORE * whole.size)
    errors[seen] = map_coordinates(error, at[seen, ::-1].T, order=1, mode="nearest")
    return errors
