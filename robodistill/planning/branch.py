"""`Branch`: one arm holds one part over all key frames; and `Miss`: why there is none, or no plan."""

from dataclasses import dataclass

import numpy as np

RETREAT = 0.06
"""Metres from where the gripper comes and to where it goes, in a straight line."""


STAGES = ("task", "grasp", "reach", "path", "pair", "way", "check", "rehearsal")
"""The nearer to success the later."""


@dataclass(frozen=True, eq=False)
class Branch:
    """An arm holds a part all along."""

    arm: str
    part: int
    T_part_grasp: np.ndarray
    width: float
    opening: float
    """Of the gripper on its way in, metres."""
    release: float
    """And as it lets go and leaves."""
    path: np.ndarray
    """(K, J) of the arm's own joints at the key frames."""
    cost: float


@dataclass(frozen=True)
class Miss:
    """Why something did not become a plan."""

    stage: str
    reason: str
    share: float = 0.0
    """Of the stage that was done."""

    @property
    def rank(self) -> tuple[int, float]:
        """Higher is nearer to success."""
        return STAGES.index(self.stage), self.share
