"""Ways to repeat a demonstration: carried or where it stands, joint after joint or all at once.

What stands is handled joint by joint where the joints moved one after the other, the other arm steadying what it can:
a base that fingers can hold is likely to be light. Then all that moved is held at once, then a base goes unheld, then
joints that moved at once move one by one. Last, what no hand holds all the way is let go midway and taken hold of
anew: a joint that stays where a film leaves it is taken to stay midway, too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from robodistill.config import GraspConfig
from robodistill.errors import HonestNo
from robodistill.planning.branch import STAGES
from robodistill.planning.phases import halves, joined, phases
from robodistill.planning.planner import Planner, Tries
from robodistill.planning.task import is_carried, is_moved, make_task
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
    anew: bool = False
    """Whether what no hand holds all the way is let go midway and taken hold of anew."""


def ways_of(motion: PartMotion) -> list[Way]:
    """The preferred first."""
    found = [Way(True, [motion], False)] if is_carried(motion) else []
    several, single = phases(motion), phases(motion, alone=True)
    at_once = Way(False, [motion], False)
    found += [at_once] if len(several) == 1 else [Way(False, several, True), at_once, Way(False, several, False)]
    if len(single) > len(several):
        found.append(Way(False, single, False))
    return [*found, Way(False, single, False, anew=True)]


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
    rehearsed: Callable[[BimanualTrajectory, PartMotion], str] | None = None,
) -> BimanualTrajectory:
    """A plan that repeats a motion; what was lifted and cannot be is handled where it stands, if its joints moved.

    Args:
        T_world_object: (4, 4) the field's coordinates of the root part, as it stands in the first frame, to the world.
        rehearsed: Why a plan of a motion fails when it is run, such as on a twin; empty where it does not. The next
            that does not is looked for; where there is none, the first is returned, and `checks` has what was said
            against it.

    Raises:
        HonestNo: There is none; `answer` has stage, reason and how far it came.
        MissingPart: roboticstoolbox or coal is not installed.
    """
    known: tuple[dict, dict] = {}, {}
    args = robot, robot_name, motion, T_world_object, workpiece, others, table, config, known
    try:
        return _first_plan(*args, rehearsed, progress)
    except HonestNo as no:
        if no.answer["stage"] != "rehearsal":
            raise
        found = _first_plan(*args, None, progress)
        found.checks["rehearsal"] = str(no.answer["reason"])
        return found


def _first_plan(
    robot: Robot,
    robot_name: str,
    motion: PartMotion,
    T_world_object: np.ndarray,
    workpiece: Workpiece,
    others: Sequence[Obstacle],
    table: float,
    config: GraspConfig | None,
    found_before: tuple[dict, dict],
    rehearsed: Callable[[BimanualTrajectory, PartMotion], str] | None,
    progress: Progress,
) -> BimanualTrajectory:
    """`plan_demonstration` without what is said there of rehearsals; `found_before` keeps grasps and hands."""
    tries, (known, hands) = Tries(), found_before
    outcomes: dict[tuple, tuple[BimanualTrajectory, float] | HonestNo] = {}

    def planned(piece: PartMotion, way: Way) -> tuple[BimanualTrajectory, float]:
        """A plan of one motion, and seconds of the film at which it begins."""
        key = *_key(piece, way.carry), way.steadied
        if key not in outcomes:
            try:
                task = make_task(piece, T_world_object, way.carry)
                args = (workpiece, others, table, config, known.setdefault(key[:-1], {}), way.steadied, tries, hands)
                run = None if rehearsed is None else partial(rehearsed, motion=piece)
                outcomes[key] = Planner(robot, robot_name, task, *args, run)(progress), task.begins
            except HonestNo as no:
                outcomes[key] = no
        if isinstance(outcomes[key], HonestNo):
            raise outcomes[key]
        return outcomes[key]

    def all_planned(way: Way) -> list[tuple[BimanualTrajectory, float]]:
        found = []
        for piece in way.pieces:
            try:
                found.append(planned(piece, way))
            except HonestNo as no:
                parts = halves(piece) if way.anew else []
                if len(parts) < 2:
                    raise no
                found += [planned(it, way) for it in parts]
        return found

    why: HonestNo | None = None
    for way in ways_of(motion):
        try:
            plans = all_planned(way)
        except HonestNo as no:
            why = no if why is None else max(why, no, key=_came)
            continue
        begins = plans[0][1]
        found = joined([replace(it, progress=it.progress + at - begins) for it, at in plans])
        if is_carried(motion) and not way.carry:
            found.checks["not_lifted"] = str(why)
        if len(plans) > len(way.pieces):
            found.checks["let_go_midway"] = str(why)
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

    def begins(piece: PartMotion, carry: bool) -> bool:
        task, grasps = make_task(piece, T_world_object, carry), known.setdefault(_key(piece, carry), {})
        return Planner(robot, robot_name, task, workpiece, grasps=grasps, hands=hands).can_begin()

    for way in ways_of(motion):
        try:
            if all(begins(piece, way.carry) for piece in way.pieces):
                return True
        except HonestNo:
            continue
    return False


def _key(piece: PartMotion, carry: bool) -> tuple:
    """Pieces of one demonstration with the same are the same."""
    moved = tuple(k for k, joint in enumerate(piece.joints) if is_moved(piece, joint))
    return carry, float(piece.times[0]), float(piece.times[-1]), moved
