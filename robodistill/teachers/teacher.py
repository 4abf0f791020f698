"""The protocols that teachers fulfil. A teacher is made by `registry` and loads its weights on first use.

A feature map is a tensor (h, w, D) whose cells cover the image evenly: cell (i, j) is the part of the image from
j W / w to (j + 1) W / w pixels across and i H / h to (i + 1) H / h down, whatever the sizes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from robodistill.capture.frame import Frame

CANONICAL = ("object", "things", "stuff", "texture")
"""Words that fit anything: a phrase must fit better (Kerr et al., "LERF", ICCV 2023)."""


@dataclass(frozen=True)
class Calibration:
    """How cosines between a teacher's features and its text become a score in [0, 1] of which one half means "yes".

    The score is the logistic of `scale` x (product with the phrase - best product with its contrasts - `offset`). With
    an offset of 0 it is LERF's relevancy, the least of the pairwise softmaxes.
    """

    scale: float = 10.0
    offset: float = 0.0
    floor: float = 0.0
    """What the difference is, at most, on things that the phrase has nothing to do with."""
    negatives: tuple[str, ...] = CANONICAL
    """Phrases that every phrase is compared with."""

    def score(self, margin: float) -> float:
        """In [0, 1], of the difference between the fit of a phrase and that of its best contrast."""
        return 1 / (1 + math.exp(-max(-500.0, min(500.0, self.scale * (margin - self.offset)))))


@runtime_checkable
class ImageTeacher(Protocol):
    """A dense image encoder."""

    spec: str
    """What makes this teacher again: `registry.load_image_teacher(spec)`."""
    dim: int
    """D."""

    def encode(self, frame: Frame) -> Tensor:
        """(h, w, D) float32 features of one frame, any h and w; cells without an answer are zero."""


@runtime_checkable
class TextTeacher(Protocol):
    """A text encoder of the same space as an image encoder's features."""

    spec: str
    dim: int
    calibration: Calibration

    def encode_text(self, phrases: Sequence[str]) -> Tensor:
        """(n, D) float32 vectors, of unit length unless the teacher says what another length means.

        Raises:
            BadInput: A phrase is empty, or holds a word that this teacher does not know.
        """

    def contrasts(self, phrase: str, inside: str | None = None) -> Tensor:
        """(k, D) what a phrase must fit better than to be found: words that fit anything, or others in its place.

        Args:
            inside: The phrase of the whole in which a part is looked for.
        """


@runtime_checkable
class GroupingText(Protocol):
    """A text encoder that knows which names a word for many stands for."""

    def members(self, phrase: str) -> list[str]:
        """Phrases that are what this one means together; itself where it means one thing."""


@runtime_checkable
class ShapeTeacher(Protocol):
    """Tells from the shape of a segment of a field what it is, in the space of its image and text encoders."""

    spec: str
    kind: slice
    """Dimensions of a feature that tell what kind of thing it is of."""

    def describe(self, points: Tensor) -> Tensor:
        """(n, points, D) features of the points (n, points, 7) of segments, shorter where it is less sure.

        Args:
            points: As `shape_inputs` makes them.
        """


def shape_inputs(places: Tensor, colors: Tensor, up: Tensor) -> Tensor:
    """(n, 7) points of one segment: x, y about its middle and z in 0.1 m, colour in [-1, 1], |normal . up|.

    Args:
        places: (n, 3) metres, z above what the segment stands on.
        colors: (n, 3) in [0, 1].
        up: (n,) |normal . up|.
    """
    middle = (places.amin(0) + places.amax(0)) / 2 * places.new_tensor([1.0, 1.0, 0.0])
    return torch.cat([(places - middle) / 0.1, 2 * colors - 1, up[:, None]], 1)


@runtime_checkable
class MaskProposer(Protocol):
    """Cuts an image into regions, at one or more scales."""

    spec: str

    def propose(self, frame: Frame) -> np.ndarray:
        """(L, H, W) int32 label maps, fine to coarse; labels count from 1 in each, 0 is no region."""


@runtime_checkable
class PhraseSegmenter(Protocol):
    """Finds phrases in one image without a feature per pixel: its answer is made for the phrases it is given."""

    spec: str

    def relevancy(self, frame: Frame, phrases: Sequence[str]) -> Tensor:
        """(n, H, W) float32 in [0, 1]: how much each pixel belongs to each phrase.

        Raises:
            BadInput: A phrase is empty or longer than the text encoder takes.
        """


@runtime_checkable
class PromptDecoder(Protocol):
    """Turns points and boxes into a mask on features of its image encoder, encoded or rendered from a field."""

    spec: str
    dim: int

    def decode(
        self,
        features: Tensor,
        image_size: tuple[int, int],
        points: np.ndarray | None = None,
        labels: np.ndarray | None = None,
        box: np.ndarray | None = None,
    ) -> tuple[np.ndarray, float]:
        """Cut out what is prompted.

        Args:
            features: (h, w, D), cells covering the image evenly, of `ImageTeacher.encode` or rendered.
            image_size: (H, W) in pixels, the frame that prompts are given in.
            points: (n, 2) pixels (u, v), integers at pixel centres.
            labels: (n,) 1 inside, 0 outside what is wanted; all 1 where None.
            box: (4,) pixels u0, v0, u1, v1.

        Returns:
            Mask (H, W) bool, and the decoder's own estimate of its IoU.

        Raises:
            BadInput: No prompt, a prompt outside the image, or features of another dimension.
        """
