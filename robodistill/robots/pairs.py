"""Pairs of links whose contact says nothing, found by sampling as MoveIt's setup assistant does: kept in robot files.

A pair is ignored when its links are joined, when it touches in (nearly) every configuration, or when it touches in the
home pose, which is taken for free of contact: shapes are coarse. Pairs that never touch are not ignored, for the sphere
test costs nothing and the sample might have missed them.
"""

from dataclasses import replace

import numpy as np

from robodistill.robots.collision import Collision
from robodistill.robots.robot import Robot

_ALWAYS = 0.95  # share of the samples


def find_ignored(robot: Robot, samples: int = 400, seed: int = 0) -> list[tuple[str, str]]:
    """Pairs of link names, sorted.

    Raises:
        MissingPart: coal is not installed.
    """
    bare = Collision(replace(robot, ignored=frozenset()))
    found = {frozenset((joint.parent, joint.child)) for joint in robot.model.joints}
    found |= {frozenset((a, b)) for arm in robot.arms.values() for a in arm.hand for b in arm.hand if a != b}
    found |= bare.touching_pairs(robot.home)
    counts: dict[frozenset[str], int] = {}
    rng = np.random.default_rng(seed)
    for q in rng.uniform(*robot.limits.T, size=(samples, len(robot.joints))):
        for pair in bare.touching_pairs(q):
            counts[pair] = counts.get(pair, 0) + 1
    found |= {pair for pair, count in counts.items() if count >= _ALWAYS * samples}
    return sorted(tuple(sorted(pair)) for pair in found)


def with_ignored(robot: Robot) -> Robot:
    """The robot with its ignored pairs, looked for if its file has none."""
    if robot.ignored is not None:
        return robot
    return replace(robot, ignored=frozenset(frozenset(pair) for pair in find_ignored(robot)))
