"""What a phrase selected, mended by colour and height: a fork of which features show only the handle is whole again.

Features come in cells of some pixels, and thin things fill none: half of a fork looks like the table to them, and some
of the table like the fork. Its colour says what it is. In the manner of Rother et al., "GrabCut", SIGGRAPH 2004, the
selection and what it lies on are two sets of colours; here height above the support decides with them, and what is
added must be connected to what was selected.
"""

import numpy as np
from scipy.spatial import cKDTree

from robodistill.grasp.surface import Surface
from robodistill.grasp.whole import linked

_ABOVE = 0.003  # metres above the support from where a Gaussian may be of a thing: a field knows it no better
_AROUND = 0.10  # metres around a selection that are looked at
_BESIDE = 0.03  # metres around a selection where the support shows its colours
_GAP = 0.008  # metres between Gaussians of one thing
_ALIKE = 0.08  # difference of colours, each in [0, 1], up to which they are one
_VOTERS = 3  # colours of a set that must be as near: one may be a stray
# of the support around that must have a colour for it to be the support's: what is of the thing is there, too
_PART = 0.03
_SHARE = 0.3  # of what is connected and of the colour that must be selected, or it is a neighbour
_CLEAR = 0.5  # of the distance to the thing's colours at which a colour is the support's


def mended(selected: np.ndarray, place: Surface) -> np.ndarray:
    """Selected Gaussians (n,), without those of the support, and with what continues them in colour; ascending.

    As they are where the surface knows no colours.
    """
    selected = np.unique(selected)
    if place.colors is None:
        return selected
    ids, first = np.unique(place.ids, return_index=True)
    points, colors = place.points[first], place.colors[first]
    mine = np.isin(ids, selected)
    if mine.sum() < _VOTERS:
        return selected
    low, high = points[mine].min(0) - _AROUND, points[mine].max(0) + _AROUND
    around = ((points > low) & (points < high)).all(1)
    ids, points, colors, mine = (values[around] for values in (ids, points, colors, mine))
    heights = place.heights(points)
    above = heights > _ABOVE
    if (mine & above).sum() < _VOTERS:
        return selected
    unlike = _distance(colors, colors[mine & above])
    near = cKDTree(points[mine]).query(points, distance_upper_bound=_BESIDE)[0] < _BESIDE
    support = near & ~mine & (np.abs(heights) < _ABOVE)
    if support.sum() >= _VOTERS:
        like_support = _distance(colors, colors[support], max(_VOTERS, int(_PART * support.sum())))
        selected = np.setdiff1d(selected, ids[mine & ~above & (like_support < _CLEAR * unlike)])
        # height does not tell what is 3 mm high from the support, but a colour does that is clearly not the support's
        above = (above & (unlike < like_support)) | (unlike < _CLEAR * like_support)
    return np.union1d(selected, _connected(ids, points, mine, above & (mine | (unlike < _ALIKE))))


def _connected(ids: np.ndarray, points: np.ndarray, mine: np.ndarray, alike: np.ndarray) -> np.ndarray:
    """Of Gaussians that are alike, the connected pieces of which enough is selected."""
    rows = np.flatnonzero(alike)
    piece = linked(cKDTree(points[rows]).query_pairs(_GAP, output_type="ndarray"), len(rows))
    share = np.bincount(piece, weights=mine[rows]) / np.bincount(piece)
    return ids[rows[share[piece] >= _SHARE]]


def _distance(colors: np.ndarray, known: np.ndarray, voters: int = _VOTERS) -> np.ndarray:
    """(n,) how far colours (n, 3) are from so many of a set of colours (m, 3)."""
    return cKDTree(known).query(colors, k=[voters])[0][:, 0]
