"""`bench replay`: nine objects in many places: plans from the true motion and from the film, in physics, by phases.

RSRD (Kerr et al., CoRL 2024) reports 90 trials of 9 objects by phases: start pose, tracking, grasp, plan, motion. The
same is done here in simulation. A phase's share is that of the trials which came so far. Objects are those that fingers
50 mm apart can hold: not the jar, whose lid is wider, nor the scissors, which lie too flat; nor the cabinet.
"""

import contextlib
import json
import tempfile
import time
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from robodistill.bench.figures import Figures
from robodistill.bench.films import chosen, follow_film, kept
from robodistill.bench.replay_scene import Demonstration, draw_place, make_demonstration, owners_of, robot_view
from robodistill.bench.rows import BenchResult
from robodistill.capture.read import read_json
from robodistill.capture.write import write_whole
from robodistill.errors import HonestNo
from robodistill.grasp.surface import field_surface
from robodistill.inversion.twist import pose_error
from robodistill.pipeline.register import register_object
from robodistill.pipeline.rehearse import rehearse
from robodistill.pipeline.rehearse_twin import twin_check
from robodistill.planning.trajectory import BimanualTrajectory
from robodistill.planning.ways import plan_demonstration
from robodistill.planning.workpiece import Workpiece
from robodistill.progress import Progress, silent
from robodistill.robots.robot import Robot, load_robot
from robodistill.tracking.motion import PartMotion

OBJECTS = ("chest", "stapler", "pliers", "laptop", "lamp", "glasses", "casket", "switch", "plug")
QUICK = ("switch", "casket")
PHASES = ("start", "tracking", "grasp", "plan", "motion")
_FILMS = 10  # that are asked for one of a thing that can be held
_NEAR, _TURNED = 0.01, np.radians(3)  # metres, rad: a start pose that is right
_ENDS, _LEANS = 0.01, np.radians(10)  # that a tracked part may end from its place
_EARLY = ("task", "grasp", "reach")  # stages of the planner that are about grasps


def bench_replay(
    seeds: Iterable[int],
    quick: bool = False,
    progress: Progress = silent,
    objects: Sequence[str] = (),
    robot: str = "yumi",
    film: int | None = None,
    keep: Path | None = None,
) -> BenchResult:
    """All objects, each filmed once and put down in one place a seed; with `quick`, two objects.

    Args:
        objects: Names of `sim articulated`, if not `OBJECTS`.
        robot: Name of its file in config/robots.
        film: Seed of the films, the first of `seeds` where None; of a thing with which these hands can begin nowhere
            in the place of the first seed, the next film is taken.
        keep: Folder for films, what was found in them, and the figures of each trial as soon as they are there; films
            that are there already are taken from it, and what is of this very code, so that a run can be gone on with.
            That of `bench tracking` will do.

    Raises:
        BadInput: There is no such object.
    """
    from robodistill.sim.articulated import ARTICULATED

    seeds, figures = list(seeds), Figures()
    film = seeds[0] if film is None else film
    names = chosen(objects, QUICK if quick else OBJECTS, tuple(ARTICULATED), "objects")
    for k, name in enumerate(names):
        with contextlib.nullcontext(keep) if keep else tempfile.TemporaryDirectory() as parent:
            it = _demonstration(Path(parent), name, film, robot, seeds[0])
            motion, seconds = follow_film(it.demo)
            figures.add(name, "ours", "film", float(it.demo.truth["seed"]))
            figures.add(name, "ours", "tracking_s", seconds, "s")
            for n, seed in enumerate(seeds):
                file = it.demo.folder / f"replay_{robot}_{seed}.json"
                figures.extend(kept(file, partial(trial, it, motion, robot, seed, n == 0)))
                progress("bench replay", k * len(seeds) + n + 1, len(names) * len(seeds), f"{name} {seed}")
    return BenchResult(figures.rows())


def _demonstration(parent: Path, name: str, film: int, robot: str, place: int) -> Demonstration:
    """The first film whose thing these hands can begin with somewhere; the first of all where none of some can be."""
    told = parent / f"{name}_{film}_{robot}.json"
    if told.exists():
        return make_demonstration(parent, name, read_json(told)["film"])
    first = None
    for seed in range(film, film + _FILMS):
        it = make_demonstration(parent, name, seed)
        first = first or it
        if draw_place(it, load_robot(robot), robot, place) is not None:
            break
    else:
        it = first
    write_whole(told, json.dumps({"film": it.demo.truth["seed"]}).encode())
    return it


def trial(
    it: Demonstration, motion: PartMotion | None, robot_name: str, seed: int, control: bool, figures: Figures
) -> None:
    """One place of one object, by the true motion and by the film's (None: it was not followed)."""
    robot, name = load_robot(robot_name), it.demo.truth["object"]
    T = draw_place(it, robot, robot_name, seed)
    figures.add(name, robot_name, "placed", float(T is not None))
    if T is None:
        return
    plan = _planned(figures, ("true_motion", name), robot, robot_name, it, T)
    if plan is not None:
        done = rehearse(plan, it.demo.folder, T)
        for case in ("true_motion", name):
            figures.add(case, robot_name, "judge_agrees", float(done.verdict.success))
        if control:
            opened = rehearse(plan, it.demo.folder, T, open_grippers=True)
            figures.add("true_motion", robot_name, "open_grippers_fail", float(not opened.verdict.success))
    reached = from_film(it, motion, robot, robot_name, T, seed)
    for case in ("from_film", name):
        for phase, done in zip(PHASES, reached, strict=False):
            figures.add(case, robot_name, f"phase_{phase}", float(done))
        figures.add(case, robot_name, "end_to_end", float(len(reached) == len(PHASES) and reached[-1]))


def from_film(
    it: Demonstration, motion: PartMotion | None, robot: Robot, robot_name: str, T: np.ndarray, seed: int
) -> list[bool]:
    """Whether each phase succeeded, up to the first that did not."""
    found = register_object(it.demo.field, *robot_view(it, T, seed))
    if found.reason:
        return [False]
    middle = np.append(it.workpiece.points.mean(0), 1)
    away = np.linalg.norm((found.T_world_object @ middle - T @ middle)[:3])
    if away > _NEAR or pose_error(found.T_world_object, T)[1] > _TURNED:
        return [False]
    if motion is None or not ends_right(it, motion):
        return [True, False]
    workpiece = Workpiece.of_surface(field_surface(it.demo.field), motion.labels)
    try:
        check = twin_check(workpiece, it.plane)
        plan = plan_demonstration(robot, robot_name, motion, found.T_world_object, workpiece, rehearsed=check)
    except HonestNo as no:
        early = no.answer.get("stage") in _EARLY
        return [True, True, False] if early else [True, True, True, False]
    return [True, True, True, True, rehearse(plan, it.demo.folder, T).verdict.success]


def ends_right(it: Demonstration, motion: PartMotion) -> bool:
    """Whether each true part is followed by some found one, to where it ends against the body."""
    owners, truth = owners_of(motion.labels, it.demo.labels), it.demo.labels

    def followers(part: int) -> list[int]:
        """Found parts that are mostly of a true one; if it was made one with another, that which most of it is in."""
        own = [k for k, owner in owners.items() if owner == part]
        inside = motion.labels[(truth == part) & (motion.labels >= 0)]
        return own or list(np.bincount(inside).argsort()[-1:])

    every = [followers(part) for part in range(len(it.demo.truth["parts"]))]
    if not all(every):
        return False
    body = every[0][0]
    for part, found_parts in enumerate(every):
        true = np.linalg.inv(it.motion.Ts_camera_part[-1, 0]) @ it.motion.Ts_camera_part[-1, part]
        middle = np.append(it.workpiece.of(part).mean(0), 1)
        for k in found_parts:
            found = np.linalg.inv(motion.Ts_camera_part[-1, body]) @ motion.Ts_camera_part[-1, k]
            if np.linalg.norm(((found - true) @ middle)[:3]) > _ENDS or pose_error(found, true)[1] > _LEANS:
                return False
    return True


def _planned(
    figures: Figures, cases: Iterable[str], robot: Robot, robot_name: str, it: Demonstration, T: np.ndarray
) -> BimanualTrajectory | None:
    check = twin_check(it.workpiece, it.plane)
    start, busy, plan = time.perf_counter(), time.process_time(), None
    try:
        plan = plan_demonstration(robot, robot_name, it.motion, T, it.workpiece, rehearsed=check)
    except HonestNo:
        pass
    seconds, busy = time.perf_counter() - start, time.process_time() - busy
    for case in cases:
        figures.add(case, robot_name, "plan_success", float(plan is not None))
        figures.add(case, robot_name, "plan_s", seconds, "s")
        figures.add(case, robot_name, "plan_cpu_s", busy, "s")
    return plan
