"""Randomised views with labels for the dense encoder: one compiled world, laid out, painted and lit anew many times.

Nothing is stored with the project: the same seed draws the same views. The streams are apart from those of
`sim.scene`, so that no scene of a benchmark is ever trained on.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from robodistill.geometry.camera import Camera
from robodistill.sim.layout import Item, scatter
from robodistill.sim.noise import noisy_color, noisy_depth
from robodistill.sim.objects import CATEGORIES
from robodistill.sim.paint import FINISHES, Paint, draw_paint
from robodistill.sim.render import Painter
from robodistill.sim.room import add_room
from robodistill.sim.spec import ObjectSpec
from robodistill.sim.views import look_at
from robodistill.sim.world import World
from robodistill.training.clutter import make_unknown
from robodistill.training.labels import piece_labels, room_labels, trained_colors, unknown_labels

_STREAM = 0x7EAC4E4  # apart from every scene's own
_FALL = 40  # steps of physics after things are put down: they come to lie, roughly
_OPENED = 0.5
_PARKED = [9.0, 9.0, -3.0]


@dataclass(frozen=True, eq=False)
class LabelledView:
    """One picture."""

    rgb: np.ndarray
    """(H, W, 3) uint8."""
    depth: np.ndarray
    """(H, W) float32 metres, 0 = not measured."""
    rows: np.ndarray
    """(H, W) uint8 row of `table` at each pixel."""
    table: np.ndarray
    """(R, 7) uint8 labels of `labels.ROLES` and number of the instance, 0 = part of the room."""
    camera: Camera
    T_world_camera: np.ndarray
    layout: int
    """Views of one number show the same things in the same places and light."""


def draw_views(seed: int, layouts: int, views: int, size: tuple[int, int] = (320, 240)) -> Iterator[LabelledView]:
    """Views of one world; `views` of each of its `layouts` look at the same thing from around."""
    rng = np.random.default_rng((_STREAM, seed))
    world = World(rng)
    specs = [opened(CATEGORIES[str(name)](rng), rng) for name in rng.choice(sorted(CATEGORIES), 13, replace=False)]
    strangers = [make_unknown(rng) for _ in range(int(rng.integers(2, 6)))]
    add_room(world, rng)
    paints = [_paint(spec, rng) for spec in specs]
    others = [draw_paint(str(rng.choice(trained_colors("unknown"))), spec.finishes, rng) for spec in strangers]
    items = [Item(world.add_object(spec, paint), spec) for spec, paint in zip(specs, paints, strict=True)]
    items += [Item(world.add_object(spec, paint), spec) for spec, paint in zip(strangers, others, strict=True)]
    model, owners = world.compile()
    drawn = _Drawn(model, owners, specs, strangers)
    data = world.mj.MjData(model)
    camera = Camera.from_fov(np.radians(50), *size)
    with Painter(model, camera) as painter:
        for k in range(layouts):
            shown = rng.permutation(len(items))[: int(rng.integers(5, 13))]
            world.mj.mj_resetData(model, data)
            for item in items:
                data.joint(item.name).qpos[:3] = _PARKED
                data.joint(item.name).qpos[0] += items.index(item)
            if scatter(model, data, [items[i] for i in shown], rng) is not None:
                continue
            world.mj.mj_step(model, data, nstep=_FALL)
            table = drawn.paint(rng)
            drawn.light(rng)
            near = data.body(items[shown[0]].name).xpos.copy()
            for T in _around(near, views, rng):
                painter.look(data, T)
                rgb, (depth, geoms) = painter.color(), painter.depth_and_geoms()
                rgb, depth = noisy_color(rgb, rng), noisy_depth(depth, camera, rng)
                yield LabelledView(rgb, depth, drawn.row_of_geom[geoms], table, camera, T, k)


class _Drawn:
    """The drawn side of a compiled model, to be painted and lit anew, and what its geoms are labelled."""

    def __init__(self, model: object, owners: dict, specs: list[ObjectSpec], strangers: list[ObjectSpec]) -> None:
        self._model, self._specs, self._strangers = model, specs, strangers
        self._patterns = {
            model.tex(k).name.removeprefix("object/"): k
            for k in range(model.ntex)
            if model.tex(k).name.startswith("object/")
        }
        self._rgb = 1  # column of mat_texid that colour comes from
        pieces = [(k, piece) for k, spec in enumerate([*specs, *strangers]) for piece in spec.pieces]
        self._pieces = [(geom, *it) for geom, it in zip(owners, pieces, strict=True)]
        self._room = []
        self.row_of_geom = np.zeros(model.ngeom + 1, np.uint8)
        for geom in range(model.ngeom):
            material = model.geom_matid[geom]
            texture = model.tex(model.mat_texid[material, self._rgb]).name if material >= 0 else ""
            name = "picture" if texture.startswith("picture") else texture
            if name in ("table", "floor", "wall", "picture"):
                self._room.append((geom, name))
        for row, (geom, *_) in enumerate([*self._room, *self._pieces], start=1):
            self.row_of_geom[geom] = row
        assert row < 255
        self._tables = [room_labels("floor"), *(room_labels(name) for _, name in self._room)]

    def paint(self, rng: np.random.Generator) -> np.ndarray:
        """New colours and textures for all; the (R, 7) table of labels."""
        model = self._model
        for geom, _ in self._room:
            strong = rng.random() < 0.3
            model.mat_rgba[model.geom_matid[geom], :3] = rng.uniform(0.3 if strong else 0.75, 1.0, 3)
        known = len(self._specs)
        paints: list[Paint] = [_paint(spec, rng) for spec in self._specs]
        paints += [draw_paint(str(rng.choice(trained_colors("unknown"))), s.finishes, rng) for s in self._strangers]
        rows = [np.append(row, 0) for row in self._tables]
        for geom, k, piece in self._pieces:
            coat, material = paints[k][piece.tint], model.geom_matid[geom]
            model.mat_rgba[material, :3] = coat.rgb
            model.mat_specular[material], model.mat_shininess[material] = FINISHES[coat.finish]
            model.mat_texid[material, self._rgb] = self._patterns[coat.pattern]
            labels = piece_labels(self._specs[k], piece, paints[k]) if k < known else unknown_labels(coat)
            rows.append(np.append(labels, k + 1))
        return np.stack(rows).astype(np.uint8)

    def light(self, rng: np.random.Generator) -> None:
        """New lights, from soft to hard and from warm to cold, as bright in all as the simulator's own."""
        model = self._model
        ambient = rng.uniform(0.30, 0.62)
        model.vis.headlight.ambient[:] = ambient
        warm = 1 + rng.uniform(-0.1, 0.1) * np.array([1.0, 0.0, -1.0])
        model.light_diffuse[0] = warm * (rng.uniform(0.85, 1.1) - ambient) * 0.8
        for k, spread in enumerate((0.6, 1.1, 1.1)):
            tilt, azimuth = rng.uniform(0, spread), rng.uniform(0, 2 * np.pi)
            toward = [np.sin(tilt) * np.cos(azimuth), np.sin(tilt) * np.sin(azimuth), np.cos(tilt)]
            model.light_dir[k] = -np.array(toward)
            model.light_pos[k] = 1.4 * np.array(toward)
            if k:
                model.light_diffuse[k] = rng.uniform(0.0, 0.2)


def _paint(spec: ObjectSpec, rng: np.random.Generator) -> Paint:
    return draw_paint(str(rng.choice(trained_colors(spec.category))), spec.finishes, rng)


def opened(spec: ObjectSpec, rng: np.random.Generator) -> ObjectSpec:
    if spec.category not in ("cabinet", "chest") or rng.random() > _OPENED:
        return spec
    joint = spec.joints[rng.integers(len(spec.joints))]
    return spec.posed({joint.name: joint.limits[1] * float(rng.uniform(0.2, 0.8))})


def _around(target: np.ndarray, count: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Poses that look near a target, each 10 to 45 degrees on from the one before."""
    azimuth, elevation = rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(22, 78))
    for _ in range(count):
        away = np.array([np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation)])
        at = target * rng.uniform(0.2, 1.0) + rng.normal(size=3) * [0.05, 0.05, 0.015]
        yield look_at(at + rng.uniform(0.45, 1.15) * away, at, rng.uniform(-0.4, 0.4))
        azimuth += np.radians(rng.uniform(10, 45)) * rng.choice([-1, 1])
        elevation = np.clip(elevation + np.radians(rng.uniform(-20, 20)), np.radians(20), np.radians(80))
