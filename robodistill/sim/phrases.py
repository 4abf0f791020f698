"""Phrases that name exactly one thing of a scene, and phrases that name nothing in it."""

from collections.abc import Sequence
from dataclasses import dataclass

from robodistill.sim.colors import COLORS, are_close

# Words that a person may use for each other's things: where one is present, the bare word of another is not asked for.
_ALIKE = (
    {"box", "carton", "chest", "block", "cabinet"},
    {"box", "book"},
    {"bowl", "plate", "pan", "mug"},
    {"jar", "can", "bottle", "vase", "mug", "teapot"},
    {"lemon", "apple", "pear", "ball"},
    {"spoon", "fork"},
    {"pen", "brush", "screwdriver", "carrot"},
    {"wrench", "screwdriver", "hammer"},
    {"tape", "donut"},
)


@dataclass(frozen=True)
class Named:
    """What can be said about one object."""

    id: int
    category: str
    color: str
    part_ids: dict[str, int]
    """Scene-wide part id by part name."""


@dataclass(frozen=True)
class Phrase:
    """A phrase and the one thing that it names."""

    phrase: str
    object: int
    """Object id."""
    part: int | None = None
    """Part id, where a part is named."""


def are_alike(a: str, b: str) -> bool:
    """Whether a person may call a thing of one category by the word of the other."""
    return a == b or any({a, b} <= group for group in _ALIKE)


def unique_phrases(objects: Sequence[Named]) -> list[Phrase]:
    """ "red mug", "mug" where it is the only one, "handle of the mug": each names one object or part."""
    found = []
    for it in objects:
        alike = [other for other in objects if other is not it and are_alike(other.category, it.category)]
        names = []
        if not any(are_close(other.color, it.color) for other in alike):
            names.append(f"{it.color} {it.category}")
        if not any(_covers(other.category, it.category) for other in alike):
            names.append(it.category)
        found += [Phrase(name, it.id) for name in names]
        found += [
            Phrase(f"{part} of the {name}", it.id, part_id)
            for name in names
            for part, part_id in it.part_ids.items()
            if part != "body" and len(it.part_ids) > 1
        ]
    return found


def _covers(other: str, word: str) -> bool:
    """Whether the bare word may also mean the other thing."""
    return other == word or (word == "box" and are_alike(other, word))


def absent_phrases(objects: Sequence[Named], categories: Sequence[str]) -> list[str]:
    """Categories that are not there nor anything alike, and present categories in colours that nothing alike wears."""
    present = {it.category for it in objects}
    missing = [word for word in categories if not any(are_alike(word, other) for other in present)]
    found = list(missing)
    for word in sorted(present):
        worn = [it.color for it in objects if are_alike(it.category, word)]
        found += [f"{color} {word}" for color in COLORS if not any(are_close(color, other) for other in worn)]
    for k, word in enumerate(missing):  # also with a colour, round robin so that the list stays short
        found.append(f"{COLORS[k % len(COLORS)]} {word}")
    return found
