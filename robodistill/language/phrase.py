"""What can be read off a phrase without understanding it: "X of the Y", and colour words."""

import re

COLORS = (
    *("red", "orange", "yellow", "green", "turquoise", "blue", "purple", "pink", "brown", "black", "white", "gray"),
    *("grey", "cyan", "magenta", "violet", "beige", "silver", "golden"),
)
_SAME = ({"gray", "grey", "silver"}, {"purple", "violet"}, {"turquoise", "cyan"}, {"pink", "magenta"})


def whole_of(phrase: str) -> str | None:
    """The Y of "X of Y" or "X of the Y"; None where the phrase names no part."""
    match = re.match(r"^\s*\S.*?\s+of\s+(?:(?:the|a|an|my|this|that)\s+)?(\S.*)$", phrase.strip(), re.IGNORECASE)
    return match.group(1).strip() if match else None


def other_colors(phrase: str) -> list[str]:
    """The same phrase in other colours; none where it names no colour."""
    words = phrase.split()
    places = [k for k, word in enumerate(words) if word.lower() in COLORS]
    if not places:
        return []
    said = words[places[-1]].lower()
    same = next((group for group in _SAME if said in group), {said})
    swapped = []
    for color in COLORS[:12]:
        if color not in same:
            swapped.append(" ".join([*words[: places[-1]], color, *words[places[-1] + 1 :]]))
    return swapped


def without_color(phrase: str) -> str | None:
    """The phrase without its colour words; None where it has none, or nothing else."""
    words = phrase.split()
    kept = [word for word in words if word.lower() not in COLORS]
    return " ".join(kept) if 0 < len(kept) < len(words) else None
