"""Judging a lift by physics: is the asked thing 10 cm up for 3 s, did nothing else move, was nothing else touched?

The criterion is that of Zheng et al., "GaussianGrasper", RA-L 2024 (the right object raised 10 cm for more than 3 s),
with two demands more: no other object moves by more than 2 cm, and the robot touches nothing but what it lifts.
"""

from dataclasses import asdict, dataclass

import numpy as np

from robodistill.robots.robot import Robot
from robodistill.sim.arena import Recording

RISE = 0.10
"""Metres that the object is lifted."""
HOLD = 3.0
"""Seconds that it stays up."""
STILL = 0.02
"""Metres that anything else may move."""


@dataclass(frozen=True)
class LiftVerdict:
    """What a run was worth."""

    success: bool
    reason: str
    """Of failure; empty after success."""
    rise: float
    """Metres by which the asked object ended higher."""
    held: float
    """Seconds, up to the end of the run, through which it was 10 cm up."""
    wrong: tuple[str, ...]
    """Other objects that were 10 cm up at the end."""
    moved: float
    """Metres that the most disturbed other thing was away from its place at any time."""
    touched: tuple[str, ...]
    """Forbidden contacts, as "link object"."""

    def values(self) -> dict:
        """Plain values."""
        return asdict(self)


def judge_lift(recording: Recording, target: str, robot: Robot, arm: str) -> LiftVerdict:
    """Judge a run whose last part holds what was lifted.

    Args:
        target: Name of the asked object in the recording.
        arm: Whose gripper may touch it.
    """
    heights = {name: poses[:, 2, 3] - poses[0, 2, 3] for name, poses in recording.poses.items()}
    up = heights[target] >= RISE
    below = np.flatnonzero(~up)
    since = recording.times[0] if not len(below) else recording.times[min(below[-1] + 1, len(up) - 1)]
    held = float(recording.times[-1] - since) if up[-1] else 0.0
    others = {name: poses[:, :3, 3] for name, poses in recording.poses.items() if name != target}
    moved = max((float(np.linalg.norm(p - p[0], axis=1).max()) for p in others.values()), default=0.0)
    wrong = tuple(name for name in others if heights[name][-1] >= RISE)
    hand = robot.arm(arm).hand
    allowed = {(link, target) for link in hand}
    bad = sorted(f"{a} {b}" for a, b in recording.contacts if (a, b) not in allowed)
    if wrong:
        reason = "another object was lifted"
    elif held < HOLD:
        reason = "it was not lifted" if heights[target].max() < RISE else "it was dropped"
    elif moved > STILL:
        reason = "another object was moved"
    else:
        reason = "the robot touched something else" if bad else ""
    return LiftVerdict(not reason, reason, float(heights[target][-1]), held, wrong, moved, tuple(bad))
