"""The chain on the sample that ships with the package, with pictures."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from robodistill.capture.frame import Frame
from robodistill.capture.open import open_capture
from robodistill.config import BuildConfig, FeaturesConfig
from robodistill.errors import BadInput
from robodistill.field.gaussians import GaussianField
from robodistill.field.losses import psnr
from robodistill.field.render import render
from robodistill.pipeline.build import BuildResult, build_field, is_held_out, read_frames
from robodistill.pipeline.demo_grasp import FOLDER as GRASP
from robodistill.pipeline.demo_grasp import grasp_sections
from robodistill.pipeline.demo_language import TEACHER, edit_section, query_section, segment_section
from robodistill.pipeline.demo_replay import FOLDER, replay_sections
from robodistill.pipeline.locate import locate_section
from robodistill.progress import Progress, silent
from robodistill.report.page import Section, write_page
from robodistill.report.pictures import depth_picture, error_picture, normal_picture, rgb_picture
from robodistill.resources import find_resource
from robodistill.teachers.registry import load_text_teacher

SAMPLE = "assets/demo/tabletop"
PHRASES = ["green tape", "shade of the lamp", "red jar", "blue jar", "hammer"]
"""The last two are not there."""
LABELS = ["background", "donut", "bowl", "lamp", "apple", "ball", "tape", "jar"]
EDITED = "red jar"
FIELD, REPORT = "scene.field", "report.html"


@dataclass(frozen=True)
class DemoResult:
    """What the demo made."""

    report: Path
    field: Path
    build: BuildResult


def run_demo(out: Path, *, overwrite: bool = False, progress: Progress = silent) -> DemoResult:
    """Build a field of the sample in the folder `out`, render its held-out views beside the truth, write `report.html`.

    Raises:
        BadInput: `out` is there: without `overwrite`, or with anything in it that a demo did not make.
    """
    out = Path(out)
    found = sorted(p.name for p in out.iterdir()) if out.is_dir() else []
    others = [name for name in found if name not in (FIELD, REPORT, f".{FIELD}.building", FOLDER, GRASP)]
    if others or (out.exists() and not out.is_dir()):
        raise BadInput(
            f"{out} holds {', '.join(others[:3]) or 'a file'}, which is no demo's; give another folder with --out"
        )
    if found and not overwrite:
        raise BadInput(f"{out} holds an earlier demo; give another folder with --out, or --overwrite")
    sample = find_resource(SAMPLE)
    out.mkdir(parents=True, exist_ok=True)
    config = replace(BuildConfig(), hold_out=9, features=FeaturesConfig(teacher=TEACHER))
    built = build_field(sample, out / FIELD, config, overwrite=overwrite, progress=progress)
    frames = read_frames(open_capture(sample), config.max_side)
    held_out = [f for i, f in enumerate(frames) if is_held_out(i, config.hold_out)]
    field = GaussianField.load(built.path)
    sections = [_summary(built, len(frames)), _views(field, held_out), *_words(field, held_out, progress)]
    sections.append(locate_section(field, held_out[:3], progress))
    sections += grasp_sections(out, built.path, sample, overwrite, progress)
    sections += replay_sections(out, overwrite, progress)
    report = write_page(out / REPORT, "robodistill demo", sections)
    return DemoResult(report, built.path, built)


def _summary(built: BuildResult, frames: int) -> Section:
    depth = "no depth" if built.depth_median is None else f"{1000 * built.depth_median:.2f} mm"
    table = [
        ["what", "figure"],
        ["frames", f"{frames}, of which {built.held_out} were kept out of the fit"],
        ["Gaussians", f"{built.gaussians:,}"],
        ["PSNR on the frames kept out", f"{built.psnr:.2f} dB"],
        ["median depth error there", depth],
        ["time, reading and seeding included", f"{built.seconds:.1f} s"],
        ["size", f"{built.bytes / 1e6:.1f} MB"],
    ]
    text = "From RGB-D frames of a simulated table to a field of Gaussians. gaussians.ply opens in any splat viewer."
    return Section("The field", text, table)


def _words(field: GaussianField, held_out: list[Frame], progress: Progress) -> list[Section]:
    text, view = load_text_teacher(TEACHER), held_out[1]
    made = []
    for k, make in enumerate(
        (
            lambda: query_section(field, text, held_out, PHRASES),
            lambda: segment_section(field, text, view, LABELS),
            lambda: edit_section(field, text, view, EDITED),
        )
    ):
        progress("words", k, 3)
        made.append(make())
    progress("words", 3, 3)
    return made


@torch.no_grad()
def _views(field: GaussianField, frames: list[Frame]) -> Section:
    rows = []
    for frame in frames:
        view = render(field, frame.camera, frame.T_world_camera)
        rgb, truth = view.rgb.clamp(0, 1), torch.from_numpy(frame.rgb) / 255
        near, far = (float(q) for q in torch.from_numpy(frame.depth[frame.valid]).quantile(torch.tensor([0.02, 0.98])))
        rows.append(
            [
                (f"{frame.name}: truth", frame.rgb),
                (f"rendered, {psnr(rgb, truth):.1f} dB", rgb_picture(rgb.numpy())),
                ("difference, white is 0.25 or more", error_picture(rgb.numpy(), truth.numpy())),
                ("depth, truth", depth_picture(frame.depth, near, far)),
                ("depth, rendered", depth_picture(view.depth.numpy(), near, far)),
                ("normals, rendered", normal_picture(view.normals.numpy())),
            ]
        )
    return Section("Views that the field has not seen", pictures=rows)
