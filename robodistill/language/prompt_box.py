"""A box drawn around a thing becomes the region that fills it and looks least like what is around it.

What is around is learned from a ring outside the box, as Rother et al. do in "GrabCut", SIGGRAPH 2004; differs in that
it tells where to begin and which of the grown regions is best, while its border is that of `grow.py`.
"""

import warnings

import cv2
import numpy as np
from scipy.cluster.vq import kmeans2

from robodistill.errors import HonestNo
from robodistill.language.grow import Growth, Likeness
from robodistill.language.lift import ViewWeights, pixel_seeds

Box = tuple[float, float, float, float]

_SIZES = 48  # regions compared
_STARTS = 5
_ENOUGH = 0.8  # fit with which no other start is tried
_MARGIN = 0.04  # of the sides, by which a person draws a box too tightly
_RING = 0.25  # of the sides: width of what counts as around
_KINDS = 8  # of things around


def fill_box(view: ViewWeights, likeness: Likeness, box: Box) -> tuple[np.ndarray, float]:
    """(N,) bool region, and how well it fits in [0, 1].

    Raises:
        HonestNo: Nothing of the field is seen in the box.
    """
    inside = _within(view.size, box, _MARGIN)
    share, total = view.share(inside.astype(np.float32))
    outside = (share < 0.5) & (total > 0)
    around = _like_around(view, likeness.looks, _within(view.size, box, _RING) & ~inside)
    tried: list[tuple[float, int, Growth]] = []
    for at in _starts(view, around, box):
        growth = likeness.grow(pixel_seeds(view, *at), outside)
        tried.append((*_best_fit(view, growth, around, box), growth))
        if tried[-1][0] > _ENOUGH:
            break
    if not tried:
        raise HonestNo(f"nothing of the field is seen within the box {tuple(map(float, box))}")
    fit, size, growth = max(tried, key=lambda it: it[0])
    return growth.region(size), fit


def _within(size: tuple[int, int], box: Box, margin: float) -> np.ndarray:
    """(H, W) bool: the box, larger by a share of its sides and a pixel."""
    u0, v0, u1, v1 = box
    du, dv = 1 + margin * (u1 - u0), 1 + margin * (v1 - v0)
    v, u = np.mgrid[: size[0], : size[1]]
    return (u >= u0 - du) & (u <= u1 + du) & (v >= v0 - dv) & (v <= v1 + dv)


def _like_around(view: ViewWeights, looks: np.ndarray, ring: np.ndarray) -> np.ndarray:
    """(N,) in [0, 1]: how much each Gaussian looks like some kind of thing that the ring shows."""
    share, total = view.share(ring.astype(np.float32))
    known = np.unique(looks[(share > 0.5) & (total > 0.1)].astype(np.float64), axis=0)
    if not len(known):
        return np.zeros(len(looks))
    with warnings.catch_warnings():  # of clusters that stay empty: they do no harm
        warnings.simplefilter("ignore", UserWarning)
        kinds = kmeans2(known, _KINDS, minit="++", seed=0)[0] if len(known) > _KINDS else known
    squared = np.min([((looks - kind) ** 2).sum(1) for kind in kinds], 0)
    return np.exp(-0.5 * squared)


def _starts(view: ViewWeights, around: np.ndarray, box: Box) -> list[tuple[int, int]]:
    """Pixels (u, v) of the box that look least like what is around, apart from each other."""
    looks_around = view.blended(around) + (1 - view.blended(np.ones(view.count)))
    cost = cv2.blur(looks_around.astype(np.float32), (3, 3))  # a single pixel may be of a rim
    u0, v0, u1, v1 = box
    # things are more often in the middle of a box than in its corners
    v, u = np.mgrid[: view.size[0], : view.size[1]]
    off = ((u - (u0 + u1) / 2) / (u1 - u0)) ** 2 + ((v - (v0 + v1) / 2) / (v1 - v0)) ** 2
    cost = np.where(_within(view.size, box, -_MARGIN), cost + 0.3 * off, np.inf)
    covered = view.blended(np.ones(view.count)) >= 0.5
    cost[~covered] = np.inf
    found = []
    while len(found) < _STARTS and np.isfinite(cost.min()):
        row, column = np.unravel_index(cost.argmin(), cost.shape)
        found.append((int(column), int(row)))
        cost[((u - column) / (u1 - u0)) ** 2 + ((v - row) / (v1 - v0)) ** 2 < 0.25**2] = np.inf
    return found


def _best_fit(view: ViewWeights, growth: Growth, around: np.ndarray, box: Box) -> tuple[float, int]:
    """How well the best of the nested regions fits, and its size."""
    ranks = _median_ranks(view, growth.rank)
    count = len(growth.order)
    foreign = 1 - np.cumsum(around[growth.order]) / np.arange(1, count + 1)
    quality = foreign * (1 - growth.borders())
    sizes = np.unique(np.geomspace(min(growth.config.least, count), count, _SIZES).astype(int))
    fits = []
    for size in sizes:
        vs, us = np.nonzero(ranks < size)
        extent = (us.min(), vs.min(), us.max(), vs.max()) if len(us) else (0, 0, 0, 0)
        fits.append(_overlap(extent, box) * quality[size - 1])
    best = int(np.argmax(fits))
    return float(fits[best]), int(sizes[best])


def _median_ranks(view: ViewWeights, rank: np.ndarray) -> np.ndarray:
    """(H, W) size from which on a region makes more than half of each pixel."""
    pixels, ranks = view.pixels, rank[view.ids]
    order = np.lexsort((ranks, pixels))
    covered = np.cumsum(view.weights[order], dtype=np.float64)
    before = np.concatenate([[0.0], covered])[view.starts[:-1]]  # of the pixels before
    half = np.searchsorted(covered, before + 0.5)
    found = half < view.starts[1:]
    result = np.full(len(before), len(rank))
    result[found] = ranks[order][half[found]]
    return result.reshape(view.size)


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Intersection over union of two boxes of pixels, the corners' pixels included."""
    sides = [max(0.0, min(a[k + 2], b[k + 2]) - max(a[k], b[k]) + 1) for k in (0, 1)]
    areas = [(x[2] - x[0] + 1) * (x[3] - x[1] + 1) for x in (a, b)]
    common = sides[0] * sides[1]
    return common / (sum(areas) - common)
