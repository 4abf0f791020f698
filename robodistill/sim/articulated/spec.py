"""`Articulated`: an object of rigid parts with joints between them, and where a hand takes hold of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from robodistill.sim.spec import JointSpec, ObjectSpec, Piece


@dataclass(frozen=True, eq=False)
class Grip:
    """Where and from where a hand holds a part; the object's frame, as it was made."""

    point: np.ndarray
    """(3,) between the finger tips, metres."""
    approach: np.ndarray
    """(3,) unit direction in which the hand reaches out."""
    close: np.ndarray
    """(3,) unit direction along which thumb and fingers close; across `approach`."""
    width: float
    """Of what is between them, metres."""

    @property
    def T_object_grip(self) -> np.ndarray:
        """(4, 4): x closes, z approaches, the origin is between the finger tips."""
        z = np.asarray(self.approach, float) / np.linalg.norm(self.approach)
        x = np.asarray(self.close, float) - np.dot(self.close, z) * z
        x /= np.linalg.norm(x)
        T = np.eye(4)
        T[:3, :3], T[:3, 3] = np.column_stack([x, np.cross(z, x), z]), self.point
        return T


@dataclass(frozen=True, eq=False)
class Articulated:
    """An `ObjectSpec` whose part names are its rigid parts, the first of them the body that carries the others.

    A joint's `parts` are all that it moves; where joints form a chain, an outer joint moves the inner ones' parts too.
    """

    spec: ObjectSpec
    grips: Mapping[str, tuple[Grip, ...]]
    """By part: ways to hold it."""

    def __post_init__(self) -> None:
        assert set(self.grips) == set(self.parts), (self.spec.category, sorted(self.grips), self.parts)
        assert all(self.parts[0] not in joint.parts for joint in self.joints)

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the rigid parts, the body first."""
        return self.spec.parts

    @property
    def joints(self) -> tuple[JointSpec, ...]:
        """One for each part but the body."""
        return self.spec.joints

    def child(self, joint: JointSpec) -> str:
        """The part next to a joint on its moving side."""
        inner = {part for other in self.joints if set(other.parts) < set(joint.parts) for part in other.parts}
        (part,) = set(joint.parts) - inner
        return part

    def parent(self, joint: JointSpec) -> str:
        """The part next to a joint on its still side."""
        outer = [other for other in self.joints if set(joint.parts) < set(other.parts)]
        return self.child(min(outer, key=lambda other: len(other.parts))) if outer else self.parts[0]

    def Ts_object_part(self, values: np.ndarray) -> np.ndarray:
        """(..., P, 4, 4) where each part goes from its present place when the joints stand at (..., J) values."""
        values = np.asarray(values, float)
        Ts = np.broadcast_to(np.eye(4), (*values.shape[:-1], len(self.parts), 4, 4)).copy()
        order = sorted(range(len(self.joints)), key=lambda k: -len(self.joints[k].parts))  # outer joints first
        for index in np.ndindex(values.shape[:-1]):
            for k in order:
                joint = self.joints[k]
                T = joint.motion(values[index][k] - joint.value)
                for part in joint.parts:
                    p = self.parts.index(part)
                    Ts[index][p] = Ts[index][p] @ T
        return Ts

    def posed(self, values: np.ndarray) -> "Articulated":
        """The object with its joints moved to (J,) values: pieces, axes and grips go along; not centred anew."""
        Ts = dict(zip(self.parts, self.Ts_object_part(np.asarray(values, float)), strict=True))
        joints = []
        for joint, value in zip(self.joints, values, strict=True):
            T = Ts[self.parent(joint)]
            axis, origin = T[:3, :3] @ joint.axis, T[:3, :3] @ joint.origin + T[:3, 3]
            joints.append(replace(joint, axis=axis, origin=origin, value=float(value)))
        pieces = tuple(replace(piece, solid=piece.solid.moved(Ts[piece.part])) for piece in self.spec.pieces)
        grips = {part: tuple(_moved(grip, Ts[part]) for grip in held) for part, held in self.grips.items()}
        return Articulated(replace(self.spec, pieces=pieces, joints=tuple(joints)), grips)

    def centred(self) -> "Articulated":
        """The same with the origin at the middle of its box."""
        shift = -self.spec.bounds.mean(0)
        grips = {part: tuple(replace(it, point=it.point + shift) for it in held) for part, held in self.grips.items()}
        return Articulated(self.spec.centred(), grips)


def _moved(grip: Grip, T: np.ndarray) -> Grip:
    R = T[:3, :3]
    return replace(grip, point=R @ grip.point + T[:3, 3], approach=R @ grip.approach, close=R @ grip.close)


def merged(
    spec: ObjectSpec, parts: Mapping[str, str], body: str, limits: Mapping[str, tuple[float, float]] = {}
) -> ObjectSpec:
    """An object of `sim.objects` with its pieces named by the rigid part that they belong to, the body first.

    Args:
        parts: Rigid part by piece; pieces that are not named belong to the body.
        limits: Other limits by joint.
    """
    pieces = [replace(piece, part=parts.get(piece.part, body)) for piece in spec.pieces]
    pieces.sort(key=lambda piece: piece.part != body)
    joints = [
        replace(
            joint,
            parts=tuple(dict.fromkeys(parts[part] for part in joint.parts)),
            limits=limits.get(joint.name, joint.limits),
        )
        for joint in spec.joints
    ]
    return replace(spec, pieces=tuple(pieces), joints=tuple(joints))


def weighed(spec: ObjectSpec, densities: Mapping[str, float]) -> ObjectSpec:
    """With other densities of some pieces, kg/m^3 by name: bases that stay while one hand moves what hangs on them."""
    assert set(densities) <= {piece.part for piece in spec.pieces}
    return replace(spec, pieces=tuple(replace(it, density=densities.get(it.part, it.density)) for it in spec.pieces))


def build(
    category: str, *pieces: Piece, joints: tuple[JointSpec, ...], grips: Mapping[str, tuple[Grip, ...]], **facts: object
) -> Articulated:
    """An `Articulated` laid out about any origin, centred; `facts` are further fields of the `ObjectSpec`."""
    return Articulated(ObjectSpec(category, pieces, joints, **facts), grips).centred()


def grip(point: Sequence[float], approach: Sequence[float], close: Sequence[float], width: float) -> Grip:
    """A `Grip` from plain numbers."""
    return Grip(np.array(point, float), np.array(approach, float), np.array(close, float), width)


def pressed(spec: ObjectSpec, part: str, sides: str, span: float = 0.045) -> tuple[Grip, ...]:
    """Flat hands laid against the sides of a part's box: "+x-y" are two of them."""
    boxes = np.stack([piece.solid.mesh.bounds for piece in spec.pieces if piece.part == part])
    low, high = boxes[:, 0].min(0), boxes[:, 1].max(0)
    grips = []
    for sign, name in zip(sides[::2], sides[1::2], strict=True):
        out = np.eye(3)["xyz".index(name)] * (1 if sign == "+" else -1)
        face = (low + high) / 2 + out * ((high - low) / 2 + 0.004)
        across = np.eye(3)[2 if name != "z" else 0]
        grips.append(Grip(face, -out, across, min(span, float((high - low) @ across))))
    return tuple(grips)
