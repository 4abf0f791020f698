"""What a person does with an object: joints that go through their range, one after the other, while the whole moves."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.interpolate import CubicSpline, PchipInterpolator
from scipy.ndimage import gaussian_filter1d, maximum_filter1d
from scipy.spatial.transform import Rotation

from robodistill.sim.articulated.spec import Articulated
from robodistill.sim.spec import JointSpec

_BEGIN, _END = 0.05, 0.95  # share of the film between the first hand's coming and the last movement
_CHANGE = 0.07  # share that a hand needs to come or go
_REGRIP = 0.15  # of a screw's turn, that a hand makes with it
_STILL = 0.2  # share of the joints beyond one that the person leaves alone


@dataclass(frozen=True, eq=False)
class Handling:
    """T frames of a demonstration."""

    values: np.ndarray
    """(T, J) joint values as `JointSpec` counts them."""
    Ts_world_object: np.ndarray
    """(T, 4, 4) of the object's frame."""
    Ts_world_part: np.ndarray
    """(T, P, 4, 4) map of each part from where the resting object has it, object frame, to the world."""
    Ts_world_hand: np.ndarray
    """(T, P, 4, 4) the same for a hand on each part: one that turns a lid regrips, so that it turns far less."""
    near: np.ndarray
    """(T, P) how near a hand is to the part that it comes for: 1 = holds it, 0 = away."""


def draw_handling(rest: Articulated, T_world_object: np.ndarray, frames: int, rng: np.random.Generator) -> Handling:
    """A random demonstration that starts from rest.

    Args:
        rest: The object as it stands in the first frame.
        T_world_object: (4, 4) its place there; z = 0 is the table.
    """
    time = np.linspace(0, 1, frames)
    count = len(rest.joints)
    order = rng.permutation(count)
    moved = [k for n, k in enumerate(order) if n == 0 or rng.random() > _STILL]
    edges = np.linspace(_BEGIN, _END, len(moved) + 1)
    values = np.tile([joint.value for joint in rest.joints], (frames, 1))
    near = np.zeros((frames, len(rest.parts)))
    for k, start, end in zip(moved, edges, edges[1:], strict=False):
        values[:, k] = _joint_path(rest.joints[k], start + _CHANGE, end - _CHANGE, time, rng)
        comes, goes = (time - start) / _CHANGE, (end - time) / _CHANGE
        p = rest.parts.index(rest.child(rest.joints[k]))
        near[:, p] = np.maximum(near[:, p], _ease(np.minimum(comes, goes if end < _END else comes)))
    Ts_world_object = _object_path(T_world_object, time, rng)
    Ts_object_part = rest.Ts_object_part(values)
    Ts_world_object[:, 2, 3] += _clearance(rest, Ts_world_object, Ts_object_part)
    Ts_object_hand = _slipping(rest).Ts_object_part(
        np.array(
            [_slip(joint) * (v - joint.value) + joint.value for joint, v in zip(rest.joints, values.T, strict=True)]
        ).T
    )
    whole = Ts_world_object[:, None]
    return Handling(values, Ts_world_object, whole @ Ts_object_part, whole @ Ts_object_hand, near)


def _slip(joint: JointSpec) -> float:
    """Share of a joint's turn that the hand goes along with."""
    return _REGRIP if joint.kind == "screw" else 1.0


def _slipping(rest: Articulated) -> Articulated:
    """Joints that rise as far with less turn."""
    joints = tuple(replace(joint, pitch=joint.pitch / _slip(joint)) for joint in rest.joints)
    return replace(rest, spec=replace(rest.spec, joints=joints))


def corners(rest: Articulated) -> list[np.ndarray]:
    """For each part the (n, 3) vertices of its hull, object frame."""
    import trimesh

    return [
        trimesh.convex.hull_points(
            np.concatenate([piece.solid.mesh.vertices for piece in rest.spec.pieces if piece.part == part])
        )
        for part in rest.parts
    ]


def _ease(x: np.ndarray) -> np.ndarray:
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def _joint_path(joint: object, start: float, end: float, time: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """From the present value to one end of the range, maybe a pause, back, and anywhere; smooth."""
    low, high = joint.limits
    far = (high if joint.value < (low + high) / 2 else low) * np.ones(1)
    near = low + high - far
    reach = rng.uniform(0.86, 1.0), rng.uniform(0.75, 0.95)
    stops = [joint.value, *(near + reach[0] * (far - near)), *(far + reach[1] * (near - far))]
    if end - start > 0.3:
        stops.append(rng.uniform(low, high))
    knots, steps = [], rng.uniform(0.8, 1.2, len(stops) - 1) * np.abs(np.diff(stops)) ** 0.5
    pause = int(rng.integers(1, len(stops) - 1)) if rng.random() < 0.6 else -1
    for k, stop in enumerate(stops):
        at = steps[:k].sum() + (0.25 * steps.mean() if 0 <= pause < k else 0.0)
        knots.append((at, stop))
        if k == pause:
            knots.append((at + 0.25 * steps.mean(), stop))
    at, value = np.array(knots).T
    at = start + (end - start) * at / at[-1]
    return PchipInterpolator(np.concatenate([[-1], at, [2]]), np.concatenate([value[:1], value, value[-1:]]))(time)


def _object_path(T_start: np.ndarray, time: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Lifted, turned and moved as by a person, through random places, smooth and slow; still at both ends."""
    count = 5
    shift = np.zeros((count, 6))
    shift[1:] = rng.uniform(-1, 1, (count - 1, 6)) * [0.028, 0.028, 0.015, 0.38, 0.38, 0.6]
    shift[1:, 2] += rng.uniform(0.015, 0.045)
    at = np.linspace(_BEGIN + _CHANGE, _END, count)
    path = CubicSpline(at, shift, bc_type="clamped")(np.clip(time, at[0], at[-1]))
    Ts = np.tile(T_start, (len(time), 1, 1))
    Ts[:, :3, :3] = Rotation.from_rotvec(path[:, 3:]).as_matrix() @ T_start[:3, :3]
    Ts[:, :3, 3] += path[:, :3]
    return Ts


def _clearance(rest: Articulated, Ts_world_object: np.ndarray, Ts_object_part: np.ndarray) -> np.ndarray:
    """(T,) metres to lift, so that nothing dips into the table."""
    lowest = np.full(len(Ts_world_object), np.inf)
    for p, points in enumerate(corners(rest)):
        T = Ts_world_object @ Ts_object_part[:, p]
        lowest = np.minimum(lowest, ((points @ T[:, :3, :3].mT)[..., 2] + T[:, 2, 3, None]).min(1))
    lack = np.maximum(-lowest, 0)
    lack[lack < 1e-6] = 0
    return gaussian_filter1d(maximum_filter1d(lack, 9), 2.0, mode="nearest") if lack.any() else lack
