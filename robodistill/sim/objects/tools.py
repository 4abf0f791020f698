"""Tools: hammer, screwdriver, scissors, wrench, brush, flashlight, padlock. All are made lying on the table."""

import numpy as np

from robodistill.sim import shapes
from robodistill.sim.spec import JointSpec, ObjectSpec, Piece, assemble


def make_hammer(rng: np.random.Generator) -> ObjectSpec:
    """A claw hammer."""
    length, r = rng.uniform(0.165, 0.205), rng.uniform(0.0085, 0.0105)
    t = np.linspace(0, 1, 14)
    grip = r * (1 - 0.32 * np.clip((t - 0.35) / 0.3, 0, 1)) * np.where(t < 0.03, 0.85, 1.0)
    handle = shapes.tube(np.column_stack([length * t, 0 * t, 0 * t]), grip, flat=0.78)
    size = rng.uniform(0.92, 1.12)
    cheek = shapes.box(0.024, 0.034, 0.022, 0.003)
    neck = shapes.cylinder(0.0085, 0.018).turned("x", np.pi / 2).at(y=-0.024)
    face = shapes.cylinder(0.0135, 0.017, 0.002).turned("x", np.pi / 2).at(y=-0.038)
    s = np.linspace(0, 1, 8)
    claws = []
    for side in (-1, 1):
        path = np.column_stack([-0.022 * s**2, 0.012 + 0.042 * s, side * (0.0045 + 0.0045 * s)])
        claws.append(shapes.tube(path, 0.0085 - 0.0062 * s, flat=0.5, up=(0, 0, 1), sides=10))
    head = shapes.join(cheek, neck, face, *claws).scaled(size, size, size).at(x=length)
    return assemble(
        "hammer",
        Piece("handle", handle, "main", density=700),
        Piece("head", head, "steel" if rng.random() < 0.6 else "dark", density=5000),
        finishes=("wood", "matte", "glossy"),
    )


def make_screwdriver(rng: np.random.Generator) -> ObjectSpec:
    """A thick fluted handle, a thin shaft and a flat tip."""
    r, grip, shaft = rng.uniform(0.012, 0.0155), rng.uniform(0.075, 0.095), rng.uniform(0.075, 0.105)
    angles = 2 * np.pi * np.arange(36) / 36
    flute = 1 - 0.09 * np.maximum(np.cos(6 * angles), 0)
    levels = [
        (0.70, 0.0),
        (0.92, 0.05),
        (1.0, 0.14),
        (1.0, 0.62),
        (0.78, 0.80),
        (0.70, 0.90),
        (0.86, 0.95),
        (0.80, 1.0),
    ]
    rings = np.stack(
        [
            np.column_stack([np.full(36, f * grip), r * k * flute * np.cos(angles), r * k * flute * np.sin(angles)])
            for k, f in levels
        ]
    )
    rod = 0.0034
    bar = shapes.tube(np.column_stack([np.linspace(grip - 0.002, grip + shaft, 4), np.zeros((4, 2))]), rod, sides=12)
    tip = shapes.hull(
        [
            (grip + shaft + dx, sy * w, sz * h)
            for dx, w, h in ((-0.001, rod, rod), (0.012, 0.0046, 0.0007))
            for sy in (-1, 1)
            for sz in (-1, 1)
        ]
    )
    return assemble(
        "screwdriver",
        Piece("handle", shapes.loft(rings), density=1000),
        Piece("shaft", bar, "steel", density=6000),
        Piece("tip", tip, "dark", density=6000),
    )


def make_scissors(rng: np.random.Generator) -> ObjectSpec:
    """Two crossing blades that turn about a screw, each with a finger loop."""
    blade, reach = rng.uniform(0.072, 0.092), rng.uniform(0.040, 0.050)
    opening = rng.uniform(0.15, 0.45)
    rx, ry = rng.uniform(0.017, 0.021), rng.uniform(0.012, 0.015)
    pieces = []
    for name, s in (("left", 1), ("right", -1)):
        z = 0.0026 + 0.0012 * s
        edge = [(-0.016, -0.0055), (0.0, -0.0075), (0.30 * blade, -0.0075), (blade, 0.0045)]
        spine = [(blade, 0.0055), (0.0, 0.0055), (-0.016, 0.0050)]
        steel = shapes.prism(np.array(edge + spine) * [1, s], 0.0022, 0.0004).at(z=z - 0.0011)
        ring = shapes.arc(0, 2 * np.pi, 25, rx, ry)[:-1] + [-reach - rx * 0.7, -s * 0.0185]
        loop = shapes.tube(np.column_stack([ring, np.full(24, 0.0042)]), 0.0042, flat=0.95, closed=True)
        arm = np.linspace(0, 1, 7)[:, None] * ([-reach + 0.004, -s * 0.0115] - np.array([-0.010, 0.0])) + [-0.010, 0.0]
        bar = shapes.tube(np.column_stack([arm, np.full(7, 0.0040)]), np.linspace(0.0055, 0.0046, 7), flat=0.75)
        turn = s * opening / 2
        pieces.append(Piece(f"{name} blade", steel.turned("z", -turn), "steel", density=5000))
        pieces.append(Piece(f"{name} handle", shapes.join(loop, bar).turned("z", -turn), density=1100))
    pieces.append(Piece("screw", shapes.cylinder(0.0038, 0.0072, 0.0008, 16).at(z=0.0034), "dark", density=5000))
    pivot = JointSpec(
        "pivot",
        "revolute",
        ("left blade", "left handle"),
        np.array([0, 0, -1.0]),
        np.zeros(3),
        (-opening, 0.9 - opening),
    )
    return assemble("scissors", *pieces, joints=(pivot,))


def make_wrench(rng: np.random.Generator) -> ObjectSpec:
    """An open jaw at one end of a flat bar, a ring at the other."""
    length, thick, r = rng.uniform(0.12, 0.16), rng.uniform(0.0060, 0.0080), rng.uniform(0.0155, 0.0185)
    bar = shapes.box(length, 0.013, thick * 0.8, 0.0015)
    web = shapes.box(length * 0.75, 0.006, thick * 0.95, 0.001)
    jaws = []
    for s in (-1, 1):
        mouth = [(1.05 * r, 0.50 * r), (0.45 * r, 0.42 * r), (-0.25 * r, 0.40 * r), (-0.45 * r, 0.0)]
        outline = np.concatenate([shapes.arc(np.pi, 0.30, 12, r), mouth]) * [1, s]
        jaws.append(shapes.prism(outline, thick, 0.0008).at(z=-thick / 2))
    head = shapes.join(*jaws).turned("z", 0.26).at(x=length / 2 + 0.72 * r)
    ring = np.column_stack([shapes.arc(0, 2 * np.pi, 29, 0.72 * r)[:-1], np.zeros(28)])
    eye = shapes.tube(ring, 0.30 * r, flat=thick / (0.60 * r), closed=True, sides=12).at(x=-length / 2 - 0.6 * r)
    return assemble(
        "wrench",
        Piece("handle", shapes.join(bar, web), density=5000),
        Piece("jaw", head, density=5000),
        Piece("ring", eye, density=5000),
        finishes=("metal",),
    )


def make_brush(rng: np.random.Generator) -> ObjectSpec:
    """A flat paint brush: handle, metal ferrule, bristles."""
    w, grip, hair = rng.uniform(0.030, 0.044), rng.uniform(0.085, 0.110), rng.uniform(0.036, 0.050)
    t = np.linspace(0, 1, 15)
    half = (
        0.0065
        + 0.0055 * np.exp(-(((t - 0.30) / 0.20) ** 2))
        + (w / 2 - 0.0065) * np.clip((t - 0.72) / 0.28, 0, 1) ** 1.6
    )
    thick = 0.0055 + 0.002 * np.exp(-(((t - 0.30) / 0.22) ** 2))
    angles = 2 * np.pi * np.arange(16) / 16

    def ring(x: float, a: float, b: float) -> np.ndarray:
        squircle = np.column_stack([np.cos(angles), np.sin(angles)])
        squircle = np.sign(squircle) * np.abs(squircle) ** 0.6
        return np.column_stack([np.full(16, x), a * squircle[:, 0], b * squircle[:, 1]])

    handle = shapes.loft(np.stack([ring(grip * f, a, b) for f, a, b in zip(t, half, thick, strict=True)]), stride=4)
    band = shapes.loft(np.stack([ring(grip + x, w / 2 + 0.0008, 0.0068) for x in (-0.004, 0.020)]))
    taper = ((0, 0.97, 0.97), (0.5, 1.0, 0.9), (0.85, 0.96, 0.5), (1.0, 0.88, 0.15))
    tuft = shapes.loft(np.stack([ring(grip + 0.018 + hair * f, w / 2 * k, 0.0066 * m) for f, k, m in taper]))
    return assemble(
        "brush",
        Piece("handle", handle, density=600),
        Piece("ferrule", band, "steel", density=1500),
        Piece("bristles", tuft, "bristle", density=300),
        finishes=("wood", "glossy"),
    )


def make_flashlight(rng: np.random.Generator) -> ObjectSpec:
    """A torch: slim barrel with grip rings, wide head, bright lens, a switch."""
    r, length = rng.uniform(0.012, 0.015), rng.uniform(0.085, 0.115)
    wide = r * rng.uniform(1.55, 1.85)
    body = [(0.9 * r, 0.0), (r, 0.003)]
    for k in range(6):
        z = 0.2 * length + 0.5 * length * k / 6
        body += [(r, z), (0.90 * r, z + 0.002), (0.90 * r, z + 0.005), (r, z + 0.007)]
    body += [(r, length)]
    head = [
        (r * 1.02, length - 0.002),
        (wide * 0.97, length + 0.024),
        (wide, length + 0.026),
        (wide, length + 0.042),
        (0.94 * wide, length + 0.043),
    ]
    lens = shapes.cylinder(0.86 * wide, 0.0016).at(z=length + 0.0435)
    switch = shapes.box(0.006, 0.011, 0.018, 0.002).at(x=-r, z=0.86 * length)
    lying = [
        Piece("body", _filled(shapes.revolve(body), r, length), density=1400),
        Piece("head", shapes.revolve(head), "accent" if rng.random() < 0.5 else "main", density=1200),
        Piece("lens", lens, "paper", touches=False),
        Piece("switch", switch, "dark", touches=False),
    ]
    turned = [Piece(p.part, p.solid.turned("y", np.pi / 2), p.tint, p.density, p.touches) for p in lying]
    return assemble(
        "flashlight",
        *turned,
        finishes=("metal", "matte", "glossy"),
    )


def _filled(solid: shapes.Solid, r: float, length: float) -> shapes.Solid:
    """The grip rings are for the eye; contact takes the plain barrel."""
    return shapes.Solid(solid.mesh, shapes.cylinder(r, length).at(z=length / 2).hulls, solid.wrap)


def make_padlock(rng: np.random.Generator) -> ObjectSpec:
    """A body with a keyhole and a steel shackle."""
    w, h, d = rng.uniform(0.036, 0.050), rng.uniform(0.034, 0.044), rng.uniform(0.015, 0.020)
    span = 0.33 * w
    bow = np.concatenate([[(span, -0.012)], shapes.arc(0, np.pi, 15, span, span * 1.1) + [0, 0.010], [(-span, -0.012)]])
    shackle = shapes.tube(np.column_stack([bow[:, 0], bow[:, 1] + h / 2, 0 * bow[:, 0]]), 0.0038, stride=2)
    hole = shapes.join(
        shapes.cylinder(0.0042, 0.001).at(z=d / 2), shapes.box(0.0032, 0.012, 0.001).at(y=-0.006, z=d / 2)
    )
    return assemble(
        "padlock",
        Piece("body", shapes.box(w, h, d, 0.0035), density=3500),
        Piece("shackle", shackle, "steel", density=6000),
        Piece("keyhole", hole, "dark", touches=False),
        finishes=("metal", "glossy"),
    )
