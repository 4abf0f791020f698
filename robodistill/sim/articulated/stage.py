"""One articulated object on a table in a room, with the hands that will hold it; posed, never simulated."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from robodistill.sim.articulated.spec import Articulated, Grip
from robodistill.sim.colors import COLORS
from robodistill.sim.hand import draw_person, make_hand
from robodistill.sim.mujoco_gl import load_mujoco
from robodistill.sim.paint import Paint, draw_paint
from robodistill.sim.render import Painter
from robodistill.sim.room import add_room
from robodistill.sim.world import World

HAND = 65535
"""Label of hands in part masks."""
_AWAY = np.array([0.0, 0.0, -100.0])
_ACCENTS = ("plain", "plain", "speckle", "stripes", "checks", "dots")


@dataclass(frozen=True, eq=False)
class Stage:
    """A compiled scene whose parts and hands are put where they are wanted."""

    model: object
    """`MjModel`."""
    data: object
    """`MjData`."""
    to_part: np.ndarray
    """(ngeom + 1,) uint16 label by geom id: 1 + part, `HAND`, 0 = room; the last entry is for geom -1, nothing."""
    parts: int

    def pose(
        self, Ts_world_part: np.ndarray, Ts_world_hand: Sequence[np.ndarray | None], alone: int | None = None
    ) -> None:
        """Put the (P, 4, 4) parts and the hands here; a hand that is None is out of sight, as is all but `alone`."""
        places = [*Ts_world_part, *Ts_world_hand]
        for k in range(self.model.nmocap):
            T = places[k] if k < len(places) and alone in (None, k) else None
            self.data.mocap_pos[k] = _AWAY if T is None else T[:3, 3]
            if T is not None:
                self.data.mocap_quat[k] = Rotation.from_matrix(T[:3, :3]).as_quat(scalar_first=True)
        load_mujoco().mj_forward(self.model, self.data)

    def labels(self, painter: Painter, T_world_camera: np.ndarray) -> np.ndarray:
        """(H, W) uint16 of what stands where, seen from here; the painter stays there."""
        painter.look(self.data, T_world_camera)
        return self.to_part[painter.depth_and_geoms()[1]]


def make_paint(rest: Articulated, rng: np.random.Generator) -> Paint:
    """Random coats for an object; the accent is patterned here, because what moves must be seen to move."""
    paint = draw_paint(str(rng.choice(COLORS)), rest.spec.finishes, rng)
    return paint | {"accent": replace(paint["accent"], pattern=str(rng.choice(_ACCENTS)))}


def build_stage(
    rest: Articulated,
    paint: Paint,
    grips: Sequence[Grip],
    surroundings: np.random.Generator,
    hands: np.random.Generator,
    room: bool = True,
) -> Stage:
    """Build the room, the parts of a resting object (meshes in its frame) and one hand for each grip (in the grip's).

    Args:
        room: False builds no room, for looking at outlines only.

    Raises:
        MissingPart: MuJoCo is not installed.
    """
    world = World(surroundings)
    if room:
        add_room(world, surroundings)
    labels: dict[str, int] = {}
    coats = {tint: world.coat_material(paint[tint]) for tint in dict.fromkeys(p.tint for p in rest.spec.pieces)}
    for number, part in enumerate(rest.parts, start=1):
        body = world.spec.worldbody.add_body(name=f"part{number}", mocap=True)
        for piece in rest.spec.pieces:
            if piece.part == part:
                labels[world.add_drawn(body, piece.solid, coats[piece.tint])] = number
    person = draw_person(hands)
    skin = world.add_material(person.skin, "object/plain", 0.08, 0.2)
    cloth = world.add_material(person.sleeve, "object/weave")
    for k, grip in enumerate(grips):
        body = world.spec.worldbody.add_body(name=f"hand{k}", mocap=True)
        for solid, material in zip(make_hand(person, grip.width, hands), (skin, cloth), strict=True):
            if solid is not None:
                labels[world.add_drawn(body, solid, material)] = HAND
    model, _ = world.compile()
    to_part = np.zeros(model.ngeom + 1, np.uint16)
    for geom, label in labels.items():
        to_part[model.geom(geom).id] = label
    return Stage(model, load_mujoco().MjData(model), to_part, len(rest.parts))
