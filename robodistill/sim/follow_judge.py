"""Judging by physics whether two arms repeated a demonstration: is each part where it was put, was it held meanwhile?

RSRD (Kerr et al., CoRL 2024) had people judge its runs; here a part must end within 1 cm and 10 degrees of its place,
each joint that was moved within 10 % of the range that it was moved through, the hands must have had hold of what they
were to hold, and a base that stays in place may move by 2 cm.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from robodistill.robots.robot import Robot
from robodistill.sim.arena import Recording

PLACE, TURN = 0.010, np.radians(10)
"""Metres and rad that a part may end away from where it should."""
SHARE = 0.10
"""Of the range that a joint was moved through."""
STILL = 0.02
"""Metres that a base that stays may move."""
_HELD = 0.95  # share of the time in which a hand must touch what it holds


@dataclass(frozen=True)
class Held:
    """An arm is to hold a part."""

    arm: str
    parts: tuple[str, ...]
    """Where its pads press; of parts that meet there, any."""
    start: float
    """Seconds."""
    end: float


@dataclass(frozen=True, eq=False)
class Goal:
    """What a demonstration did, in the object's frame with all parts at rest."""

    Ts_part: Mapping[str, np.ndarray]
    """(4, 4) by part: where its points go from the first frame to the last, seen from the root part's first place."""
    middles: Mapping[str, np.ndarray]
    """(3,) by part: where its place is measured, metres."""
    root: str
    stays: bool
    """Whether the root part must stay where it is."""
    joints: Sequence[tuple[str, str, str, np.ndarray, float]]
    """Kind, parent, child, (3,) axis and range of each joint that was moved, rad or metres."""


@dataclass(frozen=True)
class FollowVerdict:
    """What a run was worth."""

    success: bool
    reason: str
    """Of failure; empty after success."""
    place_mm: dict[str, float]
    """By part, away from its place at the end."""
    turn_deg: dict[str, float]
    joint_off: dict[str, float]
    """By part that a joint carries: share of the joint's range by which it ended elsewhere."""
    base_mm: float
    """By which the root part moved, where it must stay."""
    held: dict[str, float]
    """By arm, share of the time for which it touched what it was to hold; of several holds the least."""
    touched: tuple[str, ...]
    """Other contacts of the robot, as "link body"."""

    def values(self) -> dict:
        """Plain values."""
        return asdict(self)


def judge_follow(recording: Recording, robot: Robot, holds: Sequence[Held], goal: Goal) -> FollowVerdict:
    """Judge a run.

    Args:
        holds: What is to be held, when, by which arm; all is judged before the last held part is let go.
        goal: What ought to have come of it.
    """
    latest = max(hold.start for hold in holds)
    end = min(hold.end for hold in holds if hold.end > latest)
    last = int(np.flatnonzero(recording.times <= end)[-1])
    now = {part: poses[last] for part, poses in recording.poses.items()}
    first = recording.poses[goal.root][0]
    seen_from = now[goal.root] if goal.stays else first
    place, turn = {}, {}
    for part, wanted in goal.Ts_part.items():
        found = np.linalg.inv(seen_from) @ now[part]
        middle = np.append(goal.middles[part], 1)
        place[part] = round(1000 * float(np.linalg.norm(((found - wanted) @ middle)[:3])), 2)
        angle = Rotation.from_matrix(found[:3, :3] @ wanted[:3, :3].T).magnitude()
        turn[part] = round(float(np.degrees(angle)), 2)
    off = {}
    for kind, parent, child, axis, span in goal.joints:
        values = [
            _value(kind, axis, np.linalg.inv(T[parent]) @ T[child]) for T in (now, goal.Ts_part)
        ]  # fmt: skip
        gap = values[0] - values[1]
        if kind != "prismatic":
            gap = (gap + np.pi) % (2 * np.pi) - np.pi
        off[child] = round(abs(float(gap)) / span, 4)
    middle = np.append(goal.middles[goal.root], 1)
    path = recording.poses[goal.root][: last + 1] @ middle - first @ middle
    base = round(1000 * float(np.linalg.norm(path[:, :3], axis=1).max()), 2) if goal.stays else 0.0
    held: dict[str, float] = {}
    for hold in holds:
        held[hold.arm] = min(held.get(hold.arm, 1.0), _touching(recording, robot, hold))
    allowed = {(link, part) for hold in holds for part in hold.parts for link in robot.arm(hold.arm).hand}
    others = tuple(sorted(f"{a} {b}" for a, b in recording.contacts if (a, b) not in allowed))
    reason = _reason(place, turn, off, base, held)
    return FollowVerdict(not reason, reason, place, turn, off, base, held, others)


def _value(kind: str, axis: np.ndarray, T: np.ndarray) -> float:
    """Where a joint stands whose child has gone by T (4, 4) against its parent."""
    if kind == "prismatic":
        return float(T[:3, 3] @ axis)
    return float(Rotation.from_matrix(T[:3, :3]).as_rotvec() @ axis)


def _touching(recording: Recording, robot: Robot, hold: Held) -> float:
    inside = (recording.times >= hold.start) & (recording.times <= hold.end)
    none = np.zeros(len(inside), bool)
    hand = robot.arm(hold.arm).hand
    touched = [recording.contacts.get((link, part), none) for link in hand for part in hold.parts]
    return round(float(np.any(touched, axis=0)[inside].mean()), 4)


def _reason(
    place: dict[str, float], turn: dict[str, float], off: dict[str, float], base: float, held: dict[str, float]
) -> str:
    for arm, share in held.items():
        if share < _HELD:
            return f"the {arm} hand held what it should for {share:.0%} of the time"
    if base > 1000 * STILL:
        return f"the base moved by {base:.0f} mm"
    for part in place:
        if place[part] > 1000 * PLACE or np.radians(turn[part]) > TURN:
            return f"{part} ended {place[part]:.0f} mm, {turn[part]:.0f} degrees away from its place"
    for part, share in off.items():
        if share > SHARE:
            return f"the joint of {part} ended {share:.0%} of its range away"
    return ""
