"""An articulated object in physics: a free body whose parts hang on joints with friction, on a table in a room."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from robodistill.sim.articulated.make import draw_object
from robodistill.sim.articulated.spec import Articulated
from robodistill.sim.mujoco_gl import load_mujoco
from robodistill.sim.paint import Paint
from robodistill.sim.room import add_room
from robodistill.sim.spec import JointSpec
from robodistill.sim.world import World

_FREE = "object"
_ABOUT, _ALONG = (0.012, 0.002), (0.35, 1.0)  # friction, damping: N m and N m s/rad about an axis; N and N s/m along
_STAYS = 1.2  # times the load of its weight that a joint resists at least
_FIRM = {"solref_friction": [0.004, 1], "solimp_friction": [0.99, 0.999, 1e-4, 0.5, 2]}  # or what rests creeps
_ARMATURE = 1e-5  # kg m^2, kg: keeps light parts stable


@dataclass(frozen=True, eq=False)
class Workbench:
    """A scene for `sim.arena.Arena`, whose other arguments these are."""

    spec: object
    """`MjSpec`."""
    state: dict[str, np.ndarray]
    watched: dict[str, str]
    """Part names; a part's body pose maps where the resting object has it, object frame, to the world."""
    joints: dict[str, str]
    """Name of the physical joint by the joint's own; its value is 0 at rest."""


def make_workbench(name: str, seed: int, T_world_object: np.ndarray) -> tuple[Workbench, Articulated]:
    """The object that `sim articulated` makes of these, at rest on the table, and its description.

    Args:
        T_world_object: (4, 4) of the object's frame; z = 0 is the table.

    Raises:
        MissingPart: MuJoCo is not installed.
    """
    rest, paint, (surroundings, *_) = draw_object(name, seed)
    return put_on_table(rest, paint, surroundings, T_world_object), rest


def put_on_table(rest: Articulated, paint: Paint, room: np.random.Generator, T_world_object: np.ndarray) -> Workbench:
    """An object as it stands, in coats by the tints of its pieces, at (4, 4) on the table of a random room; z = 0 is
    the table.

    Raises:
        MissingPart: MuJoCo is not installed.
    """
    world = World(room)
    add_room(world, room)
    coats = {tint: world.coat_material(paint[tint]) for tint in dict.fromkeys(p.tint for p in rest.spec.pieces)}
    first = rest.parts[0]
    quat = Rotation.from_matrix(T_world_object[:3, :3]).as_quat(scalar_first=True)
    bodies = {first: world.spec.worldbody.add_body(name=first, pos=T_world_object[:3, 3], quat=quat)}
    bodies[first].add_freejoint(name=_FREE)
    for joint in sorted(rest.joints, key=lambda it: -len(it.parts)):  # outer joints first: they carry the others
        bodies[rest.child(joint)] = _hang(world, bodies[rest.parent(joint)], rest.child(joint), joint)
    for piece in rest.spec.pieces:
        world.add_drawn(bodies[piece.part], piece.solid, coats[piece.tint])
        for points in piece.solid.hulls:  # what stands out on what is handled too: pads are planned to sit on it
            world.add_touch(bodies[piece.part], points, piece.density)
    for k, a in enumerate(rest.parts):  # limits keep parts apart; hulls that meet in a hinge would lock it
        for b in rest.parts[k + 1 :]:
            world.spec.add_exclude(bodyname1=a, bodyname2=b)
    _stiffen(world.spec, rest)
    state = {_FREE: np.concatenate([T_world_object[:3, 3], quat])}
    return Workbench(world.spec, state, {p: p for p in rest.parts}, {j.name: j.name for j in rest.joints})


def _hang(world: World, parent: object, part: str, joint: JointSpec) -> object:
    """A part on its joint; a screw is a hinge and a slide that are tied."""
    kinds = load_mujoco().mjtJoint
    body = parent.add_body(name=part)
    low, high = (limit - joint.value for limit in joint.limits)

    def add(name: str, slides: bool, scale: float) -> None:
        loss, damping = _ALONG if slides else _ABOUT
        span = np.array([low, high]) * scale
        turns = not slides and world.spec.compiler.degree
        body.add_joint(
            name=name,
            type=kinds.mjJNT_SLIDE if slides else kinds.mjJNT_HINGE,
            axis=joint.axis,
            pos=joint.origin,
            range=np.degrees(span) if turns else np.sort(span),
            limited=True,
            frictionloss=0.0 if scale != 1 else loss,
            damping=0.0 if scale != 1 else damping,
            armature=_ARMATURE,
            **_FIRM,
        )

    add(joint.name, joint.kind == "prismatic", 1)
    if joint.kind == "screw":
        along = f"{joint.name}/along"
        add(along, True, joint.pitch)
        mj = load_mujoco()
        tie = world.spec.add_equality(
            type=mj.mjtEq.mjEQ_JOINT, objtype=mj.mjtObj.mjOBJ_JOINT, name1=along, name2=joint.name
        )
        tie.data[:5] = [0, joint.pitch, 0, 0, 0]
    return body


def _stiffen(spec: object, rest: Articulated) -> None:
    """Let each joint resist the weight of what it carries: a lid half open and a plug half out stay where they are."""
    mj = load_mujoco()
    model = spec.compile()
    data = mj.MjData(model)
    mj.mj_forward(model, data)
    for joint in rest.joints:
        body, made = model.body(rest.child(joint)).id, data.joint(joint.name)
        weight = model.body_subtreemass[body] * model.opt.gravity
        if joint.kind == "prismatic":
            least, load = _ALONG[0], abs(float(weight @ made.xaxis))
        else:
            arm = np.linalg.norm(np.cross(data.subtree_com[body] - made.xanchor, made.xaxis))
            least, load = _ABOUT[0], float(np.linalg.norm(weight) * arm)
        spec.joint(joint.name).frictionloss = max(least, _STAYS * load)
