"""`bench tracking`: part poses, joints and first poses on simulated films of articulated objects, beside RSRD's way."""

import json
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from robodistill.bench.figures import Figures
from robodistill.bench.rows import BenchResult, Row
from robodistill.bench.scans import true_parts
from robodistill.capture.open import open_capture
from robodistill.capture.read import read_json
from robodistill.capture.video import Video, read_video
from robodistill.capture.write import write_whole
from robodistill.config import BuildConfig, FeaturesConfig, ShapeConfig
from robodistill.errors import HonestNo
from robodistill.field.gaussians import GaussianField
from robodistill.field.standing import standing_object
from robodistill.geometry.camera import Camera
from robodistill.inversion.twist import pose_error
from robodistill.pipeline.build import build_field
from robodistill.pipeline.track import read_film_camera
from robodistill.progress import Progress, silent
from robodistill.tracking.model import PartModel
from robodistill.tracking.motion import Joint, PartMotion
from robodistill.tracking.track import Method, first_pose, track_parts

QUICK = ("chest", "scissors", "cabinet")
RSRD_FILMS = 6  # RSRD's way takes minutes a film


@dataclass(frozen=True, eq=False)
class Demo:
    """A simulated scan and film with what is true of them."""

    field: GaussianField
    labels: np.ndarray
    """(N,) true part of each Gaussian, -1 for none."""
    truth: dict
    Ts_camera_part: np.ndarray
    """(T, P, 4, 4)."""
    values: np.ndarray
    """(T, J)."""
    film: Video
    camera: Camera


def make_demo(parent: Path, name: str, seed: int, features: bool = False) -> Demo:
    """Simulate, build and label; where `features`, with those that stand in for DINO in RSRD's way."""
    from robodistill.sim.articulated.make import make_articulated

    folder = parent / f"{name}_{seed}"
    make_articulated(name, seed, folder, hand=True)
    config = replace(BuildConfig(), features=_VISUAL if features else FeaturesConfig(way="none"))
    build_field(folder / "scan", folder / "object.field", config)
    return read_demo(folder)


def read_demo(folder: Path) -> Demo:
    """What `make_demo` left in a folder."""
    field = GaussianField.load(folder / "object.field")
    labels = true_parts(folder / "scan", field, open_capture(folder / "scan").frames())
    truth = load_file(folder / "truth.safetensors")
    return Demo(
        field,
        labels.numpy() - 1,
        read_json(folder / "truth.json"),
        truth["Ts_camera_part"],
        truth["values"],
        read_video(folder / "demo.mp4"),
        read_film_camera(folder / "demo_camera.json"),
    )


# features of correspondence have no kinds that shape could tell
_VISUAL = FeaturesConfig(teacher="builtin:head=looks", shape=ShapeConfig(weight=0.0))


def bench_tracking(
    seeds: Iterable[int],
    quick: bool = False,
    progress: Progress = silent,
    rsrd_films: int = RSRD_FILMS,
    keep: Path | None = None,
    found_films: int = 60,
) -> BenchResult:
    """All objects and seeds; with `quick`, three objects.

    Args:
        rsrd_films: So many of the first films are followed by RSRD's way, too (one with `quick`); the case
            `same_films` has the figures of both on these.
        found_films: So many of the first films are followed with parts of our own finding, too.
        keep: Folder for the figures of each film as soon as they are there; those that are there already are taken
            from it, so that a run can be gone on with.
    """
    from robodistill.sim.articulated import ARTICULATED

    rsrd_films = min(rsrd_films, 1) if quick else rsrd_films
    figures, cases = Figures(), [(name, seed) for seed in seeds for name in (QUICK if quick else ARTICULATED)]
    for k, (name, seed) in enumerate(cases):
        methods = ("ours", "rsrd") if k < rsrd_films else ("ours",)
        how = (*methods, "found") if k < found_films else methods
        file = None if keep is None else Path(keep) / f"{name}_{seed}_{'_'.join(how)}.json"
        if file is not None and file.exists():
            known = read_json(file)
        else:
            film = Figures()
            with tempfile.TemporaryDirectory() as parent:
                measure(film, name, make_demo(Path(parent), name, seed, len(methods) > 1), methods, k < found_films)
            known = [[*key, values] for key, values in film.values.items()]
            if file is not None:
                write_whole(file, json.dumps(known).encode())
        for case, method, metric, unit, values in known:
            figures.add(case, method, metric, values, unit)
        progress("bench tracking", k + 1, len(cases), f"{name} {seed}")
    return BenchResult(_rows(figures))


def _rows(figures: Figures) -> list[Row]:
    """Means; of axes and ranges medians."""
    return [
        replace(row, value=float(np.median(figures.values[row.case, row.method, row.metric, row.unit])))
        if row.metric.startswith(("axis", "range"))
        else row
        for row in figures.rows()
    ]


def measure(
    figures: Figures, name: str, demo: Demo, methods: tuple[Method, ...] = ("ours",), find: bool = False
) -> None:
    """All figures of one film."""
    parts = demo.truth["parts"]
    _first_pose(figures, demo)
    cases = ("truth_parts", name, "same_films") if len(methods) > 1 else ("truth_parts", name)
    for method in methods:
        start, busy = time.perf_counter(), time.process_time()
        try:
            motion = track_parts(
                *(demo.field, demo.labels, parts, demo.film.frames, demo.film.times, demo.camera),
                T_camera_object=demo.Ts_camera_part[0, 0],
                method=method,
            )
        except HonestNo:  # lost, and said so: no point is right
            for case in cases:
                for metric in ("answered", "pcp05", "pcp03"):
                    figures.add(case, method, metric, [0.0])
            continue
        seconds, busy = time.perf_counter() - start, time.process_time() - busy
        for case in cases:
            figures.add(case, method, "answered", [1.0])
            figures.add(case, method, "frames_per_s", [len(motion) / seconds])
            figures.add(case, method, "cpu_s_per_frame", [busy / len(motion)])
            _points(figures, case, method, demo, motion)
            if method == "ours":
                _joints(figures, case, demo, motion)
    if find:
        _found_parts(figures, demo)


def _first_pose(figures: Figures, demo: Demo) -> None:
    keep = standing_object(demo.field)
    try:
        found = first_pose(demo.field, keep.numpy(), demo.film.frames, demo.camera)
    except HonestNo:
        figures.add("truth_parts", "ours", "first_pose", [0.0])
        return
    middle = np.append(demo.field.means[keep].mean(0).double().numpy(), 1)
    true = demo.Ts_camera_part[0, 0]
    shift = np.linalg.norm((found - true)[:3] @ middle)
    figures.add(
        "truth_parts", "ours", "first_pose", [float(shift < 0.01 and np.degrees(pose_error(found, true)[1]) < 3)]
    )


def _found_parts(figures: Figures, demo: Demo) -> None:
    """The same with parts and a first pose that the film has to show."""
    case, start = "found_parts", time.perf_counter()
    try:
        motion = track_parts(demo.field, None, None, demo.film.frames, demo.film.times, demo.camera)
    except HonestNo:
        for metric in ("answered", "pcp05", "pcp03", "parts_right"):
            figures.add(case, "ours", metric, [0.0])
        return
    figures.add(case, "ours", "answered", [1.0])
    figures.add(case, "ours", "frames_per_s", [len(motion) / (time.perf_counter() - start)])
    moving = sum(joint["moved"] for joint in demo.truth["joints"])
    figures.add(case, "ours", "parts_right", [float(sum(j.kind != "fixed" for j in motion.joints) == moving)])
    size, means = float(np.linalg.norm(demo.truth["size"])), demo.field.means.double().numpy()
    near: dict[str, list[float]] = {"pcp05": [], "pcp03": [], "mean_mm": []}
    for p in range(len(demo.truth["parts"])):
        own = demo.labels == p
        if not own.any():
            continue
        points, part = means[own], motion.labels[own]
        for found, true in zip(motion.Ts_camera_part, demo.Ts_camera_part[:, p], strict=True):
            T = found[np.maximum(part, 0)] - true
            error = np.linalg.norm(np.einsum("nij,nj->ni", T[:, :3, :3], points) + T[:, :3, 3], axis=1)
            near["pcp05"].append(float(((error < 0.05 * size) & (part >= 0)).mean()))
            near["pcp03"].append(float(((error < 0.03 * size) & (part >= 0)).mean()))
            near["mean_mm"].append(1000 * float(error.mean()))
    for metric, values in near.items():
        figures.add(case, "ours", metric, [float(np.mean(values))])


def _points(figures: Figures, case: str, method: str, demo: Demo, motion: PartMotion) -> None:
    """Errors of the Gaussians of each part, a part and a film as one whatever their numbers."""
    model = PartModel.of(demo.field, demo.labels)
    size = float(np.linalg.norm(demo.truth["size"]))
    near: dict[str, list[float]] = {"pcp05": [], "pcp03": [], "mean_mm": []}
    for found, true in zip(motion.Ts_camera_part, demo.Ts_camera_part, strict=True):
        error = np.linalg.norm(model.posed_points(found) - model.posed_points(true), axis=1)
        for p in range(model.parts):
            own = error[model.labels == p]
            if len(own):
                near["pcp05"].append(float((own < 0.05 * size).mean()))
                near["pcp03"].append(float((own < 0.03 * size).mean()))
                near["mean_mm"].append(1000 * float(own.mean()))
    for metric, values in near.items():
        figures.add(case, method, metric, [float(np.mean(values))])


def _joints(figures: Figures, case: str, demo: Demo, motion: PartMotion) -> None:
    names = list(demo.truth["parts"])
    for j, true in enumerate(demo.truth["joints"]):
        ends = {names.index(true["parent"]), names.index(true["child"])}
        joint = next((x for x in motion.joints if {x.parent, x.child} == ends), None)
        kind = true["type"] if true["moved"] else "fixed"
        figures.add(case, "ours", "joint_type", [float(joint is not None and joint.kind == kind)])
        if joint is None or joint.kind != kind or kind == "fixed":
            continue
        _axis(figures, case, true, joint)
        span = np.ptp(demo.values[:, j])
        error = abs(np.ptp(joint.values) - span)
        figures.add(
            case, "ours", *(("range_mm", [1000 * error]) if kind == "prismatic" else ("range_deg", [np.degrees(error)]))
        )


def _axis(figures: Figures, case: str, true: dict, joint: Joint) -> None:
    axis, origin = np.array(true["axis"]), np.array(true["origin"])
    figures.add(case, "ours", "axis_deg", [float(np.degrees(np.arccos(np.clip(abs(axis @ joint.axis), 0, 1))))])
    if joint.kind == "prismatic":
        return
    between = np.cross(axis, joint.axis)
    offset = joint.origin - origin
    if np.linalg.norm(between) > 1e-3:  # distance of two lines, near the joint: of our origin to the true axis
        offset = offset - (offset @ axis) * axis
        figures.add(case, "ours", "axis_mm", [1000 * float(np.linalg.norm(offset))])
    else:
        figures.add(case, "ours", "axis_mm", [1000 * float(np.linalg.norm(np.cross(offset, axis)))])
