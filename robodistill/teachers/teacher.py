"""The protocols that teachers fulfil. A teacher is made by `registry` and loads its weights on first use.

A feature map is a tensor (h, w, D) whose cells cover the image evenly: cell (i, j) is the part of the image from
j W / w to (j + 1) W / w pixels across and i H / h to (i + 1) H / h down, whatever the sizes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from torch import Tensor

from robodistill.capture.frame import Frame

CANONICAL = ("object", "things", "stuff", "texture")
"""Words that fit anything: a phrase must fit better (Kerr et al., "LERF", ICCV 2023)."""


@dataclass(frozen=True)
class Calibration:
    """How cosines between a teacher's features and its text become a score in [0, 1] of which one half means "yes".

    The score is the logistic of `scale` x (cosine of the phrase - best cosine of the negatives - `offset`). With an
    offset of 0 it is LERF's relevancy, the least of the pairwise softmaxes.
    """

    scale: float = 10.0
    offset: float = 0.0
    negatives: tuple[str, ...] = CANONICAL


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
        """(n, D) float32 unit vectors.

        Raises:
            BadInput: A phrase is empty, or holds a word that this teacher does not know.
        """


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
