"""How did a thing move, from its Gaussians before and new surface points after: a search over turns, then ICP."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from robodistill.errors import HonestNo

_TURNS = 24  # about the support's normal that are tried
_POINTS = 400
_ANCHOR = 0.15  # weight of points against planes
_ROUNDS = (8, 40)  # of closest points, for every turn and for the best ones
_BEST = 4  # turns that are refined
_TRIMMED = 0.8  # share of the points that count
_COLOR = 0.05  # metres that a full difference of colour is worth
_FITS = 0.008  # metres within which a point fits
_LEAST = 0.6  # share of the points that must fit


@dataclass(frozen=True, eq=False)
class Cloud:
    """Coloured points."""

    points: np.ndarray
    """(n, 3) metres."""
    colors: np.ndarray
    """(n, 3) in [0, 1]."""
    normals: np.ndarray | None = None
    """(n, 3) unit, of either sign; of what moved."""

    def sample(self, count: int) -> "Cloud":
        """At most so many, drawn with a fixed seed."""
        if len(self.points) <= count:
            return self
        rows = np.random.default_rng(0).permutation(len(self.points))[:count]
        return Cloud(self.points[rows], self.colors[rows])


def find_motion(before: Cloud, after: Cloud, up: np.ndarray) -> np.ndarray:
    """(4, 4) T_world_world that carries what was `before` onto what is seen `after`.

    Args:
        before: All of the thing.
        after: Of it what new views see, and little else.
        up: (3,) normal of what it stands on: turns about it are tried, and refined by ICP; only where none of them
            explains what is seen it may have tipped over too.

    Raises:
        HonestNo: No motion explains enough of the new points.
    """
    if len(after.points) < 20 or len(before.points) < 20:
        raise HonestNo("the new views show too little of something moved to tell how it moved")
    after = after.sample(_POINTS)
    tree = cKDTree(np.hstack([before.points, _COLOR * before.colors]))
    share = 0.0
    for axes in (up[None], np.eye(3)):
        tried = []
        for angle in 2 * np.pi * np.arange(_TURNS) / _TURNS:
            R = Rotation.from_rotvec(-angle * up).as_matrix()
            back = np.eye(4)
            back[:3, :3], back[:3, 3] = R, np.median(before.points, 0) - R @ np.median(after.points, 0)
            tried.append(_icp(back, tree, before, after, axes, _ROUNDS[0]))
        tried.sort(key=lambda found: found[1])
        best = [_icp(T, tree, before, after, axes, _ROUNDS[1]) for T, *_ in tried[:_BEST]]
        back, _, share = min(best, key=lambda it: it[1])
        if share >= _LEAST:
            return np.linalg.inv(back)
    raise HonestNo(f"no motion explains what the new views show: at best {share:.0%} of the points fit")


def _icp(
    T: np.ndarray, tree: cKDTree, before: Cloud, after: Cloud, axes: np.ndarray, rounds: int
) -> tuple[np.ndarray, float, float]:
    """Refined T_before_after, the trimmed mean distance, and the share of points that fit."""
    colors = _COLOR * after.colors
    for last in range(rounds + 1):
        there = after.points @ T[:3, :3].T + T[:3, 3]
        distance, match = tree.query(np.hstack([there, colors]))
        best = np.argsort(distance)[: max(10, int(_TRIMMED * len(distance)))]
        if last == rounds:
            off = np.abs(((there - before.points[match]) * before.normals[match]).sum(1))
            fits = (off < _FITS) & (np.linalg.norm(there - before.points[match], axis=1) < 2 * _FITS)
            return T, float((off + 0.3 * distance)[best].mean()), float(fits.mean())
        T = _step(there[best], before.points[match[best]], before.normals[match[best]], axes) @ T
    raise AssertionError


def _step(points: np.ndarray, to: np.ndarray, normals: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """(4, 4) small motion of points (n, 3) towards the planes through others, and a little to these themselves.

    It turns about unit axes (k, 3) only.

    Point to plane (Chen and Medioni, 1992): along a face points may slide, for they are samples.
    """
    middle = points.mean(0)
    arms = points - middle
    gap = to - points
    rows, values = [np.hstack([np.cross(arms, normals) @ axes.T, normals])], [(gap * normals).sum(1)]
    for axis in np.eye(3):
        rows.append(_ANCHOR * np.hstack([np.cross(arms, axis) @ axes.T, np.tile(axis, (len(arms), 1))]))
        values.append(_ANCHOR * gap @ axis)
    x = np.linalg.lstsq(np.concatenate(rows), np.concatenate(values), rcond=None)[0]
    T = np.eye(4)
    T[:3, :3] = Rotation.from_rotvec(x[:-3] @ axes).as_matrix()
    T[:3, 3] = middle + x[-3:] - T[:3, :3] @ middle
    return T
