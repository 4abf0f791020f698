"""Light on the thing that is followed, and shadows: smooth changes of brightness that the scan does not have, or has
elsewhere.

A hand's shadow wanders over a thing, and what a part shaded in the scan lies in the light when that has moved. Where
colours go on agreeing, the scan's are made as bright as the picture's surroundings; what is left is texture and edges.
"""

import cv2
import numpy as np

from robodistill.tracking.layers import Layers

SOLID = 0.9  # of a pixel that the thing covers, and of those around it
SMOOTH = 2.0  # pixels over which a shadow has one brightness
GAINS = (0.4, 2.2)  # that a shadow, or light in its stead, makes
SHADED = 0.15  # of the weight of a pixel, that all as lit counts for
LIGHTS = (0.9, 1.1)  # by which a part's light may change at once; more is a shadow on all of it
TELL = 20  # pixels that tell a part's light
NO_ALPHA = 1e-3  # of a pixel, that what is divided by alpha is divided by at least


def shade(layers: Layers, own: np.ndarray, seen: np.ndarray, spread: float, half: bool) -> np.ndarray:
    """(H, W) by which the parts are brighter in a picture (H, W, 3) than as lit; a part's median is left out as far as
    its light may tell of it.

    Args:
        own: (H, W, 3) the parts as lit over black, `Layers.added`.
        spread: As `linearize` has it.
        half: The picture is of half the size.
    """
    size = 3 if half else 5
    solid = cv2.erode(1 - layers.through, np.ones((size, size), np.uint8)) > SOLID
    across, square = np.einsum("hwc,hwc->hw", own, seen), np.einsum("hwc,hwc->hw", own, own)
    gain = across / np.maximum(square, 1e-3)
    off = seen - gain[..., None] * own
    agreed = 1 / (1 + np.einsum("hwc,hwc->hw", off, off) / np.float32(3 * (2 * spread) ** 2)) ** 2
    agreed *= solid & (gain > GAINS[0]) & (gain < GAINS[1])
    share = layers.alpha * layers.in_sight
    usual = np.ones(len(share), np.float32)
    for p in range(len(share)):
        told = (agreed > 0.5) & (share[p] > SOLID)
        if np.count_nonzero(told) > TELL:
            usual[p] = np.clip(np.median(gain[told]), *LIGHTS)
    level = (np.einsum("phw,p->hw", share, usual) + 1e-3) / (share.sum(0) + 1e-3)
    sigma = SMOOTH / 2 if half else SMOOTH
    weight = agreed * square
    around, among = (cv2.GaussianBlur(x, (0, 0), sigma) for x in (weight * gain / level, weight))
    least = SHADED * float(square[solid].mean()) if solid.any() else 1.0
    return ((around + least) / (among + least)).astype(np.float32)


def lit_by(layers: Layers, lights: np.ndarray) -> np.ndarray:
    """(P, H, W, 3) colours times alpha under lights (P, 4): the light on a matt surface that turns is, to first order,
    linear in its normal (Lambert)."""
    lit, lights = layers.color.copy(), lights.astype(np.float32)
    for own, normal, alpha, light in zip(lit, layers.normal, layers.alpha, lights, strict=True):
        turned = normal @ light[1:] / np.maximum(alpha, NO_ALPHA) if light[1:].any() else 0
        own *= np.atleast_2d(light[0] + turned)[..., None]
    return lit
