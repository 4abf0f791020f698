"""Which pixels of a frame show neither the object nor what is behind it: a hand, a sleeve.

By colour: such a pixel is not what the background has there, and none of the object's colours in any light; or it is
clearly nearer to how the film's hands look than to both. That is learned from what is surely a hand, and from what
reaches in over the picture's edge. Where colours cannot tell nothing is said, and the robust errors have to do.
`follow` takes a person segmenter's masks besides, from who has one; RSRD leaves out what Mask2Former takes for one.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from robodistill.field.gaussians import GaussianField
from robodistill.raster.sh import sh0_to_rgb

_COLORS = 16
_SHADES = (0.4, 1.5)  # brightness of a surface in shadow, and out of one
_OTHER = 0.09  # distance from the object's colours
_GONE = 0.10  # and from the background's
_THAN_THING = 0.015, 0.75  # error of a colour by chance; share of the object's distance at which a hand is likelier
_THAN_REST = 0.03, 0.5  # the same of the background, which shadows change
_SMOOTH = 2.0  # pixels over which these are averaged
_RIM = 10  # pixels of the picture's edge over which hands reach in
_FEW, _ENOUGH = 300, 6000  # pixels that tell what hands look like
_GRAIN = 0.8  # pixels over which colours are measured
_LEAST = 5  # pixels across: where two colours meet there is a line of others


@dataclass(frozen=True, eq=False)
class Colors:
    """What is where in a film: (K, 3) float32 each, RGB in [0, 1]."""

    thing: np.ndarray
    """Of the object."""
    around: np.ndarray | None = None
    """Of the background around it; None where too little of that is known."""
    hands: np.ndarray | None = None
    """Of what handles it; None where nothing shows that."""


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
    return _distance(image, colors, shades) > _OTHER


def hand_palette(
    images: Iterable[np.ndarray], behinds: Iterable[np.ndarray], known: np.ndarray, colors: Colors
) -> np.ndarray | None:
    """(M, 3) float32 `Colors.hands` as some frames show them, with the arguments of `occluded` for each."""
    found = []
    for rgb, behind in zip(images, behinds, strict=True):
        seen = _grainless(rgb)
        inwards = _opened((_size(seen - _grainless(behind)) > _GONE) & (known > 0.5))
        inwards[_RIM:-_RIM, _RIM:-_RIM] = False
        hand = (inwards | occluded(rgb, behind, known, colors)).astype(np.uint8)
        found.append(seen[cv2.erode(hand, np.ones((5, 5), np.uint8)) > 0])  # at its rim colours are mixed
    pixels = np.concatenate(found)
    return palette(pixels[:: max(1, len(pixels) // _ENOUGH)]) if len(pixels) > _FEW else None


def occluded(rgb: np.ndarray, behind: np.ndarray, known: np.ndarray, colors: Colors) -> np.ndarray:
    """(H, W) bool: where a frame (H, W, 3) float32 shows neither the object nor its background.

    Args:
        behind: (H, W, 3) the background in the frame's light.
        known: (H, W) in [0, 1]: whether it has been seen there; where not, what is not like what is around the object
            is not background.
    """
    seen, unknown = _grainless(rgb), known <= 0.5
    apart = _size(seen - _grainless(behind))
    far = apart > _GONE
    if unknown.any():
        apart[unknown] = 0.0 if colors.around is None else _distance(seen[unknown], colors.around)
        far[unknown] = apart[unknown] > _OTHER
    other = far.copy()
    other[far] = unlike(seen[far], colors.thing)
    return _opened(other if colors.hands is None else other | _handlike(seen, apart, far, colors))


def _handlike(seen: np.ndarray, apart: np.ndarray, far: np.ndarray, colors: Colors) -> np.ndarray:
    """(H, W) bool: where a picture is nearer to hands than to the object and to the background, which it is `apart`
    (H, W) from, or `far` from; told with its surroundings, as hands are smooth, and so in small."""
    height, width = apart.shape
    small = (width + 1) // 2, (height + 1) // 2
    seen, apart = (cv2.resize(image, small, interpolation=cv2.INTER_AREA) for image in (seen, apart))
    hand, surer = _distance(seen, colors.hands), []
    for other, chance, least in ((_distance(seen, colors.thing), *_THAN_THING), (apart, *_THAN_REST)):
        odds = cv2.GaussianBlur(np.log((hand + chance) / (other + chance)), (0, 0), _SMOOTH / 2)
        surer.append(cv2.resize(odds, (width, height)) < np.log(least))
    return surer[0] & (far | surer[1])


def _distance(image: np.ndarray, colors: np.ndarray, shades: tuple[float, float] = _SHADES) -> np.ndarray:
    """(...,) of (..., 3) float32 from the nearest of the colours (K, 3), darker and brighter by so much."""
    along, own = image @ colors.T, np.einsum("kc,kc->k", colors, colors)
    gain = np.clip(along / np.maximum(own, 1e-3), *shades)
    square = np.einsum("...c,...c->...", image, image)[..., None] + gain * (gain * own - 2 * along)
    return np.sqrt(np.maximum(square.min(-1), 0))


def _grainless(image: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), _GRAIN)


def _opened(mask: np.ndarray) -> np.ndarray:
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_LEAST, _LEAST))
    return cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, disc) > 0


def _size(off: np.ndarray) -> np.ndarray:
    """(H, W) of differences of colour (H, W, 3)."""
    return np.sqrt(np.einsum("hwc,hwc->hw", off, off))
