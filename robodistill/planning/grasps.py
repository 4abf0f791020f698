"""Grasps of a part that stay free on its whole path: the gripper against the other parts and the table all along."""

from dataclasses import dataclass, replace

import numpy as np

from robodistill.config import GraspConfig
from robodistill.grasp.candidates import Candidates, antipodal, filter_normals
from robodistill.grasp.clearance import Hand, clearances, heights_above, signed_distance
from robodistill.grasp.surface import Surface
from robodistill.planning.task import Task
from robodistill.planning.workpiece import CELL, Workpiece
from robodistill.robots.robot import Robot

_FREE = 0.0045  # metres from the gripper to other parts: a cell of their surface, and a little
_TIPS = 0.001  # metres that the tips stay above the table: flat things leave no more
_POINTS = 700  # of a part, for finding contacts
_LEAST = 12  # points that a part must have
_KEPT = 300  # candidates whose clearance is looked at
_PLACES = 14  # key frames at which the other parts are looked at
_APART, _TURNED = 0.012, 0.45  # metres, rad: grasps nearer to each other than both are one


@dataclass(frozen=True, eq=False)
class PartGrasps:
    """m ways to hold a part, best first, and why others were left out."""

    part: int
    Ts_part_grasp: np.ndarray
    """(m, 4, 4)."""
    widths: np.ndarray
    """(m,) metres."""
    openings: np.ndarray
    """(m,) of the gripper on its way in, metres."""
    scores: np.ndarray
    """(m,)."""
    rejected: dict[str, int]

    def __len__(self) -> int:
        return len(self.widths)


def part_grasps(
    robot: Robot, arm: str, workpiece: Workpiece, task: Task, part: int, config: GraspConfig, table: float = 0.0,
    most: int = 40,
) -> PartGrasps:  # fmt: skip
    """Antipodal grasps of a part that keep clear of all else from the first key frame to the last.

    Args:
        arm: Whose gripper; the other's is taken for the same.
        table: Height of its top, metres.
        most: Kept, each unlike all better ones.
    """
    hand = Hand(robot, arm)
    Ts = task.at(task.key_times(_PLACES))
    start = Ts[0, part]
    down = np.array([0.0, 0.0, 1.0, -table])
    plane = np.concatenate([start[:3, :3].T @ down[:3], [down[:3] @ start[:3, 3] + down[3]]])
    rejected: dict[str, int] = {}
    own = workpiece.owners == part
    if own.sum() < _LEAST:
        return _none(part, {"the part has too few points": int(own.sum())})
    own_points = workpiece.points[own]
    rng = np.random.default_rng(config.seed)
    picks = np.sort(rng.permutation(len(own_points))[:_POINTS])
    ids = np.arange(len(picks))
    thing = Surface(own_points[picks], workpiece.normals[own][picks], ids, plane)
    made = antipodal(thing, thing, hand.opening, config, hand.pads)
    made = _keep(made, filter_normals(made, config), "contact angles", rejected)
    openings = np.minimum(made.widths + config.extra, hand.opening)
    above = heights_above(hand, made.Ts_world_grasp, openings, plane) > _TIPS
    made = _keep(made, above, "the gripper would touch the table", rejected)
    order = _unlike(made.Ts_world_grasp, np.argsort(-_scores(made, plane[:3], own_points)), _KEPT)
    rejected["like a better one"] = len(made) - len(order)
    made = made.select(order)
    openings = np.minimum(made.widths + config.extra, hand.opening)
    free = clearances(hand, made.Ts_world_grasp, openings, _thinned(own_points), 0.0) >= 0
    made = _keep(made, free, "the gripper would touch the part", rejected)
    others = [_thinned(workpiece.of(k)) for k in range(len(task.parts)) if k != part and (workpiece.owners == k).any()]
    numbers = [k for k in range(len(task.parts)) if k != part and (workpiece.owners == k).any()]
    openings = np.minimum(made.widths + config.extra, hand.opening)
    if others and len(made):
        Ts_part_other = np.linalg.inv(Ts[:, part])[:, None] @ Ts[:, numbers]  # (K, others, 4, 4)
        first = np.concatenate([p @ T[:3, :3].T + T[:3, 3] for p, T in zip(others, Ts_part_other[0], strict=True)])
        free = clearances(hand, made.Ts_world_grasp, openings, first, _FREE) >= _FREE
        made = _keep(made, free, "another part is in the way in", rejected)
        swept = np.concatenate(
            [
                (p @ T[:, :3, :3].mT + T[:, None, :3, 3]).reshape(-1, 3)
                for p, T in zip(others, Ts_part_other.swapaxes(0, 1), strict=True)
            ]
        )
        free = _clear_of(hand, made, _thinned(swept))
        made = _keep(made, free, "another part comes in the way", rejected)
    low = np.array([
        _lowest(hand, Ts[:, part] @ T, width, down) for T, width in zip(made.Ts_world_grasp, made.widths, strict=True)
    ])  # fmt: skip
    made = _keep(made, low > _TIPS if len(low) else np.zeros(0, bool), "the table comes in the way", rejected)
    scores = _scores(made, plane[:3], own_points)
    order = _unlike(made.Ts_world_grasp, np.argsort(-scores), most)
    made, scores = made.select(order), scores[order]
    openings = np.minimum(made.widths + config.extra, hand.opening)
    rejected = {reason: count for reason, count in rejected.items() if count}
    return PartGrasps(part, made.Ts_world_grasp, made.widths, openings, scores, rejected)


def for_plan(config: GraspConfig) -> GraspConfig:
    """Looks at more contacts and thinner things than a lift needs: only few grasps stay free all the way."""
    return replace(config, contacts=2 * config.contacts, approaches=2 * config.approaches, least_down=-0.1)


def _keep(made: Candidates, mask: np.ndarray, reason: str, rejected: dict[str, int]) -> Candidates:
    rejected[reason] = rejected.get(reason, 0) + int((~mask).sum())
    return made.select(mask)


def _none(part: int, rejected: dict[str, int]) -> PartGrasps:
    return PartGrasps(part, np.zeros((0, 4, 4)), np.zeros(0), np.zeros(0), np.zeros(0), rejected)


def _scores(made: Candidates, up: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(m,) support under the pads, angles, and from above rather than from the side."""
    if not len(made):
        return np.zeros(0)
    downward = 0.5 - 0.5 * (made.Ts_world_grasp[:, :3, 2] @ up)
    angles = np.nan_to_num(made.angles.sum(1), nan=0.5) / np.pi
    return 0.5 * made.scores + 0.3 * downward + 0.2 * (1 - angles)


def _clear_of(hand: Hand, made: Candidates, points: np.ndarray) -> np.ndarray:
    """(m,) bool: the gripper, closed on the part, keeps clear of points (n, 3) in the part's frame."""
    found = np.ones(len(made), bool)
    points = points.astype(np.float32)
    for k, (T, width) in enumerate(zip(made.Ts_world_grasp.astype(np.float32), made.widths, strict=True)):
        local = (points - T[:3, 3]) @ T[:3, :3]
        found[k] = all((signed_distance(shape, local) >= _FREE).all() for shape in hand.shapes(float(width)))
    return found


def _lowest(hand: Hand, Ts_world_grasp: np.ndarray, width: float, plane: np.ndarray) -> float:
    return float(heights_above(hand, Ts_world_grasp, np.full(len(Ts_world_grasp), width), plane).min())


def _unlike(Ts: np.ndarray, order: np.ndarray, most: int) -> np.ndarray:
    """Of poses in an order, the first of each neighbourhood, at most so many."""
    kept: list[int] = []
    left = order
    while len(left) and len(kept) < most:
        first = left[0]
        kept.append(int(first))
        near = np.linalg.norm(Ts[left, :3, 3] - Ts[first, :3, 3], axis=1) < _APART
        near &= np.abs(Ts[left, :3, 0] @ Ts[first, :3, 0]) > np.cos(_TURNED)
        near &= Ts[left, :3, 2] @ Ts[first, :3, 2] > np.cos(_TURNED)
        left = left[~near]
    return np.array(kept, int)


def _thinned(points: np.ndarray) -> np.ndarray:
    """One point in each cell."""
    if not len(points):
        return points
    return points[np.unique(np.floor(points / CELL).astype(np.int64), axis=0, return_index=True)[1]]
