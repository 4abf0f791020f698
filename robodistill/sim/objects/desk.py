"""Things on a desk: pen, tape, stapler, lamp, clock."""

import numpy as np

from robodistill.sim import shapes
from robodistill.sim.spec import JointSpec, ObjectSpec, Piece, assemble


def make_pen(rng: np.random.Generator) -> ObjectSpec:
    """A ball pen: barrel, cap with a clip, tip."""
    r, length = rng.uniform(0.0050, 0.0064), rng.uniform(0.085, 0.100)
    barrel = shapes.revolve([(r, 0.0), (r, length)], 20)
    tip = shapes.revolve([(0.0010, -0.018), (0.0016, -0.014), (0.62 * r, -0.011), (r * 0.97, 0.0)], 20)
    cap = shapes.cylinder(r * 1.12, 0.038, 0.001, 20).at(z=length + 0.012)
    clip = shapes.join(
        shapes.box(0.0022, 0.0046, 0.036, 0.0006).at(x=-r * 1.12 - 0.0028, z=length + 0.010),
        shapes.box(0.0060, 0.0046, 0.004).at(x=-r * 1.12 - 0.0008, z=length + 0.027),
    )
    pieces = [
        Piece("barrel", barrel, density=900),
        Piece("cap", cap, "accent" if rng.random() < 0.5 else "main", density=900),
        Piece("clip", clip, "steel", density=2000),
        Piece("tip", tip, "dark" if rng.random() < 0.5 else "steel", density=2000),
    ]
    return assemble("pen", *(Piece(p.part, p.solid.turned("y", np.pi / 2), p.tint, p.density) for p in pieces))


def make_tape(rng: np.random.Generator) -> ObjectSpec:
    """A roll of adhesive tape on a cardboard core."""
    r, width = rng.uniform(0.036, 0.048), rng.uniform(0.018, 0.030)
    hole = r * rng.uniform(0.58, 0.70)
    lip = hole + 0.003
    return assemble(
        "tape",
        Piece("roll", shapes.hoop([(lip, 0), (r, 0), (r, width), (lip, width)]), density=900),
        Piece("core", shapes.hoop([(hole, 0), (lip, 0), (lip, width), (hole, width)]), "card", density=600),
        rests=("up", "up", "side"),
    )


def make_stapler(rng: np.random.Generator) -> ObjectSpec:
    """A flat base and an arm that swings up on a hinge at the rear; the magazine goes with the arm."""
    length, w = rng.uniform(0.120, 0.150), rng.uniform(0.030, 0.036)
    base = shapes.box(length, w, 0.011, 0.003).at(z=0.0055)
    plate = shapes.box(0.020, 0.6 * w, 0.002).at(x=length / 2 - 0.018, z=0.0115)
    t = np.linspace(0, 1, 13)
    top = 0.030 + 0.012 * np.sin(np.pi * np.clip(t, 0, 1) ** 0.8) - 0.006 * t
    section = np.array([(-1, 0), (1, 0), (1, 0.55), (0.75, 0.9), (0.4, 1), (-0.4, 1), (-0.75, 0.9), (-1, 0.55)])
    x, half = (t - 0.5) * length * 0.97, 0.44 * w * (1 - 0.3 * t**4)
    y, z = half[:, None] * section[:, 0], 0.024 + (top - 0.024)[:, None] * section[:, 1]
    arm = shapes.loft(np.stack([np.broadcast_to(x[:, None], y.shape), y, z], -1))
    magazine = shapes.box(length * 0.90, w * 0.50, 0.010, 0.001).at(x=length * 0.03, z=0.0195)
    posts = [shapes.box(0.026, 0.004, 0.026, 0.001).at(-length * 0.40, s * (w * 0.44), 0.020) for s in (-1, 1)]
    axis_at = np.array([-length * 0.42, 0, 0.024])
    hinge = JointSpec("hinge", "revolute", ("arm", "magazine"), np.array([0, -1.0, 0]), axis_at, (-0.03, 1.2))
    spec = assemble(
        "stapler",
        Piece("base", shapes.join(base, plate, *posts), "main" if rng.random() < 0.5 else "dark", density=1200),
        Piece("arm", arm, density=900),
        Piece("magazine", magazine, "steel", density=3000),
        joints=(hinge,),
    )
    return spec.posed({"hinge": float(rng.uniform(0.10, 0.26))})


def make_lamp(rng: np.random.Generator) -> ObjectSpec:
    """A desk lamp: round base, upright stem, a shade open at the bottom with a bulb in it."""
    base_r, height = rng.uniform(0.046, 0.056), rng.uniform(0.15, 0.19)
    low, high, tall = rng.uniform(0.055, 0.068), rng.uniform(0.030, 0.042), rng.uniform(0.060, 0.075)
    foot = shapes.revolve([(base_r, 0.0), (base_r, 0.007), (base_r * 0.9, 0.011), (0.012, 0.016)])
    stem = shapes.cylinder(0.0048, height, segments=16).at(z=0.012 + height / 2)
    z = height - 0.6 * tall
    thick = 0.0022
    shade = shapes.hoop([(low, z), (low + thick, z), (high + thick, z + tall), (high, z + tall)])
    spokes = [shapes.box(2 * high, 0.003, 0.003).turned("z", a).at(z=z + tall - 0.012) for a in (0.0, np.pi / 2)]
    bulb = shapes.ellipsoid(0.014, 0.014, 0.019).at(z=z + 0.45 * tall)
    return assemble(
        "lamp",
        Piece("base", foot, "dark" if rng.random() < 0.4 else "main", density=4000),
        Piece("stem", shapes.join(stem, *spokes), "steel", density=2500),
        Piece("shade", shade, density=500),
        Piece("bulb", bulb, "paper", touches=False),
        finishes=("fabric", "matte", "metal"),
    )


def make_clock(rng: np.random.Generator) -> ObjectSpec:
    """A twin-bell alarm clock: drum, white dial with marks and hands, bells, hammer arch, two feet."""
    r, deep = rng.uniform(0.038, 0.048), rng.uniform(0.026, 0.034)
    drum = shapes.cylinder(r, deep, 0.003, 40).turned("x", np.pi / 2)
    dial = shapes.cylinder(0.86 * r, 0.002, segments=40).turned("x", np.pi / 2).at(y=-deep / 2)
    y = -deep / 2 - 0.0012
    marks = [shapes.box(0.0022, 0.0014, 0.13 * r).at(0, y, 0.70 * r).turned("y", k * np.pi / 6) for k in range(12)]
    hands = []
    for long in (0.52 * r, 0.76 * r):
        hand = shapes.box(0.0040, 0.0014, long).at(0, y - 0.0006, 0.5 * long - 0.08 * r)
        hands.append(hand.turned("y", rng.uniform(0, 2 * np.pi)))
    bells = []
    for s in (-1, 1):
        dome = shapes.revolve([(0.40 * r, 0.0), (0.39 * r, 0.10 * r), (0.30 * r, 0.24 * r), (0.12 * r, 0.31 * r)], 24)
        bells.append(dome.at(z=1.06 * r).turned("y", s * 0.56))
    knob = shapes.cylinder(0.004, 0.016, segments=12).at(z=1.06 * r)
    feet = [shapes.cylinder(0.005, 0.026, 0.001, 14).at(z=-1.02 * r).turned("y", s * 0.55) for s in (-1, 1)]
    rear = shapes.box(0.5 * r, deep * 0.8, 0.006).at(0, deep * 0.25, -1.12 * r)
    return assemble(
        "clock",
        Piece("body", drum, density=900),
        Piece("dial", dial, "paper", touches=False),
        Piece("hands", shapes.join(*marks, *hands), "dark", touches=False),
        Piece("bells", shapes.join(*bells, knob), "steel" if rng.random() < 0.5 else "brass", density=2000),
        Piece("feet", shapes.join(*feet, rear), "dark", density=2000),
        finishes=("metal", "glossy", "matte"),
    )
