"""`bench tracking`: part poses, joints and first poses on simulated films of articulated objects, beside RSRD's way."""

import contextlib
import functools
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from robodistill.bench.figures import Figures
from robodistill.bench.films import Demo, chosen, film_folder, follow_film, kept, make_demo, with_looks
from robodistill.bench.rows import BenchResult, Row
from robodistill.errors import HonestNo
from robodistill.field.standing import standing_object
from robodistill.inversion.twist import pose_error
from robodistill.progress import Progress, silent
from robodistill.tracking.model import PartModel
from robodistill.tracking.motion import Joint, PartMotion
from robodistill.tracking.track import Method, first_pose, track_parts

QUICK = ("chest", "scissors", "cabinet")
RSRD_FILMS = 12  # RSRD's way takes minutes a film
FOUND_FILMS = 60


def bench_tracking(
    seeds: Iterable[int],
    quick: bool = False,
    progress: Progress = silent,
    only: Sequence[str] = (),
    objects: Sequence[str] = (),
    keep: Path | None = None,
) -> BenchResult:
    """All objects and seeds; with `quick`, three objects.

    The first films are followed with parts of our own finding, too, and by RSRD's way (one with `quick`); the case
    `same_films` has the figures of both ways on these.

    Args:
        only: Some of `MEASURES`.
        objects: Names of `sim articulated`, if not all.
        keep: Folder for films, and the figures of each as soon as they are there; films that are there already are
            taken from it, and figures of this very code, so that a run can be gone on with.

    Raises:
        BadInput: There is no such measure or object.
    """
    from robodistill.sim.articulated import ARTICULATED

    names = chosen(objects, QUICK if quick else tuple(ARTICULATED), tuple(ARTICULATED), "objects")
    only = chosen(only, tuple(MEASURES), tuple(MEASURES), "only")
    most = {"found": FOUND_FILMS, "rsrd": 1 if quick else RSRD_FILMS}
    cases, figures = [(name, seed) for seed in seeds for name in names], Figures()
    for k, (name, seed) in enumerate(cases):
        asked = [what for what in only if k < most.get(what, len(cases))]
        with contextlib.nullcontext(keep) if keep else tempfile.TemporaryDirectory() as parent:
            film = _film(Path(parent), name, seed, asked)
        figures.extend(film)
        if {"ours", "rsrd"} <= set(asked):
            for (case, *key), values in film.values.items():
                if case == "truth_parts":
                    figures.add("same_films", *key[:2], values, key[2])
        progress("bench tracking", k + 1, len(cases), f"{name} {seed}")
    return BenchResult(_rows(figures))


def _film(parent: Path, name: str, seed: int, asked: Sequence[str]) -> Figures:
    """Some of `MEASURES` of one film, which is not made where all are known."""
    folder, figures = film_folder(parent, name, seed), Figures()
    demo = functools.cache(partial(make_demo, parent, name, seed))
    for what in asked:
        figures.extend(kept(folder / f"figures_{what}.json", lambda new, what=what: MEASURES[what](new, demo())))
    return figures


def _rows(figures: Figures) -> list[Row]:
    """Means; of axes and ranges medians."""
    return [
        replace(row, value=float(np.median(figures.values[row.case, row.method, row.metric, row.unit])))
        if row.metric.startswith(("axis", "range"))
        else row
        for row in figures.rows()
    ]


def _ours(figures: Figures, demo: Demo) -> None:
    _followed(figures, demo, "ours")


def _rsrd(figures: Figures, demo: Demo) -> None:
    _followed(figures, with_looks(demo), "rsrd")


def _followed(figures: Figures, demo: Demo, method: Method) -> None:
    """With the true parts, from the true first pose."""
    cases, start, busy = ("truth_parts", demo.truth["object"]), time.perf_counter(), time.process_time()
    try:
        motion = track_parts(
            *(demo.field, demo.labels, demo.truth["parts"], demo.film.frames, demo.film.times, demo.camera),
            T_camera_object=demo.Ts_camera_part[0, 0],
            method=method,
        )
    except HonestNo:  # lost, and said so: no point is right
        for case in cases:
            for metric in ("answered", "pcp05", "pcp03"):
                figures.add(case, method, metric, 0.0)
        return
    seconds, busy = time.perf_counter() - start, time.process_time() - busy
    for case in cases:
        figures.add(case, method, "answered", 1.0)
        figures.add(case, method, "frames_per_s", len(motion) / seconds)
        figures.add(case, method, "cpu_s_per_frame", busy / len(motion))
        _points(figures, case, method, demo, motion)
        if method == "ours":
            _joints(figures, case, demo, motion)


def _start(figures: Figures, demo: Demo) -> None:
    """The first pose: its error where it is believed, whether it is right."""
    cases, keep = ("truth_parts", demo.truth["object"]), standing_object(demo.field)
    try:
        found = first_pose(demo.field, keep.numpy(), demo.film.frames, demo.camera)
    except HonestNo:
        for case in cases:
            figures.add(case, "ours", "first_pose", 0.0)
        return
    middle = np.append(demo.field.means[keep].mean(0).double().numpy(), 1)
    true = demo.Ts_camera_part[0, 0]
    shift, turn = float(np.linalg.norm((found - true)[:3] @ middle)), np.degrees(pose_error(found, true)[1])
    for case in cases:
        figures.add(case, "ours", "first_pose", float(shift < 0.01 and turn < 3))
        figures.add(case, "ours", "first_pose_mm", 1000 * shift)


def _found_parts(figures: Figures, demo: Demo) -> None:
    """The same with parts and a first pose that the film has to show."""
    cases, (motion, seconds) = ("found_parts", f"{demo.truth['object']}, found"), follow_film(demo)
    for case in cases:
        if motion is None:
            for metric in ("answered", "pcp05", "pcp03", "parts_right"):
                figures.add(case, "ours", metric, 0.0)
            continue
        figures.add(case, "ours", "answered", 1.0)
        figures.add(case, "ours", "frames_per_s", len(motion) / seconds)
        moving = sum(joint["moved"] for joint in demo.truth["joints"])
        figures.add(case, "ours", "parts_right", float(sum(j.kind != "fixed" for j in motion.joints) == moving))
        _points_of_found(figures, case, demo, motion)


def _points_of_found(figures: Figures, case: str, demo: Demo, motion: PartMotion) -> None:
    """As `_points`: each Gaussian goes where the part that was found for it goes."""
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


MEASURES = {"start": _start, "ours": _ours, "found": _found_parts, "rsrd": _rsrd}
"""First poses; true parts followed; parts found and followed; true parts followed by RSRD's way."""
