"""How far is the open gripper from everything, where it takes hold and on its way there? For many poses at once."""

from collections.abc import Iterator

import numpy as np

from robodistill.grasp.candidates import Pads
from robodistill.robots.robot import Robot
from robodistill.robots.urdf import Shape

_ROUND = 0.0005  # metres, of openings
_CHUNK = 64  # poses measured at a time
_WAY = (0.0, 0.02, 0.045, 0.08)  # metres back along the approach where the hand is looked at


class Hand:
    """An arm's gripper as convex shapes in the grasp frame."""

    def __init__(self, robot: Robot, arm: str) -> None:
        it = robot.arm(arm)
        self.opening = it.opening
        self._robot, self._arm = robot, arm
        fingers = {robot.model.joint(name).child for name in it.fingers}
        self._known: dict[int, tuple[list[Shape], tuple[np.ndarray, np.ndarray]]] = {}
        tips = [shape for link, shape in robot.hand_shapes(arm, 0.0) if link in fingers]
        self.pads = Pads(
            half_width=max(-lowest(shape, np.array([0.0, 1, 0])) for shape in tips),
            beyond=max(-lowest(shape, np.array([0.0, 0, -1])) for shape in tips),
            thick=max(-lowest(shape, np.array([side, 0, 0])) for shape in tips for side in (-1.0, 1.0)),
        )

    def shapes(self, opening: float) -> list[Shape]:
        """At an opening in metres, to half a millimetre."""
        return self._at(opening)[0]

    def box(self, opening: float) -> tuple[np.ndarray, np.ndarray]:
        """(3,) least and greatest coordinates of these shapes in the grasp frame."""
        return self._at(opening)[1]

    def _at(self, opening: float) -> tuple[list[Shape], tuple[np.ndarray, np.ndarray]]:
        key = round(opening / _ROUND)
        if key not in self._known:
            shapes = [shape for _, shape in self._robot.hand_shapes(self._arm, key * _ROUND)]
            self._known[key] = shapes, _bounds(shapes)
        return self._known[key]


def clearances(
    hand: Hand, Ts_world_grasp: np.ndarray, openings: np.ndarray, points: np.ndarray, most: float
) -> np.ndarray:
    """(m,) metres between the hand and points (n, 3) on its way in, negative inside, at most `most`.

    Two points may be strays: it is the third nearest that counts.
    """
    found = np.full(len(Ts_world_grasp), most)
    points = points.astype(np.float32)
    for rows, opening in _grouped(hand, openings):
        shapes, (low, high) = hand.shapes(opening), hand.box(opening)
        low, high = low - most - [0, 0, _WAY[-1]], high + most
        radius = float(np.linalg.norm(np.maximum(-low, high)))
        for some in np.split(rows, range(_CHUNK, len(rows), _CHUNK)):
            centers = Ts_world_grasp[some, :3, 3]
            middle = centers.mean(0)
            spread = np.linalg.norm(centers - middle, axis=1).max()
            near = points[np.linalg.norm(points - middle, axis=1) < radius + spread]
            local = (near[None] - centers.astype(np.float32)[:, None]) @ Ts_world_grasp[some, :3, :3].astype(np.float32)
            pose, point = np.nonzero(((local > low) & (local < high)).all(-1))
            inside = local[pose, point]
            distance = np.full(len(inside), most)
            for back in _WAY:
                shifted = inside + np.float32([0, 0, back])
                distance = np.minimum.reduce([distance, *(signed_distance(shape, shifted) for shape in shapes)])
            order = np.lexsort((distance, pose))
            first = np.searchsorted(pose, np.arange(len(some) + 1))
            enough = np.diff(first) > 2
            found[some[enough]] = distance[order[first[:-1][enough] + 2]]
    return found


def _bounds(shapes: list[Shape]) -> tuple[np.ndarray, np.ndarray]:
    """(3,) least and greatest coordinates of shapes in the grasp frame."""
    axes = np.eye(3)
    low = np.array([min(float(lowest(shape, axis)) for shape in shapes) for axis in axes])
    high = np.array([max(-float(lowest(shape, -axis)) for shape in shapes) for axis in axes])
    return low, high


def heights_above(hand: Hand, Ts_world_grasp: np.ndarray, openings: np.ndarray, plane: np.ndarray) -> np.ndarray:
    """(m,) metres from the hand's lowest point to a plane (4,), negative where it is cut."""
    found = np.zeros(len(Ts_world_grasp))
    for rows, opening in _grouped(hand, openings):
        ups = plane[:3] @ Ts_world_grasp[rows, :3, :3]
        levels = Ts_world_grasp[rows, :3, 3] @ plane[:3] + plane[3]
        found[rows] = levels + np.minimum.reduce([lowest(shape, ups) for shape in hand.shapes(opening)])
    return found


def _grouped(hand: Hand, openings: np.ndarray) -> Iterator[tuple[np.ndarray, float]]:
    """Rows of one opening, and it."""
    groups = np.round(openings / _ROUND).astype(int)
    for group in np.unique(groups):
        yield np.flatnonzero(groups == group), group * _ROUND


def signed_distance(shape: Shape, points: np.ndarray) -> np.ndarray:
    """(...) metres from a shape to points (..., 3), negative inside; of a hull, of the box around it."""
    T = shape.T_link_shape.astype(points.dtype)
    local = (points - T[:3, 3]) @ T[:3, :3]
    if shape.kind == "sphere":
        return np.linalg.norm(local, axis=-1) - shape.size[0]
    if shape.kind == "capsule":
        z = np.maximum(np.abs(local[..., 2]) - shape.size[1] / 2, 0)
        return np.sqrt(local[..., 0] ** 2 + local[..., 1] ** 2 + z**2) - shape.size[0]
    if shape.kind == "cylinder":
        wide = np.hypot(local[..., 0], local[..., 1]) - shape.size[0]
        out = np.stack([wide, np.abs(local[..., 2]) - shape.size[1] / 2], -1)
    else:
        low, high = _box(shape)
        out = np.abs(local - ((low + high) / 2).astype(points.dtype)) - ((high - low) / 2).astype(points.dtype)
    deepest = np.maximum.reduce([out[..., k] for k in range(out.shape[-1])])  # along so short an axis max is slow
    outside = np.maximum(out, 0)
    return np.sqrt(np.einsum("...k,...k->...", outside, outside)) + np.minimum(deepest, 0)


def lowest(shape: Shape, ups: np.ndarray) -> np.ndarray:
    """(...) the least height of a shape's points over the hand's origin, along unit `ups` (..., 3) in its frame."""
    T = shape.T_link_shape
    at, along = ups @ T[:3, 3], np.abs(ups @ T[:3, :3])
    if shape.kind == "sphere":
        return at - shape.size[0]
    if shape.kind == "capsule":
        return at - along[..., 2] * shape.size[1] / 2 - shape.size[0]
    if shape.kind == "cylinder":
        return at - along[..., 2] * shape.size[1] / 2 - np.hypot(along[..., 0], along[..., 1]) * shape.size[0]
    if shape.kind == "hull":
        return at + (ups @ T[:3, :3] @ shape.points.T).min(-1)
    return at - along @ np.array(shape.size) / 2


def _box(shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    """Opposite corners of the box, or of the box around a hull, shape frame."""
    if shape.kind == "hull":
        return shape.points.min(0), shape.points.max(0)
    return -np.array(shape.size) / 2, np.array(shape.size) / 2
