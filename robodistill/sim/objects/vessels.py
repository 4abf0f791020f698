"""Things that hold: mug, bowl, plate, bottle, can, jar, vase."""

import numpy as np
from scipy.interpolate import PchipInterpolator

from robodistill.sim import shapes
from robodistill.sim.spec import ObjectSpec, Piece, assemble


def make_mug(rng: np.random.Generator) -> ObjectSpec:
    """A cylinder-like cup with a bow handle at its side."""
    r, h = rng.uniform(0.034, 0.044), rng.uniform(0.080, 0.105)
    foot, belly, wall = r * rng.uniform(0.80, 0.98), r * rng.uniform(0.98, 1.08), 0.004
    profile = [(foot - 0.002, 0.0), (foot, 0.002), (belly, 0.45 * h), (r, h)]
    reach, half = rng.uniform(0.022, 0.030), rng.uniform(0.26, 0.33) * h
    bow = shapes.arc(-np.pi / 2, np.pi / 2, 17, reach, half)
    path = np.column_stack([bow[:, 0] + r - wall / 2, np.zeros(17), bow[:, 1] + 0.52 * h])
    handle = shapes.tube(path, rng.uniform(0.0040, 0.0055), flat=1.5, up=(0, 1, 0))
    return assemble(
        "mug",
        Piece("body", shapes.shell(profile, wall), density=2000),
        Piece("handle", handle, density=2000),
        rests=("up",) * 6 + ("side", "down"),
    )


def make_bowl(rng: np.random.Generator) -> ObjectSpec:
    """A round open dish that is deep."""
    r, h = rng.uniform(0.055, 0.078), rng.uniform(0.042, 0.060)
    foot = r * rng.uniform(0.42, 0.52)
    curve = shapes.arc(-np.pi / 2 + 0.45, -0.05, 8, r, h - 0.004)
    curve[:, 1] += h - curve[-1, 1]
    profile = [(foot, 0.0), (foot, 0.003), *((float(a), float(b)) for a, b in curve if a > foot and b > 0.003)]
    return assemble("bowl", Piece("body", shapes.shell(profile, 0.004), density=1800), rests=("up",) * 7 + ("down",))


def make_plate(rng: np.random.Generator) -> ObjectSpec:
    """A flat round dish with a raised rim, a ring of another colour on it."""
    r, h = rng.uniform(0.085, 0.110), rng.uniform(0.014, 0.020)
    well = r * rng.uniform(0.58, 0.68)
    profile = [(well * 0.8, 0.0), (well, 0.002), (well * 1.12, 0.55 * h), (r, h)]
    level = 0.55 * h + 0.45 * h * 0.72
    at = well * 1.12 + (r - well * 1.12) * 0.72
    ring = shapes.tube(
        np.column_stack([shapes.arc(0, 2 * np.pi, 41, at)[:-1], np.full(40, level + 0.0042)]),
        0.0035,
        flat=0.3,
        closed=True,
        sides=8,
    )
    return assemble(
        "plate",
        Piece("body", shapes.shell(profile, 0.004), density=2000),
        Piece("rim", ring, "accent", touches=False),
        finishes=("matte", "glossy", "glossy"),
    )


def make_bottle(rng: np.random.Generator) -> ObjectSpec:
    """A tall round body with shoulders, a neck, a cap and a label."""
    r, h = rng.uniform(0.028, 0.036), rng.uniform(0.105, 0.135)
    neck, rise = r * rng.uniform(0.34, 0.44), rng.uniform(0.035, 0.055)
    top = h + rise
    shoulder = [(neck + (r - neck) * np.cos(t) ** 1.2, h + 0.7 * rise * np.sin(t)) for t in np.linspace(0, 1.45, 7)]
    body = [(r - 0.003, 0.0), (r, 0.003), *((float(a), float(b)) for a, b in shoulder), (neck, top + 0.012)]
    cap = shapes.cylinder(neck * 1.25, 0.018, 0.002).at(z=top + 0.016)
    low, high = 0.25 * h, 0.82 * h
    label = shapes.revolve([(r + 0.0006, low), (r + 0.0006, high)])
    return assemble(
        "bottle",
        Piece("body", shapes.revolve(body), density=700),
        Piece("cap", cap, "accent", density=500),
        Piece("label", label, "paper", touches=False),
        rests=("up",) * 4 + ("side",),
    )


def make_can(rng: np.random.Generator) -> ObjectSpec:
    """A drinks can: metal ends, a pull tab, a band around the painted body."""
    r, h = rng.uniform(0.029, 0.034), rng.uniform(0.095, 0.122)
    e = r * 0.16
    tab = shapes.box(0.020, 0.011, 0.0015, 0.0006).at(0.006, 0, h - 0.0005)
    band = rng.uniform(0.25, 0.6) * h
    return assemble(
        "can",
        Piece("body", shapes.revolve([(r, 0.07 * h), (r, 0.90 * h)]), density=450),
        Piece("bottom", shapes.revolve([(r - e, 0.0), (r, 0.07 * h)]), "steel", density=450),
        Piece(
            "lid",
            shapes.revolve([(r, 0.90 * h), (r - e, 0.985 * h), (r - e, h), (r - 1.3 * e, h), (r - 1.4 * e, h - 0.003)]),
            "steel",
            density=450,
        ),
        Piece("tab", tab, "steel", touches=False),
        Piece("label", shapes.revolve([(r + 0.0005, band), (r + 0.0005, band + 0.2 * h)]), "accent", touches=False),
        rests=("up",) * 4 + ("side",),
        finishes=("metal", "glossy", "matte"),
    )


def make_jar(rng: np.random.Generator) -> ObjectSpec:
    """A squat round body with a wide screw lid and a label."""
    r, h = rng.uniform(0.034, 0.043), rng.uniform(0.065, 0.090)
    mouth = r * rng.uniform(0.80, 0.88)
    body = [
        (r - 0.004, 0.0),
        (r - 0.001, 0.0015),
        (r, 0.005),
        (r, 0.80 * h),
        (r - 0.002, 0.87 * h),
        (mouth, 0.96 * h),
        (mouth, h),
    ]
    lid_height = rng.uniform(0.014, 0.019)
    angles = 2 * np.pi * np.arange(64) / 64
    wave = (mouth * 1.08 + 0.0008 * (np.arange(64) % 2))[:, None] * np.column_stack([np.cos(angles), np.sin(angles)])
    label = shapes.revolve([(r + 0.0006, 0.2 * h), (r + 0.0006, 0.68 * h)])
    return assemble(
        "jar",
        Piece("body", shapes.revolve(body), density=900),
        Piece("lid", shapes.prism(wave, lid_height, 0.0015).at(z=h - 0.001), "accent", density=500),
        Piece("label", label, "paper", touches=False),
    )


def make_vase(rng: np.random.Generator) -> ObjectSpec:
    """A tall curved vessel: round belly, narrow neck, flared lip."""
    r, h = rng.uniform(0.038, 0.050), rng.uniform(0.140, 0.190)
    foot, neck, lip = r * rng.uniform(0.55, 0.70), r * rng.uniform(0.34, 0.46), r * rng.uniform(0.62, 0.78)
    knots_z = np.array([0, rng.uniform(0.30, 0.40), rng.uniform(0.72, 0.80), 1.0])
    knots_r = np.array([foot, r, neck, lip])
    z = np.linspace(0, 1, 14)
    curve = PchipInterpolator(knots_z, knots_r)(z)
    profile = [(float(a), float(b * h)) for a, b in zip(curve, z, strict=True)]
    return assemble("vase", Piece("body", shapes.shell(profile, 0.0035, solid=True), density=700))
