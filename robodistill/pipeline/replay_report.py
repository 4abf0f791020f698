"""The page that `replay` leaves: each stage's verdict and figures, the films, and pictures of what was found."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch

from robodistill.capture.video import read_video
from robodistill.field.gaussians import GaussianField
from robodistill.field.render import render
from robodistill.pipeline.stages import Stage
from robodistill.planning.trajectory import BimanualTrajectory
from robodistill.report.curves import curve_picture
from robodistill.report.page import Section, write_page
from robodistill.report.pictures import rgb_picture
from robodistill.tracking.motion import PartMotion

FIELD, MOTION, PLAN, ROS = "object.field", "motion.json", "plan.json", "plan_ros.json"
OVERLAY, REHEARSAL, REPORT = "motion.mp4", "physics.mp4", "report.html"
"""Files of a replay."""
TWIN = "a twin of the parts that were found"
"""What is handled in physics where nothing true is known."""
_SHOWN = 6
_WIDTH = 480  # pixels of a film's frame on the page


def write_report(out: Path, film: Path, stages: Sequence[Stage]) -> Path:
    """Write `report.html` from what the stages left in the folder `out`."""
    return write_page(out / REPORT, "robodistill replay", report_sections(out, film, stages))


def report_sections(out: Path, film: Path, stages: Sequence[Stage], beside: str = "") -> list[Section]:
    """The report's sections; `beside` leads from the page to the folder `out`, such as "replay/"."""
    sections = [_verdict(stages)]
    for stage in stages:
        make = {"field": _field, "tracking": _tracking, "plan": _plan, "physics": _physics}.get(stage.name)
        if make is not None and stage.state != "skipped":
            made = make(out, film, stage)
            sections.append(replace(made, films=[(caption, beside + name) for caption, name in made.films]))
    return sections


def _verdict(stages: Sequence[Stage]) -> Section:
    table = [["stage", "verdict", "why", "seconds"]]
    table += [[it.name, it.state, it.reason, f"{it.seconds:.1f}"] for it in stages]
    failed = next((it for it in stages if it.state == "failed"), None)
    text = (
        f"It ended at the stage {failed.name!r}: {failed.reason}." if failed else "Every stage that was run said yes."
    )
    return Section("Stages", text, table)


@torch.no_grad()
def _field(out: Path, film: Path, stage: Stage) -> Section:
    field = GaussianField.load(out / FIELD)
    rows = []
    for k in np.linspace(0, len(field.views) - 1, 4).astype(int):
        view = field.views[k]
        drawn = render(field, view.camera, view.T_world_camera).rgb.clamp(0, 1).numpy()
        rows.append((f"{view.name}, drawn", rgb_picture(drawn)))
    return Section("The scanned object", "", _figures(stage), [rows])


def _tracking(out: Path, film: Path, stage: Stage) -> Section:
    if stage.state != "done":
        frame = read_video(film, longest=_WIDTH).frames[0]
        return Section("What moved, and how", stage.reason, _figures(stage), [[("the film's first frame", frame)]])
    motion = PartMotion.load(out / MOTION)
    moved = [joint for joint in motion.joints if joint.kind not in ("fixed", "free")]
    rows = [_stills(out / OVERLAY)]
    if moved:
        names = ", ".join(f"{motion.parts[it.child]} ({it.kind})" for it in moved)
        rows.append([(f"joint values over time: {names}", curve_picture([it.values for it in moved], motion.times))])
    films = [("left: the film with the parts' outlines, filled while held; right: the field from a side", OVERLAY)]
    return Section("What moved, and how", "", _figures(stage), rows, films)


def _plan(out: Path, film: Path, stage: Stage) -> Section:
    if stage.state != "done":
        return Section("The plan", stage.reason, _figures(stage))
    plan = BimanualTrajectory.load(out / PLAN)
    motion, rows, first = plan.motion, [], 0
    for k, (arm, joints) in enumerate(motion.arms.items()):
        values = motion.positions[:, first : first + len(joints)].T
        first += len(joints)
        caption = f"{arm} arm: joint angles over time, on one scale"
        rows.append((caption, curve_picture(list(values), motion.times, together=True)))
        rows.append((f"{arm} gripper: opening", curve_picture([motion.openings[:, k]], motion.times)))
    return Section("The plan", "; ".join(plan.departures), _figures(stage), [rows])


def _physics(out: Path, film: Path, stage: Stage) -> Section:
    if not (out / REHEARSAL).exists():
        return Section("In physics", stage.reason, _figures(stage))
    films = [(f"the plan in physics, with {stage.figures.get('object', 'the true object')}", REHEARSAL)]
    return Section("In physics", stage.reason, _figures(stage), [_stills(out / REHEARSAL)], films)


def _stills(path: Path) -> list[tuple[str, np.ndarray]]:
    video = read_video(path, longest=2 * _WIDTH)
    picks = np.linspace(0, len(video.frames) - 1, _SHOWN).astype(int)
    return [(f"{video.times[k]:.1f} s", _narrow(video.frames[k])) for k in picks]


def _narrow(image: np.ndarray) -> np.ndarray:
    scale = min(1.0, _WIDTH / image.shape[1])
    return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def _figures(stage: Stage) -> list[list[str]]:
    return [["figure", "value"], *([key.replace("_", " "), _told(value)] for key, value in stage.figures.items())]


def _told(value: object) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{key}: {_told(it)}" for key, it in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_told(it) for it in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)
