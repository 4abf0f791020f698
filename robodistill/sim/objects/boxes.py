"""Things with corners: box, carton, block, book, chest with a lid, cabinet with drawers."""

import numpy as np

from robodistill.sim import shapes
from robodistill.sim.spec import JointSpec, ObjectSpec, Piece, assemble


def make_box(rng: np.random.Generator) -> ObjectSpec:
    """A closed parcel with a strip of tape over its seam and an address label."""
    x, y, z = rng.uniform(0.09, 0.14), rng.uniform(0.07, 0.10), rng.uniform(0.05, 0.09)
    wide = 0.2 * y
    over = shapes.box(x + 0.0012, wide, 0.0012).at(z=z)
    ends = [shapes.box(0.0012, wide, 0.32 * z).at(s * x / 2, 0, 0.84 * z) for s in (-1, 1)]
    label = shapes.box(0.3 * x, 0.26 * y, 0.001).at(0.28 * x, -0.29 * y, z)
    return assemble(
        "box",
        Piece("body", shapes.box(x, y, z, 0.0015).at(z=z / 2), density=250),
        Piece("strip", shapes.join(over, *ends), "card" if rng.random() < 0.5 else "accent", touches=False),
        Piece("label", label, "paper", touches=False),
        finishes=("matte",),
    )


def make_carton(rng: np.random.Generator) -> ObjectSpec:
    """A drink carton with a gable top, a crimped ridge and a screw cap."""
    w, h = rng.uniform(0.060, 0.074), rng.uniform(0.105, 0.140)
    d, rise = w * rng.uniform(0.85, 1.0), rng.uniform(0.026, 0.034)
    corners = np.array([(sx * w / 2, sy * d / 2) for sx in (-1, 1) for sy in (-1, 1)])
    base = [(*c, z) for c in corners for z in (0.0, h)]
    gable = shapes.hull(
        [(*c, h) for c in corners] + [(s * w / 2, t * 0.002, h + rise) for s in (-1, 1) for t in (-1, 1)]
    )
    ridge = shapes.box(w, 0.004, 0.014).at(z=h + rise + 0.005)
    slope = np.arctan2(rise, d / 2)
    cap = shapes.cylinder(0.0105, 0.011, 0.0015).turned("x", slope).at(0, -d / 4, h + rise / 2)
    cap = cap.at(0, -0.005 * np.sin(slope), 0.005 * np.cos(slope))
    low = rng.uniform(0.12, 0.3) * h
    band = shapes.box(w + 0.001, d + 0.001, rng.uniform(0.22, 0.34) * h).at(z=low + 0.15 * h)
    return assemble(
        "carton",
        Piece("body", shapes.hull(base), density=900),
        Piece("top", shapes.join(gable, ridge), "main" if rng.random() < 0.5 else "paper", density=300),
        Piece("cap", cap, "accent", density=500),
        Piece("label", band, "accent", touches=False),
    )


def make_block(rng: np.random.Generator) -> ObjectSpec:
    """A toy building block: a cube with raised frames and a disc on its faces."""
    a = rng.uniform(0.036, 0.050)
    bar, up = 0.13 * a, 0.0016
    sides = (("x", 0.0), ("x", np.pi / 2), ("x", np.pi), ("x", -np.pi / 2), ("y", np.pi / 2), ("y", -np.pi / 2))
    frames, discs = [], []
    for axis, angle in sides:
        bars = [shapes.box(a + 2 * up, bar, 2 * up).at(y=s * ((a - bar) / 2 + up)) for s in (-1, 1)]
        bars += [shapes.box(bar, a + 2 * up - 2 * bar, 2 * up).at(x=s * ((a - bar) / 2 + up)) for s in (-1, 1)]
        frames += [one.at(z=a / 2).turned(axis, angle) for one in bars]
        discs.append(shapes.cylinder(0.25 * a, up).at(z=a / 2).turned(axis, angle))
    cube = shapes.box(a, a, a)
    touch = shapes.box(a + 2 * up, a + 2 * up, a + 2 * up).hulls
    return assemble(
        "block",
        Piece("body", shapes.Solid(cube.mesh, touch), density=500),
        Piece("frame", shapes.join(*frames), touches=False),
        Piece("dot", shapes.join(*discs), "accent", touches=False),
        rests=("up", "side"),
        finishes=("wood", "matte", "glossy"),
    )


def make_book(rng: np.random.Generator) -> ObjectSpec:
    """Two covers and a spine around a block of pages that stands back from the edges, with a title plate."""
    x, y, z = rng.uniform(0.095, 0.130), rng.uniform(0.135, 0.180), rng.uniform(0.016, 0.032)
    t = 0.0025
    covers = [shapes.box(x, y, t, 0.0008).at(z=s * (z - t) / 2) for s in (-1, 1)]
    spine = shapes.box(t, y, z, 0.0008).at(x=-(x - t) / 2)
    pages = shapes.box(x - 0.008, y - 0.008, z - 2 * t + 0.0004).at(x=-0.0025)
    title = shapes.box(0.55 * x, 0.2 * y, 0.001).at(0, 0.2 * y, z / 2)
    line = shapes.box(0.35 * x, 0.035 * y, 0.001).at(0, -0.25 * y, z / 2)
    rib = [shapes.box(0.001, 0.03 * y, z * 0.94).at(-x / 2, s * 0.3 * y, 0) for s in (-1, 1)]
    return assemble(
        "book",
        Piece("cover", shapes.join(*covers, spine), density=700),
        Piece("pages", pages, "paper", density=700),
        Piece("title", shapes.join(title, line, *rib), "accent", touches=False),
        rests=("up",) * 5 + ("side",),
        finishes=("matte", "fabric", "glossy"),
    )


def make_chest(rng: np.random.Generator) -> ObjectSpec:
    """A treasure chest: an open box with a barrel-vaulted lid on a hinge, metal bands and a latch."""
    x, y, z = rng.uniform(0.095, 0.125), rng.uniform(0.062, 0.080), rng.uniform(0.042, 0.055)
    t, vault = 0.004, rng.uniform(0.35, 0.45) * y
    floor = shapes.box(x, y, t).at(z=t / 2)
    walls = [shapes.box(x, t, z).at(y=s * (y - t) / 2, z=z / 2) for s in (-1, 1)]
    walls += [shapes.box(t, y - 2 * t, z).at(x=s * (x - t) / 2, z=z / 2) for s in (-1, 1)]
    half = np.column_stack([shapes.arc(0, np.pi, 13, y / 2, vault)])
    lid = _vault(half, x).at(z=z + 0.0008)
    strips, grow = [], 1 + 0.0018 / y
    for s in (-1, 1):
        strips.append(_vault(half * grow, 0.09 * x).at(x=s * 0.3 * x, z=z + 0.0008))
    bands = [shapes.box(0.09 * x, y + 0.0018, z).at(x=s * 0.3 * x, z=z / 2) for s in (-1, 1)]
    latch = shapes.box(0.16 * x, 0.005, 0.016, 0.001).at(0, -y / 2 - 0.002, z + 0.003)
    hinge = JointSpec(
        "lid hinge",
        "revolute",
        ("lid", "latch", "lid bands"),
        np.array([-1.0, 0, 0]),
        np.array([0, y / 2, z]),
        (0.0, 1.9),
    )
    metal = "brass" if rng.random() < 0.5 else "steel"
    return assemble(
        "chest",
        Piece("body", shapes.join(floor, *walls), density=700),
        Piece("lid", lid, density=350),
        Piece("latch", latch, metal, touches=False),
        Piece("lid bands", shapes.join(*strips), metal, touches=False),
        Piece("bands", shapes.join(*bands), metal, touches=False),
        joints=(hinge,),
        finishes=("wood",),
    )


def _vault(half: np.ndarray, width: float) -> shapes.Solid:
    return shapes.hull(np.concatenate([np.column_stack([np.full(len(half), s * width / 2), half]) for s in (-1, 1)]))


def make_cabinet(rng: np.random.Generator) -> ObjectSpec:
    """A small chest of drawers: each drawer is an open tray with a front and a bow handle."""
    count = int(rng.integers(1, 4))
    x, y, each = rng.uniform(0.105, 0.140), rng.uniform(0.090, 0.115), rng.uniform(0.042, 0.052)
    t = 0.006
    z = count * each + (count + 1) * t
    sides = [shapes.box(t, y, z).at(x=s * (x - t) / 2, z=z / 2) for s in (-1, 1)]
    shelves = [shapes.box(x - 2 * t, y, t).at(z=t / 2 + k * (each + t)) for k in range(count + 1)]
    back = shapes.box(x - 2 * t, t, z).at(y=(y - t) / 2, z=z / 2)
    top = shapes.box(x + 0.010, y + 0.008, t, 0.0015).at(z=z + t / 2)
    names = {1: ("",), 2: ("bottom ", "top "), 3: ("bottom ", "middle ", "top ")}[count]
    pieces = [Piece("body", shapes.join(*sides, *shelves, back, top), density=500)]
    front_tint = "accent" if rng.random() < 0.6 else "main"
    joints = []
    for k, name in enumerate(names):
        low = t + k * (each + t)
        pieces.append(
            Piece(
                f"{name}drawer",
                _tray(x - 2 * t - 0.002, y - t, each - 0.002).at(z=low + each / 2),
                front_tint,
                density=400,
            )
        )
        bow = np.column_stack([shapes.arc(np.pi, 2 * np.pi, 9, 0.016, 0.013), np.zeros(9)])
        handle = shapes.tube(bow + [0, -y / 2 - 0.001, low + each / 2], 0.0030, sides=10, stride=2)
        pieces.append(Piece(f"{name}handle", handle, "dark" if front_tint == "main" else "steel", density=2000))
        joints.append(
            JointSpec(
                f"{name}slide",
                "prismatic",
                (f"{name}drawer", f"{name}handle"),
                np.array([0, -1.0, 0]),
                np.array([0, 0, low + each / 2]),
                (0.0, 0.75 * y),
            )
        )
    return assemble(
        "cabinet",
        *pieces,
        joints=tuple(joints),
        finishes=("wood", "matte", "glossy"),
    )


def _tray(x: float, y: float, z: float) -> shapes.Solid:
    t = 0.004
    front = shapes.box(x, t, z, 0.001).at(y=-(y + 0.006) / 2 + t / 2)
    rest = [shapes.box(x, y - t, t).at(z=-(z - t) / 2), shapes.box(x, t, 0.8 * z).at(y=(y - 3 * t) / 2, z=-0.1 * z)]
    rest += [shapes.box(t, y - t, 0.8 * z).at(x=s * (x - t) / 2, z=-0.1 * z) for s in (-1, 1)]
    return shapes.join(front, *rest)
