"""Kitchen ware with handles: pan, teapot, spoon, fork."""

import numpy as np

from robodistill.sim import shapes
from robodistill.sim.spec import ObjectSpec, Piece, assemble


def make_pan(rng: np.random.Generator) -> ObjectSpec:
    """A frying pan: a low round vessel with a long straight handle."""
    r, h = rng.uniform(0.070, 0.090), rng.uniform(0.028, 0.038)
    length = rng.uniform(0.11, 0.14)
    t = np.linspace(0, 1, 10)
    path = np.column_stack([r - 0.004 + length * t, 0 * t, 0.8 * h + 0.018 * np.sin(1.9 * t)])
    radius = 0.0065 + 0.0035 * t**0.7
    return assemble(
        "pan",
        Piece("body", shapes.shell([(0.82 * r, 0.0), (0.90 * r, 0.004), (r, h)], 0.0035), density=2600),
        Piece("handle", shapes.tube(path, radius, flat=0.6), "dark", density=700),
        finishes=("metal", "matte", "glossy"),
    )


def make_teapot(rng: np.random.Generator) -> ObjectSpec:
    """A round pot with a lid, a curved spout and a bow handle opposite to it."""
    r = rng.uniform(0.048, 0.058)
    tall = r * rng.uniform(0.78, 0.95)
    angles = np.linspace(-1.05, 1.05, 13)
    body = [(float(r * np.cos(a)), float(tall * (np.sin(a) - np.sin(angles[0])))) for a in angles]
    top = body[-1][1]
    mouth = body[-1][0]
    lid = [(mouth * 1.06, 0.0), (mouth * 1.06, 0.003), (mouth * 0.8, 0.009), (0.006, 0.015)]
    lid += [(0.005, 0.018), (0.009, 0.023), (0.009, 0.027), (0.005, 0.031)]  # its knob
    t = np.linspace(0, 1, 12)
    spout = np.column_stack([0.85 * r + 0.85 * r * t, 0 * t, 0.62 * tall + 1.15 * tall * (3 * t**2 - 2 * t**3)])
    bow = shapes.arc(np.pi / 2, 3 * np.pi / 2, 17, rng.uniform(0.030, 0.038), 0.62 * tall)
    handle = np.column_stack([bow[:, 0] - 0.80 * r, np.zeros(17), bow[:, 1] + 0.92 * tall])
    return assemble(
        "teapot",
        Piece("body", shapes.revolve(body), density=700),
        Piece("lid", shapes.revolve(lid).at(z=top - 0.001), "accent" if rng.random() < 0.4 else "main", density=900),
        Piece("spout", shapes.tube(spout, 0.014 - 0.0075 * t**0.7, up=(0, 1, 0)), density=900),
        Piece("handle", shapes.tube(handle, 0.0052, flat=1.4, up=(0, 1, 0)), density=900),
    )


def make_spoon(rng: np.random.Generator) -> ObjectSpec:
    """An oval hollow head on a thin handle."""
    length, a, b = rng.uniform(0.115, 0.145), rng.uniform(0.022, 0.027), rng.uniform(0.015, 0.019)
    depth, wall = rng.uniform(0.006, 0.008), 0.0016
    head = _spoon_head(a, b, depth, wall)
    return assemble(
        "spoon",
        Piece("head", head, density=4000),
        Piece("handle", _stem(a, length, depth), density=4000),
        finishes=("metal", "metal", "wood"),
    )


def make_fork(rng: np.random.Generator) -> ObjectSpec:
    """Four prongs on a thin handle."""
    length, width = rng.uniform(0.120, 0.145), rng.uniform(0.022, 0.027)
    root, prong = 0.020, rng.uniform(0.036, 0.044)
    outline = np.array(
        [
            (0, -0.003),
            (0.35 * root, -0.48 * width),
            (root, -0.5 * width),
            (root, 0.5 * width),
            (0.35 * root, 0.48 * width),
            (0, 0.003),
        ]
    )
    base = shapes.prism(outline, 0.0022, 0.0006).at(x=-root, z=0.0035)
    t = np.linspace(0, 1, 8)
    bars = []
    for k in range(4):
        y = (k - 1.5) / 3 * (width - 0.0045)
        path = np.column_stack([prong * t - 0.001, y + 0 * t, 0.0046 - 0.010 * t * (1 - t) * 0.6 + 0.004 * t**2])
        bars.append(shapes.tube(path, 0.0021 - 0.0011 * t, flat=0.55, sides=8, stride=7))
    handle = _stem(0.0, length, 0.0045).at(x=-root + 0.001)
    return assemble(
        "fork",
        Piece("head", shapes.join(base, *bars), density=5000),
        Piece("handle", handle, density=5000),
        finishes=("metal",),
    )


def _stem(start: float, length: float, lift: float) -> shapes.Solid:
    """The handle of cutlery, running to -x: thin at the head, broad and low at its end."""
    t = np.linspace(0, 1, 12)
    path = np.column_stack(
        [
            -start + 0.003 - length * t,
            0 * t,
            lift + 0.007 * np.sin(np.pi * t**0.8) * (1 - t) ** 0.5 - (lift - 0.002) * t**2,
        ]
    )
    return shapes.tube(path, 0.0028 + 0.0042 * t**2.2, flat=0.42, up=(0, 0, 1), sides=10, stride=4)


def _spoon_head(a: float, b: float, depth: float, wall: float) -> shapes.Solid:
    """An elliptic dish: a paraboloid shell, stretched."""
    r = np.linspace(0.25, 1, 7)
    profile = [(float(x), float(x**2)) for x in r]
    unit = shapes.shell([(0.12, 0.012), *profile], wall / depth)
    return unit.scaled(a, b, depth)
