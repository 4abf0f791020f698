"""What the built-in teacher is told about a surface, as numbers: one column a role, `IGNORE` for nothing."""

import zlib

import numpy as np

from robodistill.sim.colors import COLORS
from robodistill.sim.paint import Coat, Paint
from robodistill.sim.spec import ObjectSpec, Piece
from robodistill.teachers.builtin import words
from robodistill.teachers.builtin.weights import CONCEPTS

IGNORE = 255
ROLES = CONCEPTS
"""Classes of each role: what a thing is, its main colour, the colour of the surface itself, and so on."""
_SAME_PART = {"left blade": "blade", "right blade": "blade", "left handle": "handle", "right handle": "handle"} | {
    "lid bands": "bands",
    "caps": "cap",
    "leaves": "leaf",
}
_EVERY = 9  # one pair of colour and thing in so many is kept out of training


def held_out(color: str, thing: str) -> bool:
    """Whether a pair of colour and thing is never shown in training, to see what the teacher composes."""
    return zlib.crc32(f"{color} {thing}".encode()) % _EVERY == 0


def trained_colors(thing: str) -> list[str]:
    """Colours that a thing may have in training."""
    return [color for color in COLORS if not held_out(color, thing)]


def part_word(name: str) -> str:
    """The teacher's name of a simulated thing's part: it knows no left and right."""
    return _SAME_PART.get(name, name)


def piece_labels(spec: ObjectSpec, piece: Piece, paint: Paint) -> np.ndarray:
    """(6,) uint8 labels of one piece of a known thing, in the order of `ROLES`."""
    coat: Coat = paint[piece.tint]
    alone = len(spec.parts) == 1
    part = "body" if alone else part_word(piece.part)
    return _row(
        thing=spec.category,
        color=paint["main"].word,
        surface=coat.word,
        material=coat.finish,
        pattern=coat.pattern if coat.pattern in words.PATTERNS else None,
        part=part,
    )


def unknown_labels(coat: Coat) -> np.ndarray:
    """(6,) of a thing without a name: its colours are told."""
    pattern = coat.pattern if coat.pattern in words.PATTERNS else None
    return _row(thing=words.UNKNOWN, color=coat.word, surface=coat.word, material=coat.finish, pattern=pattern)


def room_labels(thing: str) -> np.ndarray:
    """(6,) of the table, floor, wall or a picture."""
    return _row(thing=thing)


def _row(**known: str | None) -> np.ndarray:
    row = [IGNORE if known.get(role) is None else names.index(known[role]) for role, names in ROLES.items()]
    return np.array(row, np.uint8)
