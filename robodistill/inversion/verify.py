"""Does the picture show this field, from there? What speaks for a pose, and how much that is worth.

A refined pose always looks plausible to the matches that made it; another table with the same cloth aligns to a pixel.
So the evidence is of the whole picture: local correlation wherever picture or rendering has structure, colours,
depth, and matches. A logistic of it, fitted on simulated tables with right and wrong poses and with pictures of other
tables, is the confidence.
"""

from dataclasses import asdict, dataclass

import cv2
import numpy as np

from robodistill.capture.frame import Frame
from robodistill.inversion.views import Picture

_WINDOW = 11  # pixels across which correlation is taken
_TEXTURE = 0.025  # spread of brightness in a window that counts as structure
_NOISE = 0.012  # of brightness, which correlates with nothing
_COLOR = 0.1  # difference of colour that is none
_DEPTH = 0.02, 0.005  # relative and absolute difference of depth that is none, metres


@dataclass(frozen=True)
class Evidence:
    """All shares are of what could be compared, in [0, 1]."""

    coverage: float
    """Share of the picture that the field explains at all."""
    structure: float
    """Mean local correlation where picture or rendering has structure."""
    alike: float
    """Share of these places where it is above one half."""
    worst: float
    """Mean correlation of the worst fifth of an 8 x 6 grid."""
    color: float
    """Share of pixels of the same colour, the exposure taken out."""
    depth: float
    """Share of pixels of the same depth; -1 without depth."""
    matches: float
    """Matches that fit the pose."""
    fitting: float
    """Share of all matches that do."""

    def as_dict(self) -> dict[str, float]:
        """By name."""
        return {name: float(value) for name, value in asdict(self).items()}


def weigh(picture: Picture, frame: Frame, matches: float, fitting: float) -> Evidence:
    """Compare a frame with the field drawn at its pose, of the same camera."""
    solid = cv2.erode((picture.depth > 0).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    depth = _same_depth(picture, frame, solid)
    if solid.sum() < 200:
        return Evidence(float(solid.mean()), 0.0, 0.0, 0.0, 0.0, depth, matches, fitting)
    seen, drawn = (cv2.GaussianBlur(x.astype(np.float32) / 255, (0, 0), 1.0) for x in (frame.rgb, picture.rgb))
    gain, offset = exposure(drawn[solid], seen[solid])
    drawn = drawn * gain + offset
    color = float((np.abs(drawn - seen).max(-1)[solid] < _COLOR).mean())
    correlation, structured = _correlation(seen.mean(-1), drawn.mean(-1), solid)
    if structured.sum() < 200:
        return Evidence(float(solid.mean()), 0.0, 0.0, 0.0, color, depth, matches, fitting)
    values = correlation[structured]
    cells = _cell_means(correlation, structured)
    worst = float(np.sort(cells)[: max(1, len(cells) // 5)].mean())
    return Evidence(
        float(solid.mean()), float(values.mean()), float((values > 0.5).mean()), worst, color, depth, matches, fitting
    )


def exposure(drawn: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(3,) gain and offset with which (n, 3) drawn colours come nearest to seen ones, robustly."""
    weight = np.ones_like(drawn)
    for _ in range(5):
        total = weight.sum(0) + 1e-6
        mean_d, mean_s = (weight * drawn).sum(0) / total, (weight * seen).sum(0) / total
        spread = (weight * (drawn - mean_d) ** 2).sum(0) + 1e-4 * total
        gain = np.clip((weight * (drawn - mean_d) * (seen - mean_s)).sum(0) / spread, 0.4, 2.5)
        offset = mean_s - gain * mean_d
        error = gain * drawn + offset - seen
        sigma = np.maximum(1.4826 * np.median(np.abs(error), 0), 0.01)
        weight = np.square(np.maximum(1 - np.square(error / (4 * sigma)), 0))
    return gain, offset


def _correlation(a: np.ndarray, b: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(H, W) correlation in a window around each pixel, within the mask, and where there is structure to correlate."""
    m = mask.astype(np.float32)

    def mean(x: np.ndarray) -> np.ndarray:
        return cv2.boxFilter(x * m, -1, (_WINDOW, _WINDOW)) / np.maximum(share, 1e-3)

    share = cv2.boxFilter(m, -1, (_WINDOW, _WINDOW))
    mean_a, mean_b = mean(a), mean(b)
    var_a, var_b = np.maximum(mean(a * a) - mean_a**2, 0), np.maximum(mean(b * b) - mean_b**2, 0)
    both = mean(a * b) - mean_a * mean_b
    correlation = both / np.sqrt((var_a + _NOISE**2) * (var_b + _NOISE**2))
    return correlation, mask & (share > 0.4) & (np.maximum(var_a, var_b) > _TEXTURE**2)


def _cell_means(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Means over the cells of an 8 x 6 grid that have enough of the mask in them."""
    total = cv2.resize((values * mask).astype(np.float32), (8, 6), interpolation=cv2.INTER_AREA)
    share = cv2.resize(mask.astype(np.float32), (8, 6), interpolation=cv2.INTER_AREA)
    enough = share > 0.05
    return (total[enough] / share[enough]) if enough.any() else np.zeros(1)


def _same_depth(picture: Picture, frame: Frame, solid: np.ndarray) -> float:
    if frame.depth is None:
        return -1.0
    both = solid & (frame.depth > 0)
    if both.sum() < 200:
        return 0.0
    z = frame.depth[both]
    return float((np.abs(z - picture.depth[both]) < _DEPTH[0] * z + _DEPTH[1]).mean())


# Of a constant, structure, alike, worst, color, log(1 + matches), fitting, and depth where there is any.
_RGB = (-7.32, 2.63, 2.57, 3.35, 1.59, 0.07, 2.19)
_RGBD = (-7.42, 1.95, 2.03, 1.89, 2.17, 0.18, 1.98, 1.99)


def regressors(evidence: Evidence) -> np.ndarray:
    """What the logistic is of."""
    known = [1.0, evidence.structure, evidence.alike, evidence.worst, evidence.color]
    known += [np.log1p(evidence.matches), evidence.fitting]
    return np.array(known + ([evidence.depth] if evidence.depth >= 0 else []))


def confidence(evidence: Evidence) -> float:
    """Chance that the pose is right."""
    weights = _RGBD if evidence.depth >= 0 else _RGB
    return float(1 / (1 + np.exp(-np.clip(regressors(evidence) @ np.array(weights), -30, 30))))
