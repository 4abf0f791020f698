"""Grasps by language on field folders."""

import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from robodistill.config import GraspConfig, QueryConfig
from robodistill.errors import BadInput, HonestNo
from robodistill.grasp.candidates import Sampler, Scorer
from robodistill.grasp.grasp import Grasp, GraspList
from robodistill.grasp.mended import mended
from robodistill.grasp.motion import lift_trajectory
from robodistill.grasp.phrase import object_and_part
from robodistill.grasp.planner import GraspPlanner
from robodistill.grasp.surface import Surface, field_surface
from robodistill.grasp.whole import completed, standing_pieces
from robodistill.language.query import Querier
from robodistill.language.selection import Selection
from robodistill.pipeline.language import open_language
from robodistill.robots.ik import load_toolbox
from robodistill.robots.obstacles import load_coal
from robodistill.robots.robot import Robot, load_robot


@dataclass(frozen=True, eq=False)
class Found:
    """Grasps, and what they are of."""

    grasps: GraspList
    thing: Selection
    part: Selection | None
    query_seconds: float


class Grasper:
    """A field, its language and a robot, ready for phrases."""

    def __init__(
        self,
        querier: Querier,
        robot: Robot,
        config: GraspConfig,
        surface: Surface | None = None,
        sampler: Sampler | None = None,
        scorer: Scorer | None = None,
    ) -> None:
        """Prepare; the surface is that of the querier's field."""
        self._querier = querier
        place = field_surface(querier.field) if surface is None else surface
        self._planner = GraspPlanner(robot, place, config, sampler, scorer)
        self._place, self._pieces = place, standing_pieces(place)

    def __call__(self, phrase: str) -> Found:
        """Ranked grasps of what a phrase names, such as "red mug" or "red mug by the handle".

        Raises:
            BadInput: The phrase cannot be read.
            HonestNo: It names nothing, or no grasp is left.
        """
        start = time.perf_counter()
        words, part_words = object_and_part(phrase)
        thing = self._ask(words)
        part = self._ask(part_words) if part_words else None
        asked = time.perf_counter() - start
        touched = None if part is None else part.gaussians.numpy()
        whole = mended(thing.gaussians.numpy(), self._place)
        whole = whole if touched is None else np.union1d(whole, touched)
        whole = completed(whole, self._pieces, self._place)
        found = self._planner(phrase, whole, touched)
        return Found(replace(found, seconds=time.perf_counter() - start), thing, part, asked)

    def _ask(self, phrase: str) -> Selection:
        found = self._querier(phrase)
        if not found.found:
            raise HonestNo(f"{phrase!r} was not found: {found.reason}", {"grasps": [], "rejected": {}})
        return found


def grasp_field(
    path: Path,
    phrase: str,
    *,
    robot: str = "yumi",
    teacher: str | None = None,
    out: Path | None = None,
    trajectory: Path | None = None,
    overwrite: bool = False,
    config: GraspConfig | None = None,
) -> Found:
    """Find grasps of what a phrase names.

    Args:
        out: JSON to write the grasps to.
        trajectory: JSON to write the motion of the best one to, for `simulate` or a robot.

    Raises:
        BadInput: An argument is not valid.
        HonestNo: Nothing of the phrase is there, or no grasp is left.
        MissingPart: roboticstoolbox or coal is not installed.
    """
    for file in (out, trajectory):
        if file is not None and Path(file).exists() and not overwrite:
            raise BadInput(f"{file} exists; give another name or --overwrite")
    it = load_robot(robot)
    load_toolbox(), load_coal()  # before the clock starts
    field, layer, text = open_language(path, teacher)
    found = Grasper(Querier(field, layer, text, QueryConfig()), it, config or GraspConfig())(phrase)
    grasps = replace(found.grasps, robot=robot)
    if out is not None:
        grasps.save(out, overwrite)
    if trajectory is not None:
        motion = lift_trajectory(it, robot, grasps.grasps[0], {"phrase": phrase, "center": list(grasps.center)})
        motion.save(trajectory, overwrite)
    return replace(found, grasps=grasps)


def grasp_values(grasp: Grasp) -> dict:
    """What `--json` prints of a grasp."""
    return {
        "T_world_grasp": grasp.T_world_grasp.tolist(),
        "width": round(grasp.width, 5),
        "score": round(grasp.score, 4),
        "arm": grasp.arm,
        "opening": round(grasp.opening, 5),
        "T_world_pregrasp": grasp.T_world_pregrasp.tolist(),
        "T_world_lift": grasp.T_world_lift.tolist(),
    }
