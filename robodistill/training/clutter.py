"""Things without a name for training: what a scene's clutter is made of, and random compounds of simple solids."""

import numpy as np

from robodistill.sim import shapes
from robodistill.sim.clutter import make_clutter
from robodistill.sim.spec import ObjectSpec, Piece, assemble


def make_unknown(rng: np.random.Generator) -> ObjectSpec:
    """A random thing that has no word."""
    if rng.random() < 0.35:
        return make_clutter(rng)
    size = rng.uniform(0.015, 0.05)
    solids, at = [], np.zeros(3)
    for _ in range(int(rng.integers(1, 5))):
        solids.append(_primitive(rng, size).turned("xyz"[rng.integers(3)], rng.uniform(0, np.pi)).at(*at))
        at = at + rng.normal(size=3) * size * 0.9
    names = ("body", "more", "most", "rest")
    tints = ("main", "accent" if rng.random() < 0.5 else "main", "main", "accent")
    pieces = [Piece(*it, density=500) for it in zip(names, solids, tints, strict=False)]
    return assemble("unknown", *pieces, finishes=("matte", "glossy", "metal", "wood", "fabric"))


def _primitive(rng: np.random.Generator, size: float) -> shapes.Solid:
    a, b, c = size * rng.uniform(0.3, 1.6, 3)
    kind = rng.integers(6)
    if kind == 0:
        return shapes.box(2 * a, 2 * b, c, 0.1 * min(a, b, c) * float(rng.integers(2)))
    if kind == 1:
        return shapes.cylinder(a, 2 * b)
    if kind == 2:
        return shapes.ellipsoid(a, b, c)
    if kind == 3:
        return shapes.revolve([(a, -b), (a * rng.uniform(0.05, 0.8), b)])
    if kind == 4:
        inner = a * rng.uniform(0.4, 0.8)
        return shapes.hoop([(inner, 0), (a, 0), (a, c), (inner, c)])
    points = rng.normal(size=(10, 3))
    return shapes.hull(points / np.linalg.norm(points, axis=1, keepdims=True) * [a, b, c])
