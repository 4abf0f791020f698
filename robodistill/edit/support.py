"""What a thing stands on: the plane in which the rim of the hole lies that it would leave.

Gravity is not known here. A support is a plane of Gaussians beside the selection, with the selection on one side of it
and near to it. It is found by RANSAC with one Gaussian a guess, since each brings its own normal.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from robodistill.field.gaussians import GaussianField
from robodistill.field.render import shortest_axes

_SOLID = 0.3  # opacity of a Gaussian that counts as surface
_GUESSES = 300
_PARALLEL = 0.9  # cosine between a Gaussian's normal and the plane's
_ONE_SIDE = 0.92  # share of the selection above the plane
_RING = 0.35  # width of the ring looked at, relative to the selection's size
_GAP = 0.25  # between plane and selection, relative to the selection's size
_LEAST = 12  # Gaussians that make a plane


@dataclass(frozen=True, eq=False)
class Support:
    """A plane with coordinates; z is the height above it, towards the selection."""

    T_plane_world: np.ndarray
    """(4, 4)."""
    spacing: float
    """Distance between its Gaussians, metres."""
    tolerance: float
    """Height within which a Gaussian belongs to it, metres."""

    def coordinates(self, points: np.ndarray) -> np.ndarray:
        """(n, 3) plane coordinates of (n, 3) world points."""
        return points @ self.T_plane_world[:3, :3].T + self.T_plane_world[:3, 3]


def find_support(field: GaussianField, selection: np.ndarray, seed: int = 0) -> Support | None:
    """The plane that a selection (N,) bool stands on; None where there is none, as for a thing in the air."""
    means, opacities = field.means.numpy().astype(np.float64), field.opacities.numpy()
    chosen = means[selection & (opacities > min(_SOLID, opacities[selection].max()))]
    size = float(np.linalg.norm(np.percentile(chosen, 95, axis=0) - np.percentile(chosen, 5, axis=0)))
    others = np.flatnonzero(~selection & (opacities > _SOLID))
    if not len(others):
        return None
    away = cKDTree(chosen).query(means[others], distance_upper_bound=max(_RING * size, 0.01), workers=-1)[0]
    ring, away = others[np.isfinite(away)], away[np.isfinite(away)]
    if len(ring) < _LEAST:
        return None
    points = means[ring]
    normals = shortest_axes(field.quats_wxyz[ring], field.scales[ring]).numpy().astype(np.float64)
    spacing = float(np.median(cKDTree(points).query(points, k=4, workers=-1)[0][:, 1:]))
    tolerance = 1.5 * spacing
    widths = np.sort(field.scales[ring].numpy(), axis=1)
    weights = widths[:, 1] * widths[:, 2] / (1 + (away / (4 * spacing)) ** 2)  # area, most beside the selection
    best, best_score = None, 0.0
    for k in np.random.default_rng(seed).choice(len(ring), min(_GUESSES, len(ring)), replace=False):
        normal, origin = normals[k], points[k]
        heights = (chosen - origin) @ normal
        if np.median(heights) < 0:
            normal, heights = -normal, -heights
        if (heights > -tolerance).mean() < _ONE_SIDE or np.percentile(heights, 2) > _GAP * size + tolerance:
            continue
        near = (np.abs((points - origin) @ normal) < tolerance) & (np.abs(normals @ normal) > _PARALLEL)
        score = weights[near].sum()
        if near.sum() >= _LEAST and score > best_score:
            best, best_score = (normal, near), score
    if best is None:
        return None
    T = _fitted(points[best[1]], weights[best[1]], best[0])
    normals = shortest_axes(field.quats_wxyz[others], field.scales[others]).numpy().astype(np.float64)
    return Support(_grown(T, means[others], normals, size, tolerance), spacing, tolerance)


def _grown(
    T_plane_world: np.ndarray, points: np.ndarray, normals: np.ndarray, size: float, tolerance: float
) -> np.ndarray:
    """The plane fitted anew to ever more of its surface: over a wide one, a small error of slope is a large height."""
    T, out = T_plane_world, np.linalg.norm(points @ T_plane_world[:3, :3].T + T_plane_world[:3, 3], axis=1)
    for radius in size * 1.5 ** np.arange(1, 8):
        near = out < radius
        near[near] = np.abs(points[near] @ T[2, :3] + T[2, 3]) < tolerance
        near[near] = np.abs(normals[near] @ T[2, :3]) > _PARALLEL
        if near.sum() >= _LEAST:
            T = _fitted(points[near], np.ones(near.sum()), T[2, :3])
    return T


def _fitted(points: np.ndarray, weights: np.ndarray, up: np.ndarray) -> np.ndarray:
    """(4, 4) T_plane_world of the least-squares plane; its z has the side of `up`."""
    center = np.average(points, axis=0, weights=weights)
    _, axes = np.linalg.eigh(np.cov((points - center).T, aweights=weights))
    R = axes[:, ::-1].T.copy()  # rows: along, along, normal
    R[2] *= np.sign(R[2] @ up)
    R[1] = np.cross(R[2], R[0])
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = R, -R @ center
    return T
