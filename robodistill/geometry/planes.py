"""The plane that most points lie on."""

import numpy as np

_TRIPLES = 160
_POINTS = 1500
_LEAST = 0.12  # share of the points that a plane must hold


def largest_plane(points: np.ndarray, near: np.ndarray | float, above: np.ndarray) -> np.ndarray | None:
    """(4,) n, d with n . x + d = 0 of the plane that most of the points (n, 3) lie on; None where none holds an eighth.

    RANSAC (Fischler & Bolles, 1981) on a fixed sample, so that the same points always have the same answer.

    Args:
        near: Metres from a plane that count as on it; one number, or (n,).
        above: (3,) a point on the side that n points to.
    """
    if len(points) < 100:
        return None
    random = np.random.default_rng(0)
    picked = random.integers(0, len(points), _POINTS)
    near = np.broadcast_to(near, len(points))[picked]
    points = points[picked].astype(np.float64)
    a, b, c = points[random.integers(0, _POINTS, (3, _TRIPLES))]
    normals = np.cross(b - a, c - a)
    lengths = np.linalg.norm(normals, axis=1)
    a, normals = a[lengths > 1e-9], normals[lengths > 1e-9] / lengths[lengths > 1e-9, None]
    on = np.abs(points @ normals.T - (a * normals).sum(1)) < near[:, None]
    best = on[:, on.sum(0).argmax()]
    for _ in range(2):
        if best.mean() < _LEAST:
            return None
        center = points[best].mean(0)
        normal = np.linalg.svd(points[best] - center, full_matrices=False)[2][2]
        best = np.abs((points - center) @ normal) < near
    if normal @ (np.asarray(above) - center) < 0:
        normal = -normal
    return np.append(normal, -normal @ center)
