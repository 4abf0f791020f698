"""`truth`: features painted from the ground truth of a simulated capture, to judge a field apart from teachers.

Each word has a random direction of its own (a hash of the word; in 512 dimensions two words are orthogonal to within
0.05). A pixel carries the sum of the words that are true of it: category, colour and part of its object, or
"background"; text is the sum of its words, so that phrases compose. What goes wrong with real teachers is added in
known amounts: coarse cells mix what they cover, noise is drawn for each cell of each view, and with `confusion` a whole
object is taken for another one of the scene in that share of the views.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache, cached_property
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from robodistill.capture.frame import Frame
from robodistill.capture.read import read_json
from robodistill.errors import BadInput
from robodistill.teachers.teacher import Calibration

# A word has a cosine of 0.58 to 0.71 with what it names, and of about 0 with everything else.
_CALIBRATION = Calibration(scale=15.0, offset=0.3)
_SILENT = {"a", "an", "the", "of", "with"}
BACKGROUND = "background"


@dataclass(frozen=True)
class TruthOptions:
    """`truth:noise=8,stride=8`, any of these."""

    dim: int = 512
    stride: int = 8
    """Pixels of the frame each way to a cell."""
    noise: float = 0.0
    """Length of the random vector that is added to each cell's unit vector."""
    confusion: float = 0.0
    """Share of views in which an object is taken for another one."""
    seed: int = 0


class TruthTeacher:
    """Image encoder, text encoder and mask proposer in one; the first and the last need the capture's folder."""

    def __init__(self, argument: str = "", capture: Path | None = None) -> None:
        """Read the options; the capture is read when a frame comes.

        Raises:
            BadInput: An option that is not known, or not a number.
        """
        self.options = _options(argument)
        self.spec = f"truth:{argument}" if argument else "truth"
        self.dim = self.options.dim
        self.calibration = _CALIBRATION
        self._capture = capture

    def encode_text(self, phrases: Sequence[str]) -> Tensor:
        """(n, D) unit vectors; any word has a direction."""
        return torch.from_numpy(np.stack([self._direction(_words(phrase)) for phrase in phrases])).float()

    def contrasts(self, phrase: str, inside: str | None = None) -> Tensor:
        """(k, D) words that fit anything."""
        return self.encode_text(self.calibration.negatives)

    def encode(self, frame: Frame) -> Tensor:
        """(h, w, D) features of a frame of the capture.

        Raises:
            BadInput: The capture has no labels for this frame.
        """
        labels, random = self._labels("parts", frame), self._random(frame.name)
        said = self._confused(random)
        height, width = (max(1, round(n / self.options.stride)) for n in labels.shape)
        features = np.zeros((height, width, self.dim), np.float32)
        for label in np.unique(labels):
            share = cv2.resize((labels == label).astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
            features += share[..., None] * said[label].astype(np.float32)
        features /= np.linalg.norm(features, axis=-1, keepdims=True)
        if self.options.noise:
            scale = self.options.noise / np.sqrt(self.dim)
            features += scale * random.standard_normal(features.shape, np.float32)
        return torch.from_numpy(features)

    def propose(self, frame: Frame) -> np.ndarray:
        """(2, H, W) parts and objects."""
        return np.stack([self._labels(folder, frame) for folder in ("parts", "masks")]).astype(np.int32)

    def _direction(self, words: Sequence[str]) -> np.ndarray:
        total = sum(_word_direction(word, self.dim, self.options.seed) for word in words)
        return total / np.linalg.norm(total)

    def _random(self, name: str) -> np.random.Generator:
        return np.random.default_rng(_digest(f"{self.options.seed} {name}"))

    def _confused(self, random: np.random.Generator) -> dict[int, np.ndarray]:
        """The direction of each part label in one view."""
        said = {0: self._direction([BACKGROUND])}
        objects = self._objects
        for it in objects:
            seen = it
            if random.random() < self.options.confusion and len(objects) > 1:
                seen = [other for other in objects if other is not it][random.integers(len(objects) - 1)]
            known = [seen["category"], seen["color"]]
            for part in it["parts"]:
                own = [] if seen is not it or part["name"] == "body" else _words(part["name"])
                said[part["id"]] = self._direction(known + own)
        return said

    @cached_property
    def _objects(self) -> list[dict]:
        return read_json(self._folder() / "truth.json")["objects"]

    def _folder(self) -> Path:
        folder = self._capture
        if folder is None or not (folder / "truth.json").exists():
            raise BadInput(
                f"the truth teacher needs a simulated capture, a folder with truth.json; got {folder} "
                "(robodistill sim tabletop makes one)"
            )
        return folder

    def _labels(self, kind: str, frame: Frame) -> np.ndarray:
        path = self._folder() / kind / f"{frame.name}.png"
        labels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if labels is None:
            raise BadInput(f"{path} is not there or not an image; the truth teacher needs labels of each frame")
        height, width = frame.rgb.shape[:2]
        return cv2.resize(labels, (width, height), interpolation=cv2.INTER_NEAREST).astype(np.int32)


def _options(argument: str) -> TruthOptions:
    kinds = {f.name: f.type for f in fields(TruthOptions)}
    values = {}
    for pair in filter(None, argument.split(",")):
        name, _, value = pair.partition("=")
        try:
            values[name] = kinds[name](value)
        except (KeyError, ValueError):
            raise BadInput(f"truth:{argument}: {pair!r} is none of {', '.join(f'{k}=NUMBER' for k in kinds)}") from None
    options = TruthOptions(**values)
    if options.dim < 1 or options.stride < 1 or options.noise < 0 or not 0 <= options.confusion <= 1:
        raise BadInput(f"truth:{argument}: dim and stride >= 1, noise >= 0, confusion in [0, 1] are needed")
    return options


def _words(phrase: str) -> list[str]:
    words = [word for word in re.findall(r"\w+", phrase.lower()) if word not in _SILENT]
    if not words:
        raise BadInput(f"the phrase {phrase!r} has no word in it")
    return words


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


@cache
def _word_direction(word: str, dim: int, seed: int) -> np.ndarray:
    direction = np.random.default_rng(_digest(f"word {seed} {word}")).standard_normal(dim)
    return direction / np.linalg.norm(direction)
