"""What stands beside the Gaussians: cameras with their pictures, clouds, boxes, joints."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch

from robodistill.capture.frame import Capture
from robodistill.capture.resize import limit_size
from robodistill.field.gaussians import GaussianField
from robodistill.field.render import render
from robodistill.geometry.camera import Camera
from robodistill.language.selection import Box
from robodistill.report.pictures import rgb_picture
from robodistill.tracking.motion import Joint
from robodistill.viewer.cameras import wxyz_xyz

_THUMBNAIL = 128  # pixels
_MOST_CAMERAS = 60
_MOST_POINTS = 150_000
_PIXELS = {"thickness_units": "screen"}
_ORANGE, _BLUE, _GREY = (255, 140, 30), (40, 110, 230), (130, 130, 130)


def add_camera(
    scene: Any, name: str, camera: Camera, T_world_camera: np.ndarray, picture: np.ndarray | None, size: float
) -> Any:
    """A frustum, `size` metres deep, with its picture (H, W, 3) uint8."""
    wxyz, position = wxyz_xyz(T_world_camera)
    fov, aspect = 2 * float(np.arctan(camera.height / 2 / camera.K[1, 1])), camera.width / camera.height
    options = {"scale": size, "color": _GREY, "thickness": 1.5, **_PIXELS, "wxyz": wxyz, "position": position}
    return scene.add_camera_frustum(name, fov, aspect, image=picture, **options)


@torch.no_grad()
def field_pictures(
    field: GaussianField, progress: Callable[[str, int, int], None]
) -> Iterable[tuple[Camera, np.ndarray, np.ndarray]]:
    """Camera, T_world_camera and picture of a field's own views, as the field shows them; evenly taken where many."""
    views = field.views[:: 1 + len(field.views) // _MOST_CAMERAS]
    for k, view in enumerate(views):
        progress("camera", k, len(views))
        shrink = _THUMBNAIL / max(view.camera.width, view.camera.height)
        small = view.camera.resized(
            max(round(view.camera.width * shrink), 1), max(round(view.camera.height * shrink), 1)
        )
        yield view.camera, view.T_world_camera, rgb_picture(render(field, small, view.T_world_camera).rgb.numpy())


def capture_pictures(
    capture: Capture, progress: Callable[[str, int, int], None]
) -> Iterable[tuple[Camera, np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Camera, T_world_camera, picture, and measured points (M, 3) in the world with colours (M, 3) uint8, by frame.

    Frames without a pose are left out.
    """
    chosen = range(0, len(capture), 1 + len(capture) // _MOST_CAMERAS)
    for k, frame in enumerate(capture.frames(chosen)):
        progress("frame", k, len(chosen))
        if frame.T_world_camera is None:
            continue
        small = limit_size(frame, 4 * _THUMBNAIL)
        points = colors = np.zeros((0, 3))
        if small.depth is not None:
            kept = np.flatnonzero(small.depth)[:: 1 + int(small.valid.sum()) * len(chosen) // _MOST_POINTS]
            points = small.camera.unproject(small.depth).reshape(-1, 3)[kept]
            points = points @ frame.T_world_camera[:3, :3].T + frame.T_world_camera[:3, 3]
            colors = small.rgb.reshape(-1, 3)[kept]
        picture = limit_size(frame, _THUMBNAIL).rgb
        yield frame.camera, frame.T_world_camera, picture, points.astype(np.float32), colors.astype(np.uint8)


def add_box(scene: Any, name: str, box: Box, words: str) -> Any:
    """The edges of an oriented box with words above it; removing what is returned removes both."""
    wxyz, position = wxyz_xyz(np.array(box.T_world_box))
    frame = scene.add_frame(name, show_axes=False, wxyz=wxyz, position=position)
    half = np.array(box.size) / 2
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * half
    edges = [(a, b) for a in range(8) for b in range(a + 1, 8) if bin(a ^ b).count("1") == 1]
    scene.add_line_segments(
        f"{name}/edges", corners[np.array(edges)].astype(np.float32), _ORANGE, thickness=2.5, **_PIXELS
    )
    if words:
        up = np.array(box.T_world_box)[:3, :3].T @ [0.0, 0.0, 1.0]
        scene.add_label(f"{name}/words", words, position=up * (np.abs(up) @ half + 0.015))
    return frame


def add_joint(scene: Any, name: str, joint: Joint, middle: np.ndarray, reach: float) -> Any:
    """A joint's axis and the range that was seen, in the coordinates of its parent at rest.

    Args:
        middle: (3,) of the child at rest.
        reach: How far the child reaches, metres.
    """
    frame = scene.add_frame(name, show_axes=False)
    if joint.kind in ("fixed", "free"):
        return frame
    axis, origin = joint.axis, joint.origin
    low, high = joint.range
    steps = np.linspace(low, high, 33)
    if joint.kind == "prismatic":
        # beyond the child's end on the side it goes to: inside of it nothing would be seen
        tip = middle + (1.1 * reach if low + high >= 0 else -1.1 * reach) * axis
        path = tip + steps[:, None] * axis
        line = np.array([[middle + (min(low, 0) - 1.5 * reach) * axis, middle + (max(high, 0) + 1.5 * reach) * axis]])
    else:
        side = middle - origin - axis * (axis @ (middle - origin))
        if np.linalg.norm(side) < 1e-4:  # a screw turns about its own middle
            side = np.cross(axis, np.eye(3)[np.abs(axis).argmin()])
        side = side / np.linalg.norm(side) * reach
        across = np.cross(axis, side)
        path = origin + np.cos(steps)[:, None] * side + np.sin(steps)[:, None] * across
        path = path + (joint.pitch * steps)[:, None] * axis
        line = np.array([[origin - reach * axis, origin + reach * axis]])
        spokes = np.stack([np.broadcast_to(origin, (2, 3)), path[[0, -1]]], 1)
        scene.add_line_segments(f"{name}/ends", spokes.astype(np.float32), _GREY, thickness=1.5, **_PIXELS)
    scene.add_line_segments(f"{name}/axis", line.astype(np.float32), _BLUE, thickness=4, **_PIXELS)
    pieces = np.stack([path[:-1], path[1:]], 1)
    scene.add_line_segments(f"{name}/range", pieces.astype(np.float32), _ORANGE, thickness=4, **_PIXELS)
    return frame
