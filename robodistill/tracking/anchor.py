"""The distance of the first frame, kept where the thing still lies.

A first pose compares the thing without its foot with a picture in which no hand hides it, large: its distance is right
to a hundredth. What is followed lies before a background that was never seen free of its shadow, and comes out up
to three hundredths nearer as long as it lies there. What is off then is taken off, and fades as it leaves the place.
"""

import numpy as np

from robodistill.tracking.model import PartModel

_LEAVES = 0.1  # of the object's size from its first place, at which a third is left
_MOST = 0.06  # of the distance; what is off by more is off otherwise


def anchored(model: PartModel, Ts_camera_part: np.ndarray, T_first: np.ndarray) -> np.ndarray:
    """Poses (T, P, 4, 4), each frame's moved along the ray to the object's middle, so that this is as far in the first
    as T_first (4, 4) of the whole has it."""
    middles = np.array([model.posed_points(Ts).mean(0) for Ts in Ts_camera_part])
    first = T_first[:3, :3] @ model.points.mean(0) + T_first[:3, 3]
    distance = np.linalg.norm(first)
    off = first @ (first - middles[0]) / distance
    if abs(off) > _MOST * distance:
        return Ts_camera_part
    left = np.exp(-((np.linalg.norm(middles - middles[0], axis=1) / (_LEAVES * model.size)) ** 2))
    rays = middles / np.linalg.norm(middles, axis=1, keepdims=True)
    moved = Ts_camera_part.copy()
    moved[:, :, :3, 3] += (off * left[:, None] * rays)[:, None]
    return moved
