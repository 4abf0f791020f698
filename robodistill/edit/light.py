"""The shadow that a removed thing leaves behind: one distant light, found from the shadows that lie on the support.

For a guessed direction, everything that stands over the support casts a predicted shadow on it. The light is where the
prediction explains the support's brightness best, apart from slow changes of its albedo. What the prediction says
without the removed thing is what its shadow is to become. In diffuse light nothing is explained, and nothing is done.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.optimize import minimize

from robodistill.edit.support import Support

_HALF = 130  # cells of the surface's spacing, each way from the thing: how far shadows are looked at
_STEEPEST = 1.0  # shift of a shadow per height of what casts it
_SOFT = (0.0, 0.06, 0.12)  # radii of the light, rad, to choose from
_SLOW = 41  # cells: changes of brightness over more than this are the support's own
_EXPLAINED = 0.012  # share of the variance that a prediction must explain to be believed
_STANDS_OUT = 3.0  # by how much it must beat the median guess
_TINT = 0.04  # between the channels of a shadow's depth: lights are nearly white
_FAINTEST = 0.05  # a shadow that takes less is let be
_DARKEST = 0.85  # the most that a shadow can take of the light


@dataclass(frozen=True, eq=False)
class Light:
    """A distant light over a support."""

    slope: np.ndarray
    """(2,) shift of a shadow per height of what casts it, plane coordinates."""
    radius: float
    """Of the light as seen from the support, rad."""
    share: np.ndarray
    """(3,) of the light that a full shadow takes, by channel."""
    explained: float
    """Share of the variance of the support's brightness."""


class ShadowGrid:
    """Cells of a support around a thing, on which shadows are cast."""

    def __init__(self, support: Support, center: np.ndarray):
        self.cell, self.low = support.spacing, center - _HALF * support.spacing
        self.size = 2 * _HALF + 1

    def cast(self, casters: np.ndarray, slope: np.ndarray, radius: float) -> np.ndarray:
        """(size, size) in [0, 1] shadow of (n, 3) points, plane coordinates."""
        turns = np.arange(5) * 2 * np.pi / 5
        shifts = radius * np.column_stack([np.cos(turns), np.sin(turns)]) if radius else np.zeros((1, 2))
        total = np.zeros((self.size, self.size), np.float32)
        for shift in shifts:
            mask = np.zeros((self.size, self.size), np.float32)
            index = self.cells(casters[:, :2] + casters[:, 2:] * (slope + shift))
            mask[tuple(index[((index >= 0) & (index < self.size)).all(1)].T)] = 1
            total += ndimage.grey_closing(mask, 3)
        return ndimage.gaussian_filter(total / len(shifts), 0.7)

    def stands_on(self, surface: np.ndarray, points: np.ndarray) -> np.ndarray:
        """(n,) bool: points (n, 2) lie over the surface that (m, 2) are of, or over a hole in it."""
        mask = np.zeros((self.size, self.size), bool)
        index = self.cells(surface)
        mask[tuple(index[((index >= 0) & (index < self.size)).all(1)].T)] = True
        mask = ndimage.binary_fill_holes(ndimage.binary_dilation(mask, iterations=3))
        return self.sample(mask.astype(np.float32), points) > 0.5

    def cells(self, xy: np.ndarray) -> np.ndarray:
        """(n, 2) integer cells of plane coordinates, not clipped."""
        return np.rint((xy - self.low) / self.cell).astype(int)

    def sample(self, image: np.ndarray, xy: np.ndarray) -> np.ndarray:
        """(n,) values of an image at plane coordinates; 0 outside."""
        return ndimage.map_coordinates(image, ((xy - self.low) / self.cell).T, order=1, cval=0.0)


def estimate_light(grid: ShadowGrid, casters: np.ndarray, xy: np.ndarray, rgb: np.ndarray) -> Light | None:
    """Find the light.

    Args:
        casters: (n, 3) points over the support, plane coordinates.
        xy: (m, 2) well-seen Gaussians of the support, plane coordinates.
        rgb: (m, 3) their colours, in [0, 1].
    """
    index = grid.cells(xy)
    inside = ((index >= 0) & (index < grid.size)).all(1)
    rows, logs = tuple(index[inside].T), np.log(rgb[inside].clip(0.02))
    count = np.zeros((grid.size, grid.size))
    np.add.at(count, rows, 1)
    known = np.minimum(count, 1)
    seen = known > 0
    sums = np.zeros((grid.size, grid.size, 3))
    np.add.at(sums, rows, logs)
    images = sums / np.maximum(count, 1)[..., None]
    near = ndimage.uniform_filter(known, _SLOW).clip(1e-3)

    def fast(image: np.ndarray) -> np.ndarray:
        return ((image - ndimage.uniform_filter(image * known, _SLOW) / near) * known)[seen]

    bright = [_clipped(fast(images[..., c])) for c in range(3)]
    total = sum((b**2).sum() for b in bright)
    if len(bright[0]) < 50 or total < 1e-9:
        return None

    def fit(slope: np.ndarray, radius: float) -> tuple[float, np.ndarray]:
        shadow = fast(grid.cast(casters, slope, radius))
        power = (shadow**2).sum() + 1e-3
        gains = np.array([(shadow * b).sum() / power for b in bright])
        return float((gains**2).sum() * power / total) if gains.mean() < 0 else 0.0, gains

    angles = np.arange(16) * 2 * np.pi / 16
    guesses = [np.zeros(2)] + [
        steep * np.array([np.cos(a), np.sin(a)]) for steep in np.linspace(0.2, 1, 5) * _STEEPEST for a in angles
    ]
    scores = [fit(slope, 0.0)[0] for slope in guesses]
    first = guesses[int(np.argmax(scores))]
    start = np.array([first, first + [0.08, 0], first + [0, 0.08]])
    options = {"initial_simplex": start, "maxfev": 40, "xatol": 5e-3, "fatol": 1e-5}
    slope = minimize(lambda s: -fit(s, 0.0)[0], first, method="Nelder-Mead", options=options).x
    radius = max(_SOFT, key=lambda r: fit(slope, r)[0])
    explained = fit(slope, radius)[0]
    if explained < max(_EXPLAINED, _STANDS_OUT * float(np.median(scores))):
        return None
    share = _share(grid.cast(casters, slope, radius), images, known)
    return None if share is None else Light(slope, radius, share, explained)


def _share(shadow: np.ndarray, images: np.ndarray, known: np.ndarray) -> np.ndarray | None:
    """(3,) how much darker full shadow is than the lit surface near it; medians, for regression would underrate it."""
    lit, dark = known * (shadow < 0.1), (known > 0) & (shadow > 0.7)
    near = ndimage.gaussian_filter(lit, _SLOW / 6)
    dark &= near > 0.05
    if dark.sum() < 6:
        return None
    drops = [
        images[..., c][dark] - (ndimage.gaussian_filter(images[..., c] * lit, _SLOW / 6) / near.clip(1e-3))[dark]
        for c in range(3)
    ]
    share = np.clip(1 - np.exp(np.median(drops, 1)), 0, _DARKEST)
    share = share.clip(
        *(np.median(share) + np.array([-_TINT, _TINT]))
    )  # coloured things in the plane mislead a channel
    return share if share.mean() > _FAINTEST else None


def _clipped(values: np.ndarray) -> np.ndarray:
    """Cut at the size of a full shadow: things of other colours that lie in the plane shall not outvote it."""
    limit = min(0.7, 4 * float(np.median(np.abs(values))) + 0.1)
    return values.clip(-limit, limit)
