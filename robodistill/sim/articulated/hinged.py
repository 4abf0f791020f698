"""Things that fold and open: chest, stapler, scissors, pliers, laptop, lamp, glasses."""

import numpy as np

from robodistill.sim import shapes
from robodistill.sim.articulated.spec import Articulated, Grip, build, grip, merged, pressed, weighed
from robodistill.sim.objects import boxes, desk, tools
from robodistill.sim.spec import JointSpec, ObjectSpec, Piece

_X, _Y, _Z = np.eye(3)


def make_chest(rng: np.random.Generator) -> Articulated:
    """A treasure chest with a vaulted lid."""
    lid = {"lid": "lid", "latch": "lid", "lid bands": "lid"}
    spec = merged(boxes.make_chest(rng), lid, "box", {"lid hinge": (0.0, 1.7)})
    low, high = spec.bounds
    hinge = spec.joints[0].origin
    front = np.array([0, low[1], hinge[2] + 0.006])
    side = rng.uniform(-0.25, 0.25) * spec.size[0]
    grips = {
        "box": pressed(spec, "box", "+x-x+y"),
        "lid": (grip(front + [side, 0.012, 0.012], [0, 0.5, -1], [0, 1, 0.5], 0.030),),
    }
    return Articulated(spec, grips)


def make_stapler(rng: np.random.Generator) -> Articulated:
    """A stapler whose arm swings up."""
    made = weighed(desk.make_stapler(rng), {"base": 5000})  # a steel plate on rubber
    spec = merged(made, {"arm": "arm", "magazine": "arm"}, "base", {"hinge": (0.0, 1.1)})
    arm = next(piece for piece in spec.pieces if piece.part == "arm").solid.mesh
    tip = arm.vertices[arm.vertices[:, 0] > arm.bounds[1, 0] - 0.035].mean(0)
    grips = {
        "base": pressed(spec, "base", "+y-y", 0.03)
        + (grip([spec.bounds[0, 0], 0, spec.bounds[0, 2] + 0.012], _X, _Y, 0.03),),
        "arm": (grip(tip, [-0.6, 0, -1], _Y, 0.030), grip(tip, [-1, 0, -0.3], _Y, 0.030)),
    }
    return Articulated(spec, grips)


def make_scissors(rng: np.random.Generator) -> Articulated:
    """A pair of scissors."""
    left = {"left blade": "left half", "left handle": "left half"}
    made = tools.make_scissors(rng)
    opening = -made.joints[0].limits[0]
    spec = merged(made, left, "right half", {"pivot": (0.08 - opening, 1.0 - opening)})
    return Articulated(spec, {"right half": _loop(spec, "right half"), "left half": _loop(spec, "left half")})


def _loop(spec: ObjectSpec, part: str) -> tuple[Grip, ...]:
    """Hold the rear end of a part that lies flat: from its outer side, from behind, or its very end from behind."""
    points = np.concatenate([piece.solid.mesh.vertices for piece in spec.pieces if piece.part == part])
    rear = points[points[:, 0] < points[:, 0].min() + 0.3 * np.ptp(points[:, 0])].mean(0)
    tail = points[points[:, 0] < points[:, 0].min() + 0.12 * np.ptp(points[:, 0])].mean(0)
    out = np.sign(rear[1]) * _Y
    return (
        grip(rear, -out - 0.2 * _Z, _Z, 0.014),
        grip(rear, _X - 0.5 * out - 0.3 * _Z, _Z, 0.014),
        grip(tail, _X - 0.3 * out - 0.1 * _Z, _Z, 0.014),
        grip(tail, _X - 0.3 * out + 0.4 * _Z, _Z, 0.014),
    )


def make_pliers(rng: np.random.Generator) -> Articulated:
    """Flat-nose pliers with bowed grips."""
    jaw, reach = rng.uniform(0.040, 0.055), rng.uniform(0.095, 0.120)
    wide, thick = rng.uniform(0.011, 0.014), rng.uniform(0.010, 0.013)
    pieces = []
    for part, s in (("right half", 1), ("left half", -1)):
        nose = [(-0.014, -0.001), (-0.012, 0.80 * wide), (0.012, 0.95 * wide), (jaw, 0.42 * wide), (jaw, 0.0003)]
        steel = shapes.prism(np.array([*nose, (0.0, 0.0003)]) * [1, -s], thick, 0.001).at(z=-thick / 2)
        half = shapes.cylinder(1.15 * wide, 0.52 * thick, 0.0008).at(z=0.26 * s * thick)
        t = np.linspace(0, 1, 16)
        bow = 0.35 * wide + 0.026 * np.sin(0.62 * np.pi * t)
        sleeve = np.where(t < 0.25, 0.0052, np.where(t < 0.32, 0.0078, 0.0068)) * np.where(t > 0.97, 0.8, 1.0)
        level = np.maximum(0.12 * s * thick * (1 - t), 1.05 * sleeve - thick / 2)  # nose and grips lie on the table
        path = np.column_stack([-0.010 - reach * t, s * bow, level])
        handle = shapes.tube(path, sleeve, flat=1.05)
        ring = shapes.tube(path[9:11], 0.0079, flat=0.9)
        pieces += [
            Piece(part, shapes.join(steel, half), "steel", density=6000),
            Piece(part, handle, "main", density=1500),
            Piece(part, ring, "accent" if s > 0 else "dark"),
        ]
    rivet = shapes.cylinder(0.005, 1.25 * thick, 0.0008, 16).at(z=thick / 8)
    pieces.append(Piece("right half", rivet, "dark", density=6000))
    spec = ObjectSpec("pliers", tuple(pieces))
    joints = (JointSpec("pivot", "revolute", ("left half",), _Z, np.zeros(3), (0.0, 0.75)),)
    grips = {part: _loop(spec, part) for part in spec.parts}
    return build("pliers", *pieces, joints=joints, grips=grips, finishes=("matte", "glossy"))


def make_laptop(rng: np.random.Generator) -> Articulated:
    """A small laptop: keys and a touch pad on the base, a screen with windows in the lid, a badge on its back."""
    x, y, t = rng.uniform(0.17, 0.22), rng.uniform(0.12, 0.15), rng.uniform(0.009, 0.013)
    lid_t = 0.0075
    rows, keys = 4, []
    for row in range(rows):
        count = int(rng.integers(9, 12))
        for k in range(count):
            place = ((k + 0.5) / count - 0.5) * 0.84 * x, 0.02 * y + (row + 0.5) / rows * 0.36 * y
            keys.append(shapes.box(0.68 * x / count, 0.066 * y, 0.0024, 0.0005).at(*place, t))
    space = shapes.box(0.32 * x, 0.05 * y, 0.0022).at(0, -0.04 * y, t)
    pad = shapes.box(0.26 * x, 0.22 * y, 0.0012).at(0, -0.24 * y, t)
    knuckles = [
        shapes.cylinder(0.5 * t, 0.12 * x, segments=16).turned("y", np.pi / 2).at(s * 0.3 * x, 0.5 * y, t)
        for s in (-1, 1)
    ]
    z = t + 0.0015 + lid_t / 2
    screen = shapes.box(0.90 * x, 0.80 * y, 0.0012).at(0, -0.01 * y, z - lid_t / 2)
    windows = []
    for _ in range(int(rng.integers(3, 6))):
        w, h = rng.uniform(0.14, 0.34) * x, rng.uniform(0.14, 0.32) * y
        u, v = rng.uniform(-1, 1, 2) * [0.43 * x - w / 2, 0.38 * y - h / 2]
        windows.append(
            (shapes.box(w, h, 0.0012).at(u, v - 0.01 * y, z - lid_t / 2 - 0.0004 * (len(windows) + 1)), len(windows))
        )
    tints = ("accent", "paper", "leaf", "beak", "main")
    badge = shapes.box(0.14 * x, 0.2 * y, 0.001).at(
        rng.uniform(-0.15, 0.15) * x, rng.uniform(-0.1, 0.1) * y, z + lid_t / 2
    )
    stripe = shapes.box(0.05 * x, 0.94 * y, 0.0008).at(rng.choice([-1, 1]) * 0.36 * x, 0, z + lid_t / 2)
    pieces = [
        Piece("base", shapes.box(x, y, t, 0.0025).at(z=t / 2), density=2000),  # a battery above all
        Piece("base", shapes.join(*keys, space), "dark"),
        Piece("base", pad, "accent"),
        Piece("base", shapes.join(*knuckles), "dark", density=1200),
        Piece("lid", shapes.box(x, y, lid_t, 0.002).at(z=z), density=900),
        Piece("lid", screen, "dark"),
        *(Piece("lid", solid, tints[k % len(tints)]) for solid, k in windows),
        Piece("lid", shapes.join(badge, stripe), "accent"),
    ]
    hinge = JointSpec("hinge", "revolute", ("lid",), -_X, np.array([0, 0.5 * y, t + 0.001]), (0.05, 1.95))
    spec = ObjectSpec("laptop", tuple(pieces))
    edge = [rng.uniform(-0.3, 0.3) * x, -0.5 * y + 0.012, z]
    grips = {
        "base": pressed(spec, "base", "+x-x"),
        "lid": (grip(edge, _Y, _Z, 0.012), grip([0.5 * x - 0.01, -0.3 * y, z], -_X, _Z, 0.012)),
    }
    return build("laptop", *pieces, joints=(hinge,), grips=grips, finishes=("matte", "glossy", "metal"))


def make_lamp(rng: np.random.Generator) -> Articulated:
    """A folding lamp: a heavy base, a lower arm, and an upper arm with a shade."""
    r, tall, reach = rng.uniform(0.045, 0.055), rng.uniform(0.120, 0.150), rng.uniform(0.100, 0.125)
    foot = shapes.revolve([(r, 0.0), (r, 0.010), (0.92 * r, 0.015), (0.02, 0.017)])
    yoke = [shapes.box(0.016, 0.005, 0.026, 0.001).at(y=s * 0.0125, z=0.026) for s in (-1, 1)]
    knob = shapes.cylinder(0.009, 0.012, 0.001).at(0.62 * r, 0.25 * r, 0.018)
    plate = shapes.box(0.022, 0.5 * r, 0.003).at(-0.6 * r, 0, 0.015)
    z0 = 0.032
    lower = shapes.box(0.015, 0.017, tall, 0.003).at(z=z0 + tall / 2)
    band = shapes.box(0.016, 0.018, 0.14 * tall, 0.001).at(z=z0 + rng.uniform(0.25, 0.45) * tall)
    pin = shapes.cylinder(0.010, 0.030, 0.001, 18).turned("x", np.pi / 2)
    elbow = np.array([0, 0, z0 + tall])
    bars = [shapes.box(reach + 0.012, 0.006, 0.013, 0.002).at(reach / 2, s * 0.0125, 0).at(*elbow) for s in (-1, 1)]
    wide, deep = rng.uniform(0.030, 0.038), rng.uniform(0.040, 0.050)
    cone = [(0.42 * wide, 0.012), (0.55 * wide, 0.006), (wide, -deep + 0.004), (wide, -deep), (0.93 * wide, -deep)]
    shade = shapes.revolve([cone[4], cone[3], cone[2], cone[1], cone[0]]).at(reach + 0.012, 0, elbow[2])
    rim = shapes.hoop(
        [(wide, -deep), (wide + 0.0018, -deep), (wide + 0.0018, -deep + 0.008), (wide, -deep + 0.008)]
    ).at(reach + 0.012, 0, elbow[2])
    tag = shapes.box(0.012, 0.003, 0.018).at(reach + 0.012, -0.78 * wide, elbow[2] - 0.5 * deep)
    bulb = shapes.ellipsoid(0.6 * wide, 0.6 * wide, 0.006).at(reach + 0.012, 0, elbow[2] - deep)
    pieces = [
        Piece("base", shapes.join(foot, *yoke), density=6000),
        Piece("base", shapes.join(knob, plate), "accent"),
        Piece("lower arm", lower, "accent", density=900),
        Piece("lower arm", shapes.join(pin.at(z=z0), pin.at(*elbow)), "dark", density=2000),
        Piece("lower arm", band, "main"),
        Piece("upper arm", shapes.join(*bars), "steel", density=900),
        Piece("upper arm", shade, density=400),
        Piece("upper arm", shapes.join(rim, tag), "accent"),
        Piece("upper arm", bulb, "paper"),
    ]
    joints = (
        JointSpec("shoulder", "revolute", ("lower arm", "upper arm"), _Y, np.array([0, 0, z0]), (-0.55, 0.45)),
        JointSpec("elbow", "revolute", ("upper arm",), _Y, elbow, (-0.9, 0.30)),
    )
    head = elbow + [reach + 0.012, 0, -0.3 * deep]
    grips = {
        "base": pressed(ObjectSpec("lamp", tuple(pieces)), "base", "-x+y-y", 0.02),
        "lower arm": (grip([0, 0, z0 + 0.62 * tall], _X, _Y, 0.018), grip([0, 0, z0 + 0.62 * tall], _Y, _X, 0.018)),
        "upper arm": (
            grip(head, -_X - 0.3 * _Z, _Y, 1.5 * wide),
            grip(head, -_Z, _Y, 1.4 * wide),
            grip(head, _Y - 0.4 * _Z, _X, 1.4 * wide),
        ),
    }
    return build("lamp", *pieces, joints=joints, grips=grips, finishes=("matte", "glossy", "metal"))


def make_glasses(rng: np.random.Generator) -> Articulated:
    """Sunglasses standing on their rims, with two temples that fold."""
    rx, rz, gap = rng.uniform(0.026, 0.031), rng.uniform(0.019, 0.025), rng.uniform(0.008, 0.011)
    length, high = rng.uniform(0.110, 0.130), rng.uniform(0.0065, 0.0085)
    power = rng.uniform(0.55, 1.0)
    angle = 2 * np.pi * np.arange(28) / 28
    oval = (
        np.sign(np.column_stack([np.cos(angle), np.sin(angle)]))
        * np.abs(np.column_stack([np.cos(angle), np.sin(angle)])) ** power
    )
    rims, lenses = [], []
    for s in (-1, 1):
        ring = np.column_stack([s * (gap + rx) + rx * oval[:, 0], np.zeros(28), rz * oval[:, 1]])
        rims.append(shapes.tube(ring, 0.0034, flat=1.15, closed=True, up=(0, 1, 0)))
        lens = shapes.prism(np.column_stack([rx * oval[:, 0], rz * oval[:, 1]]), 0.002).turned("x", np.pi / 2)
        lenses.append(lens.at(s * (gap + rx), 0.001, 0))
    nose = np.linspace(-1, 1, 7)
    bridge = shapes.tube(
        np.column_stack([nose * (gap + 0.003), np.full(7, -0.001), 0.35 * rz + 0.004 * (1 - nose**2)]),
        0.0032,
        up=(0, 1, 0),
    )
    half = gap + 2 * rx + 0.004
    ends = [shapes.box(0.012, 0.010, 1.5 * high, 0.0015).at(s * (half - 0.001), 0.001, 0.4 * rz) for s in (-1, 1)]
    pieces = [
        Piece("front", shapes.join(*rims, bridge, *ends), density=1200),
        Piece("front", shapes.join(*lenses), "dark", density=1200),
    ]
    joints, grips = [], {"front": (grip([0, 0, rz], -_Z, _Y, 0.010), grip([0, -0.004, 0.5 * rz], _Y, _Z, 0.03))}
    for name, s in (("left", -1), ("right", 1)):
        hinge = np.array([s * half, 0.005 if s < 0 else 0.014, 0.4 * rz])
        t = np.linspace(0, 1, 14)
        drop = (rz + 0.4 * rz + 0.003 - high / 2) * np.clip((t - 0.68) / 0.32, 0, 1) ** 1.5
        path = np.column_stack([np.zeros(14), 0.002 + length * t, -drop])
        width = high / 2 * np.where(t < 0.12, 1.3, 1.0)
        bar = shapes.tube(path, 0.0026, flat=1.0, up=(0, 0, 1), sides=10).scaled(1, 1, 1)
        slab = [shapes.box(0.0046, length * 0.62, 2 * width[5], 0.001).at(0, 0.31 * length, 0)]
        mark = shapes.box(0.0052, 0.10 * length, 1.5 * width[5]).at(0, rng.uniform(0.1, 0.3) * length, 0)
        tip = shapes.tube(path[9:], 0.0036, flat=1.2, up=(1, 0, 0), sides=10)
        part = f"{name} temple"
        pieces += [
            Piece(part, shapes.join(*slab, bar).at(*hinge), density=1200),
            Piece(part, mark.at(*hinge), "accent" if s < 0 else "paper"),
            Piece(part, tip.at(*hinge), "accent", density=1200),
        ]
        joints.append(JointSpec(f"{name} hinge", "revolute", (part,), s * _Z, hinge, (0.0, 1.45)))
        far = hinge + [0, 0.7 * length, 0.0]
        grips[part] = (grip(far, -_Y - 0.5 * _Z, _Z, 0.012), grip(far, -s * _X - 0.4 * _Z, _Z, 0.012))
    return build("glasses", *pieces, joints=tuple(joints), grips=grips, finishes=("matte", "glossy"))
