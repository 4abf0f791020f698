"""Curves over time as a picture."""

from collections.abc import Sequence

import cv2
import numpy as np

_COLORS = ((200, 60, 40), (40, 90, 200), (40, 150, 60), (150, 60, 160), (200, 140, 30), (60, 160, 170), (110, 110, 110))
_HEIGHT, _WIDTH, _MARGIN = 120, 480, 10


def curve_picture(curves: Sequence[np.ndarray], times: np.ndarray | None = None, together: bool = False) -> np.ndarray:
    """(H, W, 3) uint8: each of some (T,) curves over the whole height, or all `together` on one scale.

    Args:
        times: (T,) of the samples; evenly spaced where None.
    """
    image = np.full((_HEIGHT, _WIDTH, 3), 255, np.uint8)
    every = np.concatenate([np.ravel(curve) for curve in curves]) if len(curves) else np.zeros(1)
    for k, curve in enumerate(curves):
        low, high = (every.min(), every.max()) if together else (np.min(curve), np.max(curve))
        at = np.arange(len(curve)) if times is None else times - times[0]
        x = _MARGIN + (_WIDTH - 2 * _MARGIN) * at / max(at[-1], 1e-9)
        y = _HEIGHT - _MARGIN - (_HEIGHT - 2 * _MARGIN) * (curve - low) / max(high - low, 1e-6)
        points = np.stack([x, y], 1).round().astype(np.int32)
        cv2.polylines(image, [points], False, _COLORS[k % len(_COLORS)], 2, cv2.LINE_AA)
    return image
