"""What a fixed camera sees behind a moving object and hands."""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from robodistill.tracking.occluder import Colors, hand_palette, palette, unlike

_KEPT = 15  # frames
_MARGIN = 5  # pixels around the object that count as covered: its blur, its contact shadow
_ALIKE = 0.06  # brightness
_OFTEN = 0.4  # of the frames must agree on a pixel
_AGAIN = 0.1  # if it is as in the first frame, in which the object's place is known
_FREE = 3  # frames that left a pixel free and outvote the many that did not
_GRAIN = 0.8  # pixels over which light is measured
_TINT = 0.015, 0.04  # brightness by which a shadow's colour may differ; a hand's before wood does by 0.02
_NOISES = 4.0  # as much as the film's own noise does
_SHADES = (0.4, 1.4)  # brightness of a surface in shadow, and out of one
_BELIEVED = 0.9  # share of a difference that is put down to light: the object may be of the background's colour, too
_AROUND, _ENOUGH = 30, 100  # pixels around the object, and how many of them, that tell what may be behind it
_STILL_LIKE = (0.6, 1.4)  # brightness of what is like that
_SAMPLES = 24  # frames that are asked


class Background:
    """First what the first frame shows beside the object, where later ones agree, and elsewhere what most frames agree
    on; where they do not, the median over those that the followed object left free."""

    def __init__(self, frames: Sequence[np.ndarray], covered: np.ndarray, colors: np.ndarray | None = None) -> None:
        """From all (H, W, 3) uint8 frames of a video, and (H, W) bool where the object is in the first of them.

        Args:
            colors: (K, 3) that the object has: what is none of them and not behind it covers it, see `occluder`.
        """
        chosen = np.linspace(0, len(frames) - 1, min(_SAMPLES, len(frames))).astype(int)
        stack = np.stack([frames[k] for k in chosen]).astype(np.float32) / 255
        first = stack[0]
        covered = cv2.dilate(covered.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        common, agreed = first.copy(), np.zeros(first.shape[:2], np.float32)
        like_first = _alike(stack, first)
        for image in stack:  # the image that most others are like, pixel by pixel: a mode, which hands do not shift
            alike = _alike(stack, image) & ~(covered & like_first)
            share = alike.mean(0)
            better = share > agreed + 1e-6
            mean = (stack * alike[..., None]).sum(0) / np.maximum(alike.sum(0), 1)[..., None]
            common[better], agreed[better] = mean[better], share[better]
        as_first = ~covered & (like_first.mean(0) > _AGAIN)
        mean = (stack * like_first[..., None]).sum(0) / like_first.sum(0)[..., None]
        self._common = np.where(as_first[..., None], mean, common).astype(np.float32)
        self._first = as_first
        around = cv2.dilate(covered.astype(np.uint8), np.ones((2 * _AROUND + 1,) * 2, np.uint8)) > 0
        around &= as_first
        self.around = palette(first[around]) if np.count_nonzero(around) > _ENOUGH else None
        self._stable = (as_first | ((agreed > _OFTEN) & ~self._strange(common))).astype(np.float32)
        still = _alike(stack, self._common) & (self._stable > 0)
        offs = [_shaded(image, self._common)[1][same] for image, same in zip(stack, still, strict=True)]
        noise = float(np.median(np.concatenate(offs))) if still.any() else 0.0
        self._tint = float(np.clip(_NOISES * noise, *_TINT))
        self._frames: list[np.ndarray] = []
        self._added, self._every = 0, 1
        self.rgb = self._common
        """(H, W, 3) float32 in [0, 1]."""
        self.known = self._stable
        """(H, W) float32: 1 where it is known."""
        self.colors = None if colors is None else Colors(colors, self.around)
        """By which `occluded` tells what covers the object; None where nothing is known of it."""
        if self.colors is not None:
            behinds = (self.under(image) for image in stack)
            self.colors = replace(self.colors, hands=hand_palette(stack, behinds, self.known, self.colors))

    def add(self, rgb: np.ndarray, covered: np.ndarray) -> None:
        """Take up a frame (H, W, 3) float32, (H, W) bool where the object is in it.

        When there are enough, every second one is dropped, and from then on only every second one is taken.
        """
        self._added += 1
        if (self._added - 1) % self._every:
            return
        covered = cv2.dilate(covered.astype(np.uint8), np.ones((2 * _MARGIN + 1,) * 2, np.uint8)) > 0
        covered |= self._strange(rgb)
        open_ = ~self._first  # nothing else is learned anew
        self._frames.append(np.where(covered[open_][:, None], np.float32(np.inf), rgb[open_]))
        if len(self._frames) > _KEPT:
            self._frames = self._frames[::2]
            self._every *= 2
        ordered = np.sort(np.stack(self._frames), axis=0)
        free = np.isfinite(ordered[..., 0]).sum(0)
        middle = np.take_along_axis(ordered, np.maximum(free - 1, 0)[None, :, None] // 2, axis=0)[0]
        # what the object rested on for most of the film only the followed frames can tell from it
        sure = (free >= _FREE) | ((free > 0) & (self._stable[open_] == 0))
        self.known, self.rgb = self._stable.copy(), self._common.copy()
        self.known[open_] = np.maximum(self.known[open_], sure)
        self.rgb[open_] = np.where(sure[:, None], middle, self.rgb[open_])

    def _strange(self, rgb: np.ndarray) -> np.ndarray:
        """(H, W) bool: unlike what the first frame shows around the object, as a hand that stays where it was is."""
        if self.around is None:
            return np.zeros(rgb.shape[:2], bool)
        return unlike(cv2.GaussianBlur(rgb, (0, 0), _GRAIN), self.around, _STILL_LIKE)

    def under(self, rgb: np.ndarray) -> np.ndarray:
        """(H, W, 3) the background in the light of a frame (H, W, 3): shadows move over it with hands and object.

        A pixel that is the background's colour, darker or brighter, is taken for that.
        """
        gain, off = _shaded(rgb, self.rgb)
        shaded = (off < self._tint) & (gain > _SHADES[0]) & (gain < _SHADES[1])
        return self.rgb * (1 + _BELIEVED * np.where(shaded, gain - 1, 0)).astype(np.float32)[..., None]


def _shaded(rgb: np.ndarray, behind: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(H, W) brightness of a picture (H, W, 3) against another, and by how much its colour differs from that."""
    seen, behind = (cv2.GaussianBlur(x, (0, 0), _GRAIN) for x in (rgb, behind))
    gain = np.einsum("hwc,hwc->hw", seen, behind) / np.maximum(np.einsum("hwc,hwc->hw", behind, behind), 1e-4)
    off = seen - gain[..., None] * behind
    return gain, np.sqrt(np.einsum("hwc,hwc->hw", off, off))


def _alike(stack: np.ndarray, image: np.ndarray) -> np.ndarray:
    """(n, H, W) bool: where each of (n, H, W, 3) pictures is like one."""
    return np.logical_and.reduce([np.abs(stack[..., c] - image[..., c]) < _ALIKE for c in range(3)])
