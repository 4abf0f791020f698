"""Phrases as vectors in the space of the built-in features: the directions of what is named, each in its role's block.

A feature has unit length in each block, so the product of a whole feature with a phrase's vector is the sum, over the
roles that the phrase names, of cosines with what it names there. A phrase is compared with itself, one word changed: a
red mug must be more red than any other colour and more mug than anything else, known or not.
"""

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from robodistill.teachers.builtin import words
from robodistill.teachers.builtin.image_net import BLOCKS, DIM
from robodistill.teachers.builtin.vocabulary import Named, read_phrase
from robodistill.teachers.builtin.weights import CONCEPTS

_LENGTH = len(BLOCKS) ** 0.5
"""Of a vector in one block: whole features have unit length, and each block's share of it is one over this."""


class Phrasebook:
    """Vectors of phrases, from the directions (concepts, dims) of each role."""

    def __init__(self, directions: Mapping[str, Tensor]) -> None:
        self._directions = directions
        starts, at = {}, 0
        for role, dim in BLOCKS.items():
            starts[role], at = at, at + dim
        self._starts = starts
        self._known: dict[tuple[str, tuple[str, ...]], Tensor] = {}

    def vectors(self, phrases: Sequence[str]) -> Tensor:
        """(n, 112), each as long as the root of how many roles it names.

        Raises:
            BadInput: A word is not known.
        """
        return torch.stack([self._vector(read_phrase(phrase)) for phrase in phrases])

    def contrasts(self, phrase: str, inside: str | None = None) -> Tensor:
        """(k, 112) the phrase with the concept of one role changed to any other.

        Args:
            inside: What the phrase is looked for in; then only the part is changed, to the other parts of that thing.
        """
        named = read_phrase(phrase)
        if inside is not None and "part" in named:
            things = read_phrase(inside).get("thing", ())
            parts = {part for it in things for part in words.PARTS_OF.get(it, "").split(", ") if part}
            return self._changed(named, "part", parts or CONCEPTS["part"])
        return torch.cat([self._changed(named, role, CONCEPTS[role]) for role in named])

    def _changed(self, named: Named, role: str, concepts: Iterable[str]) -> Tensor:
        said = named[role]
        others = [it for it in concepts if it not in said and not _covers(role, it, said)]
        vectors = [self._vector(named | {role: (other,)}) for other in others]
        return torch.stack(vectors) if vectors else torch.zeros(0, DIM)

    def _vector(self, named: Named) -> Tensor:
        vector = torch.zeros(DIM)
        for role, concepts in named.items():
            start = self._starts[role]
            vector[start : start + BLOCKS[role]] = self._block(role, concepts)
        return vector

    def _block(self, role: str, concepts: tuple[str, ...]) -> Tensor:
        """(dims,) the shortest vector that fits each of a family as one concept fits itself."""
        if (role, concepts) not in self._known:
            rows = self._directions[role][[CONCEPTS[role].index(it) for it in concepts]].cpu()
            fitting = torch.linalg.lstsq(rows, torch.ones(len(rows), 1), driver="gelsd").solution[:, 0]
            self._known[role, concepts] = fitting * _LENGTH
        return self._known[role, concepts]


def _covers(role: str, other: str, concepts: tuple[str, ...]) -> bool:
    """Whether another concept is the named one with more said: a top drawer is a drawer."""
    return role == "part" and any(other.endswith(f" {it}") or it.endswith(f" {other}") for it in concepts)
