"""Things with drawers, sliders and threads: cabinet, casket, switch, plug, jar."""

import numpy as np

from robodistill.sim import shapes
from robodistill.sim.articulated.spec import Articulated, build, grip, merged, pressed
from robodistill.sim.objects import boxes
from robodistill.sim.spec import JointSpec, ObjectSpec, Piece

_X, _Y, _Z = np.eye(3)


def make_cabinet(rng: np.random.Generator) -> Articulated:
    """A small chest of one to three drawers."""
    made = boxes.make_cabinet(rng)
    drawers = {part: part.replace("handle", "drawer") for joint in made.joints for part in joint.parts}
    spec = merged(made, drawers, "body")
    grips = {"body": pressed(spec, "body", "+x-x")}
    for joint in spec.joints:
        grips[joint.parts[0]] = (
            grip([0, spec.bounds[0, 1] + 0.006, joint.origin[2]], _Y - 0.2 * _Z, _Z, 0.012),
            grip([0, spec.bounds[0, 1] + 0.006, joint.origin[2]], _Y - 0.7 * _X, _Z, 0.012),
        )
    return Articulated(spec, grips)


def make_casket(rng: np.random.Generator) -> Articulated:
    """A box with a lid on a hinge above and a drawer below."""
    x, y = rng.uniform(0.100, 0.130), rng.uniform(0.080, 0.100)
    low, high, t = rng.uniform(0.034, 0.042), rng.uniform(0.030, 0.040), 0.005
    z = low + high + t
    sides = [shapes.box(t, y, z).at(x=s * (x - t) / 2, z=z / 2) for s in (-1, 1)]
    floors = [shapes.box(x - 2 * t, y, t).at(z=h + t / 2) for h in (0.0, low)]
    walls = [
        shapes.box(x - 2 * t, t, z).at(y=(y - t) / 2, z=z / 2),
        shapes.box(x - 2 * t, t, high).at(y=-(y - t) / 2, z=low + high / 2 + t),
    ]
    emblem = shapes.box(0.30 * x, 0.0016, 0.45 * high).at(rng.uniform(-0.2, 0.2) * x, -y / 2, low + t + 0.5 * high)
    patches = [
        shapes.box(0.0016, rng.uniform(0.25, 0.5) * y, 0.3 * z).at(
            s * x / 2, rng.uniform(-0.15, 0.15) * y, rng.uniform(0.4, 0.6) * z
        )
        for s in (-1, 1)
    ]
    lid = shapes.box(x + 0.006, y + 0.006, 0.010, 0.002).at(z=z + 0.0055)
    inlay = shapes.box(0.5 * x, 0.4 * y, 0.0016).at(
        rng.uniform(-0.15, 0.15) * x, rng.uniform(-0.15, 0.15) * y, z + 0.0105
    )
    knob = shapes.revolve([(0.005, 0.0), (0.005, 0.006), (0.009, 0.011), (0.007, 0.016)]).turned("x", np.pi / 2)
    tray = boxes._tray(x - 2 * t - 0.002, y - t, low - t - 0.002).at(z=t + (low - t) / 2)
    pull = 0.55 * (low - t)
    pieces = [
        Piece("body", shapes.join(*sides, *floors, *walls), density=1500),  # with lining and what lies in it
        Piece("body", shapes.join(emblem, *patches), "accent"),
        Piece("lid", lid, "main" if rng.random() < 0.5 else "wood", density=500),
        Piece("lid", inlay, "accent"),
        Piece("lid", knob.at(0, -y / 2 - 0.002, z + 0.0055), "brass", density=3000),
        Piece("drawer", tray, "accent" if rng.random() < 0.5 else "main", density=400),
        Piece("drawer", knob.at(0.15 * x, -y / 2 - 0.002, pull + t), "steel", density=2000),
    ]
    joints = (
        JointSpec("lid hinge", "revolute", ("lid",), -_X, np.array([0, y / 2, z]), (0.0, 1.6)),
        JointSpec("slide", "prismatic", ("drawer",), -_Y, np.array([0.0, 0, pull + t]), (0.0, 0.7 * y)),
    )
    front = -y / 2 - 0.014
    grips = {
        "body": pressed(ObjectSpec("casket", tuple(pieces)), "body", "+x-x"),
        "lid": (
            grip([0, front, z + 0.0055], _Y - 0.5 * _Z, _Z, 0.018),
            grip([0.3 * x, -y / 2, z + 0.0055], _Y - 0.6 * _X, _Z, 0.014),
        ),
        "drawer": (
            grip([0.15 * x, front, pull + t], _Y, _X, 0.018),
            grip([0.15 * x, front, pull + t], _Y - 0.6 * _X, _Z, 0.018),
        ),
    }
    return build("casket", *pieces, joints=joints, grips=grips, finishes=("wood", "matte", "glossy"))


def make_switch(rng: np.random.Generator) -> Articulated:
    """A big sliding switch: a knob in the slot of a block, with marks beside it."""
    x, y, z = rng.uniform(0.110, 0.140), rng.uniform(0.048, 0.060), rng.uniform(0.020, 0.028)
    travel = rng.uniform(0.42, 0.5) * x
    slot = shapes.box(0.82 * x, 0.26 * y, 0.0012).at(z=z)
    ticks = [
        shapes.box(0.003, 0.05 * y + 0.02 * y * k, 0.0012).at((k / 5 - 0.5) * 0.7 * x, 0.3 * y, z) for k in range(6)
    ]
    lamp = shapes.cylinder(0.0045, 0.004, 0.001, 16).at(rng.choice([-1, 1]) * 0.4 * x, -0.32 * y, z)
    plate = shapes.box(0.3 * x, 0.16 * y, 0.0012).at(rng.uniform(-0.25, 0.1) * x, -0.33 * y, z)
    start = -travel / 2
    foot = shapes.box(0.22 * x, 0.24 * y, 0.006, 0.001).at(start, 0, z + 0.003)
    knob = shapes.box(0.17 * x, 0.46 * y, 0.018, 0.003).at(start, 0, z + 0.015)
    ribs = [shapes.box(0.003, 0.40 * y, 0.004, 0.0008).at(start + s * 0.045 * x, 0, z + 0.024) for s in (-1, 0, 1)]
    dot = shapes.cylinder(0.004, 0.0016, segments=16).at(start + 0.03 * x, -0.235 * y, z + 0.016)
    side = shapes.box(0.05 * x, 0.0014, 0.010).at(start + 0.02 * x, -0.23 * y, z + 0.014)
    pieces = [
        Piece("base", shapes.box(x, y, z, 0.003).at(z=z / 2), density=1200),
        Piece("base", slot, "dark"),
        Piece("base", shapes.join(*ticks, plate), "paper" if rng.random() < 0.5 else "accent"),
        Piece("base", lamp, "beak"),
        Piece("slider", shapes.join(foot, knob), "accent", density=1000),
        Piece("slider", shapes.join(*ribs, dot, side), "dark" if rng.random() < 0.5 else "main"),
    ]
    joint = JointSpec("slide", "prismatic", ("slider",), _X, np.array([start, 0, z + 0.012]), (0.0, travel))
    top = [start, 0, z + 0.018]
    grips = {
        "base": pressed(ObjectSpec("switch", tuple(pieces)), "base", "+x-x+y-y", 0.03),
        "slider": (
            grip(top, -_Z + 0.5 * _Y, _X, 0.17 * x),
            grip(top, -_Z - 0.5 * _Y, _X, 0.17 * x),
            grip(top, -_Z, _Y, 0.46 * y),
        ),
    }
    return build("switch", *pieces, joints=(joint,), grips=grips, finishes=("matte", "glossy"))


def make_plug(rng: np.random.Generator) -> Articulated:
    """A plug with two pins that is pulled from a socket block."""
    a, b, z = rng.uniform(0.070, 0.090), rng.uniform(0.060, 0.075), rng.uniform(0.032, 0.042)
    wide, deep, tall = rng.uniform(0.030, 0.038), rng.uniform(0.021, 0.026), rng.uniform(0.032, 0.042)
    seat = shapes.box(1.25 * wide, 1.3 * deep, 0.003, 0.001).at(z=z + 0.0005)
    holes = [shapes.cylinder(0.0034, 0.0012, segments=16).at(s * 0.3 * wide, 0, z + 0.0021) for s in (-1, 1)]
    screws = [shapes.cylinder(0.0035, 0.0016, segments=14).at(s * 0.42 * a, s * 0.38 * b, z) for s in (-1, 1)]
    sign = shapes.box(0.3 * a, 0.13 * b, 0.0014).at(-0.2 * a, rng.choice([-1, 1]) * 0.38 * b, z)
    badge = [shapes.box(0.4 * a, 0.0014, 0.4 * z).at(s * 0.1 * a, s * b / 2, 0.5 * z) for s in (-1, 1)]
    angles = 2 * np.pi * np.arange(20) / 20
    round_box = (
        np.sign(np.column_stack([np.cos(angles), np.sin(angles)]))
        * np.abs(np.column_stack([np.cos(angles), np.sin(angles)])) ** 0.55
    )
    levels = ((1.0, 0.0), (1.0, 0.45), (0.78, 0.7), (0.85, 0.92), (0.6, 1.0))
    rings = np.stack(
        [np.column_stack([round_box * k * [wide / 2, deep / 2], np.full(20, z + 0.0025 + f * tall)]) for k, f in levels]
    )
    relief = [shapes.cylinder(0.0062 - 0.0006 * k, 0.004).at(z=z + tall + 0.004 + 0.006 * k) for k in range(3)]
    cord = shapes.tube(
        np.column_stack([0.02 * np.linspace(0, 1, 8) ** 2, np.zeros(8), z + tall + np.linspace(0, 0.035, 8)]),
        0.0034,
        up=(0, 1, 0),
    )
    pins = [shapes.cylinder(0.0026, 0.022, segments=14).at(s * 0.3 * wide, 0, z - 0.0085) for s in (-1, 1)]
    stripe = shapes.box(0.5 * wide, deep + 0.0014, 0.006).at(0.08 * wide, 0, z + 0.0025 + 0.25 * tall)
    flag = shapes.box(wide + 0.0014, 0.3 * deep, 0.010).at(
        0, rng.choice([-1, 1]) * 0.15 * deep, z + 0.0025 + 0.2 * tall
    )
    pieces = [
        Piece("socket", shapes.box(a, b, z, 0.003).at(z=z / 2), density=1200),
        Piece("socket", seat, "paper"),
        Piece("socket", shapes.join(*holes), "dark"),
        Piece("socket", shapes.join(*screws), "steel"),
        Piece("socket", shapes.join(sign, *badge), "accent"),
        Piece("plug", shapes.loft(rings), "accent", density=1200),
        Piece("plug", shapes.join(*relief, cord), "dark", density=1200),
        Piece("plug", shapes.join(*pins), "brass"),
        Piece("plug", shapes.join(stripe, flag), "main"),
    ]
    joint = JointSpec("pull", "prismatic", ("plug",), _Z, np.array([0, 0, z]), (0.0, rng.uniform(0.045, 0.060)))
    hold = [0, 0, z + 0.62 * tall]
    grips = {
        "socket": pressed(ObjectSpec("plug", tuple(pieces)), "socket", "+x-x+y-y", 0.03),
        "plug": (
            grip(hold, -_X - 0.4 * _Z, _Y, deep),
            grip(hold, _Y - 0.6 * _Z, _X, wide),
            grip(hold, -_Y - 0.6 * _Z, _X, wide),
        ),
    }
    return build("plug", *pieces, joints=(joint,), grips=grips, finishes=("matte", "glossy"))


def make_jar(rng: np.random.Generator) -> Articulated:
    """A jar with a wide screw lid; labels and marks tell how each is turned."""
    r, h = rng.uniform(0.036, 0.046), rng.uniform(0.062, 0.085)
    mouth, lid_h = r * rng.uniform(0.82, 0.90), rng.uniform(0.018, 0.023)
    body = [
        (r - 0.004, 0.0),
        (r - 0.001, 0.0015),
        (r, 0.005),
        (r, 0.82 * h),
        (r - 0.002, 0.90 * h),
        (mouth, 0.98 * h),
        (mouth, h),
    ]
    neck = [(0.93 * mouth, h - 0.001)]
    for k in range(3):  # threads that show when the lid is up
        at = h + 0.001 + k * (lid_h - 0.006) / 3
        neck += [
            (0.93 * mouth, at),
            (0.965 * mouth, at + 0.001),
            (0.965 * mouth, at + 0.002),
            (0.93 * mouth, at + 0.003),
        ]
    angles = 2 * np.pi * np.arange(64) / 64
    wave = (mouth * 1.06 + 0.0009 * (np.arange(64) % 2))[:, None] * np.column_stack([np.cos(angles), np.sin(angles)])
    arrow = shapes.prism(np.array([(0.85, 0), (0.1, 0.28), (0.1, -0.28)]) * mouth, 0.0012).at(z=h + lid_h - 0.0004)
    dots = [
        shapes.cylinder(0.16 * mouth, 0.0012, segments=18).at(
            *(0.62 * mouth * np.array([np.cos(a), np.sin(a)])), h + lid_h
        )
        for a in (2.0, 2.9, 4.4)
    ]
    tabs = [
        shapes.box(0.004, 0.012, 0.55 * lid_h, 0.001).at(1.05 * mouth, 0, h + 0.5 * lid_h).turned("z", a)
        for a in (0.3, 2.2, 3.9)
    ]
    label = _wrapped(r + 0.0006, 0.18 * h, 0.72 * h, rng.uniform(0.0, 0.5), rng.uniform(2.0, 2.6))
    stamp = _wrapped(r + 0.0012, 0.34 * h, 0.58 * h, 0.9, 1.7)
    back = _wrapped(r + 0.0008, 0.30 * h, 0.55 * h, 3.4, 4.2)
    edge = _wrapped(r + 0.0008, 0.55 * h, 0.75 * h, 5.0, 5.5)
    pieces = [
        Piece("body", shapes.revolve(body), density=900),
        Piece("body", shapes.revolve(neck), "steel", density=900),
        Piece("body", label, "paper"),
        Piece("body", shapes.join(stamp, back), "accent"),
        Piece("body", edge, "dark"),
        Piece("lid", shapes.prism(wave, lid_h, 0.0015).at(z=h + 0.0005), "accent", density=500),
        Piece("lid", shapes.join(arrow, *tabs), "paper"),
        Piece("lid", shapes.join(*dots), "dark"),
    ]
    pitch = rng.uniform(0.010, 0.016) / (2 * np.pi)  # a steep multi-start thread, so that the lid visibly rises
    joint = JointSpec("thread", "screw", ("lid",), _Z, np.array([0, 0, h]), (0.0, rng.uniform(4.2, 5.6)), pitch=pitch)
    spin, hold = rng.uniform(0, 2 * np.pi), [0, 0, h + 0.6 * lid_h]
    around = [np.array([np.cos(spin + a), np.sin(spin + a), 0]) for a in 0.5 * np.pi * np.arange(4)]
    grips = {
        "body": pressed(ObjectSpec("jar", tuple(pieces[:1])), "body", "+x-x+y-y", 0.04),
        "lid": tuple(
            grip(hold, side - tilt * _Z, np.cross(_Z, side), 2.1 * mouth) for side in around for tilt in (0.4, 1.2)
        ),
    }
    return build("jar", *pieces, joints=(joint,), grips=grips)


def _wrapped(radius: float, low: float, high: float, start: float, end: float) -> shapes.Solid:
    """A thin patch around the z axis between two angles, rad."""
    angles = np.linspace(start, end, max(3, int(12 * (end - start))))
    rings = []
    for a in angles:
        c, s = np.cos(a), np.sin(a)
        rings.append(
            [
                (rad * c, rad * s, z)
                for rad, z in ((radius - 0.002, low), (radius, low), (radius, high), (radius - 0.002, high))
            ]
        )
    return shapes.loft(np.array(rings), stride=1)
