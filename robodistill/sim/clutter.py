"""Things without a name: shapes that no query should find, lying among the objects."""

import numpy as np

from robodistill.sim import shapes
from robodistill.sim.spec import ObjectSpec, Piece, assemble


def make_clutter(rng: np.random.Generator) -> ObjectSpec:
    """A random shape that is none of the categories: stone, wedge, bracket, cross, sheet or peg."""
    kind = rng.choice(["stone", "wedge", "bracket", "cross", "sheet", "peg"])
    a, b, c = rng.uniform(0.02, 0.05, 3)
    if kind == "stone":
        points = rng.normal(size=(14, 3))
        solid = shapes.hull(points / np.linalg.norm(points, axis=1, keepdims=True) * [a, b, 0.6 * c])
    elif kind == "wedge":
        solid = shapes.hull([(x, y, z) for x, z in ((-a, 0), (a, 0), (-a, c)) for y in (-b, b)])
    elif kind == "bracket":
        t = 0.3 * a
        solid = shapes.join(
            shapes.box(2 * a, b, t, 0.001).at(z=t / 2), shapes.box(t, b, 1.5 * c).at(x=-a + t / 2, z=0.75 * c)
        )
    elif kind == "cross":
        solid = shapes.join(shapes.box(2 * a, 0.6 * a, 0.4 * b, 0.002), shapes.box(0.6 * a, 2 * a, 0.4 * b, 0.002))
    elif kind == "sheet":
        solid = shapes.box(3 * a, 2.2 * b, 0.002)
    else:
        solid = shapes.join(shapes.cylinder(0.5 * a, 0.3 * c), shapes.revolve([(0.25 * a, 0.0), (0.12 * a, 1.6 * c)]))
    return assemble("clutter", Piece("body", solid, density=500))
