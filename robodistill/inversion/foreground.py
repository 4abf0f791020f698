"""Where in a picture may a known thing be? By its colours, and by what never changes before a camera that stands still.

A soft mask, not an answer: what looks like the thing counts, what is equally common elsewhere in the picture does not
(Swain & Ballard, "Color indexing", IJCV 1991; posteriors as in Prisacariu & Reid, "PWP3D", IJCV 2012).
"""

from collections.abc import Sequence

import cv2
import numpy as np

_BINS = (16, 24, 24)  # of lightness and the two axes of colour
_SPREAD = (1.6, 1.0, 1.0)  # bins, by which light moves colours; most along lightness
_PRIOR = 1.0  # how much a colour must be more of the thing than of the rest to be taken for it
_NEVER = 0.05  # share of the time below which a place counts as never changing
_ODD = 1e-4  # of a palette, for colours that it lacks
_SURE = 3  # power of the odds: neighbours agree, which colours alone do not tell
_SIDE = 2.0  # pixels over which either side of a rim is averaged
_CONTRAST = 0.12  # of colours on both sides from which a rim can be measured
_GAINS, _GAIN_WEIGHTS = (0.45, 0.6, 0.8, 1.0, 1.25), (0.5, 0.8, 1.0, 1.0, 0.6)
_CHANGE = 0.05  # difference of colour between frames that is one
_STILL = 0.15  # what a place keeps that never changes: plain things cover themselves


def color_space(rgb: np.ndarray) -> np.ndarray:
    """(..., 3) CIELAB of uint8 or [0, 1] colours, scaled to about [0, 1]."""
    image = np.ascontiguousarray(rgb if rgb.dtype != np.uint8 else rgb.astype(np.float32) / 255, np.float32)
    flat = cv2.cvtColor(image.reshape(-1, 1, 3), cv2.COLOR_RGB2LAB).reshape(image.shape)
    return flat * np.float32([0.01, 0.005, 0.005]) + np.float32([0, 0.5, 0.5])


def palette(colors: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """(L, a, b) histogram, sums to 1, of (n, 3) colours of `color_space`, blurred by what light does to colours."""
    counts = np.histogramdd(colors, _BINS, [(0, 1), (0.2, 0.8), (0.2, 0.8)], weights=weights)[0].astype(np.float32)
    for axis, sigma in enumerate(_SPREAD):
        kernel = cv2.getGaussianKernel(2 * int(3 * sigma) + 1, sigma, cv2.CV_32F)
        rows = np.moveaxis(counts, axis, 0)
        rows = cv2.filter2D(rows.reshape(len(rows), -1), -1, kernel, borderType=cv2.BORDER_CONSTANT).reshape(rows.shape)
        counts = np.moveaxis(rows, 0, axis)
    return counts / max(counts.sum(), 1e-9)


def shaded_palette(rgb: np.ndarray) -> np.ndarray:
    """The palette of (n, 3) RGB colours in [0, 1] under other light: a thing that is turned is lit from elsewhere."""
    every = np.concatenate([np.clip(gain * rgb, 0, 1) for gain in _GAINS])
    return palette(color_space(every), np.repeat(_GAIN_WEIGHTS, len(rgb)))


def looked_up(histogram: np.ndarray, colors: np.ndarray) -> np.ndarray:
    """(...) value of a palette at (..., 3) colours."""
    lows, spans = np.float32([0, 0.2, 0.2]), np.float32([1, 0.6, 0.6])
    ids = ((colors - lows) / spans * np.float32(_BINS)).astype(np.int32)
    ids = np.clip(ids, 0, np.array(_BINS, np.int32) - 1)
    return histogram[ids[..., 0], ids[..., 1], ids[..., 2]]


def foreground(
    colors: np.ndarray, of_thing: np.ndarray, change: np.ndarray | None = None, moved: float = 0.0
) -> np.ndarray:
    """(H, W) float32 chance that a pixel is of the thing.

    Against what the whole picture holds of a colour, the thing included: what only the thing shows is likely it, what
    is everywhere is not.

    Args:
        colors: (H, W, 3) of `color_space`.
        of_thing: Its palette.
        change: (H, W) in [0, 1] of `change_from`.
        moved: By how much more a place is likely the thing's that looks otherwise most of the time, whatever its
            colour. So do places that hands and shadows pass.
    """
    fit = looked_up(of_thing, colors)
    still = None if change is None or (change < _NEVER).mean() < 0.3 else change < _NEVER
    if still is None:
        odds = _PRIOR * fit / (looked_up(palette(colors.reshape(-1, 3)), colors) + 1e-6)
    else:
        # what never changes shows what there is beside the thing
        odds = _PRIOR * (1 + moved * change) * fit / (looked_up(palette(colors[still]), colors) + _ODD)
    chance = odds**_SURE / (1 + odds**_SURE)
    return (chance if change is None else chance * (_STILL + (1 - _STILL) * change)).astype(np.float32)


def matted(rgb: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """(H, W) the chance with the rim of what is surely the thing measured to parts of a pixel.

    At its rim a pixel's colour is mixed from both sides and looks like neither; how far it is from the one to the
    other, where they differ enough, says how much of it is covered.

    Args:
        rgb: (H, W, 3) float32 in [0, 1].
    """
    sides = []
    for mask in (chance > 0.8, chance < 0.2):
        # what is right at the rim is mixed already
        mask = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(np.float32)
        weight = cv2.GaussianBlur(mask, (0, 0), _SIDE)
        sides.append(
            (cv2.GaussianBlur(rgb * mask[..., None], (0, 0), _SIDE) / np.maximum(weight, 1e-4)[..., None], weight)
        )
    (inside, near_in), (outside, near_out) = sides
    across = inside - outside
    contrast = np.square(across).sum(-1)
    share = np.clip(((rgb - outside) * across).sum(-1) / np.maximum(contrast, 1e-6), 0, 1)
    surely = cv2.erode((chance > 0.8).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    surely |= cv2.erode((chance < 0.2).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    rim = ~surely & (np.minimum(near_in, near_out) > 0.02) & (contrast > _CONTRAST**2)
    return np.where(rim, share, chance).astype(np.float32)


def change_from(frames: Sequence[np.ndarray]) -> np.ndarray | None:
    """(H, W) float32 in [0, 1]: how much of the time a pixel of the first frame is not what it shows there.

    Args:
        frames: (H, W, 3) uint8 each, of a camera that stands still; None is returned for fewer than three, or if
            nothing moves.
    """
    if len(frames) < 3:
        return None
    blurred = [cv2.GaussianBlur(color_space(f), (0, 0), 1.5) for f in frames]
    same = np.mean([np.abs(b - blurred[0]).sum(-1) < _CHANGE for b in blurred[1:]], 0)
    changed = (1 - same).astype(np.float32)
    if (changed > 0.3).mean() < 1e-3:
        return None
    # a plain thing that moves by less than its size covers itself: its rim has changed, its middle not
    closed = np.zeros_like(changed)
    for level in (0.2, 0.4, 0.6, 0.8):
        mask = cv2.morphologyEx((changed >= level).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
        outlines = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
        cv2.drawContours(closed, outlines, -1, level, cv2.FILLED)
    return np.clip(np.maximum(closed, changed) / 0.6, 0, 1)
