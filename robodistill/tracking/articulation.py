"""What a solver steps along: the twists of free parts, or the root's pose and the joints' values of a tree."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from robodistill.inversion.twist import skew
from robodistill.tracking.motion import Joint

_MOVING = ("revolute", "prismatic", "screw")
_STEP = 1e-5


def joint_motion(joint: Joint, value: float) -> np.ndarray:
    """(4, 4) that carries the child from rest to a value, in the field's coordinates, the parent at rest."""
    T = np.eye(4)
    if joint.kind == "prismatic":
        T[:3, 3] = value * joint.axis
    elif joint.kind in ("revolute", "screw"):
        T[:3, :3] = Rotation.from_rotvec(value * joint.axis).as_matrix()
        T[:3, 3] = joint.origin - T[:3, :3] @ joint.origin + joint.pitch * value * joint.axis
    return T


@dataclass(frozen=True, eq=False)
class State:
    """Of one frame."""

    T_camera_root: np.ndarray
    """(4, 4), as in `PartMotion.Ts_camera_part`."""
    values: np.ndarray
    """(J,) of all joints; 0 of those that do not move."""
    loose: np.ndarray
    """(J, 4, 4) of free joints: the child's motion against the parent; else identity."""


@dataclass(frozen=True, eq=False)
class FreeParts:
    """Nothing known of joints: the state is the poses (P, 4, 4), a step is the twists of all parts."""

    centers: np.ndarray
    """(P, 3) middles of the parts at rest."""

    def poses(self, state: np.ndarray) -> np.ndarray:
        """As they are."""
        return state

    def nearest(self, Ts: np.ndarray) -> np.ndarray:
        """As they are."""
        return Ts

    def moved(self, state: np.ndarray, x: np.ndarray) -> np.ndarray:
        """After a step (6 P,)."""
        return moved_parts(state, self.centers, x)

    def jacobian(self, state: np.ndarray) -> np.ndarray:
        """(6 P, 6 P) identity."""
        return np.eye(6 * len(state))


@dataclass(frozen=True, eq=False)
class Tied:
    """Some parts are as they are to each other: the state is the poses (P, 4, 4), a step is a twist of each group about
    its middle."""

    centers: np.ndarray
    """(P, 3) middles of the parts at rest."""
    groups: np.ndarray
    """(P,) int from 0, that of each part."""

    def poses(self, state: np.ndarray) -> np.ndarray:
        """As they are."""
        return state

    def moved(self, state: np.ndarray, x: np.ndarray) -> np.ndarray:
        """After a step (6 groups,)."""
        middles, after = _middles(state, self.centers), state.copy()
        for group, step in enumerate(x.reshape(-1, 6)):
            own = self.groups == group
            middle, G = middles[own].mean(0), np.eye(4)
            G[:3, :3] = Rotation.from_rotvec(step[3:]).as_matrix()
            G[:3, 3] = middle + step[:3] - G[:3, :3] @ middle
            after[own] = G @ state[own]
        return after

    def jacobian(self, state: np.ndarray) -> np.ndarray:
        """(6 P, 6 groups)."""
        middles, J = _middles(state, self.centers), np.zeros((6 * len(state), 6 * (self.groups.max() + 1)))
        for p, group in enumerate(self.groups):
            off = middles[p] - middles[self.groups == group].mean(0)
            J[6 * p : 6 * p + 6, 6 * group : 6 * group + 6] = carried(np.eye(6), off)
        return J


@dataclass(frozen=True, eq=False)
class Articulation:
    """P parts and the P - 1 joints between them, each joint after the one that moves its parent."""

    joints: tuple[Joint, ...]
    centers: np.ndarray
    """(P, 3) middles of the parts at rest."""
    bounded: bool = False
    """Whether joints' ranges are known: no step leads out of them."""

    @property
    def root(self) -> int:
        """The part that no joint moves."""
        return next(p for p in range(len(self.centers)) if p not in {joint.child for joint in self.joints})

    @property
    def freedoms(self) -> int:
        """Numbers a step of one frame has: 6 of the root, 1 of each moving joint, 6 of each free one."""
        return 6 + sum(_freedom(joint) for joint in self.joints)

    def poses(self, state: State) -> np.ndarray:
        """(P, 4, 4) Ts_camera_part."""
        Ts = np.zeros((len(self.centers), 4, 4))
        Ts[self.root] = state.T_camera_root
        for k, joint in enumerate(self.joints):
            motion = state.loose[k] if joint.kind == "free" else joint_motion(joint, state.values[k])
            Ts[joint.child] = Ts[joint.parent] @ motion
        return Ts

    def nearest(self, Ts: np.ndarray) -> State:
        """The state whose poses are nearest to (P, 4, 4) given ones: the root as it is, each joint by projection."""
        values, loose = np.zeros(len(self.joints)), np.tile(np.eye(4), (len(self.joints), 1, 1))
        for k, joint in enumerate(self.joints):
            relative = np.linalg.inv(Ts[joint.parent]) @ Ts[joint.child]
            if joint.kind == "free":
                loose[k] = relative
            elif joint.kind == "prismatic":
                center = self.centers[joint.child]
                values[k] = joint.axis @ (relative[:3, :3] @ center + relative[:3, 3] - center)
            elif joint.kind in ("revolute", "screw"):
                values[k] = Rotation.from_matrix(relative[:3, :3]).as_rotvec() @ joint.axis
        return State(Ts[self.root].copy(), values, loose)

    def with_part_at(self, state: State, part: int, T: np.ndarray) -> State:
        """The same values with the whole where a part is at (4, 4)."""
        alone = self.poses(State(np.eye(4), state.values, state.loose))[part]
        return State(T @ np.linalg.inv(alone), state.values, state.loose)

    def moved(self, state: State, x: np.ndarray) -> State:
        """The state after a step (freedoms,)."""
        T = moved_parts(state.T_camera_root[None], self.centers[[self.root]], x[:6])[0]
        values, loose, at = state.values.copy(), state.loose.copy(), 6
        for k, joint in enumerate(self.joints):
            if joint.kind == "free":
                loose[k] = moved_parts(loose[k][None], self.centers[[joint.child]], x[at : at + 6])[0]
            elif joint.kind in _MOVING:
                values[k] += x[at]
                if self.bounded:
                    values[k] = np.clip(values[k], *joint.range)
            at += _freedom(joint)
        return State(T, values, loose)

    def jacobian(self, state: State) -> np.ndarray:
        """(6 P, freedoms): twists of all parts, each about its own middle in camera axes, by a step of the state."""
        Ts = self.poses(state)
        middles = _middles(Ts, self.centers)
        J = np.zeros((6 * len(Ts), self.freedoms))
        for p in range(len(Ts)):
            J[6 * p : 6 * p + 6, :6] = carried(np.eye(6), middles[p] - middles[self.root])
        at = 6
        for joint in self.joints:
            R, t = Ts[joint.parent, :3, :3], Ts[joint.parent, :3, 3]
            axis, origin = R @ joint.axis, R @ joint.origin + t
            for p in self.moved_by(joint):
                rows = slice(6 * p, 6 * p + 6)
                if joint.kind == "free":
                    turned = np.kron(np.eye(2), R)
                    J[rows, at : at + 6] = carried(turned, middles[p] - middles[joint.child])
                elif joint.kind == "prismatic":
                    J[rows, at] = [*axis, 0, 0, 0]
                elif joint.kind in ("revolute", "screw"):
                    J[rows, at] = [*(np.cross(axis, middles[p] - origin) + joint.pitch * axis), *axis]
            at += _freedom(joint)
        return J

    def shape_jacobian(self, state: State) -> np.ndarray:
        """(6 P, shapes): the same by a step of the joints themselves, see `reshaped`."""
        Ts = self.poses(state)
        middles = _middles(Ts, self.centers)
        columns = []
        for k, joint in enumerate(self.joints):
            motion = joint_motion(joint, state.values[k])
            for d in range(_shapes(joint)):
                step = np.zeros(_shapes(joint))
                step[d] = _STEP
                change = joint_motion(_reshaped(joint, step), state.values[k]) @ np.linalg.inv(motion)
                parent = Ts[joint.parent]
                change = parent @ change @ np.linalg.inv(parent)
                omega = Rotation.from_matrix(change[:3, :3]).as_rotvec() / _STEP
                column = np.zeros(6 * len(Ts))
                for p in self.moved_by(joint):
                    v = (change[:3, :3] @ middles[p] + change[:3, 3] - middles[p]) / _STEP
                    column[6 * p : 6 * p + 6] = [*v, *omega]
                columns.append(column)
        return np.array(columns).T.reshape(6 * len(Ts), -1)

    def reshaped(self, x: np.ndarray) -> "Articulation":
        """With joints moved by a step: turn of the axis about its two normals, rad, then shift along these, metres."""
        joints, at = [], 0
        for joint in self.joints:
            joints.append(_reshaped(joint, x[at : at + _shapes(joint)]))
            at += _shapes(joint)
        return replace(self, joints=tuple(joints))

    def moved_by(self, joint: Joint) -> list[int]:
        """The child and all that hangs on it."""
        moved = [joint.child]
        for other in self.joints:
            if other.parent in moved:
                moved.append(other.child)
        return moved


def in_order(joints: tuple[Joint, ...], parts: int) -> tuple[Joint, ...]:
    """The joints of a tree, each after the one that moves its parent."""
    reached = {p for p in range(parts)} - {joint.child for joint in joints}
    ordered, waiting = [], list(joints)
    while waiting:
        ready = [joint for joint in waiting if joint.parent in reached]
        assert ready, "joints must make a tree"
        ordered += ready
        reached |= {joint.child for joint in ready}
        waiting = [joint for joint in waiting if joint not in ready]
    return tuple(ordered)


def _middles(Ts: np.ndarray, centers: np.ndarray) -> np.ndarray:
    return np.einsum("pij,pj->pi", Ts[:, :3, :3], centers) + Ts[:, :3, 3]


def _freedom(joint: Joint) -> int:
    return 6 if joint.kind == "free" else int(joint.kind in _MOVING)


def _shapes(joint: Joint) -> int:
    """Turns of the axis, shifts of it, pitch."""
    return {"revolute": 4, "prismatic": 2, "screw": 5}.get(joint.kind, 0)


def across(axis: np.ndarray) -> np.ndarray:
    """(2, 3) orthonormal directions across an axis: those about which `Articulation.reshaped` turns it."""
    return np.linalg.svd(axis[None])[2][1:]


def _reshaped(joint: Joint, x: np.ndarray) -> Joint:
    if not len(x):
        return joint
    normals = across(joint.axis)
    axis = Rotation.from_rotvec(x[:2] @ normals).as_matrix() @ joint.axis
    origin = joint.origin + x[2:4] @ normals if len(x) > 2 else joint.origin
    return replace(joint, axis=axis, origin=origin, pitch=joint.pitch + (x[4] if len(x) > 4 else 0.0))


def carried(twists: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """(6, n) twists about a point as twists about the point `offset` further."""
    out = twists.copy()
    out[:3] -= skew(offset) @ twists[3:]
    return out


def moved_parts(Ts: np.ndarray, centers: np.ndarray, x: np.ndarray) -> np.ndarray:
    """(P, 4, 4) poses after twists (6 P,): each part turns about its own middle, which then moves by v, camera axes."""
    twists, after = x.reshape(-1, 6), Ts.copy()
    after[:, :3, :3] = Rotation.from_rotvec(twists[:, 3:]).as_matrix() @ Ts[:, :3, :3]
    turned = np.einsum("pij,pj->pi", Ts[:, :3, :3] - after[:, :3, :3], centers)
    after[:, :3, 3] += turned + twists[:, :3]
    return after
