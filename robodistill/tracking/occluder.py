"""Which pixels of a frame show neither the object nor what is behind it: a hand, a sleeve.

By colour: such a pixel is none of the object's colours in any light, and not what the background has there. Where the
one who handles the object is of its colours nothing is said, and the robust errors have to do. `follow` takes
a person segmenter's masks besides, from who has one. RSRD leaves out what Mask2Former takes for a person.
"""

import cv2
import numpy as np

from robodistill.field.gaussians import GaussianField
from robodistill.raster.sh import sh0_to_rgb

_COLORS = 16
_SHADES = (0.4, 1.5)  # brightness of a surface in shadow, and out of one
_OTHER = 0.09  # distance from the object's colours
_GONE = 0.10  # and from the background's
_GRAIN = 0.8  # pixels over which colours are measured
_LEAST = 5  # pixels across: where two colours meet there is a line of others


def palette(colors: np.ndarray) -> np.ndarray:
    """(K, 3) float32, the colours that (N, 3) have."""
    from sklearn.cluster import KMeans

    count = min(_COLORS, len(np.unique(colors, axis=0)))
    return KMeans(count, n_init=2, random_state=0).fit(colors).cluster_centers_.astype(np.float32)


def field_palette(field: GaussianField) -> np.ndarray:
    """(K, 3) float32 RGB in [0, 1], the colours that an object has."""
    return palette(sh0_to_rgb(field.sh[:, 0].double()).clamp(0, 1).numpy())


def unlike(image: np.ndarray, colors: np.ndarray, shades: tuple[float, float] = _SHADES) -> np.ndarray:
    """(...,) bool: which of (..., 3) float32 are none of the colours (K, 3), darker and brighter by so much."""
    other = np.ones(image.shape[:-1], bool)
    for color in colors:
        gain = np.clip((image @ color) / max(float(color @ color), 1e-3), *shades)
        other &= _far(image, gain[..., None] * color, _OTHER)
    return other


def occluded(
    rgb: np.ndarray, behind: np.ndarray, known: np.ndarray, colors: np.ndarray, around: np.ndarray | None
) -> np.ndarray:
    """(H, W) bool: where a frame (H, W, 3) float32 shows neither an object of some colours (K, 3) nor its background.

    Args:
        behind: (H, W, 3) the background in the frame's light.
        known: (H, W) in [0, 1]: whether it has been seen there. Where not, what has none of the
        around: (L, 3) colours around the object is not background.
    """
    seen, behind = (cv2.GaussianBlur(x, (0, 0), _GRAIN) for x in (rgb, behind))
    other, unknown = _far(seen, behind, _GONE), known <= 0.5
    other[unknown] = around is not None and unlike(seen[unknown], around)
    other[other] = unlike(seen[other], colors)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_LEAST, _LEAST))
    return cv2.morphologyEx(other.astype(np.uint8), cv2.MORPH_OPEN, disc) > 0


def _far(a: np.ndarray, b: np.ndarray, distance: float) -> np.ndarray:
    off = a - b
    return np.einsum("...c,...c->...", off, off) > distance**2
