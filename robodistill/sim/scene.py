"""A tabletop scene: which things, in which colours, settled on a table in a room. No camera's doing yet.

The same seed gives the same scene. Numbers are drawn from separate streams for objects, room and places, so that a
change in how one is made leaves the others as they were.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from robodistill.errors import BadInput
from robodistill.geometry.camera import Camera
from robodistill.sim.clutter import make_clutter
from robodistill.sim.colors import COLORS, are_close
from robodistill.sim.layout import Item, settle
from robodistill.sim.objects import CATEGORIES
from robodistill.sim.paint import Paint, draw_paint
from robodistill.sim.phrases import are_alike
from robodistill.sim.render import Painter
from robodistill.sim.room import Table, add_room
from robodistill.sim.spec import ObjectSpec
from robodistill.sim.truth import Placed, number
from robodistill.sim.views import look_at
from robodistill.sim.world import World

MOST_OBJECTS = 16
_CLUTTERED = 0.5  # share of scenes with unlabelled things
_TWINS = 0.4  # share of scenes with two things of a kind, so that their colour must decide
_OPENED = 0.4  # share of cabinets and chests that stand open
_GUARD = Camera.from_fov(np.radians(50), 160, 120)  # looks whether anything is hidden
_GUARD_PIXELS = 24  # that each object must have in its best guard view


@dataclass(frozen=True, eq=False)
class Scene:
    """A settled scene in MuJoCo."""

    model: object
    """`MjModel`."""
    data: object
    """`MjData`, at rest."""
    table: Table
    objects: tuple[Placed, ...]
    to_object: np.ndarray
    """(ngeom + 1,) uint16 object id by geom id, 0 = not labelled; the last entry is for geom -1, nothing."""
    to_part: np.ndarray
    """(ngeom + 1,) uint16 part id by geom id."""
    spec: object = None
    """`MjSpec` that the model was compiled from, for those who add to it."""


def make_scene(
    seed: int,
    objects: Sequence[str] | None = None,
    kinds: Mapping[str, Callable[[np.random.Generator], ObjectSpec]] = CATEGORIES,
) -> Scene:
    """Generate and settle a scene.

    Args:
        objects: Categories, instead of 6 to 12 random ones; one may come twice.
        kinds: What makes a thing of each category.

    Raises:
        BadInput: An unknown category, or too many.
        MissingPart: MuJoCo is not installed or cannot draw here.
        NotSettled: No layout came to rest.
    """
    for name in objects or ():
        if name not in kinds:
            raise BadInput(f"no object {name!r}; there are: {', '.join(sorted(kinds))}")
    if objects is not None and not 1 <= len(objects) <= MOST_OBJECTS:
        raise BadInput(f"{len(objects)} objects were given; 1 to {MOST_OBJECTS} fit on the table")
    choice, surroundings, places = (np.random.default_rng(stream) for stream in np.random.SeedSequence(seed).spawn(3))
    specs, paints = _choose(choice, objects, kinds)
    world = World(surroundings)
    table = add_room(world, surroundings)
    items = [Item(world.add_object(spec, paint), spec) for spec, paint in zip(specs, paints, strict=True)]
    items += _add_clutter(world, surroundings)
    model, owners = world.compile()
    part_ids = number(specs)
    to_object, to_part = np.zeros(model.ngeom + 1, np.uint16), np.zeros(model.ngeom + 1, np.uint16)
    for geom, (index, part) in owners.items():
        to_object[geom], to_part[geom] = index + 1, part_ids[index][part]
    with Painter(model, _GUARD) as painter:
        data = settle(model, items, table, places, lambda state: _all_seen(painter, state, to_object, len(specs)))
    placed = (
        Placed(k + 1, spec, paints[k], part_ids[k], _transform(data.body(items[k].name)))
        for k, spec in enumerate(specs)
    )
    return Scene(model, data, table, tuple(placed), to_object, to_part, world.spec)


def _choose(
    rng: np.random.Generator,
    objects: Sequence[str] | None,
    kinds: Mapping[str, Callable[[np.random.Generator], ObjectSpec]],
) -> tuple[list[ObjectSpec], list[Paint]]:
    """Objects, and colours that tell apart what words could confuse."""
    if objects is None:
        names = [str(name) for name in rng.choice(sorted(kinds), int(rng.integers(6, 13)), replace=False)]
        if rng.random() < _TWINS:
            names[-1] = names[0]
    else:
        names = list(objects)
    specs, paints, words = [], [], []
    for k, name in enumerate(names):
        taken = [words[j] for j in range(k) if are_alike(names[j], name)]
        free = [word for word in COLORS if not any(are_close(word, other) for other in taken)]
        words.append(str(rng.choice(free or [word for word in COLORS if word not in taken] or COLORS)))
        spec = kinds[name](rng)
        if name in ("cabinet", "chest") and rng.random() < _OPENED:
            joint = spec.joints[rng.integers(len(spec.joints))]
            spec = spec.posed({joint.name: joint.limits[1] * float(rng.uniform(0.2, 0.7))})
        specs.append(spec)
        paints.append(draw_paint(words[-1], spec.finishes, rng))
    return specs, paints


def _add_clutter(world: World, rng: np.random.Generator) -> list[Item]:
    if rng.random() > _CLUTTERED:
        return []
    specs = [make_clutter(rng) for _ in range(int(rng.integers(1, 5)))]
    paints = [draw_paint(str(rng.choice(COLORS)), spec.finishes, rng) for spec in specs]
    return [
        Item(world.add_object(spec, paint, labelled=False), spec) for spec, paint in zip(specs, paints, strict=True)
    ]


def _all_seen(painter: Painter, data: object, to_object: np.ndarray, count: int) -> bool:
    """Whether each object shows itself to one of six fixed views, so that the answer hangs on no view of a scan."""
    best = np.zeros(count + 1, int)
    for azimuth in np.arange(6) * np.pi / 3:
        eye = 0.75 * np.array([np.cos(azimuth) * 0.77, np.sin(azimuth) * 0.77, 0.64])
        painter.look(data, look_at(eye, np.array([0.0, 0.0, 0.03])))
        best = np.maximum(best, np.bincount(to_object[painter.depth_and_geoms()[1]].ravel(), minlength=count + 1))
    return bool((best[1:] >= _GUARD_PIXELS).all())


def _transform(body: object) -> np.ndarray:
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = body.xmat.reshape(3, 3), body.xpos
    return T
