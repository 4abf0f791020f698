"""A hand that covers what it holds: palm, fingers, thumb and forearm from rounded bars, in random skin and sleeve."""

from dataclasses import dataclass

import numpy as np

from robodistill.sim import shapes
from robodistill.sim.shapes import Solid

# sRGB of skin from light to dark, round numbers of our own.
_SKINS = ((0.93, 0.76, 0.66), (0.87, 0.67, 0.54), (0.76, 0.55, 0.41), (0.60, 0.41, 0.29), (0.42, 0.28, 0.20))
_KNUCKLES = 0.062  # metres that the knuckles stay behind the finger tips
_SPREAD = 0.0185  # metres between fingers
_PINCH = 0.016  # metres; what is thinner is held with thumb and two fingers


@dataclass(frozen=True)
class Person:
    """Whose hands they are."""

    skin: tuple[float, float, float]
    """sRGB in [0, 1]."""
    sleeve: tuple[float, float, float]
    """sRGB in [0, 1]."""
    sleeve_from: float
    """Metres behind the wrist where the sleeve begins; beyond the forearm's end there is none."""
    size: float
    """Of the hand, 1 = 19 cm from wrist to finger tip."""


def draw_person(rng: np.random.Generator) -> Person:
    """A random person."""
    place = rng.uniform(0, len(_SKINS) - 1)
    k = min(int(place), len(_SKINS) - 2)
    skin = (1 - place + k) * np.array(_SKINS[k]) + (place - k) * np.array(_SKINS[k + 1])
    sleeve = rng.uniform(0.08, 0.9, 3) * rng.uniform(0.5, 1.0)
    return Person(tuple(skin), tuple(sleeve), float(rng.choice([0.02, 0.08, 1.0])), float(rng.uniform(0.86, 1.04)))


def make_hand(
    person: Person, width: float, rng: np.random.Generator, forearm: float = 0.34
) -> tuple[Solid, Solid | None]:
    """A hand that grips something, in the frame of `Grip`: x closes, z reaches out, the tips meet about the origin.

    Args:
        width: Of what is held, along x, metres.
        forearm: Its length, metres.

    Returns:
        Skin, and the sleeve if there is one.
    """
    w, side = width / 2, float(rng.choice([-1, 1]))  # side: left or right hand
    pinch = width < _PINCH
    parts = []
    for k, long in enumerate((0.93, 1.0, 0.96, 0.80)):
        y = side * (k - (0.6 if pinch else 1.5)) * _SPREAD
        knuckle = np.array([0.012, y, -_KNUCKLES])
        if pinch and k > 1:  # the other fingers are curled into the palm
            bent = [knuckle, [0.040, y, -0.050], [0.036, y, -0.078], [0.018, 0.97 * y, -0.082]]
            parts.append(_bar([np.array(p) for p in bent], (0.0098, 0.0092, 0.0086, 0.0075)))
            continue
        tip = np.array([w + 0.0065, 0.80 * y, 0.012 * long + rng.uniform(-0.003, 0.003)])
        parts.append(_bar([knuckle, np.array([w + 0.020, 0.92 * y, -0.024 * long]), tip], (0.0095, 0.0086, 0.0072)))
    thumb = [(-0.006, -side * 0.030, -0.088), (-w - 0.020, -side * 0.030, -0.050), (-w - 0.013, -side * 0.012, -0.018)]
    parts.append(
        _bar([*map(np.array, thumb), np.array([-w - 0.0075, -side * 0.004, 0.010])], (0.013, 0.0105, 0.0095, 0.0080))
    )
    shift = side * 0.9 * _SPREAD if pinch else 0.0
    palm = shapes.ellipsoid(0.017, 0.043, 0.052).turned("y", 0.15).at(0.004, shift, -_KNUCKLES - 0.040)
    wrist = np.array([0.002, shift, -_KNUCKLES - 0.080])
    bend = np.array([rng.uniform(-0.3, 0.3), rng.uniform(-0.3, 0.3), -1.0])
    bend /= np.linalg.norm(bend)
    arm = np.linspace(0, 1, 8)
    path = wrist + forearm * arm[:, None] * bend
    radius = 0.025 + 0.016 * arm**0.8
    parts += [palm, shapes.tube(path, radius, flat=0.85, up=(1, 0, 0), sides=16)]
    parts.append(shapes.ellipsoid(0.021, 0.026, 0.026).at(*(wrist + [0, 0, 0.008])))
    skin = shapes.join(
        *(part.scaled(person.size, person.size, person.size) if part is not None else part for part in parts)
    )
    sleeve = None
    if person.sleeve_from < forearm:
        along = np.linspace(person.sleeve_from / forearm, 1, 6)
        cuff = shapes.tube(
            wrist + forearm * along[:, None] * bend,
            0.0075 + 0.025 + 0.016 * along**0.8,
            flat=0.85,
            up=(1, 0, 0),
            sides=16,
        )
        sleeve = cuff.scaled(person.size, person.size, person.size)
    return skin, sleeve


def _bar(points: list[np.ndarray], radii: tuple[float, ...]) -> Solid:
    """Round bars from point to point with balls at the joints."""
    balls = [shapes.ellipsoid(r, r, r).at(*p) for p, r in zip(points, radii, strict=True)]
    bars = []
    for a, b, ra, rb in zip(points, points[1:], radii, radii[1:], strict=False):
        up = (0, 1, 0) if abs((b - a)[1]) < 0.9 * np.linalg.norm(b - a) else (1, 0, 0)
        bars.append(shapes.tube(np.stack([a, (a + b) / 2, b]), np.array([ra, (ra + rb) / 2, rb]), up=up))
    return shapes.join(*balls, *bars)
