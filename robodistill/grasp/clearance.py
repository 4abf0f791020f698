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
        self._known: dict[int, list[Shape]] = {}
        tips = [shape for link, shape in robot.hand_shapes(arm, 0.0) if link in fingers]
        self.pads = Pads(
            half_width=max(-lowest(shape, np.array([0.0, 1, 0])) for shape in tips),
            beyond=max(-lowest(shape, np.array([0.0, 0, -1])) for shape in tips),
        )

    def shapes(self, opening: float) -> list[Shape]:
        """At an opening in metres, to half a millimetre."""
        key = round(opening / _ROUND)
        if key not in self._known:
            self._known[key] = [shape for _, shape in self._robot.hand_shapes(self._arm, key * _ROUND)]
        return self._known[key]


def clearances(
    hand: Hand, Ts_world_grasp: np.ndarray, openings: np.ndarray, points: np.ndarray, enough: float
) -> np.ndarray:
    """(m,) metres between the hand and points (n, 3) on its way in, negative inside; two points may be strays.

    What comes nearer than `enough` at one place of the way is not looked at any further.
    """
    found = np.full(len(Ts_world_grasp), np.inf)
    points = points.astype(np.float32)
    for rows, shapes in _grouped(hand, openings):
        reach = max(float(np.linalg.norm(shape.T_link_shape[:3, 3])) + shape.radius for shape in shapes) + _WAY[-1]
        for some in np.split(rows, range(_CHUNK, len(rows), _CHUNK)):
            centers = Ts_world_grasp[some, :3, 3]
            middle = centers.mean(0)
            spread = np.linalg.norm(centers - middle, axis=1).max()
            near = points[np.linalg.norm(points - middle, axis=1) < reach + spread]
            if len(near) < 3:
                continue
            local = (near[None] - centers.astype(np.float32)[:, None]) @ Ts_world_grasp[some, :3, :3].astype(np.float32)
            for back in _WAY:
                left = found[some] >= enough
                shifted = local[left] + np.float32([0, 0, back])
                distance = np.minimum.reduce([signed_distance(shape, shifted) for shape in shapes])
                found[some[left]] = np.minimum(found[some[left]], np.partition(distance, 2, axis=1)[:, 2])
    return found


def heights_above(hand: Hand, Ts_world_grasp: np.ndarray, openings: np.ndarray, plane: np.ndarray) -> np.ndarray:
    """(m,) metres from the hand's lowest point to a plane (4,), negative where it is cut."""
    found = np.zeros(len(Ts_world_grasp))
    for rows, shapes in _grouped(hand, openings):
        ups = plane[:3] @ Ts_world_grasp[rows, :3, :3]
        levels = Ts_world_grasp[rows, :3, 3] @ plane[:3] + plane[3]
        found[rows] = levels + np.minimum.reduce([lowest(shape, ups) for shape in shapes])
    return found


def _grouped(hand: Hand, openings: np.ndarray) -> Iterator[tuple[np.ndarray, list[Shape]]]:
    """Rows of one opening, and the hand's shapes at it."""
    groups = np.round(openings / _ROUND).astype(int)
    for group in np.unique(groups):
        yield np.flatnonzero(groups == group), hand.shapes(group * _ROUND)


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
    deepest = out.max(-1)
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
