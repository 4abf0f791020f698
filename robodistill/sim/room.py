"""What is around the objects: a table in a room, and light. Nothing of it is labelled."""

from dataclasses import dataclass

import cv2
import numpy as np

from robodistill.sim.shapes import box
from robodistill.sim.textures import fractal_noise, smooth_noise
from robodistill.sim.world import CONTACT, World

_SIZE = 512
_FLOOR = -0.74  # height of the floor below the table top, metres
_MUTED = (
    (0.86, 0.84, 0.80),
    (0.74, 0.72, 0.69),
    (0.68, 0.73, 0.76),
    (0.75, 0.77, 0.69),
    (0.83, 0.77, 0.70),
    (0.62, 0.62, 0.65),
)


@dataclass(frozen=True)
class Table:
    """The table: its top is the plane z = 0, its middle the origin."""

    x: float
    """Length, metres."""
    y: float
    """Depth, metres."""

    def holds(self, points: np.ndarray, margin: float = 0.0) -> np.ndarray:
        """(...) whether (..., 3) world points are over the top, `margin` inside its edge."""
        return (np.abs(points[..., 0]) < self.x / 2 - margin) & (np.abs(points[..., 1]) < self.y / 2 - margin)


def add_room(world: World, rng: np.random.Generator) -> Table:
    """Add table, floor, walls with pictures, and lights to a world."""
    table = Table(rng.uniform(1.10, 1.40), rng.uniform(0.85, 1.05))
    root = world.spec.worldbody
    top = _surface(world, "table", rng, ("planks", "stone", "cloth", "tiles", "terrazzo"))
    world.add_drawn(root, box(table.x, table.y, 0.035, 0.006).at(z=-0.0175), top, rng.uniform(0.7, 1.0))
    half_size = [table.x / 2, table.y / 2, 0.0175]
    root.add_geom(type=world.mj.mjtGeom.mjGEOM_BOX, size=half_size, pos=[0, 0, -0.0175], **CONTACT)
    for sx in (-1, 1):
        for sy in (-1, 1):
            leg = box(0.05, 0.05, -_FLOOR - 0.035).at(
                sx * (table.x / 2 - 0.06), sy * (table.y / 2 - 0.06), (_FLOOR - 0.035) / 2
            )
            world.add_drawn(root, leg, top, 1.0)
    half = rng.uniform(1.5, 2.1, 2)
    floor = _surface(world, "floor", rng, ("planks", "tiles", "terrazzo"))
    world.add_drawn(root, box(2 * half[0], 2 * half[1], 0.02).at(z=_FLOOR - 0.01), floor, 1.4)
    wall = _surface(world, "wall", rng, ("bricks", "stripes", "plaster", "tiles"))
    for axis in (0, 1):
        for s in (-1, 1):
            size = [2 * half[0], 2 * half[1], 2.6]
            size[axis] = 0.02
            center = [0.0, 0.0, _FLOOR + 1.3]
            center[axis] = s * (half[axis] + 0.01)
            world.add_drawn(root, box(*size).at(*center), wall, 1.6)
            _pictures(world, rng, axis, s, half)
    _lights(world, rng)
    return table


def _surface(world: World, name: str, rng: np.random.Generator, kinds: tuple[str, ...]) -> str:
    world.add_texture(name, room_texture(str(rng.choice(kinds)), rng))
    return world.add_material((1.0, 1.0, 1.0), name)


def room_texture(kind: str, rng: np.random.Generator) -> np.ndarray:
    """(512, 512, 3) uint8 periodic surface of a table, floor or wall."""
    n = _SIZE
    v, u = np.mgrid[0:n, 0:n] / n
    base = np.array(_MUTED[rng.integers(len(_MUTED))]) * rng.uniform(0.9, 1.05)
    cloud = fractal_noise(rng, n, 4)
    shade = 0.90 + 0.10 * cloud
    line = np.zeros((n, n))
    cell = np.ones((n, n))
    if kind == "planks":
        base = np.array([0.80, 0.62, 0.44]) * rng.uniform(0.70, 1.08) ** np.array([1, 1.1, 1.3])
        rows = int(rng.integers(5, 9))
        row = (v * rows).astype(int)
        shift = rng.random(rows)[row]
        board = ((u + shift) * 2).astype(int) % 2
        cell = rng.uniform(0.80, 1.06, (rows, 2))[row, board]
        grain = smooth_noise(rng, n, (64, 4)) * 0.6 + smooth_noise(rng, n, (128, 8)) * 0.4
        shade = 0.80 + 0.20 * grain
        line = _near_line(v * rows, 0.035) + _near_line((u + shift) * 2, 0.006)
    elif kind == "tiles":
        k = int(rng.integers(3, 6))
        cell = rng.uniform(0.86, 1.03, (k, k))[(v * k).astype(int), (u * k).astype(int)]
        line = np.maximum(_near_line(v * k, 0.035), _near_line(u * k, 0.035))
    elif kind == "bricks":
        base = np.array([0.72, 0.50, 0.42]) * rng.uniform(0.85, 1.1) + rng.uniform(0, 0.12)
        rows = 10
        row = (v * rows).astype(int)
        along = u * 5 + 0.5 * (row % 2)
        cell = rng.uniform(0.78, 1.06, (rows, 5))[row, along.astype(int) % 5]
        line = np.maximum(_near_line(v * rows, 0.07), _near_line(along, 0.035))
    elif kind == "stone":
        vein = np.abs(fractal_noise(rng, n, 3, 4) - 0.5) * 2
        shade = 0.78 + 0.22 * np.clip(vein * 4, 0, 1) - 0.10 * cloud
    elif kind == "terrazzo":
        shade = shade - 0.13 * (smooth_noise(rng, n, (56, 56)) > 0.78) + 0.07 * (smooth_noise(rng, n, (48, 48)) > 0.78)
    elif kind == "cloth":
        k = int(rng.integers(6, 11))
        shade = 1.0 - 0.14 * ((u * k) % 1 < 0.5) - 0.14 * ((v * k) % 1 < 0.5) - 0.05 * cloud
    elif kind == "stripes":
        k = int(rng.integers(8, 15))
        shade = 1.0 - 0.12 * ((u * k) % 1 < rng.uniform(0.3, 0.6)) - 0.08 * cloud
    elif kind == "plaster":
        shade = 0.84 + 0.16 * fractal_noise(rng, n, 10, 3)
    else:
        raise AssertionError(kind)
    image = (shade * cell * (1 - 0.35 * np.clip(line, 0, 1)))[..., None] * base
    image = image + 0.03 * (cloud[..., None] - 0.5) * np.array([1.0, 0.2, -1.0])
    image = cv2.GaussianBlur(np.pad(image, ((8, 8), (8, 8), (0, 0)), mode="wrap"), (0, 0), 0.9)[8:-8, 8:-8]
    return np.rint(255 * np.clip(image, 0, 1)).astype(np.uint8)


def _near_line(x: np.ndarray, width: float) -> np.ndarray:
    """1 on the whole numbers of x, falling to 0 at `width` beside them."""
    return np.clip(1.5 - np.abs(x - np.rint(x)) / width * 1.5, 0, 1)


def _pictures(world: World, rng: np.random.Generator, axis: int, side: int, half: np.ndarray) -> None:
    """Framed abstract pictures on a wall: something for every view to hold on to."""
    for k in range(int(rng.integers(1, 4))):
        w, h = rng.uniform(0.3, 0.6, 2)
        along = rng.uniform(-0.7, 0.7) * half[1 - axis]
        z = rng.uniform(_FLOOR + 0.5, 1.2)
        name = f"picture{axis}{side}{k}"
        world.add_texture(name, _abstract(rng))
        place = [0.0, 0.0, z]
        place[axis], place[1 - axis] = side * (half[axis] - 0.012), along
        size = [w, w, h]
        size[axis] = 0.02
        world.add_drawn(world.spec.worldbody, box(*size).at(*place), world.add_material((1, 1, 1), name), 0.6)


def _abstract(rng: np.random.Generator) -> np.ndarray:
    image = np.full((256, 256, 3), rng.uniform(0.5, 0.9, 3))
    for _ in range(9):
        color = rng.uniform(0.25, 0.9, 3) * 0.6 + 0.2
        corner, size = rng.integers(0, 256, 2), rng.integers(24, 110, 2)
        if rng.random() < 0.5:
            cv2.rectangle(image, corner.tolist(), (corner + size).tolist(), color.tolist(), -1, cv2.LINE_AA)
        else:
            cv2.circle(image, corner.tolist(), int(size[0] // 2), color.tolist(), -1, cv2.LINE_AA)
    return np.rint(255 * cv2.GaussianBlur(image, (0, 0), 1.0)).astype(np.uint8)


def _lights(world: World, rng: np.random.Generator) -> None:
    """One key light with shadow and two fills; the camera carries none: surfaces look the same from everywhere."""
    head = world.spec.visual.headlight
    ambient = rng.uniform(0.50, 0.56)
    head.ambient, head.diffuse, head.specular = [ambient] * 3, [0.0] * 3, [0.0] * 3
    turn = rng.uniform(0, 2 * np.pi)
    warm = 1 + rng.uniform(-0.05, 0.05) * np.array([1.0, 0.0, -1.0])
    for k, strength in enumerate((rng.uniform(0.40, 0.48), rng.uniform(0.12, 0.18), rng.uniform(0.06, 0.10))):
        tilt = rng.uniform(0.2, 0.5) if k == 0 else rng.uniform(0.6, 1.1)
        azimuth = turn + k * 2.2 + rng.uniform(-0.3, 0.3)
        toward = np.array([np.sin(tilt) * np.cos(azimuth), np.sin(tilt) * np.sin(azimuth), np.cos(tilt)])
        world.spec.worldbody.add_light(
            type=world.mj.mjtLightType.mjLIGHT_DIRECTIONAL,
            pos=1.4 * toward,
            dir=-toward,
            castshadow=k == 0,
            diffuse=strength * (warm if k == 0 else np.ones(3)),
            specular=[0.5 if k == 0 else 0.0] * 3,
            ambient=[0.0] * 3,
        )
