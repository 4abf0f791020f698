"""The demo's articulated sample: a scan and a film of hands, what was followed, and the joints."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch

from robodistill.capture.video import read_video
from robodistill.config import BuildConfig, FeaturesConfig, TrackingConfig
from robodistill.field.gaussians import GaussianField
from robodistill.pipeline.build import build_field
from robodistill.pipeline.track import overlay, track_film
from robodistill.progress import Progress, silent
from robodistill.report.page import Section
from robodistill.resources import find_resource
from robodistill.tracking.model import PartModel
from robodistill.tracking.motion import PartMotion

SAMPLE = "assets/demo/articulated"
FIELD, MOTION = "casket.field", "casket.json"
MADE = (FIELD, f".{FIELD}.building", MOTION, "casket.safetensors")
"""What this leaves in the demo's folder."""
_SHOWN = 8


def track_section(out: Path, overwrite: bool, progress: Progress = silent) -> Section:
    """Build the sample's field, follow its parts through the film, and show both."""
    sample = find_resource(SAMPLE)
    config = replace(BuildConfig(), features=FeaturesConfig(way="none"))
    build_field(sample / "scan", out / FIELD, config, overwrite=overwrite, progress=progress)
    film, intrinsics = sample / "demo.mp4", sample / "demo_camera.json"
    if overwrite:
        (out / MOTION).unlink(missing_ok=True)
    once = replace(TrackingConfig(), joint_rounds=1)  # a second pass refines the joints by little and costs as much
    motion = track_film(out / FIELD, film, intrinsics, out / MOTION, config=once, progress=progress)
    field, video = GaussianField.load(out / FIELD), read_video(film)
    keep = motion.labels >= 0
    model = PartModel(field.select(torch.from_numpy(keep)), motion.labels[keep])
    shown = np.linspace(0, len(motion) - 1, _SHOWN).astype(int)
    pictures = [(f"{motion.times[k]:.1f} s", overlay(model, motion, video.frames[k], k)) for k in shown]
    rows = [pictures[: _SHOWN // 2], pictures[_SHOWN // 2 :], [("values of the joints over time", _curves(motion))]]
    table = [["joint", "kind", "axis", "range", "unsure by"]]
    for joint in motion.joints:
        unit = "m" if joint.kind == "prismatic" else "rad"
        table.append(
            [
                f"{motion.parts[joint.child]} on {motion.parts[joint.parent]}",
                joint.kind,
                ", ".join(f"{x:.2f}" for x in joint.axis),
                f"{joint.range[0]:.3f} to {joint.range[1]:.3f} {unit}",
                f"{np.degrees(joint.axis_std):.2f} degrees",
            ]
        )
    text = (
        "A scan of a casket, then a plain film of hands: its pose in the first frame is found without a guess, its "
        "parts are told by how they move, and followed. Filled: a hand has hold of it."
    )
    return Section("What moved, and how", text, table, rows)


def _curves(motion: PartMotion) -> np.ndarray:
    """(H, W, 3) picture of each joint's values over its own range."""
    height, width, margin = 120, 480, 10
    image = np.full((height, width, 3), 255, np.uint8)
    colors = ((200, 60, 40), (40, 90, 200), (40, 150, 60), (150, 60, 160))
    for k, joint in enumerate(motion.joints):
        span = max(np.ptp(joint.values), 1e-6)
        x = margin + (width - 2 * margin) * np.arange(len(motion)) / max(len(motion) - 1, 1)
        y = height - margin - (height - 2 * margin) * (joint.values - joint.values.min()) / span
        cv2.polylines(image, [np.stack([x, y], 1).astype(np.int32)], False, colors[k % len(colors)], 2, cv2.LINE_AA)
    return image
