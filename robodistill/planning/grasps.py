"""Grasps of a part that stay free on its whole path: the gripper against the other parts and the table all along."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from robodistill.config import GraspConfig
from robodistill.grasp.candidates import Candidates, antipodal, filter_normals, joined
from robodistill.grasp.clearance import Hand, clearances, heights_above, signed_distance
from robodistill.grasp.pinch import pinches, pressed_thin
from robodistill.grasp.surface import Surface
from robodistill.planning.task import Task
from robodistill.planning.workpiece import CELL, Workpiece
from robodistill.robots.robot import Robot

_FREE = 0.0045  # metres from the gripper to other parts: a cell of their surface, and a little
_TIPS = 0.001  # metres that the tips stay above the table: flat things leave no more
_POINTS = 700  # of a part, for finding contacts
_NEAR = 0.02  # metres around a point that are its surroundings
_LEAST = 12  # points that a part must have
_CONTACT = 0.002  # metres between points that support is told by
_GLANCED, _COARSE = 1500, 0.012  # candidates looked at with points so far apart, metres
_KEPT = 300  # candidates whose clearance is looked at
_PLACES = 14  # key frames at which the other parts are looked at
_WEAKEST, _CARRIES = 0.25, 0.45  # score of a grasp that holds, and of one that carries
_UNKNOWN = 0.3  # rad that both contact angles are taken for where they were not seen
_FLAT = 0.2  # rad of both contact angles together by which a grasp is worth less
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
    thing = Surface(workpiece.points[own], workpiece.normals[own], np.arange(int(own.sum())), plane)
    made = _on_part(hand, thing, config, rejected)
    others = [k for k in range(len(task.parts)) if k != part and (workpiece.owners == k).any()]
    if others and len(made):
        Ts_part_other = np.linalg.inv(Ts[:, part])[:, None] @ Ts[:, others]  # (K, others, 4, 4)
        points = [_thinned(workpiece.of(k)) for k in others]
        made = _beside_others(hand, made, points, Ts_part_other, config, rejected)
    low = np.array([
        _lowest(hand, Ts[:, part] @ T, width, down) for T, width in zip(made.Ts_world_grasp, made.widths, strict=True)
    ])  # fmt: skip
    made = _keep(made, low > _TIPS if len(low) else np.zeros(0, bool), "the table comes in the way", rejected)
    scores = _scores(made, plane[:3])
    firm = scores >= (_CARRIES if task.carried else _WEAKEST)
    made, scores = _keep(made, firm, "too weak a hold", rejected), scores[firm]
    order = _unlike(made.Ts_world_grasp, np.argsort(-scores), most)
    made, scores = made.select(order), scores[order]
    rejected = {reason: count for reason, count in rejected.items() if count}
    return PartGrasps(part, made.Ts_world_grasp, made.widths, _openings(hand, made, config), scores, rejected)


def _on_part(hand: Hand, thing: Surface, config: GraspConfig, rejected: dict[str, int]) -> Candidates:
    """Where the hand can close on a part that stands alone on the table, in the part's frame."""
    picks = thing.select(_prominent(thing.points, np.random.default_rng(config.seed)))
    made = joined(
        antipodal(picks, picks, hand.opening, config, hand.pads), pinches(picks, hand.opening, config, hand.pads)
    )
    if config.normal_filter:
        made = _keep(made, filter_normals(made, config), "contact angles", rejected)
    above = heights_above(hand, made.Ts_world_grasp, _openings(hand, made, config), thing.plane) > _TIPS
    made = _keep(made, above, "the gripper would touch the table", rejected)
    order = _unlike(made.Ts_world_grasp, np.argsort(-_scores(made, thing.up)), _GLANCED)
    rejected["like a better one"] = len(made) - len(order)
    made = made.select(order)
    coarse = thing.points[_cells(thing.points, _COARSE)]
    made = _clear(hand, made, coarse, 0.0, config, "the gripper would touch the part", rejected)
    made = made.select(np.arange(min(len(made), _KEPT)))
    dense = thing.select(_cells(thing.points, _CONTACT))  # evenly: what is under the pads is told by its area
    made = pressed_thin(made.Ts_world_grasp, dense, hand.opening - config.spare, hand.pads)
    if config.normal_filter:
        made = _keep(made, filter_normals(made, config), "contact angles", rejected)
    return _clear(hand, made, _thinned(thing.points), 0.0, config, "the gripper would touch the part", rejected)


def _beside_others(
    hand: Hand, made: Candidates, points: list[np.ndarray], Ts_part_other: np.ndarray, config: GraspConfig,
    rejected: dict[str, int],
) -> Candidates:  # fmt: skip
    """What keeps clear of other parts: open on the way in, closed from then on."""
    first = np.concatenate([p @ T[:3, :3].T + T[:3, 3] for p, T in zip(points, Ts_part_other[0], strict=True)])
    made = _clear(hand, made, first, _FREE, config, "another part is in the way in", rejected)
    swept = np.concatenate(
        [
            (p @ T[:, :3, :3].mT + T[:, None, :3, 3]).reshape(-1, 3)
            for p, T in zip(points, Ts_part_other.swapaxes(0, 1), strict=True)
        ]
    )
    return _keep(made, _clear_of(hand, made, _thinned(swept)), "another part comes in the way", rejected)


def _openings(hand: Hand, made: Candidates, config: GraspConfig) -> np.ndarray:
    """(m,) of the gripper on its way in, metres."""
    return np.minimum(made.widths + config.extra, hand.opening)


def _clear(
    hand: Hand, made: Candidates, points: np.ndarray, enough: float, config: GraspConfig, reason: str,
    rejected: dict[str, int],
) -> Candidates:  # fmt: skip
    free = clearances(hand, made.Ts_world_grasp, _openings(hand, made, config), points, enough) >= enough
    return _keep(made, free, reason, rejected)


def _prominent(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Some of points (n, 3), those with little of the part around them before others: a knob, not the plate below."""
    grid = cKDTree(_thinned(points))
    near = grid.query_ball_point(points, _NEAR, return_length=True)
    count = min(_POINTS, len(points))
    return np.sort(rng.choice(len(points), count, replace=False, p=1 / near / (1 / near).sum()))


def for_plan(config: GraspConfig) -> GraspConfig:
    """Looks at more contacts and thinner things than a lift needs: only few grasps stay free all the way."""
    return replace(config, contacts=2 * config.contacts, approaches=2 * config.approaches, least_down=-0.1)


def _keep(made: Candidates, mask: np.ndarray, reason: str, rejected: dict[str, int]) -> Candidates:
    rejected[reason] = rejected.get(reason, 0) + int((~mask).sum())
    return made.select(mask)


def _none(part: int, rejected: dict[str, int]) -> PartGrasps:
    return PartGrasps(part, np.zeros((0, 4, 4)), np.zeros(0), np.zeros(0), np.zeros(0), rejected)


def _scores(made: Candidates, up: np.ndarray) -> np.ndarray:
    """(m,) much of the part between the pads, flat contacts, which do not turn it as the hand closes; from above."""
    if not len(made):
        return np.zeros(0)
    downward = 0.5 - 0.5 * (made.Ts_world_grasp[:, :3, 2] @ up)
    flat = np.exp(-np.nan_to_num(made.angles.sum(1), nan=_UNKNOWN) / _FLAT)
    return 0.45 * made.scores + 0.1 * downward + 0.45 * flat


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
    return points[_cells(points, CELL)]


def _cells(points: np.ndarray, side: float) -> np.ndarray:
    """Indices of one of points (n, 3) in each cell."""
    return np.unique(np.floor(points / side).astype(np.int64), axis=0, return_index=True)[1]
