"""Reading phrases in the built-in teacher's own vocabulary: which concepts a phrase names, and in which roles.

A colour belongs to what comes after it: before a part it is the colour of that surface ("the red cap of the bottle"),
otherwise the main colour of the thing. Words that two roles share mean the thing when the phrase names no other.
"""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from robodistill.errors import BadInput
from robodistill.teachers.builtin import words

SILENT = frozenset(
    "a an the of with on in at and or that is are my your our this these those some any its to for from by "
    "colored coloured color colour made thing things object objects item items one ones piece part".split()
)
_NOUNS = ("thing", "part")


@dataclass(frozen=True)
class Term:
    """A word or a few, in one role."""

    role: str
    """thing, color, material, pattern or part."""
    concepts: tuple[str, ...]
    """One, or those of a family."""


Named = dict[str, tuple[str, ...]]
"""Concepts by role; here a colour is told apart as `color` (of the thing) and `surface` (of a part)."""


def read_phrase(phrase: str) -> Named:
    """What a phrase names.

    Raises:
        BadInput: A word that is not known, nothing that is known, or two things of one role.
    """
    terms = _terms(phrase)
    others = {role for _, found in terms if len(found) == 1 for role in [found[0].role]}
    chosen: list[tuple[str, Term]] = []
    for said, found in terms:
        free = [term for term in found if not (term.role == "thing" and "thing" in others)] if len(found) > 1 else found
        chosen.append((said, (free or found)[0]))
    named: Named = {}
    for k, (said, term) in enumerate(chosen):
        role = term.role
        if role == "color":
            after = next((other.role for _, other in chosen[k + 1 :] if other.role in _NOUNS), None)
            role = "surface" if after == "part" else "color"
        if named.get(role, term.concepts) != term.concepts:
            raise BadInput(f"{phrase!r} names two of one kind ({role}), the second is {said!r}: ask for one at a time")
        named[role] = term.concepts
    if not named:
        raise BadInput(f"the phrase {phrase!r} names nothing; say a thing, a colour, a material, a pattern or a part")
    return named


@cache
def known_words() -> tuple[str, ...]:
    """Every term, in order, plurals too."""
    return tuple(sorted(_table()))


def _terms(phrase: str) -> list[tuple[str, tuple[Term, ...]]]:
    """The terms of a phrase from left to right, the longest first."""
    table, spoken = _table(), _spoken(phrase)
    longest = _longest()
    found, at = [], 0
    while at < len(spoken):
        for count in range(min(longest, len(spoken) - at), 0, -1):
            said = " ".join(spoken[at : at + count])
            if said in table:
                found.append((said, table[said]))
                break
        else:
            count, said = 1, spoken[at]
            if said not in SILENT:
                near = difflib.get_close_matches(said, known_words(), 4, 0.6)
                hint = f"the nearest that it knows: {', '.join(near)}; " if near else ""
                raise BadInput(
                    f"the built-in teacher does not know {said!r} in {phrase!r}; {hint}it reads {len(table)} words, "
                    "an open vocabulary needs another teacher such as clip or siglip"
                )
        at += count
    return found


@cache
def _longest() -> int:
    """Words in the longest term."""
    return max(len(term.split()) for term in _table())


def _spoken(phrase: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", phrase.lower().replace("'s", ""))


@cache
def _table() -> dict[str, tuple[Term, ...]]:
    """Roles by term; a term of two roles has the thing first."""
    table: dict[str, tuple[Term, ...]] = {}
    sources = (
        ("thing", {(name,): said for name, said in words.THINGS.items()} | words.FAMILIES),
        ("thing", {(words.UNKNOWN,): words.UNKNOWN_WORDS}),
        ("part", {(name,): said for name, said in words.PARTS.items()} | words.PART_FAMILIES),
        ("color", {(name,): said for name, said in words.COLORS.items()}),
        ("material", {(name,): said for name, said in words.MATERIALS.items()}),
        ("pattern", {(name,): said for name, said in words.PATTERNS.items()}),
    )
    for role, concepts in sources:
        for names, said in concepts.items():
            for spelt in _spellings(said.split(", "), plural=role in _NOUNS):
                term = " ".join(_spoken(spelt))
                others = table.get(term, ())
                if all(other.role != role for other in others):
                    table[term] = (*others, Term(role, names))
    return table


def _spellings(terms: Sequence[str], plural: bool) -> list[str]:
    return [spelt for term in terms for spelt in ((term, plural_of(term)) if plural else (term,))]


def plural_of(noun: str) -> str:
    """`box` -> `boxes`; the last word of several is the one that changes."""
    if noun in words.IRREGULAR:
        return words.IRREGULAR[noun]
    *first, last = noun.split(" ")
    last = words.IRREGULAR.get(last, last)
    if first and last != noun.split(" ")[-1]:
        return " ".join([*first, last])
    if last.endswith(("s", "x", "z", "ch", "sh")):
        last += "" if last.endswith("s") and not last.endswith("ss") else "es"
    elif last.endswith("y") and last[-2:-1] not in tuple("aeiou"):
        last = last[:-1] + "ies"
    else:
        last += "s"
    return " ".join([*first, last])
