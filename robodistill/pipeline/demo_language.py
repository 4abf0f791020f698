"""The demo's pictures of words: queries, a segmentation, a part, an edit."""

import numpy as np
import torch

from robodistill.capture.frame import Frame
from robodistill.config import PartsConfig, QueryConfig
from robodistill.field.gaussians import GaussianField
from robodistill.field.render import render
from robodistill.language.query import Querier
from robodistill.language.segment import label_gaussians, segment
from robodistill.parts.parts import find_parts
from robodistill.pipeline.edit import apply_edit
from robodistill.pipeline.features import feature_colors
from robodistill.pipeline.language import view_mask
from robodistill.report.page import Section
from robodistill.report.pictures import heat_picture, label_colors, outlined, rgb_picture
from robodistill.teachers.teacher import TextTeacher

TEACHER = "builtin"
_TOLD = (
    "Features come from the small teacher that ships with the package (assets/teacher/README.md): it knows the things "
    "of the simulator, in about a thousand words; with CLIP or SigLIP the same commands take any words."
)


@torch.no_grad()
def query_section(field: GaussianField, text: TextTeacher, frames: list[Frame], phrases: list[str]) -> Section:
    """A heat map and the outline of the answer for each phrase, in the view that shows it best."""
    querier = Querier(field, field.layer(), text, QueryConfig())
    table = [["phrase", "answer", "score", "centre, m", "size, cm"]]
    pictures = []
    for phrase in phrases:
        found = querier(phrase)
        if not found.found:
            table.append([phrase, f"not found: {found.reason}", f"{found.score:.2f}", "", ""])
            continue
        at = ", ".join(f"{x:.3f}" for x in found.center)
        size = " x ".join(f"{100 * x:.1f}" for x in found.box.size)
        table.append([phrase, f"{len(found.gaussians)} Gaussians", f"{found.score:.2f}", at, size])
        chosen = found.mask(len(field))
        masks = [view_mask(field, chosen, f.camera, f.T_world_camera) for f in frames]
        best = int(np.argmax([m.sum() for m in masks]))
        frame = frames[best]
        heat = render(field, frame.camera, frame.T_world_camera, querier.scores(phrase)[:, None]).features[..., 0]
        rgb = rgb_picture(render(field, frame.camera, frame.T_world_camera).rgb.numpy())
        pictures.append((f"{phrase}: score", heat_picture(rgb, heat.numpy())))
        pictures.append((f"{phrase}: found", outlined(rgb, masks[best])))
    return Section("Queries", _TOLD, table, [pictures])


@torch.no_grad()
def segment_section(field: GaussianField, text: TextTeacher, frame: Frame, names: list[str]) -> Section:
    """A view that the field has not seen, by labels, by features and by parts."""
    labels = label_gaussians(field.layer(), text, names)
    found = segment(field, labels, names, frame.camera, frame.T_world_camera)
    parts = find_parts(field, PartsConfig(), field.layer())
    scale = max(parts.shape[1] - 2, 0)  # where tuning scans of single things fitted their true parts best
    columns = torch.cat(
        [feature_colors(field.layer()), torch.from_numpy(label_colors(parts[:, scale].numpy())) / 255], -1
    )
    shown = render(field, frame.camera, frame.T_world_camera, columns).features.numpy()
    share = [float((found.labels == k).mean()) for k in range(len(names))]
    table = [["label", "pixels"], *([name, f"{100 * s:.1f} %"] for name, s in zip(names, share, strict=True))]
    row = [
        (f"{frame.name}: as recorded", frame.rgb),
        ("labels", label_colors(found.labels.astype(np.int32) + 1)),
        ("features, their three strongest directions", rgb_picture(shown[..., :3])),
        ("parts found without words", rgb_picture(shown[..., 3:])),
    ]
    return Section("Segmentation of a view that the field has not seen", "", table, [row])


@torch.no_grad()
def edit_section(field: GaussianField, text: TextTeacher, frame: Frame, phrase: str) -> Section:
    """One thing deleted, recoloured and moved."""
    found = Querier(field, field.layer(), text, QueryConfig())(phrase)
    if not found.found:
        return Section("Edits", f"{phrase!r} was not found: {found.reason}")
    changes = {
        "as it is": field,
        "deleted": apply_edit(field, found, "delete").field,
        "painted blue": apply_edit(field, found, "color", (0.1, 0.2, 0.9)).field,
        "moved by 12 cm": apply_edit(field, found, "move", (0.0, 0.12, 0.0)).field,
    }
    row = [
        (name, rgb_picture(render(changed, frame.camera, frame.T_world_camera).rgb.numpy()))
        for name, changed in changes.items()
    ]
    return Section(
        f"Edits of “{phrase}”", "The hole under what was deleted is filled from what is around it.", [], [row]
    )
