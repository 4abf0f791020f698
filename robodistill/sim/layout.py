"""Putting things on a table and letting physics settle them.

Every attempt places all bodies anew in one compiled model, so a failed attempt costs milliseconds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from robodistill.errors import RobodistillError
from robodistill.sim.mujoco_gl import load_mujoco
from robodistill.sim.room import Table
from robodistill.sim.spec import ObjectSpec

_REACH = (0.26, 0.21)  # half lengths of the area that objects are put into, metres
_ATTEMPTS = 30
_WIDEST = 1.4  # how far the area grows over the attempts
_SETTLE_TIME = 4.0  # s
_SLOW = (2e-3, 2e-2)  # m/s, rad/s
_PROOF_TIME = 0.5  # s
_CREEP = 5e-4  # m, and in quaternions 1 mrad: what may change in that time
_DEEPEST = 2e-3  # m, penetration that soft contacts may show at rest
_SUPPORTS = ("book", "box", "cabinet", "plate", "bowl", "pan", "chest")
_SMALL = 0.10  # m, longest side of a thing that may be put on another


class NotSettled(RobodistillError):
    """No layout came to rest; a defect of the object models, as long as their number is within the stated range."""

    exit_code = 1


@dataclass(frozen=True, eq=False)
class Item:
    """A body to place: the name of its free joint, and its shape."""

    name: str
    spec: ObjectSpec


def settle(
    model: object,
    items: Sequence[Item],
    table: Table,
    rng: np.random.Generator,
    accept: Callable[[object], bool] | None = None,
) -> object:
    """Find a layout that is at rest.

    Args:
        accept: Called with the settled `MjData`; False asks for another layout.

    Returns:
        `MjData` at rest: every item on the table, none inside another, velocities zero.

    Raises:
        NotSettled: None was found.
    """
    mujoco = load_mujoco()
    data = mujoco.MjData(model)
    reasons: dict[str, int] = {}
    for attempt in range(_ATTEMPTS):
        mujoco.mj_resetData(model, data)
        reason = scatter(model, data, items, rng, min(1 + 0.05 * attempt, _WIDEST)) or _rest(model, data)
        reason = reason or _fault(model, data, items, table)
        if reason is None and accept is not None and not accept(data):
            reason = "hidden"
        if reason is None:
            data.qvel[:] = 0
            mujoco.mj_forward(model, data)
            return data
        reasons[reason] = reasons.get(reason, 0) + 1
    raise NotSettled(
        f"none of {_ATTEMPTS} layouts of {len(items)} things came to rest: {reasons}; use fewer things or another seed"
    )


def scatter(
    model: object, data: object, items: Sequence[Item], rng: np.random.Generator, stretch: float = 1.0
) -> str | None:
    """Put all items down at random, just above the table and clear of each other."""
    mujoco = load_mujoco()
    order = sorted(range(len(items)), key=lambda k: -np.prod(np.sort(items[k].spec.size)[1:]))
    for k, item in enumerate(items):
        data.joint(item.name).qpos[:3] = [8.0 + k, 0, 5.0]  # out of the way until its turn
    placed: list[Item] = []
    for item in (items[k] for k in order):
        for trial in range(80):
            R = Rotation.from_euler("z", rng.uniform(0, 2 * np.pi)) * rest_rotation(item.spec, rng)
            low = min(R.apply(p)[:, 2].min() for piece in item.spec.pieces if piece.touches for p in piece.solid.hulls)
            xy = rng.uniform(-1, 1, 2) * _REACH * np.array(stretch)
            z = 0.002 - low
            host = _host(item, placed, rng) if trial < 10 else None
            if host is not None:
                xy = data.joint(host.name).qpos[:2] + rng.uniform(-0.01, 0.01, 2)
                z += host.spec.size[2]
            joint = data.joint(item.name)
            joint.qpos[:3] = [*xy, z]
            joint.qpos[3:] = R.as_quat(scalar_first=True)
            mujoco.mj_kinematics(model, data)
            mujoco.mj_comPos(model, data)
            mujoco.mj_collision(model, data)
            body = model.body(item.name).id
            owners = model.geom_bodyid[data.contact.geom]
            if not (owners == body).any():
                placed.append(item)
                break
        else:
            return "no room"
    return None


def rest_rotation(spec: ObjectSpec, rng: np.random.Generator) -> Rotation:
    rest = str(rng.choice(spec.rests))
    if rest == "up":
        return Rotation.identity()
    if rest == "down":
        return Rotation.from_euler("x", np.pi)
    return Rotation.from_euler("x", np.pi / 2) * Rotation.from_euler("z", rng.uniform(0, 2 * np.pi))


def _host(item: Item, placed: Sequence[Item], rng: np.random.Generator) -> Item | None:
    """Sometimes a small thing is put on or into another."""
    hosts = [other for other in placed if other.spec.category in _SUPPORTS]
    if hosts and item.spec.size.max() < _SMALL and rng.random() < 0.15:
        return hosts[rng.integers(len(hosts))]
    return None


def _rest(model: object, data: object) -> str | None:
    """Let everything fall until it is slow, and then stays where it is for a while: a thing may tip over slowly."""
    mujoco = load_mujoco()
    steps = round(_PROOF_TIME / model.opt.timestep)
    while data.time < _SETTLE_TIME:
        mujoco.mj_step(model, data, nstep=10)
        velocity = np.abs(data.qvel.reshape(-1, 6))
        if velocity[:, :3].max() > _SLOW[0] or velocity[:, 3:].max() > _SLOW[1]:
            continue
        before = data.qpos.copy()
        data.qvel[:] = 0
        mujoco.mj_step(model, data, nstep=steps)
        if np.abs(data.qpos - before).max() < _CREEP:
            data.qpos[:], data.qvel[:] = before, 0
            return None
    return "moving"


def _fault(model: object, data: object, items: Sequence[Item], table: Table) -> str | None:
    """What is wrong with a layout at rest."""
    mujoco = load_mujoco()
    mujoco.mj_forward(model, data)
    centers = np.stack([data.body(item.name).xpos for item in items])
    if not table.holds(centers, 0.08).all() or centers[:, 2].min() < 0:
        return "fell"
    return "inside" if data.contact.dist.size and data.contact.dist.min() < -_DEEPEST else None
