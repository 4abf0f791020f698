"""Grasps of a part that stay free on its whole path: the gripper against the other parts and the table all along."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from robodistill.config import GraspConfig
from robodistill.grasp.candidates import Candidates
from robodistill.grasp.clearance import Hand, clearances, heights_above, signed_distance
from robodistill.grasp.outlines import is_low, walls_of
from robodistill.grasp.surface import Surface
from robodistill.planning.accessible import prominent
from robodistill.planning.closings import TIPS, closings
from robodistill.planning.seat import seated
from robodistill.planning.task import Task
from robodistill.planning.workpiece import CELL, Workpiece
from robodistill.robots.robot import Robot
from robodistill.tracking.motion import Joint

_FREE = 1.8 * CELL  # metres from the gripper to points of other parts, whose cells reach a diagonal beyond them
_TIGHT = CELL  # metres where few grasps have that much all along: cells seldom reach their diagonal
_POINTS = 700  # of a part, for finding contacts
_LEAST = 12  # points that a part must have, and that fingers must get to
_PRESSED, _FULL = 4.8e-5, 1.3e-4  # square metres that each pad presses at least, and from which more is no better
_SINKS = 0.0015  # metres that points of a part may be inside the fingers that press it, as a scan is wrong by
_WEDGE = 0.7  # rad, of both contact angles together at most
_GLANCED, _COARSE = 1500, 0.012  # candidates looked at with points so far apart, metres
_FEW, _FINE = 10, 0.4  # grasps of a part, below which they are sought with a finer grain
_KEPT = 300  # candidates whose clearance is looked at
_PLACES = 14  # key frames at which the other parts are looked at
_WEAKEST, _CARRIES = 0.25, 0.45  # score of a grasp that holds, and of one that carries
_GAP, _DOUBT = 0.3, 0.7  # of what a pad presses, that faces between the pads may have; what a hand is worth less then
_UNKNOWN = 0.3  # rad that both contact angles are taken for where they were not seen
_FLAT = 0.2  # rad of both contact angles together by which a grasp is worth less
_LEVER = 0.3  # of the part's reach from a hinge's axis, that pads are away from it
_ALIKE = 0.002  # metres, rad between tasks' beginnings that share hands: all that is near is looked at anew
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
    most: int = 40, hands: dict | None = None,
) -> PartGrasps:  # fmt: skip
    """Antipodal grasps of a part that keep clear of all else from the first key frame to the last.

    Args:
        arm: Whose gripper; the other's is taken for the same.
        table: Height of its top, metres.
        most: Kept, each unlike all better ones.
        hands: Known from tasks that begin alike, before their paths were looked at; new ones are added.
    """
    hands = {} if hands is None else hands
    coarse = _on_path(robot, arm, workpiece, task, part, config, table, most, hands, 1.0)
    if len(coarse) >= _FEW or "the part has too few points" in coarse.rejected:
        return coarse
    fine = _on_path(robot, arm, workpiece, task, part, config, table, most, hands, _FINE)
    return fine if len(fine) > len(coarse) else coarse


def _on_path(
    robot: Robot, arm: str, workpiece: Workpiece, task: Task, part: int, config: GraspConfig, table: float, most: int,
    hands: dict, grain: float,
) -> PartGrasps:  # fmt: skip
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
    if is_low(thing):  # its sides are a pixel or two high: its outline tells more of them
        walls = walls_of(thing)
        pairs = ((getattr(it, name) for it in (thing, walls)) for name in ("points", "normals", "ids"))
        thing = Surface(*(np.concatenate(list(pair)) for pair in pairs), plane)
    others = [k for k in range(len(task.parts)) if k != part and (workpiece.owners == k).any()]
    Ts_part_other = np.linalg.inv(Ts[:, part])[:, None] @ Ts[:, others]  # (K, others, 4, 4)
    points = [_thinned(workpiece.of(k)) for k in others]
    first = _moved(points, Ts_part_other[0])
    place, known = np.append(plane, Ts_part_other[0]), hands.setdefault((part, grain), [])
    found = next((it for there, *it in known if np.allclose(there, place, rtol=0, atol=_ALIKE)), None)
    if found is None:
        found = _on_part(hand, thing, first, config, grain, rejected), rejected
        known.append((place, *found))
    made, rejected = found[0], found[1].copy()
    if others and len(made):
        made = _clear(hand, made, first, _FREE, config, "another part is in the way in", rejected)
        swept = np.concatenate([_moved(points, there) for there in Ts_part_other])
        apart = _apart(hand, made, _thinned(swept), _FREE)
        made = _keep(made, apart >= _room(apart), "another part comes in the way", rejected)
    low = np.array([
        _lowest(hand, Ts[:, part] @ T, width, down) for T, width in zip(made.Ts_world_grasp, made.widths, strict=True)
    ])  # fmt: skip
    made = _keep(made, low > TIPS - 1e-4 if len(low) else np.zeros(0, bool), "the table comes in the way", rejected)
    far = _levers(made, task.hinges, part, workpiece.of(part)) >= _LEVER
    if far.any() or task.carried:  # in the air nothing but that hand keeps it from turning
        made = _keep(made, far, "too near a hinge", rejected)
    scores = _scores(made, plane[:3])
    firm = scores >= (_CARRIES if task.carried else _WEAKEST)
    firm &= (made.scores > 1 - _DOUBT) | (not task.carried)  # across a gap nothing is carried
    made, scores = _keep(made, firm, "too weak a hold", rejected), scores[firm]
    order = _unlike(made.Ts_world_grasp, np.argsort(-scores), most, grain)
    made, scores = made.select(order), scores[order]
    rejected = {reason: count for reason, count in rejected.items() if count}
    return PartGrasps(part, made.Ts_world_grasp, made.widths, _openings(hand, made, config), scores, rejected)


def _on_part(
    hand: Hand, thing: Surface, others: np.ndarray, config: GraspConfig, grain: float, rejected: dict[str, int]
) -> Candidates:
    """Where the hand can close on a part beside points (n, 3) of others, looked at coarsely, in the part's frame.

    Args:
        grain: Below 1 for more hands that are more like each other.
    """
    rng = np.random.default_rng(config.seed)
    picks = thing.select(prominent(thing.points, thing.normals, others, thing.up, _POINTS, rng))
    if len(picks.points) < _LEAST:
        rejected["no finger gets there"] = len(thing.points) - len(picks.points)
        return Candidates(np.zeros((0, 4, 4)), np.zeros(0), np.zeros((0, 2)), np.zeros(0))
    Ts, widths = closings(picks, hand.opening - config.spare, config, hand.pads, grain)
    made = Candidates(Ts, widths, np.zeros((len(Ts), 2)), np.ones(len(Ts)))
    above = heights_above(hand, Ts, _openings(hand, made, config), thing.plane) > TIPS - 1e-4
    made = _keep(made, above, "the gripper would touch the table", rejected)
    order = _unlike(made.Ts_world_grasp, np.arange(len(made)), int(_GLANCED / grain), grain)
    rejected["like a better one"] = len(made) - len(order)
    made = made.select(order)
    coarse = thing.points[_cells(thing.points, _COARSE)]
    made = _clear(hand, made, coarse, 0.0, config, "the gripper would touch the part", rejected)
    coarse = others[_cells(others, _COARSE)]
    made = _clear(hand, made, coarse, 0.0, config, "another part is in the way in", rejected)
    made = made.select(np.arange(min(len(made), int(_KEPT / grain))))
    seats = seated(made.Ts_world_grasp, thing, hand.opening - config.spare, hand.pads)
    pressed = np.minimum(seats.areas.min(1) / _FULL, 1.0) - _DOUBT * (seats.gaps > _GAP)
    made = Candidates(seats.Ts_world_grasp, seats.widths, seats.angles, pressed)
    firm = (seats.areas.min(1) >= _PRESSED) & (seats.angles.sum(1) < _WEDGE)
    made = _keep(made, firm, "the pads would not sit flat", rejected)
    own = _thinned(thing.points)
    sunk = _apart(hand, made, own, 0.0) < -_SINKS
    made = _keep(made, ~sunk, "a finger would push the part aside", rejected)
    return _clear(hand, made, own, 0.0, config, "the gripper would touch the part", rejected)


def _levers(made: Candidates, hinges: Sequence[Joint], part: int, points: np.ndarray) -> np.ndarray:
    """(m,) how far both pads are from the axes that a part turns about, of how far its points (n, 3) are.

    Near an axis a hand must pull hard, and nobody knows well whose a surface is that hardly moved.
    """
    Ts = made.Ts_world_grasp
    pads = Ts[:, None, :3, 3] + np.array([-0.5, 0.5])[:, None] * (made.widths[:, None] * Ts[:, :3, 0])[:, None]
    share = np.full(len(Ts), np.inf)
    for hinge in hinges:
        if part in (hinge.parent, hinge.child):
            own, all_ = (np.linalg.norm(np.cross(p - hinge.origin, hinge.axis), axis=-1) for p in (pads, points))
            share = np.minimum(share, own.min(1) / np.quantile(all_, 0.95))
    return share


def _openings(hand: Hand, made: Candidates, config: GraspConfig) -> np.ndarray:
    """(m,) of the gripper on its way in, metres."""
    return np.minimum(made.widths + config.extra, hand.opening)


def _clear(
    hand: Hand, made: Candidates, points: np.ndarray, enough: float, config: GraspConfig, reason: str,
    rejected: dict[str, int],
) -> Candidates:  # fmt: skip
    free = clearances(hand, made.Ts_world_grasp, _openings(hand, made, config), points, enough) >= enough
    return _keep(made, free, reason, rejected)


def _moved(points: list[np.ndarray], Ts: np.ndarray) -> np.ndarray:
    """(n, 3) points of several parts, each moved by its own of Ts (P, 4, 4), as one."""
    if not points:
        return np.zeros((0, 3))
    return np.concatenate([p @ T[:3, :3].T + T[:3, 3] for p, T in zip(points, Ts, strict=True)])


def for_plan(config: GraspConfig) -> GraspConfig:
    """Looks at more contacts and directions than a lift needs: only few grasps stay free all the way."""
    more = {"contacts": 3 * config.contacts // 2, "approaches": 4 * config.approaches // 3}
    return replace(config, **more, least_down=-0.1)


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


def _apart(hand: Hand, made: Candidates, points: np.ndarray, most: float) -> np.ndarray:
    """(m,) metres from the gripper, closed on the part, to points (n, 3) in the part's frame, at most `most`."""
    found = np.full(len(made), most)
    points = points.astype(np.float32)
    tree = cKDTree(points)
    for k, (T, width) in enumerate(zip(made.Ts_world_grasp.astype(np.float32), made.widths, strict=True)):
        shapes, (low, high) = hand.shapes(float(width)), hand.box(float(width))
        low, high = low - most, high + most
        near = points[tree.query_ball_point(T[:3, 3], np.linalg.norm(np.maximum(-low, high)))]
        local = (near - T[:3, 3]) @ T[:3, :3]
        local = local[((local > low) & (local < high)).all(-1)]
        found[k] = min(signed_distance(shape, local).min(initial=most) for shape in shapes)
    return found


def _room(apart: np.ndarray) -> float:
    """Metres to other parts all along, that are asked of hands with (m,) of it: less where few of them have much."""
    return float(np.clip(np.sort(apart)[-_FEW:].min(initial=np.inf), _TIGHT, _FREE))


def _lowest(hand: Hand, Ts_world_grasp: np.ndarray, width: float, plane: np.ndarray) -> float:
    return float(heights_above(hand, Ts_world_grasp, np.full(len(Ts_world_grasp), width), plane).min())


def _unlike(Ts: np.ndarray, order: np.ndarray, most: int, grain: float = 1.0) -> np.ndarray:
    """Of poses in an order, the first of each neighbourhood, at most so many."""
    kept: list[int] = []
    left = order
    while len(left) and len(kept) < most:
        first = left[0]
        kept.append(int(first))
        near = np.linalg.norm(Ts[left, :3, 3] - Ts[first, :3, 3], axis=1) < grain * _APART
        near &= np.abs(Ts[left, :3, 0] @ Ts[first, :3, 0]) > np.cos(grain * _TURNED)
        near &= Ts[left, :3, 2] @ Ts[first, :3, 2] > np.cos(grain * _TURNED)
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
