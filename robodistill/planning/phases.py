"""A demonstration taken apart into joints that move one after the other, and plans of these put together.

Where the base stays, a robot need not hold on to all that is ever moved: like a person it takes hold of one thing,
moves it, lets go and takes the next. Each phase is planned by itself, from the home pose to the home pose. What no
hand can hold all the way is taken hold of anew midway.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from robodistill.planning.task import is_moved
from robodistill.planning.trajectory import BimanualTrajectory
from robodistill.tracking.motion import Joint, PartMotion

_SETTLED = 0.03  # share of a joint's range within which it is where it begins or ends; films are a hundredth or two off
_TOGETHER = 0.15  # share of the shorter movement from which two that overlap are one
_FEWEST = 3  # frames of a phase


def phases(motion: PartMotion, alone: bool = False) -> list[PartMotion]:
    """Motions of some joints each, the others standing where they do by then; the motion itself where that is one.

    Only for joints with values; with a free one among those that move nothing is taken apart.

    Args:
        alone: Each joint by itself, those that moved at once, too.
    """
    moved = [k for k, joint in enumerate(motion.joints) if is_moved(motion, joint)]
    if len(moved) < 2 or any(motion.joints[k].kind == "free" for k in moved):
        return [motion]
    spans = {k: _span(motion.joints[k].values) for k in moved}
    groups: list[list[int]] = []
    for k in sorted(moved, key=lambda k: spans[k]):
        if groups and not alone and any(_together(spans[k], spans[other]) for other in groups[-1]):
            groups[-1].append(k)
        else:
            groups.append([k])
    if len(groups) == 1:
        return [motion]
    found, done = [], set()
    for group in groups:
        first, last = min(spans[k][0] for k in group), max(spans[k][1] for k in group)
        keep = slice(first, max(last + 1, first + _FEWEST))
        found.append(_cut(motion, keep, set(group), done))
        done |= set(group)
    return found


def halves(motion: PartMotion) -> list[PartMotion]:
    """A motion up to where its joints have gone half their way, and from there on; itself where it is too short, or
    where nothing but joints with values tells where parts are midway."""
    moved = [joint for joint in motion.joints if is_moved(motion, joint)]
    if not moved or any(joint.kind == "free" for joint in moved):
        return [motion]
    gone = np.mean([np.cumsum(np.abs(np.gradient(it.values))) / np.ptp(it.values) for it in moved], axis=0)
    middle = int(np.argmin(np.abs(gone - gone[-1] / 2)))
    if not _FEWEST <= middle + 1 <= len(motion) - _FEWEST + 1:
        return [motion]
    return [_frames(motion, slice(None, middle + 1)), _frames(motion, slice(middle, None))]


def joined(plans: Sequence[BimanualTrajectory]) -> BimanualTrajectory:
    """Plans one after the other, each from the home pose to the home pose; checks are the worst of all."""
    if len(plans) == 1:
        return plans[0]
    offsets = np.cumsum([0.0, *(plan.duration for plan in plans[:-1])])
    motions = [plan.motion for plan in plans]
    parts = [slice(1 if k else 0, None) for k in range(len(plans))]  # the first time is the last one before

    def together(name: str) -> np.ndarray:
        return np.concatenate([getattr(it, name)[part] for it, part in zip(motions, parts, strict=True)])

    times = np.concatenate(
        [it.times[part] - it.times[0] + at for it, part, at in zip(motions, parts, offsets, strict=True)]
    )
    whole = replace(
        motions[0],
        times=times,
        **{name: together(name) for name in ("positions", "velocities", "openings")},
    )
    holds = tuple(
        replace(hold, start=hold.start + at, end=hold.end + at)
        for plan, at in zip(plans, offsets, strict=True)
        for hold in plan.holds
    )
    progress = np.concatenate([plan.progress[part] for plan, part in zip(plans, parts, strict=True)])
    return replace(
        plans[0], motion=whole, holds=holds, progress=progress, checks=_worst([it.checks for it in plans], offsets)
    )


def _worst(checks: list[dict], offsets: np.ndarray) -> dict:
    """Figures of all phases as one."""
    tightest = int(np.argmin([it["clearance_mm"] for it in checks]))
    tracking: dict[str, dict[str, float]] = {}
    for it in checks:
        for part, off in it["tracking"].items():
            known = tracking.setdefault(part, dict.fromkeys(off, 0.0))
            tracking[part] = {name: max(value, known[name]) for name, value in off.items()}
    grippers = [
        hold | {name: round(hold[name] + float(at), 3) for name in ("closed_s", "opens_s")}
        for it, at in zip(checks, offsets, strict=True)
        for hold in it["grippers"]
    ]
    return {
        "phases": len(checks),
        "duration_s": round(sum(it["duration_s"] for it in checks), 3),
        "looked_at": sum(it["looked_at"] for it in checks),
        "tracking": tracking,
        "limit_margin_rad": min(it["limit_margin_rad"] for it in checks),
        "speed_share": max(it["speed_share"] for it in checks),
        "clearance_mm": checks[tightest]["clearance_mm"],
        "clearance_at_s": round(checks[tightest]["clearance_at_s"] + float(offsets[tightest]), 3),
        "grippers": grippers,
        "seconds": round(sum(it["seconds"] for it in checks), 2),
    }


def _span(values: np.ndarray) -> tuple[int, int]:
    """The first and the last frame in which a joint is under way, with the ones around them."""
    near = _SETTLED * np.ptp(values)
    begun, left = np.flatnonzero(np.abs(values - values[0]) > near), np.flatnonzero(np.abs(values - values[-1]) > near)
    first = max(0, int(begun[0]) - 2)
    last = min(len(values) - 1, int(max(left[-1] if len(left) else begun[-1], begun[0])) + 2)
    return first, last


def _together(a: tuple[int, int], b: tuple[int, int]) -> bool:
    shared = min(a[1], b[1]) - max(a[0], b[0])
    return shared > _TOGETHER * min(a[1] - a[0], b[1] - b[0])


def _cut(motion: PartMotion, keep: slice, own: set[int], done: set[int]) -> PartMotion:
    """Frames in which only some joints move, all the way; those that were done stand at their end, the others at their
    begin."""
    joints = tuple(
        replace(joint, values=_whole(joint, keep) if k in own else _still(joint, keep, -1 if k in done else 0))
        for k, joint in enumerate(motion.joints)
    )
    return replace(_frames(motion, keep), joints=joints)


def _frames(motion: PartMotion, keep: slice) -> PartMotion:
    cut = {name: getattr(motion, name)[keep] for name in ("Ts_camera_part", "confidence", "visible", "held", "times")}
    joints = tuple(replace(joint, values=joint.values[keep]) for joint in motion.joints)
    return replace(motion, joints=joints, **cut)


def _whole(joint: Joint, keep: slice) -> np.ndarray:
    values = joint.values[keep].copy()
    values[0], values[-1] = joint.values[0], joint.values[-1]
    return values


def _still(joint: Joint, keep: slice, at: int) -> np.ndarray:
    return np.full(keep.stop - keep.start, joint.values[at])
