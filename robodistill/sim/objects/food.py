"""Fruit, vegetables and bakery: lemon, banana, apple, pear, carrot, mushroom, donut."""

import numpy as np

from robodistill.sim import shapes
from robodistill.sim.spec import ObjectSpec, Piece, assemble


def make_lemon(rng: np.random.Generator) -> ObjectSpec:
    """An oval fruit with a nipple at one end and a stub at the other."""
    r, half, nipple = rng.uniform(0.025, 0.030), rng.uniform(0.032, 0.037), rng.uniform(0.008, 0.011)
    z = np.linspace(-half - 0.002, half + nipple, 22)
    oval = r * np.sqrt(np.clip(1 - np.abs(z / half) ** 2.2, 0, 1))
    tip = 0.0125 * np.clip((half + nipple - z) / (0.35 * half + nipple), 0, 1) ** 0.6 * (z > 0)
    base = 0.0085 * np.clip((z + half + 0.002) / (0.2 * half), 0, 1) ** 0.6 * (z <= 0)
    radius = (oval**5 + tip**5 + base**5) ** 0.2  # a soft union
    body = shapes.revolve([(float(p), float(q)) for p, q in zip(radius, z, strict=True)]).turned("y", np.pi / 2)
    stub = shapes.cylinder(0.0036, 0.004, segments=12).turned("y", np.pi / 2).at(x=z[0] - 0.001)
    return assemble(
        "lemon",
        Piece("body", body, density=900),
        Piece("stem", stub, "leaf", touches=False),
        finishes=("natural",),
    )


def make_banana(rng: np.random.Generator) -> ObjectSpec:
    """A bent five-sided bar with a stalk and a dark end."""
    bend, radius, r = rng.uniform(1.3, 1.75), rng.uniform(0.078, 0.098), rng.uniform(0.0145, 0.0175)
    angles = np.linspace(-bend / 2, bend / 2, 22)
    t = np.linspace(0, 1, 22)
    thick = r * (0.32 + 0.68 * np.sin(np.pi * np.clip(0.07 + 0.88 * t, 0, 1)) ** 0.5)
    path = np.column_stack([radius * np.sin(angles), radius * (1 - np.cos(angles)), 0 * t])
    body = _rounded(path, thick)
    end, before = path[-1], path[-2]
    ahead = (end - before) / np.linalg.norm(end - before)
    stalk = np.stack([end - 0.002 * ahead, end + 0.009 * ahead, end + 0.020 * ahead + [0, 0.003, 0]])
    tail = (path[0] - path[1]) / np.linalg.norm(path[0] - path[1])
    tip = np.stack([path[0] - 0.001 * tail, path[0] + 0.005 * tail])
    return assemble(
        "banana",
        Piece("body", body, density=900),
        Piece("stem", shapes.tube(stalk, np.array([thick[-1], 0.0038, 0.0045]), sides=8), "leaf", density=900),
        Piece("tip", shapes.tube(tip, np.array([thick[0], 0.0024]), sides=8), "stalk", density=900),
        finishes=("natural",),
    )


def _rounded(path: np.ndarray, thick: np.ndarray) -> shapes.Solid:
    """A bar whose section is between a pentagon and a circle."""
    round_bar = shapes.tube(path, thick, sides=20, stride=4)
    rings = round_bar.mesh.vertices[: 20 * len(path)].reshape(len(path), 20, 3)
    edges = 1 + 0.075 * np.cos(5 * 2 * np.pi * np.arange(20) / 20)
    return shapes.loft(path[:, None] + (rings - path[:, None]) * edges[None, :, None], stride=4)


def make_apple(rng: np.random.Generator) -> ObjectSpec:
    """A round fruit, hollow around the stalk, with one leaf."""
    r = rng.uniform(0.031, 0.038)
    a = np.linspace(-np.pi, np.pi, 31)[3:-3]
    x = r * np.sin((a + np.pi) / 2) ** 0.75 * (1 + 0.07 * np.sin(a / 2))
    z = r * (0.88 * np.sin(a / 2) - 0.16 * np.exp(-((x / (0.30 * r)) ** 2)) * np.sign(a) * np.where(a > 0, 1.25, 0.55))
    profile = [(float(p), float(q)) for p, q in zip(x, z, strict=True)]
    body = shapes.revolve(profile)
    body = shapes.Solid(body.mesh, (np.asarray(body.mesh.convex_hull.vertices)[::3],), "round")
    top = z[-1]
    t = np.linspace(0, 1, 5)
    stalk = shapes.tube(
        np.column_stack([0.006 * t**2, 0 * t, top - 0.002 + 0.023 * t]), 0.0018 + 0.0008 * t, up=(0, 1, 0), sides=8
    )
    return assemble(
        "apple",
        Piece("body", body, density=800),
        Piece("stem", stalk, "stalk", density=700),
        Piece("leaf", _leaf(0.026).at(0.003, 0, top + 0.012), "leaf", density=700),
        finishes=("natural",),
    )


def make_pear(rng: np.random.Generator) -> ObjectSpec:
    """A round belly that narrows to a neck with a stalk."""
    r, h = rng.uniform(0.029, 0.034), rng.uniform(0.078, 0.092)
    t = np.linspace(0.02, 0.985, 16)
    radius = r * np.sqrt(np.sin(np.pi * t**0.62)) * (1 - 0.42 * np.clip((t - 0.35) / 0.65, 0, 1) ** 0.8)
    profile = [(float(a), float(b * h)) for a, b in zip(radius, t, strict=True)]
    s = np.linspace(0, 1, 5)
    stalk = shapes.tube(
        np.column_stack([0.005 * s**2, 0 * s, h - 0.003 + 0.018 * s]), 0.0017 + 0.0006 * s, up=(0, 1, 0), sides=8
    )
    return assemble(
        "pear",
        Piece("body", shapes.revolve(profile), density=800),
        Piece("stem", stalk, "stalk", density=700),
        Piece("leaf", _leaf(0.022).at(0.002, 0, h + 0.004), "leaf", density=700),
        rests=("up", "side"),
        finishes=("natural",),
    )


def _leaf(length: float) -> shapes.Solid:
    """A thin pointed oval that bends down along x."""
    t = np.linspace(0.02, 0.98, 9)
    path = np.column_stack([length * t, 0 * t, 0.25 * length * np.sin(2.4 * t)])
    return shapes.tube(path, 0.27 * length * np.sin(np.pi * t) ** 0.8, flat=0.14, sides=10, up=(0, 0, 1))


def make_carrot(rng: np.random.Generator) -> ObjectSpec:
    """A long cone with rings in its skin and a tuft of leaves."""
    r, length = rng.uniform(0.014, 0.018), rng.uniform(0.105, 0.135)
    t = np.linspace(0, 1, 30)
    radius = r * (1 - t) ** 0.62 * (1 - 0.035 * (np.arange(30) % 4 == 2)) + 0.0012
    radius[0] *= 0.72
    body = shapes.tube(np.column_stack([length * t, 0 * t, 0 * t]), radius, sides=20, stride=10)
    leaves = []
    for k in range(7):
        turn, spread = 2 * np.pi * k / 7, 0.0 if k == 0 else rng.uniform(0.30, 0.55)
        s = np.linspace(0, 1, 6)
        long = rng.uniform(0.035, 0.050)
        path = np.column_stack(
            [
                -long * s * np.cos(spread),
                long * s**1.3 * np.sin(spread) * np.cos(turn),
                long * s**1.3 * np.sin(spread) * np.sin(turn),
            ]
        )
        leaves.append(shapes.tube(path, 0.0022 + 0.0028 * np.sin(np.pi * s**1.5), up=(0.1, 0.3, 1), sides=7, stride=5))
    return assemble(
        "carrot",
        Piece("body", body, density=900),
        Piece("leaves", shapes.join(*leaves), "leaf", density=200),
        finishes=("natural",),
    )


def make_mushroom(rng: np.random.Generator) -> ObjectSpec:
    """A thick stem under a round cap with spots."""
    r, h = rng.uniform(0.026, 0.033), rng.uniform(0.040, 0.052)
    stem = [(0.50 * r, 0.0), (0.56 * r, 0.004), (0.42 * r, 0.5 * h), (0.40 * r, h)]
    angles = np.linspace(0, np.pi / 2 - 0.08, 9)
    tall = 0.72 * r
    cap = [(0.40 * r, h - 0.004), (0.93 * r, h - 0.006)] + [
        (float(r * np.cos(a)), float(h + tall * np.sin(a))) for a in angles
    ]
    spots = []
    for k in range(8):
        a, e = 2 * np.pi * (k % 5) / 5 + 0.4 * (k // 5), (0.42, 1.0)[k // 5]
        at = (r * np.cos(e) * np.cos(a), r * np.cos(e) * np.sin(a), h + tall * np.sin(e))
        spots.append(
            shapes.ellipsoid(0.14 * r, 0.14 * r, 0.05 * r).turned("y", np.pi / 2 - e - 0.15).turned("z", a).at(*at)
        )
    return assemble(
        "mushroom",
        Piece("stem", shapes.revolve(stem, 24), "paper", density=700),
        Piece("cap", shapes.revolve(cap), density=300),
        Piece("spots", shapes.join(*spots), "paper", touches=False),
        rests=("up", "up", "side"),
        finishes=("natural", "matte"),
    )


def make_donut(rng: np.random.Generator) -> ObjectSpec:
    """A ring of dough with icing on its upper half and sprinkles."""
    r, thick = rng.uniform(0.028, 0.034), rng.uniform(0.0125, 0.0155)
    ring = np.column_stack([shapes.arc(0, 2 * np.pi, 33, r)[:-1], np.zeros(32)])
    dough = shapes.tube(ring, thick, flat=0.85, closed=True, sides=14, stride=4)
    wobble = 1 + 0.05 * np.sin(5 * np.linspace(0, 2 * np.pi, 32, endpoint=False) + rng.uniform(0, 6))
    icing = shapes.tube(ring + [0, 0, 0.0032], thick * 0.97 * wobble, flat=0.78, closed=True, sides=14)
    crumbs = []
    for _ in range(26):
        a, b = rng.uniform(0, 2 * np.pi), rng.uniform(0.45, np.pi - 0.45)
        rod = shapes.box(0.0055, 0.0020, 0.0020).turned("z", rng.uniform(0, np.pi))
        crumbs.append(
            rod.turned("y", np.pi / 2 - b)
            .at(r + 0.97 * thick * np.cos(b), 0, 0.0036 + 0.78 * thick * np.sin(b))
            .turned("z", a)
        )
    return assemble(
        "donut",
        Piece("dough", dough, "card", density=400),
        Piece("icing", icing, touches=False),
        Piece("sprinkles", shapes.join(*crumbs), "accent", touches=False),
        finishes=("natural", "glossy"),
    )
