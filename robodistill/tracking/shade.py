"""Shadows on the thing that is followed: smooth changes of brightness that the scan does not have, or has elsewhere.

A hand's shadow wanders over a thing, and what a part shaded in the scan lies in the light when that has moved. Where
colours go on agreeing, the scan's are made as bright as the picture's surroundings; what is left is texture and edges.
"""

import cv2
import numpy as np

from robodistill.tracking.model import Layers

_SOLID = 0.9  # of a pixel that the thing covers, and of those around it
_SMOOTH = 2.0  # pixels over which a shadow has one brightness
_GAINS = (0.4, 2.2)  # that a shadow, or light in its stead, makes
_SHADED = 0.15  # of the weight of a pixel, that all as lit counts for
_LIGHTS = (0.9, 1.1)  # by which a part's light may change at once; more is a shadow on all of it
_TELL = 20  # pixels that tell a part's light


def shade(layers: Layers, own: np.ndarray, seen: np.ndarray, spread: float, half: bool) -> np.ndarray:
    """(H, W) by which the parts are brighter in a picture (H, W, 3) than as lit; a part's median is left out as far as
    its light may tell of it.

    Args:
        own: (H, W, 3) the parts as lit over black, `Layers.added`.
        spread: As `linearize` has it.
        half: The picture is of half the size.
    """
    size = 3 if half else 5
    solid = cv2.erode(1 - layers.through, np.ones((size, size), np.uint8)) > _SOLID
    across, square = np.einsum("hwc,hwc->hw", own, seen), np.einsum("hwc,hwc->hw", own, own)
    gain = across / np.maximum(square, 1e-3)
    off = seen - gain[..., None] * own
    agreed = 1 / (1 + np.einsum("hwc,hwc->hw", off, off) / np.float32(3 * (2 * spread) ** 2)) ** 2
    agreed *= solid & (gain > _GAINS[0]) & (gain < _GAINS[1])
    share = layers.alpha * layers.in_sight
    usual = np.ones(len(share), np.float32)
    for p in range(len(share)):
        told = (agreed > 0.5) & (share[p] > _SOLID)
        if np.count_nonzero(told) > _TELL:
            usual[p] = np.clip(np.median(gain[told]), *_LIGHTS)
    level = (np.einsum("phw,p->hw", share, usual) + 1e-3) / (share.sum(0) + 1e-3)
    sigma = _SMOOTH / 2 if half else _SMOOTH
    weight = agreed * square
    around, among = (cv2.GaussianBlur(x, (0, 0), sigma) for x in (weight * gain / level, weight))
    least = _SHADED * float(square[solid].mean()) if solid.any() else 1.0
    return ((around + least) / (among + least)).astype(np.float32)
