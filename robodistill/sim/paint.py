"""What objects wear: tint, finish and texture of each piece."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from robodistill.sim.colors import COLORS, FIXED, are_close, draw_color
from robodistill.sim.textures import PATTERNS

# Specular strength and sharpness. Highlights stay mild: a mirror would wash out the colour word.
FINISHES = {
    "matte": (0.05, 0.1),
    "glossy": (0.40, 0.75),
    "metal": (0.55, 0.45),
    "wood": (0.08, 0.2),
    "fabric": (0.0, 0.0),
    "natural": (0.15, 0.4),
}
_PATTERNS_OF = {
    "matte": ("plain", "plain", "speckle", "stripes", "checks", "dots"),
    "glossy": ("plain", "plain", "plain", "stripes", "dots", "speckle"),
    "metal": ("brushed",),
    "wood": ("grain",),
    "fabric": ("weave",),
    "natural": ("plain", "plain", "speckle"),
}
assert set(sum(_PATTERNS_OF.values(), ())) <= set(PATTERNS)


@dataclass(frozen=True)
class Coat:
    """The look of one surface."""

    word: str
    """Colour word."""
    rgb: tuple[float, float, float]
    """sRGB in [0, 1]."""
    finish: str
    """Key of `FINISHES`."""
    pattern: str
    """One of `textures.PATTERNS`."""


Paint = Mapping[str, Coat]
"""Coats by tint: "main", "accent" and the fixed ones."""


def draw_paint(word: str, finishes: Sequence[str], rng: np.random.Generator) -> dict[str, Coat]:
    """A random paint whose main colour has this word; the accent has a clearly different one."""
    finish = str(rng.choice(finishes))
    others = [other for other in COLORS if not are_close(other, word)]
    second = str(rng.choice(others))
    coats = {
        "main": Coat(word, draw_color(word, rng), finish, str(rng.choice(_PATTERNS_OF[finish]))),
        "accent": Coat(second, draw_color(second, rng), str(rng.choice(["matte", "glossy"])), "plain"),
    }
    for tint, (rgb, name, fixed_finish) in FIXED.items():
        coats[tint] = Coat(name, rgb, fixed_finish, _PATTERNS_OF[fixed_finish][0])
    return coats
