"""`bench grasp`: phrases to lifted things, judged by physics.

Queries are the phrases that name one thing of a simulated table, for things that can be held at all: nothing lies on
it (that would go along), and on the table's exact surface, which no scan has, our planner finds grasps in force
closure, of which one of the best three lifts it in physics (rows `queries` say how many are left). The field is
scanned with sensor noise and fitted as for `bench language`. Cases: `labels` asks for the thing by ground truth,
`truth` by features of the `truth` teacher with noise, `builtin` by the built-in teacher. Methods: ours, and, but for
the last case, ours without the filter of contact normals, which is GaussianGrasper's ablation. A query that found no
grasp counts as failed; only the best grasp is tried, once.

Rows `known motion` and `found motion` are of scene updates: one thing is moved, five new views are given.
"""

import contextlib
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from robodistill.bench.figures import Figures
from robodistill.bench.grasp_tables import asked_table
from robodistill.bench.moved import bench_update
from robodistill.bench.rows import BenchResult
from robodistill.bench.scans import Scan
from robodistill.bench.true_surface import true_surface
from robodistill.config import GraspConfig, QueryConfig
from robodistill.errors import BadInput, HonestNo
from robodistill.grasp.grasp import Grasp, GraspList
from robodistill.grasp.motion import lift_trajectory
from robodistill.grasp.planner import GraspPlanner
from robodistill.grasp.surface import field_surface
from robodistill.language.query import Querier
from robodistill.pipeline.grasp import Grasper
from robodistill.pipeline.simulate import scene_of
from robodistill.progress import Progress, silent
from robodistill.robots.robot import Robot, load_robot
from robodistill.sim.arena import Arena
from robodistill.sim.judge import LiftVerdict, judge_lift
from robodistill.sim.scene import Scene
from robodistill.teachers.registry import load_text_teacher

_TRIED = 3  # grasps on the exact surface, of which one must lift a thing that is asked for
_MOVED = 3  # scenes in which a thing is moved
METHODS = {"ours": GraspConfig(), "no_normal_filter": GraspConfig(normal_filter=False)}


def bench_grasp(
    seeds: Iterable[int],
    quick: bool = False,
    progress: Progress = silent,
    robot: str = "yumi",
    queries: int = 200,
    keep: Path | None = None,
) -> BenchResult:
    """All rows; `quick` has two scenes and one phrase a thing.

    Args:
        robot: Name of its file.
        queries: At most.
        keep: Folder where the scanned tables are kept, and taken from if they are there.
    """
    seeds = list(seeds)[: 2 if quick else None]
    figures, it = Figures(), load_robot(robot)
    asked = 0
    with contextlib.nullcontext(keep) if keep else tempfile.TemporaryDirectory() as folder:
        for k, seed in enumerate(seeds):
            progress("tables", k, len(seeds), f"seed {seed}, {asked} queries")
            if asked == queries:
                break
            scan = asked_table(Path(folder), seed)
            scene, _ = scene_of(scan.folder)
            phrases = graspable_phrases(scene, scan, it)
            figures.add("queries", "asked for", "objects", len({number for _, number in phrases}))
            figures.add("queries", "on the table", "objects", len(scene.objects))
            if quick:
                phrases = list({number: (text, number) for text, number in phrases}.values())
            phrases = phrases[: queries - asked]
            asked += len(phrases)
            _table(figures, scan, scene, it, phrases)
            if k < (1 if quick else _MOVED):
                bench_update(figures, scan, scene)
        progress("tables", len(seeds), len(seeds))
    return BenchResult(figures.rows())


def graspable_phrases(scene: Scene, scan: Scan, robot: Robot) -> list[tuple[str, int]]:
    """(phrase, object) of what can be held; phrases of parts are left out."""
    surface, owners = true_surface(scene)
    planner, arena = GraspPlanner(robot, surface), Arena.of_scene(scene, robot)
    able = set()
    for thing in scene.objects:
        if (scan.objects == thing.id).sum() < QueryConfig().least or _carries(scene, thing.id):
            continue
        with contextlib.suppress(HonestNo):
            found = planner(str(thing.id), np.flatnonzero(owners == thing.id)).grasps[:_TRIED]
            if any(_lifted(arena, robot, grasp, thing.id).success for grasp in found):
                able.add(thing.id)
    entries = scan.truth["phrases"]
    return [(it["phrase"], it["object"]) for it in entries if "part" not in it and it["object"] in able]


def _carries(scene: Scene, number: int) -> bool:
    """Whether another thing touches this one and is higher."""
    bodies = scene.model.geom_bodyid[scene.data.contact.geom]
    own = scene.model.geom_bodyid[int(np.flatnonzero(scene.to_object == number)[0])]
    for a, b in bodies:
        if own in (a, b) and 0 not in (a, b):
            other = b if a == own else a
            if scene.data.xipos[other, 2] > scene.data.xipos[own, 2]:
                return True
    return False


def _table(figures: Figures, scan: Scan, scene: Scene, robot: Robot, phrases: list[tuple[str, int]]) -> None:
    arena, surface = Arena.of_scene(scene, robot), field_surface(scan.field)
    for method, config in METHODS.items():
        planner = GraspPlanner(robot, surface, config)
        for number in sorted({number for _, number in phrases}):  # whatever it is called
            ids = np.flatnonzero(scan.objects == number)
            _tried(figures, "labels", method, lambda n=number, i=ids, g=planner: g(str(n), i), robot, arena, number)
    for case in ("truth", "builtin"):
        layer = scan.field.layer(case)
        querier = Querier(scan.field, layer, load_text_teacher(layer.teacher), QueryConfig())
        for phrase, number in phrases:
            _localised(figures, case, querier, scan, phrase, number)
        for method, config in METHODS.items():
            if case == "builtin" and method != "ours":
                continue
            grasper = Grasper(querier, robot, config, surface)
            for phrase, number in phrases:
                _tried(figures, case, method, lambda p=phrase, g=grasper: g(p).grasps, robot, arena, number)
        _timed(figures, case, querier, robot, phrases[:2])


def _lifted(arena: Arena, robot: Robot, grasp: Grasp, number: int) -> LiftVerdict:
    """What physics says of a grasp."""
    return judge_lift(arena.run(lift_trajectory(robot, robot.name, grasp, {})), str(number), robot, grasp.arm)


def _localised(figures: Figures, case: str, querier: Querier, scan: Scan, phrase: str, number: int) -> None:
    """Whether most of what was selected is of the asked thing, and how long a question takes."""
    start = time.perf_counter()
    try:
        found = querier(phrase)
    except BadInput:
        figures.add(case, "ours", "localisation", 0.0)
        return
    figures.add(case, "ours", "query_ms", 1000 * (time.perf_counter() - start), "ms")
    owners = scan.objects[found.gaussians.numpy()] if found.found else np.zeros(0, int)
    figures.add(case, "ours", "localisation", float(len(owners) > 0 and np.bincount(owners).argmax() == number))


def _tried(
    figures: Figures, case: str, method: str, find: object, robot: Robot, arena: Arena, number: int
) -> LiftVerdict | None:
    """One query to its end."""
    start = time.perf_counter()
    try:
        found: GraspList = find()
    except (HonestNo, BadInput) as error:
        reason = "not found" if "not found" in str(error) or isinstance(error, BadInput) else "no grasp"
        figures.add(case, method, "success", 0.0)
        figures.add(case, method, "wrong_object", 0.0)
        _failed(figures, case, method, reason)
        return None
    figures.add(case, method, "seconds", time.perf_counter() - start, "s")
    verdict = _lifted(arena, robot, found.grasps[0], number)
    figures.add(case, method, "success", float(verdict.success))
    figures.add(case, method, "wrong_object", float(bool(verdict.wrong)))
    _failed(figures, case, method, verdict.reason)
    return verdict


def _failed(figures: Figures, case: str, method: str, reason: str) -> None:
    """Shares of failures by reason: every query adds to every reason."""
    known = ("not found", "no grasp", "it was not lifted", "it was dropped", "another object was lifted",
             "another object was moved", "the robot touched something else")  # fmt: skip
    for one in known:
        figures.add(case, method, f"failed: {one}", float(one == reason))


@torch.no_grad()
def _timed(figures: Figures, case: str, querier: Querier, robot: Robot, phrases: list[tuple[str, int]]) -> None:
    """From text to ranked grasps with nothing prepared but the field and its features."""
    for phrase, _ in phrases:
        start = time.perf_counter()
        try:
            Grasper(querier, robot, GraspConfig())(phrase)
        except (HonestNo, BadInput):
            continue
        figures.add(case, "ours", "first_seconds", time.perf_counter() - start, "s")
