"""Directions along which a part is made: what turns or slides does it about or along one of them.

Of what stood on a known support these are upright, and level along the sides of its footprint: hinges of standing
things are, while boxes about small, bent or half seen parts lean by 10 degrees and more.
"""

import cv2
import numpy as np

from robodistill.tracking.articulation import across

_ASIDE = np.radians(10)  # by which a rectangle is turned to see how sharply a footprint tells its own


def box_edges(points: np.ndarray) -> np.ndarray:
    """(3, 3) rows: edges of the tightest box about (n, 3) points; of a handful of points their principal axes."""
    import trimesh

    if len(points) < 8:
        return principal_axes(points)
    return trimesh.bounds.oriented_bounds(points)[0][:3, :3]


def principal_axes(points: np.ndarray) -> np.ndarray:
    """(3, 3) rows, of (n, 3) points."""
    off = points - np.median(points, axis=0)
    return np.linalg.eigh(off.T @ off)[1].T


def standing_edges(points: np.ndarray, up: np.ndarray) -> tuple[np.ndarray, float]:
    """(3, 3) rows: up (3,), unit, and the sides of the smallest rectangle about the footprint of (n, 3) points; and by
    how much a rectangle turned from it is larger: 1 of what is round."""
    level = across(up)
    turn = np.radians(cv2.minAreaRect((points @ level.T).astype(np.float32))[2])

    def edges(angle: float) -> np.ndarray:
        along = np.array([np.cos(angle), np.sin(angle)]) @ level
        return np.stack([up, along, np.cross(up, along)])

    least, *others = (np.ptp(points @ edges(turn + aside)[1:].T, axis=0).prod() for aside in (0, -_ASIDE, _ASIDE))
    return edges(turn), float(min(others) / max(least, 1e-12))
