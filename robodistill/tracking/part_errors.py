"""What it costs each Gaussian to be of a part: the error of its pixel where that part's motion takes it."""

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import map_coordinates

from robodistill.tracking.alignment import robust
from robodistill.tracking.layers import Layers, Window
from robodistill.tracking.model import PartModel
from robodistill.tracking.picture import Picture, window_of
from robodistill.tracking.shade import lit_by

UNSEEN = 0.25
"""Robust error, in [0, 1], of what would be out of sight: hidden, outside the picture, or under a hand."""
_SPREAD = 0.05  # brightness
_BEFORE = 0.03  # of the object's size by which a surface hides another


def errors_as_one(whole: PartModel, picture: Picture, T: np.ndarray, lights: np.ndarray) -> np.ndarray:
    """(N,) errors were all of the object, a model of one part, at the pose (4, 4) in the light (4,)."""
    window = window_of(whole, T[None], picture.camera)
    if window is None:
        return np.full(len(whole.labels), UNSEEN)
    layers = whole.draw(T[None], window)
    return _at_gaussians(whole, np.arange(len(whole.labels)), T, layers, picture, window, lights[None])


def errors_by_part(
    model: PartModel, picture: Picture, Ts: np.ndarray, lights: np.ndarray, parts: Sequence[int]
) -> np.ndarray:
    """(len(parts), N) errors of some parts' Gaussians, were these to move as each of them, and `UNSEEN` of others.

    All other parts stay where they are: a blade that another hides at rest is in sight where the two have opened.

    Args:
        Ts, lights: (P, 4, 4) and (P, 4) of all parts; what moves as another is in that one's light.
    """
    errors = np.full((len(parts), len(model.labels)), UNSEEN)
    window = window_of(model, Ts, picture.camera)
    if window is None:
        return errors
    own = model.draw(Ts, window)
    for part in parts:
        ids = np.flatnonzero(model.labels == part)
        for k, motion in enumerate(parts):
            moved, lit = Ts.copy(), lights.copy()
            moved[part], lit[part] = Ts[motion], lights[motion]
            layers = own if motion == part else model.redrawn(own, moved, [part], window)
            errors[k, ids] = _at_gaussians(model, ids, moved[part], layers, picture, window, lit)
    return errors


def _at_gaussians(
    model: PartModel,
    ids: np.ndarray,
    T: np.ndarray,
    layers: Layers,
    picture: Picture,
    window: Window,
    lights: np.ndarray,
) -> np.ndarray:
    """(n,) errors of the pixels of some Gaussians at a pose, in a picture that they are drawn in."""
    seen, behind = picture.rgb[window.pixels], picture.background[window.pixels]
    error = robust(layers.over(lit_by(layers, lights), behind) - seen, _SPREAD)
    points = model.points[ids] @ T[:3, :3].T + T[:3, 3]
    pixels = points @ window.K_corner.T
    at = pixels[:, :2] / pixels[:, 2:] - 0.5
    end = np.array([window.width, window.height]) - 1
    inside = ((at >= 0) & (at <= end)).all(1) & (points[:, 2] > 0)
    column, row = np.clip(np.rint(at), 0, end).astype(int).T
    surface = np.where(layers.alpha > 0.5, layers.depth / np.maximum(layers.alpha, 0.5), np.inf).min(0)[row, column]
    shown = inside & (points[:, 2] < surface + _BEFORE * model.size)
    if picture.usable is not None:
        shown &= picture.usable[window.pixels][row, column] > 0.5
    errors = np.full(len(ids), UNSEEN)
    errors[shown] = np.minimum(map_coordinates(error, at[shown, ::-1].T, order=1, mode="nearest"), UNSEEN)
    return errors
