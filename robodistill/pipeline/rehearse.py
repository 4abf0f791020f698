"""`simulate` of two-arm plans: the demonstrated object in physics, from its truth and never from its field."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from robodistill.capture.read import read_json
from robodistill.errors import BadInput, BadMetadata
from robodistill.pipeline.simulate import run_filmed
from robodistill.planning.trajectory import BimanualTrajectory
from robodistill.progress import Progress, silent
from robodistill.robots.robot import load_robot
from robodistill.sim.arena import Arena, Recording
from robodistill.sim.articulated.motion import corners
from robodistill.sim.articulated.physics import Workbench, make_workbench
from robodistill.sim.articulated.spec import Articulated
from robodistill.sim.follow_judge import FollowVerdict, Goal, Held, judge_follow
from robodistill.sim.robot_body import COMPLIANT
from robodistill.sim.views import look_at

_SAME = 1e-4  # metres by which an object made again may differ from its truth
_AS_NEAR = 0.001  # metres further away than the nearest part, for pads to press either
_SAMPLES = 20000  # points that stand for a solid's surface


@dataclass(frozen=True, eq=False)
class Rehearsed:
    """A run and its verdict."""

    verdict: FollowVerdict
    recording: Recording


def rehearse(
    plan: BimanualTrajectory,
    folder: Path,
    T_world_scan: np.ndarray | None = None,
    *,
    open_grippers: bool = False,
    film: Path | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Rehearsed:
    """Run a plan with the object that `sim articulated` made, and judge whether it did what the film shows.

    Args:
        folder: What `sim articulated` wrote.
        T_world_scan: (4, 4) scan-world coordinates to the robot's world, where the object truly stands when the plan
            begins; None = where the plan takes it to be, set upright on the table.
        open_grippers: A control: the grippers stay open all the time, so that it must fail.
        film: MP4 to write.

    Raises:
        BadInput: The folder is no such thing, or the film exists.
        MissingPart: MuJoCo, coal or, for a film, PyAV is not installed.
    """
    truth, Ts = read_truth(folder)
    T_scan_object = np.array(truth["T_world_object"])
    T_world_object = upright(plan.T_world_object if T_world_scan is None else T_world_scan) @ T_scan_object
    bench, rest = make_workbench(truth["object"], truth["seed"], T_world_object)
    if np.abs(rest.spec.size - truth["size"]).max() > _SAME:
        raise BadInput(f"{folder}: seed {truth['seed']} gives another {truth['object']} here; simulate it again")
    object_scan = np.linalg.inv(T_scan_object)
    holds = [Held(it.arm, parts_at(rest, object_scan @ it.contacts), it.start, it.end) for it in plan.holds]
    goal = demonstrated(truth, Ts, rest, plan.base == "stays")
    return run_on(bench, plan, holds, goal, beside(T_world_object), open_grippers, film, overwrite, progress)


def run_on(
    bench: Workbench,
    plan: BimanualTrajectory,
    holds: Sequence[Held],
    goal: Goal,
    T_world_camera: np.ndarray,
    open_grippers: bool,
    film: Path | None,
    overwrite: bool,
    progress: Progress,
) -> Rehearsed:
    """Run a plan on a workbench, filmed from (4, 4) if a film is wanted, and judge it.

    Raises:
        BadInput: The film exists and `overwrite` is not given.
    """
    if film is not None and Path(film).exists() and not overwrite:
        raise BadInput(f"{film} exists; give another name or --overwrite")
    robot, motion = load_robot(plan.motion.robot), plan.motion
    if open_grippers:
        wide = [robot.arms[arm].opening for arm in motion.arms]
        motion = replace(motion, openings=np.tile(wide, (len(motion.times), 1)))
    arena = Arena(bench.spec, robot, bench.state, bench.watched, COMPLIANT)  # its hands close a chain with the table
    recording = run_filmed(arena, motion, film, progress, T_world_camera)
    return Rehearsed(judge_follow(recording, robot, holds, goal), recording)


def read_truth(folder: Path) -> tuple[dict, np.ndarray]:
    """`truth.json` and `Ts_camera_part` (T, P, 4, 4) of what `sim articulated` wrote.

    Raises:
        BadInput: It is not there, or of something else.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        truth = read_json(Path(folder) / "truth.json")
        if truth["kind"] != "articulated" or "frames" not in truth:
            raise BadInput(f"{folder} is a simulated {truth['kind']}, not what `sim articulated` writes")
        return truth, load_file(Path(folder) / "truth.safetensors")["Ts_camera_part"]
    except (BadMetadata, KeyError, OSError, SafetensorError) as error:
        raise BadInput(f"{folder} is not what `sim articulated` writes: {error}") from None


def demonstrated(truth: dict, Ts: np.ndarray, rest: Articulated, stays: bool) -> Goal:
    """What the film of a simulated object shows from its first frame to its last."""
    T_scan_object = np.array(truth["T_world_object"])
    object_scan = np.linalg.inv(T_scan_object)
    names = list(truth["parts"])
    start, end = Ts[0, 0], Ts[-1]  # the first part is the body
    if stays:
        start = end[0]
    went = {name: object_scan @ np.linalg.inv(start) @ end[p] @ T_scan_object for p, name in enumerate(names)}
    middles = {name: points.mean(0) for name, points in zip(rest.parts, corners(rest), strict=True)}
    joints = [
        (it["type"], it["parent"], it["child"], object_scan[:3, :3] @ it["axis"], it["range"][1] - it["range"][0])
        for it in truth["joints"]
        if it["moved"]
    ]
    return Goal(went, middles, names[0], stays, joints)


def upright(T: np.ndarray) -> np.ndarray:
    """(4, 4) nearest to T that turns about the vertical only and shifts along the table only."""
    yaw = np.arctan2(T[1, 0] - T[0, 1], T[0, 0] + T[1, 1])
    c, s = np.cos(yaw), np.sin(yaw)
    flat = np.eye(4)
    flat[:2, :2], flat[:2, 3] = [[c, -s], [s, c]], T[:2, 3]
    return flat


def beside(T_world_object: np.ndarray) -> np.ndarray:
    """(4, 4) T_world_camera from across the table, near enough to see what hands do."""
    place = T_world_object[:3, 3]
    return look_at(place + [0.42, 0.52, 0.36], place + [0.0, -0.04, 0.06])


def parts_at(rest: Articulated, contacts: np.ndarray) -> tuple[str, ...]:
    """The parts whose surfaces are nearest to homogeneous points (4, n) together, object frame; several in a joint."""
    from scipy.spatial import cKDTree
    from trimesh.sample import sample_surface

    gaps: dict[str, np.ndarray] = {}
    for piece in rest.spec.pieces:
        points = sample_surface(piece.solid.mesh, _SAMPLES, seed=0)[0]
        gap = cKDTree(points).query(contacts[:3].T)[0]
        gaps[piece.part] = np.minimum(gap, gaps.get(piece.part, np.inf))
    away = {part: float(gap.mean()) for part, gap in gaps.items()}
    return tuple(part for part in away if away[part] <= min(away.values()) + _AS_NEAR)
