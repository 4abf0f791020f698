"""`builtin`: a small teacher trained on nothing but the project's own simulator, for when there is no other.

It knows the things, colours, materials, patterns and parts of `words.py` and says so when asked for more. Options:
`side`, the long side of the image it looks at, pixels; `head=visual` for features of correspondence instead of words,
by looks and by place among what stands around, or `head=looks` for looks alone, which a moved thing takes along.
What it is good at and where it fails: assets/teacher/README.md.
"""

from collections.abc import Sequence
from functools import cached_property

import cv2
import torch
from torch import Tensor
from torch.nn import functional

from robodistill.capture.frame import Frame
from robodistill.errors import BadInput
from robodistill.teachers.builtin import words
from robodistill.teachers.builtin.image_net import BLOCKS, DIM, LOOKS, VISUAL, unit_blocks
from robodistill.teachers.builtin.inputs import cell_points, input_channels
from robodistill.teachers.builtin.text import Phrasebook
from robodistill.teachers.builtin.vocabulary import read_phrase
from robodistill.teachers.builtin.weights import CONCEPTS, Weights, load_weights
from robodistill.teachers.catalog import parse_argument
from robodistill.teachers.teacher import Calibration

_HEADS = {"words": DIM, "visual": VISUAL, "looks": LOOKS}
"""Dimensions of what each gives."""
_SURE = 12.0  # scale of cosines at which they are shares
_WHOLE = 16  # pixels: sides are a multiple, because the encoder halves four times


class Builtin:
    """Dense image encoder, shape encoder and text encoder in one space of 112 dimensions."""

    kind = slice(0, BLOCKS["thing"])
    """Where features tell what a thing is."""

    def __init__(self, argument: str = "", device: str | torch.device = "cpu") -> None:
        """Read the spec; weights are read on first use.

        Raises:
            BadInput: An option that is not known.
        """
        model, self.options = parse_argument("builtin", argument, {"side": 320, "head": "words"})
        if model:
            raise BadInput(f"builtin:{argument}: it has no models to choose from; its options are side and head")
        if self.options["head"] not in _HEADS:
            raise BadInput(f"builtin:{argument}: head must be {', '.join(_HEADS)}, got {self.options['head']!r}")
        self.spec = f"builtin:{argument}" if argument else "builtin"
        self._device = torch.device(device)

    @property
    def dim(self) -> int:
        """D of features and text."""
        return _HEADS[self.options["head"]]

    @property
    def calibration(self) -> Calibration:
        """As found on validation scenes."""
        return self._weights.calibration

    @torch.no_grad()
    def encode(self, frame: Frame) -> Tensor:
        """(h, w, D) unit features, a cell to every four pixels of the reduced image, every two for correspondence."""
        height, width = frame.rgb.shape[:2]
        scale = min(1.0, self.options["side"] / max(height, width))
        rows, columns = (max(_WHOLE, round(n * scale / _WHOLE) * _WHOLE) for n in (height, width))
        rgb, depth, camera = frame.rgb, frame.depth, frame.camera
        if (rows, columns) != (height, width):
            camera = camera.resized(columns, rows)
            rgb = cv2.resize(rgb, (columns, rows), interpolation=cv2.INTER_AREA)
            depth = None if depth is None else cv2.resize(depth, (columns, rows), interpolation=cv2.INTER_NEAREST)
        channels = torch.from_numpy(input_channels(rgb, depth, camera))[None].to(self._device)
        net = self._weights.image
        mixed = net.trunk(channels.contiguous(memory_format=torch.channels_last))
        if self.options["head"] != "words":  # between its cells it is smooth, and matches are finer than a cell
            points = torch.from_numpy(cell_points(depth, camera))[None].to(self._device)
            visual = net.matchable(mixed, points) if self.options["head"] == "visual" else net.visual(mixed)
            visual = functional.interpolate(visual, scale_factor=2.0, mode="bilinear", align_corners=False)
            return functional.normalize(visual[0].permute(1, 2, 0), dim=-1)
        blocks = self._silenced(unit_blocks(net.words(mixed)[0].permute(1, 2, 0)))
        return torch.cat(list(blocks.values()), -1) / len(BLOCKS) ** 0.5

    def _silenced(self, blocks: dict[str, Tensor]) -> dict[str, Tensor]:
        """The blocks, saying nothing where nothing was taught: of a wall's colour, of parts of unnamed things."""
        directions = self._weights.directions
        shares = (_SURE * blocks["thing"] @ directions["thing"].mT).softmax(-1)
        names = CONCEPTS["thing"]
        room = shares[..., [names.index(name) for name in words.ROOM]].sum(-1, keepdim=True)
        silent = {role: room for role in BLOCKS if role != "thing"}
        silent["part"] = room + shares[..., names.index(words.UNKNOWN), None]
        for role, share in silent.items():
            nothing = -functional.normalize(directions[role].mean(0), dim=0)
            blocks[role] = functional.normalize((1 - share) * blocks[role] + share * nothing, dim=-1)
        return blocks

    def members(self, phrase: str) -> list[str]:
        """The names of the things that a word for many means: of "fruit", lemon and the others; else the phrase."""
        named = read_phrase(phrase)
        things = named.get("thing", ())
        return list(things) if len(things) > 1 and len(named) == 1 else [phrase]  # "red fruit" must stay red

    def encode_text(self, phrases: Sequence[str]) -> Tensor:
        """(n, D) vectors whose product with a feature is the sum of cosines over what a phrase names.

        Raises:
            BadInput: A word is not known, or this is the head that knows no words.
        """
        return self._phrases.vectors(phrases)

    def contrasts(self, phrase: str, inside: str | None = None) -> Tensor:
        """(k, D) the phrase with one word changed; inside a thing, with its part changed to another part of it."""
        return self._phrases.contrasts(phrase, inside)

    @torch.no_grad()
    def describe(self, points: Tensor) -> Tensor:
        """(n, points, D) what the shape of segments tells, by point: in the blocks of things and parts, else zero.

        A direction is as long as the encoder is sure.

        Args:
            points: (n, points, 7) as `teacher.shape_inputs` makes them.
        """
        things, parts = self._weights.shape(points.to(self._device))
        told = torch.zeros(*points.shape[:2], DIM, device=self._device)
        at = 0
        for role, dim in BLOCKS.items():
            logits = {"thing": things, "part": parts}.get(role)
            if logits is not None:
                told[..., at : at + dim] = logits.softmax(-1) @ self._weights.directions[role] / len(BLOCKS) ** 0.5
            at += dim
        return told

    @property
    def _weights(self) -> Weights:
        return load_weights(str(self._device))

    @cached_property
    def _phrases(self) -> Phrasebook:
        if self.options["head"] != "words":
            raise BadInput(f"{self.spec} reads no text: its features are for correspondence; leave out head")
        return Phrasebook(self._weights.directions)
