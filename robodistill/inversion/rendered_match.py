"""Matches between a picture and a rendering from about the same place, lifted by rendered depth."""

import numpy as np

from robodistill.inversion.landmarks import Keypoints, Matches, find_keypoints, lift, to_world
from robodistill.inversion.views import Picture

_RATIO = 0.85  # of the distance to the best over the second within reach


def match_rendering(
    found: Keypoints, picture: Picture, reach: float, most: int, depth: np.ndarray | None, K: np.ndarray
) -> Matches:
    """Keypoints that are each other's best within `reach` pixels; see `landmarks.match_landmarks` for the rest.

    With reach infinite and a common ratio this is what SPINE does once.
    """
    drawn = find_keypoints(picture.rgb, most, picture.depth > 0)
    points = lift(drawn.pixels, picture.depth, picture.view.camera.K)
    good = np.isfinite(points[:, 0])
    points, pixels, descriptors = points[good], drawn.pixels[good], drawn.descriptors[good]
    none = None if depth is None else np.zeros((0, 3))
    if len(pixels) < 2 or len(found.pixels) < 2:
        return Matches(np.zeros((0, 2)), np.zeros((0, 3)), np.zeros(0), np.zeros(0, int), none)
    distance = np.sqrt(np.maximum(2 - 2 * found.descriptors @ descriptors.T, 1e-6))
    apart = np.linalg.norm(found.pixels[:, None] - pixels[None], axis=2)
    distance = np.where(apart < reach, distance, 2.0)
    order = np.argpartition(distance, 1, axis=1)[:, :2]
    rows = np.arange(len(distance))
    best, second = (distance[rows, order[:, k]] for k in (0, 1))
    swap = best > second
    nearest = np.where(swap, order[:, 1], order[:, 0])
    best, second = np.minimum(best, second), np.maximum(best, second)
    keep = (best < _RATIO * second) & (best < 1.0) & (distance.argmin(0)[nearest] == rows)
    measured = None if depth is None else lift(found.pixels[keep], depth, K)
    world = to_world(picture.view.T_world_camera, points[nearest[keep]])
    weights = (1 - best / second)[keep] + 0.02
    return Matches(found.pixels[keep], world, weights, np.zeros(keep.sum(), int), measured)
