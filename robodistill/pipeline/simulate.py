"""`simulate`: a trajectory in the physics of a simulated capture, from its truth and never from a field."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from robodistill.capture.read import read_json
from robodistill.capture.video import write_video
from robodistill.errors import BadInput, BadMetadata
from robodistill.geometry.camera import Camera
from robodistill.progress import Progress, silent
from robodistill.robots.robot import load_robot
from robodistill.robots.trajectory import RobotTrajectory
from robodistill.sim.arena import Arena, Recording
from robodistill.sim.judge import LiftVerdict, judge_lift
from robodistill.sim.render import Painter
from robodistill.sim.scene import Scene, make_scene
from robodistill.sim.views import look_at

_SAME = 2e-3  # metres and rotation entries by which a scene made again may differ from its truth
_FILM = (480, 360)
_FRAMES = 15  # a second
_VIEWPOINT = look_at(np.array([0.75, 0.85, 0.65]), np.array([0.0, -0.05, 0.12]))  # T_world_camera


@dataclass(frozen=True, eq=False)
class Simulated:
    """A run and its verdict."""

    target: str
    """What was asked to be lifted, by its words."""
    verdict: LiftVerdict
    recording: Recording


def scene_of(folder: Path) -> tuple[Scene, dict]:
    """The simulated scene that a capture shows, made again, and its truth.

    Raises:
        BadInput: Not a simulated tabletop, or this machine settles it differently.
    """
    try:
        truth = read_json(Path(folder) / "truth.json")
        kind, seed, objects = truth["kind"], truth["seed"], truth["objects"]
    except (BadMetadata, KeyError) as error:
        raise BadInput(f"{folder} is not a simulated capture: {error}") from None
    if kind != "tabletop":
        raise BadInput(f"{folder} is a simulated {kind}; a tabletop is needed")
    for asked in (None, [it["category"] for it in objects]):  # it is not written down whether things were asked for
        scene = make_scene(seed, asked)
        if len(scene.objects) == len(objects) and all(
            np.abs(mine.T_world_object - np.array(its["T_world_object"])).max() < _SAME
            for mine, its in zip(scene.objects, objects, strict=True)
        ):
            return scene, truth
    raise BadInput(f"{folder}: seed {seed} gives another scene here; simulate the capture on this machine again")


def target_of(task: dict, truth: dict) -> int:
    """The object that a task asks for: by id, by a phrase of the truth, or else the one that its centre is in.

    Raises:
        BadInput: The task names none.
    """
    objects = {it["id"]: it for it in truth["objects"]}
    if task.get("object") in objects:
        return task["object"]
    words = task.get("phrase")
    for entry in truth["phrases"]:
        if entry["phrase"] == words:
            return entry["object"]
    from robodistill.grasp.phrase import object_and_part

    for entry in truth["phrases"]:
        if words and entry["phrase"] == object_and_part(words)[0]:
            return entry["object"]
    known = ", ".join(repr(entry["phrase"]) for entry in truth["phrases"])
    raise BadInput(f"the trajectory is for {words!r}, which names no one thing of this scene; phrases are {known}")


def simulate(
    trajectory: Path,
    scene: Path,
    *,
    target: str | None = None,
    film: Path | None = None,
    film_size: tuple[int, int] = _FILM,
    film_rate: int = _FRAMES,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Simulated:
    """Run a trajectory in the scene of a simulated capture and judge it.

    Args:
        target: Phrase of what shall be lifted, instead of the trajectory's own.
        film: MP4 to write.
        film_size: Width and height of its pictures, pixels.
        film_rate: Pictures a second.

    Raises:
        BadInput: An argument is not valid.
        MissingPart: MuJoCo, coal or, for a film, PyAV is not installed.
    """
    if film is not None and Path(film).exists() and not overwrite:
        raise BadInput(f"{film} exists; give another name or --overwrite")
    motion = RobotTrajectory.load(trajectory)
    if motion.task.get("kind") != "lift":
        raise BadInput(f"{trajectory}: a task of kind {motion.task.get('kind')!r}; 'lift' can be judged")
    made, truth = scene_of(scene)
    task = motion.task if target is None else {"phrase": target}
    wanted = target_of(task, truth)
    robot = load_robot(motion.robot)
    arena = Arena.of_scene(made, robot)
    recording = run_filmed(arena, motion, film, progress, size=film_size, rate=film_rate)
    words = str(task.get("phrase", wanted))
    return Simulated(words, judge_lift(recording, str(wanted), robot, motion.task["arm"]), recording)


def run_filmed(
    arena: Arena,
    motion: RobotTrajectory,
    film: Path | None,
    progress: Progress = silent,
    viewpoint: np.ndarray = _VIEWPOINT,
    size: tuple[int, int] = _FILM,
    rate: int = _FRAMES,
) -> Recording:
    """Run a trajectory; if a file is given, film it from T_world_camera (4, 4), `rate` pictures of `size` a second."""
    length = motion.duration
    if film is None:
        return arena.run(motion, watch=lambda now, _: progress("simulate", int(10 * now), int(10 * length)))
    camera, pictures = Camera.from_fov(np.radians(50), *size), []
    with Painter(arena.model, camera) as painter:

        def watch(now: float, data: object) -> None:
            progress("simulate", int(10 * now), int(10 * length))
            if now * rate >= len(pictures):
                painter.look(data, viewpoint)
                pictures.append(painter.color())

        recording = arena.run(motion, watch=watch)
    write_video(film, pictures, rate)
    return recording
