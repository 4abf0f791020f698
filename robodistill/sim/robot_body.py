"""A robot in a MuJoCo world under position control: bodies from its shapes, servos with its limits, rubber pads."""

import numpy as np
from scipy.spatial.transform import Rotation

from robodistill.robots.pairs import with_ignored
from robodistill.robots.robot import Robot
from robodistill.robots.urdf import Joint, Shape

PREFIX = "robot/"
"""Before the name of each link's body, joint's joint and servo."""
STIFF, COMPLIANT = 1500.0, 400.0
"""N m/rad of an arm's joints: to go exactly where they are told, and to give way where what they hold is held too."""
_FINGER_STIFFNESS, _FINGER_DAMPING = 8000.0, 200.0  # N/m, N s/m
LEAD = 0.08
"""Seconds of damping over stiffness, by which arms are told ahead of their speed, as controllers with feed-forward do:
they would trail else."""
_ARMATURE, _FINGER_ARMATURE = 0.1, 0.1  # kg m^2, kg: rotors seen through their gears
_DENSITY = 900.0  # kg/m^3 of a link's shapes
_PAD_FRICTION = (1.0, 0.01, 0.0001)  # rubber on household things; sliding, twisting in m, rolling in m
_LIGHT, _DARK = (0.85, 0.85, 0.83, 1.0), (0.25, 0.25, 0.27, 1.0)


def add_robot(spec: object, robot: Robot, stiffness: float = STIFF) -> None:
    """Put a robot into an `MjSpec`, each link held against gravity by itself.

    Args:
        stiffness: Of the arms' joints, N m/rad.

    Raises:
        MissingPart: MuJoCo or coal is not installed.
    """
    from robodistill.sim.mujoco_gl import load_mujoco

    mj, robot = load_mujoco(), with_ignored(robot)
    model = robot.model
    fingers = {name for arm in robot.arms.values() for name in arm.fingers}
    pads = {model.joint(name).child for name in fingers}
    bodies = {model.root: _add_body(spec.worldbody, model.root, robot.T_world_base)}
    for joint in model.joints:
        body = bodies[joint.child] = _add_body(bodies[joint.parent], joint.child, joint.T_parent_joint)
        if joint.moves:
            _add_joint(mj, spec, body, joint, None if joint.name in fingers else stiffness)
    for link, shapes in model.shapes.items():
        for shape in shapes:
            _add_geom(mj, spec, bodies[link], shape, link in pads)
    for a, b in (sorted(pair) for pair in robot.ignored):
        spec.add_exclude(bodyname1=PREFIX + a, bodyname2=PREFIX + b)
    for arm in robot.arms.values():  # the fingers of a gripper share one drive
        for other in arm.fingers[1:]:
            low, high = (model.joint(name).limits for name in (arm.fingers[0], other))
            ratio = (high[1] - high[0]) / (low[1] - low[0])
            tie = spec.add_equality(
                type=mj.mjtEq.mjEQ_JOINT,
                objtype=mj.mjtObj.mjOBJ_JOINT,
                name1=PREFIX + other,
                name2=PREFIX + arm.fingers[0],
            )
            tie.data[:5] = [high[0] - ratio * low[0], ratio, 0, 0, 0]


def commands(robot: Robot, positions: np.ndarray, openings: np.ndarray) -> dict[str, np.ndarray]:
    """Targets (...) of each servo by its name, for configurations (..., J) and openings (..., A) in metres."""
    told = {PREFIX + name: positions[..., k] for k, name in enumerate(robot.joints)}
    for k, arm in enumerate(robot.arms):
        told |= {PREFIX + name: value for name, value in robot.finger_values(arm, openings[..., k]).items()}
    return told


def _add_body(parent: object, name: str, T: np.ndarray) -> object:
    quat = Rotation.from_matrix(T[:3, :3]).as_quat(scalar_first=True)
    return parent.add_body(name=PREFIX + name, pos=T[:3, 3], quat=quat, gravcomp=1.0)


def _add_joint(mj: object, spec: object, body: object, joint: Joint, stiffness: float | None) -> None:
    """A joint and its servo; without a stiffness that of a finger."""
    finger = stiffness is None
    name, turns = PREFIX + joint.name, joint.kind != "prismatic"
    limits = np.degrees(joint.limits) if turns and spec.compiler.degree else joint.limits
    body.add_joint(
        name=name,
        type=mj.mjtJoint.mjJNT_HINGE if turns else mj.mjtJoint.mjJNT_SLIDE,
        axis=joint.axis,
        range=limits,
        limited=True,
        armature=_FINGER_ARMATURE if finger else _ARMATURE,
        damping=1.0,
    )
    stiffness, damping = (_FINGER_STIFFNESS, _FINGER_DAMPING) if finger else (stiffness, LEAD * stiffness)
    servo = spec.add_actuator(name=name, target=name, trntype=mj.mjtTrn.mjTRN_JOINT)
    servo.set_to_position(kp=stiffness, kv=damping)
    servo.forcelimited = True
    servo.forcerange = [-min(joint.effort, 1e3), min(joint.effort, 1e3)]


def _add_geom(mj: object, spec: object, body: object, shape: Shape, pad: bool) -> None:
    kinds = mj.mjtGeom
    T = shape.T_link_shape
    facts = {"pos": T[:3, 3], "quat": Rotation.from_matrix(T[:3, :3]).as_quat(scalar_first=True)}
    facts |= {"density": _DENSITY, "rgba": _DARK if pad else _LIGHT}
    if pad:
        facts |= {"friction": _PAD_FRICTION, "condim": 4, "priority": 1, "solref": [0.006, 1.0]}
    if shape.kind == "box":
        body.add_geom(type=kinds.mjGEOM_BOX, size=np.array(shape.size) / 2, **facts)
    elif shape.kind == "sphere":
        body.add_geom(type=kinds.mjGEOM_SPHERE, size=[shape.size[0], 0, 0], **facts)
    elif shape.kind in ("capsule", "cylinder"):
        kind = kinds.mjGEOM_CAPSULE if shape.kind == "capsule" else kinds.mjGEOM_CYLINDER
        body.add_geom(type=kind, size=[shape.size[0], shape.size[1] / 2, 0], **facts)
    else:
        from scipy.spatial import ConvexHull

        name = f"{body.name}/hull{len(body.geoms)}"
        mesh = spec.add_mesh(name=name)
        mesh.uservert = shape.points[ConvexHull(shape.points).vertices].ravel()
        body.add_geom(type=kinds.mjGEOM_MESH, meshname=name, **facts)
