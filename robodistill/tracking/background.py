"""What a fixed camera sees behind a moving object and hands."""

from collections.abc import Sequence

import cv2
import numpy as np

_KEPT = 15  # frames
_MARGIN = 5  # pixels around the object that count as covered: its blur, its contact shadow
_ALIKE = 0.06  # brightness
_OFTEN = 0.4  # of the frames must agree on a pixel
_AGAIN = 0.1  # if it is as in the first frame, in which the object's place is known
_FREE = 3  # frames that left a pixel free and outvote the many that did not
_SAMPLES = 24  # frames that are asked


class Background:
    """First what the first frame shows beside the object, where later ones agree, and elsewhere what most frames agree
    on; where they do not, the median over those that the followed object left free."""

    def __init__(self, frames: Sequence[np.ndarray], covered: np.ndarray) -> None:
        """From all (H, W, 3) uint8 frames of a video, and (H, W) bool where the object is in the first of them."""
        chosen = np.linspace(0, len(frames) - 1, min(_SAMPLES, len(frames))).astype(int)
        stack = np.stack([frames[k] for k in chosen]).astype(np.float32) / 255
        first = stack[0]
        covered = cv2.dilate(covered.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        common, agreed = first.copy(), np.zeros(first.shape[:2], np.float32)
        like_first = np.abs(stack - first).max(-1) < _ALIKE
        for image in stack:  # the image that most others are like, pixel by pixel: a mode, which hands do not shift
            alike = (np.abs(stack - image).max(-1) < _ALIKE) & ~(covered & like_first)
            share = alike.mean(0)
            better = share > agreed + 1e-6
            mean = (stack * alike[..., None]).sum(0) / np.maximum(alike.sum(0), 1)[..., None]
            common[better], agreed[better] = mean[better], share[better]
        as_first = ~covered & (like_first.mean(0) > _AGAIN)
        mean = (stack * like_first[..., None]).sum(0) / like_first.sum(0)[..., None]
        self._common = np.where(as_first[..., None], mean, common).astype(np.float32)
        self._first = as_first
        self._stable = (as_first | (agreed > _OFTEN)).astype(np.float32)
        self._frames: list[np.ndarray] = []
        self._added, self._every = 0, 1
        self.rgb = self._common
        """(H, W, 3) float32 in [0, 1]."""
        self.known = self._stable
        """(H, W) float32: 1 where it is known."""

    def add(self, rgb: np.ndarray, covered: np.ndarray) -> None:
        """Take up a frame (H, W, 3) float32, (H, W) bool where the object is in it.

        When there are enough, every second one is dropped, and from then on only every second one is taken.
        """
        self._added += 1
        if (self._added - 1) % self._every:
            return
        covered = cv2.dilate(covered.astype(np.uint8), np.ones((2 * _MARGIN + 1,) * 2, np.uint8)) > 0
        self._frames.append(np.where(covered[..., None], np.float32(np.inf), rgb))
        if len(self._frames) > _KEPT:
            self._frames = self._frames[::2]
            self._every *= 2
        ordered = np.sort(np.stack(self._frames), axis=0)
        free = np.isfinite(ordered[..., 0]).sum(0)
        middle = np.take_along_axis(ordered, np.maximum(free - 1, 0)[None, ..., None] // 2, axis=0)[0]
        # what the object rested on for most of the film only the followed frames can tell from it
        sure = ((free > 0) & (self._stable == 0)) | ((free >= _FREE) & ~self._first)
        self.known = np.where(sure, 1, self._stable).astype(np.float32)
        self.rgb = np.where(sure[..., None], middle, self._common).astype(np.float32)
