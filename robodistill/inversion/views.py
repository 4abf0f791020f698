"""Virtual views: the field as pictures from many sides, which stand in for the images that it does not keep.

A field that was scanned has views of its own; each is also drawn nearer, since what is seen from a metre is not
recognised from a hand's breadth. A bare PLY has none: then cameras stand all around its middle.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from robodistill.config import InversionConfig
from robodistill.field.gaussians import GaussianField
from robodistill.field.render import Rendering, render
from robodistill.geometry.camera import Camera

_FOV_Y = np.radians(50)  # of cameras around a field that names none
_SOLID = 0.9  # alpha from which a pixel shows the field and not what is behind it


@dataclass(frozen=True, eq=False)
class ViewPose:
    """A camera and where it stands."""

    camera: Camera
    T_world_camera: np.ndarray
    """(4, 4) float64."""


@dataclass(frozen=True, eq=False)
class Picture:
    """What a virtual view shows."""

    view: ViewPose
    rgb: np.ndarray
    """(H, W, 3) uint8."""
    depth: np.ndarray
    """(H, W) float32 metres, 0 where the field does not cover the pixel well."""
    normals: np.ndarray
    """(H, W, 3) float32, world frame, towards the camera."""


@torch.no_grad()
def draw(field: GaussianField, view: ViewPose) -> Picture:
    """Render a view as a camera would have recorded it."""
    return as_picture(view, render(field, view.camera, view.T_world_camera))


def as_picture(view: ViewPose, seen: Rendering) -> Picture:
    """The arrays of a rendering, with depth only where the field is solid."""
    rgb = (seen.rgb.detach().clamp(0, 1) * 255).round().byte().cpu().numpy()
    depth = (seen.depth * (seen.alpha > _SOLID)).detach().cpu().numpy()
    return Picture(view, rgb, depth, seen.normals.detach().cpu().numpy())


def fitted(camera: Camera, max_side: int) -> Camera:
    """The camera reduced so that no side is longer, as `capture.resize` reduces frames."""
    scale = max_side / max(camera.width, camera.height)
    return camera if scale >= 1 else camera.resized(round(camera.width * scale), round(camera.height * scale))


def virtual_views(
    field: GaussianField,
    config: InversionConfig,
    whole: bool = True,
) -> Iterator[ViewPose]:
    """Where to look at a field from.

    Args:
        field: Whose own views are drawn again, nearer, and from further down.
        config: How many, and how much.
        whole: False for one thing cut out of a scene: cameras then turn to it, from the sides that saw it.
    """
    center, radius = extent(field)
    most, max_side, zooms = config.views, config.max_side, (1.0, config.nearer)
    if not field.views:
        camera = fitted(Camera.from_fov(_FOV_Y, max_side, 3 * max_side // 4), max_side)
        for direction in sphere(most):
            for zoom in zooms:
                T = turned_to(center + 2.5 * zoom * radius * direction, center, np.eye(3))
                yield ViewPose(camera, T)
        return
    chosen = np.unique(np.linspace(0, len(field.views) - 1, min(most, len(field.views))).round().astype(int))
    for k in chosen:
        own = field.views[k]
        camera, T = fitted(own.camera, max_side), own.T_world_camera
        if whole:
            depth = _middle_depth(field, T, center)
        else:
            # filling half the picture, and from both sides of that: how large it will be is not known
            depth = 2 * radius * camera.K[1, 1] / (0.5 * camera.height)
            away = (T[:3, 3] - center) / np.linalg.norm(T[:3, 3] - center)
            T = turned_to(center + depth * away, center, T[:3, :3])
        for zoom in zooms if whole else (*zooms, 1 / config.nearer):
            yield ViewPose(camera, _orbited(T, depth, zoom, 0.0))
        yield ViewPose(camera, _orbited(T, depth, 1.0, config.tilt))


def extent(field: GaussianField) -> tuple[np.ndarray, float]:
    """Middle of a field and the distance from it within which nine tenths of its Gaussians lie, metres."""
    points = field.means.detach().cpu().numpy().astype(np.float64)
    center = np.median(points, 0)
    return center, float(np.quantile(np.linalg.norm(points - center, axis=1), 0.9))


def _middle_depth(field: GaussianField, T_world_camera: np.ndarray, center: np.ndarray) -> float:
    """Depth of the middle of the field in a view; of what is in front of it where the middle is behind it."""
    depth = float((center - T_world_camera[:3, 3]) @ T_world_camera[:3, 2])
    if depth > 0.05:
        return depth
    means = field.means.detach().cpu().numpy()
    ahead = (means - T_world_camera[:3, 3]) @ T_world_camera[:3, 2]
    return float(np.median(ahead[ahead > 0])) if (ahead > 0).any() else 0.0


def _orbited(T_world_camera: np.ndarray, depth: float, zoom: float, tilt: float) -> np.ndarray:
    """The pose carried around the point at `depth` on its axis, about its own horizontal, `zoom` times as far."""
    c, s = np.cos(tilt), np.sin(tilt)
    R = T_world_camera[:3, :3] @ np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    T = np.eye(4)
    T[:3, :3] = R
    T[:3, 3] = T_world_camera[:3, 3] + depth * T_world_camera[:3, 2] - zoom * depth * R[:, 2]
    return T


def turned_to(eye: np.ndarray, target: np.ndarray, like: np.ndarray) -> np.ndarray:
    """(4, 4) T_world_camera at `eye` looking at `target`, as little rolled against the rotation `like` as can be."""
    forward = (target - eye) / np.linalg.norm(target - eye)
    down = like[:, 1] - (like[:, 1] @ forward) * forward
    if np.linalg.norm(down) < 1e-3:
        down = like[:, 0] - (like[:, 0] @ forward) * forward
    down /= np.linalg.norm(down)
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = np.column_stack([np.cross(down, forward), down, forward]), eye
    return T


def sphere(count: int) -> np.ndarray:
    """(count, 3) directions, evenly over the sphere (Fibonacci's lattice)."""
    z = 1 - 2 * (np.arange(count) + 0.5) / count
    angle = np.arange(count) * np.pi * (3 - np.sqrt(5))
    ring = np.sqrt(1 - z * z)
    return np.stack([ring * np.cos(angle), ring * np.sin(angle), z], 1)
