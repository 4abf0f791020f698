"""Which points of a part a finger can come to, and which of them are worth the look."""

import numpy as np
from scipy.spatial import cKDTree

_LOOKED = 2500  # points at most
_FINGER = 0.006  # metres over a point where the middle of a finger is that presses it
_RADIUS = 0.005  # metres of free space that it needs around it
_WAY = (0.0, 0.02, 0.04, 0.06, 0.08)  # metres back along its approach where it is looked at
_AROUND, _RISES = 8, (0.0, 0.8)  # directions of approach: so many around, and how steep, rad; one from above beside
_NEAR = 0.02  # metres around a point that are its surroundings


def accessible(points: np.ndarray, normals: np.ndarray, all_points: np.ndarray, up: np.ndarray) -> np.ndarray:
    """(n,) bool: a straight way on which nothing comes near leads a finger onto the surface.

    Args:
        points: (n, 3) on the part, metres; normals (n, 3) are unit and outwards.
        all_points: (m, 3) of everything there is, the part as well.
        up: (3,) unit; fingers come from above or from the side.
    """
    tree = cKDTree(all_points)
    start = points + _FINGER * normals
    found = np.zeros(len(points), bool)
    for direction in _directions(up):
        left = np.flatnonzero(~found)
        for back in _WAY:
            left = left[tree.query(start[left] + back * direction, distance_upper_bound=_RADIUS)[0] > _RADIUS]
        found[left] = True
    return found


def prominent(
    points: np.ndarray, normals: np.ndarray, others: np.ndarray, up: np.ndarray, most: int, rng: np.random.Generator
) -> np.ndarray:
    """Indices of accessible points, those with little of the object around them before others: a knob, not a plate.

    Args:
        points: (n, 3) on the part, metres; normals (n, 3) are unit and outwards.
        others: (m, 3) on other parts.
        most: Points at most.
    """
    picks = rng.permutation(len(points))[:_LOOKED]
    all_points = np.concatenate([points, others])
    picks = picks[accessible(points[picks], normals[picks], all_points, up)]
    if not len(picks):
        return picks
    near = cKDTree(points[picks]).query_ball_point(points[picks], _NEAR, return_length=True)
    count = min(most, len(picks))
    return np.sort(rng.choice(picks, count, replace=False, p=1 / near / (1 / near).sum()))


def _directions(up: np.ndarray) -> list[np.ndarray]:
    """Unit vectors from which fingers come."""
    side = np.cross(up, np.eye(3)[np.abs(up).argmin()])
    side /= np.linalg.norm(side)
    other = np.cross(up, side)
    angles = 2 * np.pi * np.arange(_AROUND) / _AROUND
    level = np.cos(angles)[:, None] * side + np.sin(angles)[:, None] * other
    return [up, *(np.cos(rise) * it + np.sin(rise) * up for rise in _RISES for it in level)]
