"""A picture of a field from one view."""

import json
from pathlib import Path

import numpy as np
import torch

from robodistill.capture.write import write_png
from robodistill.errors import BadInput
from robodistill.field.gaussians import GaussianField
from robodistill.field.render import render
from robodistill.geometry.camera import Camera
from robodistill.geometry.se3 import check_rigid
from robodistill.pipeline.features import feature_colors
from robodistill.report.pictures import label_colors


def render_picture(
    field_path: Path,
    out: Path,
    what: str,
    *,
    view: int | None = None,
    pose: Path | None = None,
    scale: int = 0,
    overwrite: bool = False,
) -> Path:
    """Render `what` to the PNG `out`: "rgb", "depth" in 16-bit millimetres, "normal", "feature" or "parts".

    "feature" shows the three strongest directions in which features differ; "parts" the parts at a scale, 0 the finest.

    Raises:
        BadInput: Not exactly one of `view` and `pose`, a view that is not there, a pose file that cannot be read, a
            field without features or parts.
    """
    out = picture_path(out, overwrite)
    field = GaussianField.load(field_path)
    write_png(out, draw(field, what, *chosen_view(field, view, pose), scale=scale))
    return out


@torch.no_grad()
def draw(field: GaussianField, what: str, camera: Camera, T_world_camera: np.ndarray, scale: int = 0) -> np.ndarray:
    """The picture as OpenCV writes it: (H, W, 3) uint8 BGR, of "depth" (H, W) uint16 millimetres.

    Raises:
        BadInput: A field without features or parts.
    """
    channels = _channels(field, what, scale)
    seen = render(field, camera, T_world_camera, channels)
    if channels is not None:
        image = (seen.features.clamp(0, 1) * 255).round().byte().numpy()[..., ::-1]
    elif what == "rgb":
        image = (seen.rgb.clamp(0, 1) * 255).round().byte().numpy()[..., ::-1]
    elif what == "normal":
        image = ((seen.normals + 1) / 2 * 255).round().byte().numpy()[..., ::-1]
    else:
        image = (seen.depth * 1000).round().clamp(0, 65535).numpy().astype(np.uint16)
    return np.ascontiguousarray(image)


def _channels(field: GaussianField, what: str, scale: int) -> torch.Tensor | None:
    if what == "feature":
        return feature_colors(field.layer())
    if what != "parts":
        return None
    if field.groups is None:
        raise BadInput("this field has no parts yet: robodistill parts F.field -o G.field")
    if not 0 <= scale < field.groups.shape[1]:
        raise BadInput(f"scale {scale} is not there; the field has scales 0 to {field.groups.shape[1] - 1}")
    return torch.from_numpy(label_colors(field.groups[:, scale].numpy())).float() / 255


def picture_path(out: Path, overwrite: bool) -> Path:
    """The path, checked.

    Raises:
        BadInput: No .png, or it exists.
    """
    out = Path(out)
    if out.suffix.lower() != ".png":
        raise BadInput(f"{out}: pictures are written as .png")
    if out.exists() and not overwrite:
        raise BadInput(f"{out} exists; give another name or --overwrite")
    return out


def chosen_view(field: GaussianField, view: int | None, pose: Path | None) -> tuple[Camera, np.ndarray]:
    """Camera and pose that a user named by one of the field's views or by a file.

    Raises:
        BadInput: Not exactly one of both, or it is not there or not valid.
    """
    if (view is None) == (pose is None):
        raise BadInput("give either --view (a number) or --pose (a file), not both and not neither")
    return field_view(field, view) if pose is None else read_pose(pose, field)


def field_view(field: GaussianField, view: int) -> tuple[Camera, np.ndarray]:
    """Camera and pose of one of the field's own views.

    Raises:
        BadInput: There is none with that number.
    """
    if not field.views:
        raise BadInput("this field has no views of its own (a bare PLY): give a pose")
    if not 0 <= view < len(field.views):
        raise BadInput(f"view {view} is not there; the field has views 0 to {len(field.views) - 1}")
    chosen = field.views[view]
    return chosen.camera, chosen.T_world_camera


def read_pose(path: Path, field: GaussianField) -> tuple[Camera, np.ndarray]:
    """Camera and pose from a JSON file with `T_world_camera` and, unless the field has views, `K`, `width`, `height`.

    Raises:
        BadInput: Not there, not JSON, or a value of another form.
    """
    try:
        values = json.loads(Path(path).read_text())
        T = np.array(values["T_world_camera"], dtype=np.float64).reshape(4, 4)
        if "K" in values:
            K = np.array(values["K"], dtype=np.float64).reshape(3, 3)
            camera = Camera(K, int(values["width"]), int(values["height"]))
        elif field.views:
            camera = field.views[0].camera
        else:
            raise BadInput(f"{path}: K, width and height are needed, since the field has no views of its own")
    except (OSError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise BadInput(
            f"{path}: JSON with T_world_camera (4x4) and K (3x3), width, height is needed: "
            f"{type(error).__name__}: {error}"
        ) from None
    check_rigid(torch.from_numpy(T))
    return camera, T
