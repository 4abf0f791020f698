"""`Branch`: one arm holds one part over all key frames."""

from dataclasses import dataclass

import numpy as np

RETREAT = 0.06
"""Metres from where the gripper comes and to where it goes, in a straight line."""


@dataclass(frozen=True, eq=False)
class Branch:
    """An arm holds a part all along."""

    arm: str
    part: int
    T_part_grasp: np.ndarray
    width: float
    opening: float
    path: np.ndarray
    """(K, J) of the arm's own joints at the key frames."""
    cost: float
