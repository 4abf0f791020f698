"""Toys and sports: duck, ball, car, dumbbell."""

import numpy as np

from robodistill.sim import shapes
from robodistill.sim.spec import ObjectSpec, Piece, assemble


def make_duck(rng: np.random.Generator) -> ObjectSpec:
    """A bath duck: boat-like body with a raised tail, wings, round head, beak, eyes."""
    k = rng.uniform(0.85, 1.15)
    t = np.linspace(0, 1, 15)
    half = 0.031 * np.sin(np.pi * np.clip(0.06 + 0.90 * t, 0, 1)) ** 0.62
    low = 0.012 * (np.abs(t - 0.45) / 0.55) ** 3
    high = 0.040 + 0.012 * np.clip((0.25 - t) / 0.25, 0, 1) ** 1.5 - 0.012 * np.clip((t - 0.8) / 0.2, 0, 1)
    low = low + 0.030 * np.clip((0.22 - t) / 0.22, 0, 1) ** 1.4
    angles = 2 * np.pi * np.arange(24) / 24
    x, y = -0.040 + 0.082 * t, half[:, None] * np.cos(angles)
    z = ((low + high) / 2)[:, None] + ((high - low) / 2)[:, None] * np.sin(angles)
    rings = np.stack([np.broadcast_to(x[:, None], y.shape), y, z], -1)
    head = shapes.ellipsoid(0.0205, 0.0200, 0.0205).at(0.022, 0, 0.056)
    beak = shapes.join(
        shapes.ellipsoid(0.0120, 0.0105, 0.0036).at(0.044, 0, 0.0535),
        shapes.ellipsoid(0.0095, 0.0090, 0.0030).at(0.042, 0, 0.0485),
    )
    eyes = shapes.join(*(shapes.ellipsoid(0.0030, 0.0030, 0.0034).at(0.0365, s * 0.0115, 0.0615) for s in (-1, 1)))
    wings = shapes.join(
        *(shapes.ellipsoid(0.022, 0.006, 0.012).turned("y", 0.35).at(-0.008, s * 0.0285, 0.030) for s in (-1, 1))
    )
    parts = [
        Piece("body", shapes.loft(rings, stride=5), density=350),
        Piece("head", head, density=250),
        Piece("beak", beak, "beak", density=300),
        Piece("eyes", eyes, "dark", touches=False),
        Piece("wings", wings, density=200),
    ]
    return assemble("duck", *(Piece(p.part, p.solid.scaled(k, k, k), p.tint, p.density, p.touches) for p in parts))


def make_ball(rng: np.random.Generator) -> ObjectSpec:
    """A beach ball: a sphere with six panels of two colours."""
    r = rng.uniform(0.030, 0.044)
    panels: dict[str, list[shapes.Solid]] = {"main": [], "accent": []}
    count = 6
    phi = np.linspace(-np.pi / 2, np.pi / 2, 19)
    for k in range(count):
        theta = 2 * np.pi * (k + np.linspace(0, 1, 8)) / count
        arcs = np.stack(
            [
                r * np.cos(phi)[:, None] * np.cos(theta),
                r * np.cos(phi)[:, None] * np.sin(theta),
                r * np.sin(phi)[:, None] + 0 * theta,
            ],
            -1,
        )
        panels["main" if k % 2 else "accent"].append(_wedge(arcs))
    lid = [
        shapes.revolve([(0.26 * r, s * 0.967 * r), (0.18 * r, s * 0.986 * r), (0.09 * r, s * 1.001 * r)][::s], 20)
        for s in (-1, 1)
    ]
    touch = shapes.ellipsoid(r, r, r).hulls
    body = shapes.join(*panels["main"])
    return assemble(
        "ball",
        Piece("body", shapes.Solid(body.mesh, touch), density=150),
        Piece("stripes", shapes.join(*panels["accent"]), "accent", touches=False),
        Piece("caps", shapes.join(*lid), touches=False),
        rests=("up", "side", "side"),
        finishes=("glossy", "matte", "fabric"),
    )


def _wedge(grid: np.ndarray) -> shapes.Solid:
    """The orange slice between a (rows, columns, 3) patch of a sphere and the sphere's axis."""
    rings = np.concatenate([grid[1:-1], np.repeat(grid[1:-1].mean(1, keepdims=True) * [0, 0, 1], 1, 1)], axis=1)
    return shapes.loft(rings)


def make_car(rng: np.random.Generator) -> ObjectSpec:
    """A toy car: body, cabin with windows, four wheels, lights."""
    length, w, h = rng.uniform(0.085, 0.110), rng.uniform(0.040, 0.048), rng.uniform(0.017, 0.021)
    r = rng.uniform(0.0105, 0.0125)
    low = 0.55 * r
    body = shapes.box(length, w, h, 0.005).at(z=low + h / 2)
    top = low + h
    roof = rng.uniform(0.016, 0.020)
    front, rear, tr = 0.22 * length, -0.36 * length, 0.010

    def cabin(grow: float, low_end: float, high_end: float) -> shapes.Solid:
        """The slanted cabin between two shares of its height, thicker by `grow`."""
        points = []
        for f in (low_end, high_end):
            ends = (rear + (tr + 0.003) * f - grow, front - 1.7 * tr * f + grow)
            half = w * (0.46 - 0.06 * f) + grow
            points += [(x, s * half, top - 0.001 + roof * f) for x in ends for s in (-1, 1)]
        return shapes.hull(points)

    hubs, tyres = [], []
    for sx in (-0.30, 0.30):
        for sy in (-1, 1):
            wheel = shapes.cylinder(r, 0.010, 0.002, 24).turned("x", np.pi / 2)
            tyres.append(wheel.at(sx * length, sy * (w / 2 - 0.001), r))
            hubs.append(
                shapes.cylinder(0.5 * r, 0.002, segments=16)
                .turned("x", np.pi / 2)
                .at(sx * length, sy * (w / 2 + 0.0042), r)
            )
    lights = [shapes.ellipsoid(0.002, 0.005, 0.004).at(length / 2, s * 0.32 * w, low + 0.62 * h) for s in (-1, 1)]
    return assemble(
        "car",
        Piece("body", shapes.join(body, cabin(0.0008, 0.80, 1.0), cabin(0.0008, 0.0, 0.10)), density=450),
        Piece("windows", cabin(0.0, 0.0, 0.95), "dark", density=300),
        Piece("wheels", shapes.join(*tyres), "dark", density=900),
        Piece("hubs", shapes.join(*hubs), "steel", touches=False),
        Piece("lights", shapes.join(*lights), "paper", touches=False),
    )


def make_dumbbell(rng: np.random.Generator) -> ObjectSpec:
    """A bar between two six-sided weights."""
    grip, r, wide = rng.uniform(0.060, 0.075), rng.uniform(0.021, 0.028), rng.uniform(0.024, 0.032)
    six = shapes.arc(np.pi / 6, 2 * np.pi + np.pi / 6, 7, r)[:-1]
    weight = shapes.prism(six, wide, 0.004).turned("y", np.pi / 2)
    bar = shapes.tube(
        np.column_stack([np.linspace(-grip / 2 - 0.004, grip / 2 + 0.004, 6), np.zeros((6, 2))]),
        np.array([0.0075, 0.0075, 0.009, 0.009, 0.0075, 0.0075]),
    )
    return assemble(
        "dumbbell",
        Piece("weights", shapes.join(weight.at(x=grip / 2), weight.at(x=-grip / 2 - wide)), density=2500),
        Piece("handle", bar, "steel", density=4000),
        finishes=("matte", "metal", "glossy"),
    )
