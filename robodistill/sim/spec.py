"""`ObjectSpec`: what a generated object is, apart from its colour, its place and the simulator that moves it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import trimesh

from robodistill.sim.shapes import Solid


@dataclass(frozen=True, eq=False)
class Piece:
    """One solid of a part; a part may have several."""

    part: str
    """The word a person would use: "handle", "lid"."""
    solid: Solid
    tint: str = "main"
    """Whose colour it wears: "main" and "accent" are drawn for each object, any other is a key of `colors.FIXED`."""
    density: float = 600.0
    """kg/m^3 of the convex pieces; an effective value, so that a hollow thing modelled as full has its true mass."""
    touches: bool = True
    """False for paint, labels and other detail that lies on a piece that touches already."""


@dataclass(frozen=True, eq=False)
class JointSpec:
    """How some parts move against the rest; a value of 0 is the state in which the object was made."""

    name: str
    kind: Literal["revolute", "prismatic", "screw"]
    parts: tuple[str, ...]
    """The parts that move."""
    axis: np.ndarray
    """(3,) unit, object frame."""
    origin: np.ndarray
    """(3,) a point on the axis, object frame, metres."""
    limits: tuple[float, float]
    """rad or metres."""
    value: float = 0.0
    """Where the joint stands now; rad or metres."""
    pitch: float = 0.0
    """Of a screw: metres along the axis per radian about it."""

    def motion(self, value: float) -> np.ndarray:
        """(4, 4) map of the moving parts, object frame, when the joint goes by `value`."""
        along = value * np.asarray(self.axis)
        if self.kind == "prismatic":
            return trimesh.transformations.translation_matrix(along)
        T = trimesh.transformations.rotation_matrix(value, self.axis, self.origin)
        T[:3, 3] += self.pitch * along
        return T


@dataclass(frozen=True, eq=False)
class ObjectSpec:
    """An object of named parts. Its frame has z up as it stands at rest, and the origin at the middle of its box."""

    category: str
    pieces: tuple[Piece, ...]
    joints: tuple[JointSpec, ...] = ()
    rests: tuple[str, ...] = ("up",)
    """Ways it may be put on a table: "up" as made, "side" tipped over, "down" on its head; repeat one to favour it."""
    finishes: tuple[str, ...] = ("matte", "glossy")
    """Keys of `paint.FINISHES` that such a thing is made in."""

    @property
    def parts(self) -> tuple[str, ...]:
        """Part names, in the order in which they first occur."""
        return tuple(dict.fromkeys(piece.part for piece in self.pieces))

    @property
    def bounds(self) -> np.ndarray:
        """(2, 3) lowest and highest corner, object frame, metres."""
        each = np.stack([piece.solid.mesh.bounds for piece in self.pieces])
        return np.stack([each[:, 0].min(0), each[:, 1].max(0)])

    @property
    def size(self) -> np.ndarray:
        """(3,) lengths of the box along the object's axes, metres."""
        return np.ptp(self.bounds, axis=0)

    def centred(self) -> "ObjectSpec":
        """The same object with the origin at the middle of its box."""
        shift = -self.bounds.mean(0)
        pieces = tuple(replace(piece, solid=piece.solid.at(*shift)) for piece in self.pieces)
        joints = tuple(replace(joint, origin=np.asarray(joint.origin, float) + shift) for joint in self.joints)
        return replace(self, pieces=pieces, joints=joints)

    def posed(self, values: Mapping[str, float]) -> "ObjectSpec":
        """The object with these joints moved to these values, centred anew."""
        pieces = self.pieces
        joints = []
        for joint in self.joints:
            value = float(np.clip(values.get(joint.name, joint.value), *joint.limits))
            T = joint.motion(value - joint.value)
            pieces = tuple(replace(p, solid=p.solid.moved(T)) if p.part in joint.parts else p for p in pieces)
            joints.append(replace(joint, value=value))
        return replace(self, pieces=pieces, joints=tuple(joints)).centred()


def assemble(category: str, *pieces: Piece, **facts: object) -> ObjectSpec:
    """An `ObjectSpec` whose pieces were laid out about any origin; `facts` are its other fields."""
    return ObjectSpec(category, pieces, **facts).centred()
