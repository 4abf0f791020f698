"""Colour words: the eleven basic colour terms of Berlin and Kay (Basic Color Terms, 1969) and turquoise.

A colour is drawn from a narrow range, so that under the simulator's light every pixel of it still deserves its word.
"""

import colorsys

import numpy as np

# word: hue in degrees, saturation, value, each (low, high)
_RANGES = {
    "red": ((356, 362), (0.84, 0.95), (0.72, 0.88)),
    "orange": ((22, 29), (0.90, 1.00), (0.94, 1.00)),
    "yellow": ((48, 54), (0.80, 0.95), (0.92, 1.00)),
    "green": ((112, 142), (0.62, 0.85), (0.45, 0.66)),
    "turquoise": ((172, 181), (0.62, 0.80), (0.70, 0.84)),
    "blue": ((213, 226), (0.76, 0.90), (0.62, 0.85)),
    "purple": ((270, 284), (0.52, 0.70), (0.50, 0.68)),
    "pink": ((332, 345), (0.36, 0.50), (0.94, 1.00)),
    "brown": ((19, 25), (0.62, 0.75), (0.34, 0.44)),
    "black": ((0, 360), (0.00, 0.20), (0.05, 0.10)),
    "white": ((0, 360), (0.00, 0.03), (0.92, 0.98)),
    "gray": ((0, 360), (0.00, 0.06), (0.42, 0.52)),
}
COLORS = tuple(_RANGES)

# Words that two people may disagree on for one surface; such a pair never decides which object is meant.
_CLOSE = (
    {"red", "orange"},
    {"red", "pink"},
    {"red", "brown"},
    {"orange", "yellow"},
    {"orange", "brown"},
    {"purple", "pink"},
    {"purple", "blue"},
    {"blue", "turquoise"},
    {"green", "turquoise"},
    {"white", "gray"},
    {"gray", "black"},
    {"brown", "black"},
)

# Tints that belong to what a thing is made of, not to the object's colour: (rgb, colour word, finish).
FIXED = {
    "steel": ((0.66, 0.67, 0.70), "gray", "metal"),
    "brass": ((0.80, 0.64, 0.28), "yellow", "metal"),
    "dark": ((0.10, 0.10, 0.11), "black", "matte"),
    "wood": ((0.72, 0.52, 0.33), "brown", "wood"),
    "paper": ((0.93, 0.92, 0.88), "white", "matte"),
    "card": ((0.70, 0.55, 0.38), "brown", "matte"),
    "leaf": ((0.26, 0.52, 0.20), "green", "matte"),
    "stalk": ((0.36, 0.25, 0.15), "brown", "matte"),
    "beak": ((0.98, 0.55, 0.08), "orange", "matte"),
    "bristle": ((0.86, 0.76, 0.56), "white", "matte"),
}


def draw_color(word: str, rng: np.random.Generator) -> tuple[float, float, float]:
    """An sRGB colour in [0, 1] that deserves this word of `COLORS`."""
    hue, saturation, value = (rng.uniform(*span) for span in _RANGES[word])
    return colorsys.hsv_to_rgb(hue % 360 / 360, saturation, value)


def are_close(a: str, b: str) -> bool:
    """Whether the two words may be used for the same surface."""
    return a == b or {a, b} in _CLOSE
