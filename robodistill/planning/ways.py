"""Ways to repeat a demonstration: carried or where it stands, joint after joint or all at once.

What stands is handled joint by joint where the joints moved one after the other, the other arm steadying what it can:
a base that fingers can hold is likely to be light. Then all that moved is held at once, and last a base goes unheld.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from robodistill.config import GraspConfig
from robodistill.errors import HonestNo
from robodistill.planning.branch import STAGES
from robodistill.planning.grasps import PartGrasps
from robodistill.planning.phases import joined, phases
from robodistill.planning.planner import Planner, Tries
from robodistill.planning.task import is_carried, make_task
from robodistill.planning.trajectory import BimanualTrajectory
from robodistill.planning.workpiece import Workpiece
from robodistill.progress import Progress, silent
from robodistill.robots.obstacles import Obstacle
from robodistill.robots.robot import Robot
from robodistill.tracking.motion import PartMotion


@dataclass(frozen=True, eq=False)
class Way:
    """How to repeat a demonstration."""

    carry: bool
    """Whether the root part leaves its place."""
    pieces: Sequence[PartMotion]
    """To be planned one after the other."""
    steadied: bool
    """Whether a base that can be held must be held: it is likely to be light."""


def ways_of(motion: PartMotion) -> list[Way]:
    """The preferred first."""
    found = [Way(True, [motion], False)] if is_carried(motion) else []
    several = phases(motion)
    if len(several) == 1:
        return [*found, Way(False, [motion], False)]
    return [*found, Way(False, several, True), Way(False, [motion], False), Way(False, several, False)]


def plan_demonstration(
    robot: Robot,
    robot_name: str,
    motion: PartMotion,
    T_world_object: np.ndarray,
    workpiece: Workpiece,
    others: Sequence[Obstacle] = (),
    table: float = 0.0,
    config: GraspConfig | None = None,
    progress: Progress = silent,
) -> BimanualTrajectory:
    """A plan that repeats a motion; what was lifted and cannot be is handled where it stands, if its joints moved.

    Args:
        T_world_object: (4, 4) the field's coordinates of the root part, as it stands in the first frame, to the world.

    Raises:
        HonestNo: There is none; `answer` has stage, reason and how far it came.
        MissingPart: roboticstoolbox or coal is not installed.
    """
    why: HonestNo | None = None
    tries = Tries()
    known: dict[tuple[bool, int, int], dict[int, PartGrasps]] = {}
    hands: dict = {}
    for way in ways_of(motion):
        try:
            tasks = [make_task(piece, T_world_object, way.carry) for piece in way.pieces]
            plans = []
            for k, task in enumerate(tasks):
                grasps = known.setdefault((way.carry, len(tasks), k), {})
                planner = Planner(
                    robot, robot_name, task, workpiece, others, table, config, grasps, way.steadied, tries, hands
                )
                plans.append(planner(progress))
        except HonestNo as no:
            why = no if why is None else max(why, no, key=_came)
            continue
        begins = tasks[0].begins
        found = joined(
            [replace(it, progress=it.progress + task.begins - begins) for it, task in zip(plans, tasks, strict=True)]
        )
        if is_carried(motion) and not way.carry:
            found.checks["not_lifted"] = str(why)
        return found
    assert why is not None
    raise why


def _came(no: HonestNo) -> tuple[int, float]:
    """How near to success; of equals the first is told."""
    return STAGES.index(no.answer["stage"]), no.answer.get("came", 0.0)


def can_begin(
    robot: Robot, robot_name: str, motion: PartMotion, T_world_object: np.ndarray, workpiece: Workpiece, known: dict
) -> bool:
    """Whether each motion of some way can begin; `known` keeps grasps from one place to the next."""
    hands = known.setdefault("hands", {})
    for way in ways_of(motion):
        try:
            tasks = [make_task(piece, T_world_object, way.carry) for piece in way.pieces]
        except HonestNo:
            continue
        grasps = [known.setdefault((way.carry, len(tasks), k), {}) for k in range(len(tasks))]
        if all(
            Planner(robot, robot_name, task, workpiece, grasps=it, hands=hands).can_begin()
            for task, it in zip(tasks, grasps, strict=True)
        ):
            return True
    return False
