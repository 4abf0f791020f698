"""A field made by hand: a small articulated object of boxes on a table, with parts; and pictures of it elsewhere."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from planned_objects import Made
from scipy.spatial.transform import Rotation

from robodistill.capture.frame import Frame
from robodistill.field.gaussians import FieldView, GaussianField
from robodistill.field.render import render
from robodistill.geometry.camera import Camera

_COLORS = np.array([[0.75, 0.15, 0.1], [0.15, 0.3, 0.75]])
_TABLE = 0.005  # metres between Gaussians of the table


@dataclass(frozen=True)
class Scanned:
    """A field and the part of each of its Gaussians, -1 for the table."""

    field: GaussianField
    labels: np.ndarray


def looking(eye, at):
    """(4, 4) T_world_camera."""
    z = np.asarray(at, float) - eye
    z /= np.linalg.norm(z)
    x = np.cross(z, [0, 0, 1.0])
    x /= np.linalg.norm(x)
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = np.stack([x, np.cross(z, x), z], 1), eye
    return T


def scanned(made: Made, table: tuple[float, float, float] = (0.7, 0.68, 0.6)) -> Scanned:
    """The object at rest, its parts in two colours with dark patches on one side, on a table, seen from all around."""
    it = made.workpiece
    low, high = it.points.min(0), it.points.max(0)
    share = (it.points - low) / (high - low)
    dark = (share[:, 0] > 0.7) & (share[:, 1] < 0.6) | (share[:, 0] < 0.15) & (share[:, 1] > 0.7)
    colors = np.where(dark[:, None], 0.08, _COLORS[it.owners])
    thing = flat(it.points, it.normals, colors, 0.0025)
    side = np.arange(-0.3, 0.3, _TABLE)
    xy = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    inside = ((xy > low[:2]) & (xy < high[:2])).all(1)
    ground = np.append(xy[~inside], np.zeros(((~inside).sum(), 1)), 1)
    board = flat(ground, np.tile([0, 0, 1.0], (len(ground), 1)), np.tile(table, (len(ground), 1)), 0.5 * _TABLE)
    camera = Camera.from_fov(0.9, 240, 180)
    around = [
        looking([0.4 * np.cos(a), 0.4 * np.sin(a), h], [0, 0, 0.03])
        for a, h in zip(np.arange(8) * np.pi / 4, [0.2, 0.35] * 4, strict=True)
    ]
    views = tuple(FieldView(f"{k}", camera, T) for k, T in enumerate(around))
    return Scanned(replace(joined(thing, board), views=views), np.append(it.owners, np.full(len(ground), -1)))


def flat(points, normals, colors, size) -> GaussianField:
    """Discs."""
    turn = np.cross([0, 0, 1.0], normals)
    turn[normals[:, 2] < -0.999] = [1, 0, 0]
    length = np.linalg.norm(turn, axis=1, keepdims=True)
    angle = np.arctan2(length, normals[:, 2:])
    quats = Rotation.from_rotvec(turn / np.maximum(length, 1e-9) * angle).as_quat(scalar_first=True)
    sh = (np.asarray(colors) - 0.5) / 0.28209479177387814
    values = points, quats, np.tile([size, size, 0.0004], (len(points), 1)), np.full(len(points), 0.97), sh[:, None]
    return GaussianField(*(torch.from_numpy(np.ascontiguousarray(v)).float() for v in values))


def joined(*fields: GaussianField) -> GaussianField:
    """One of several."""
    names = ("means", "quats_wxyz", "scales", "opacities", "sh")
    return GaussianField(*(torch.cat([getattr(f, name) for f in fields]) for name in names))


@torch.no_grad()
def pictured(
    it: Scanned, T_world_object, T_world_camera, camera: Camera, noise: float = 0.001, table=(0.45, 0.5, 0.45)
) -> Frame:
    """RGB-D of the object elsewhere, on another table; without an object where its pose is None."""
    rng = np.random.default_rng(0)
    side = np.arange(-0.6, 0.6, 0.01)
    xy = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    ground = np.append(xy, np.zeros((len(xy), 1)), 1)
    shade = np.array(table) + 0.05 * np.sin(40 * xy[:, :1]) * np.cos(25 * xy[:, 1:])
    scene = flat(ground, np.tile([0, 0, 1.0], (len(ground), 1)), shade, 0.006)
    if T_world_object is not None:
        keep = it.labels >= 0
        colors = it.field.sh[keep, 0].numpy() * 0.28209479177387814 + 0.5
        points = it.field.means[keep].double().numpy() @ T_world_object[:3, :3].T + T_world_object[:3, 3]
        turned = Rotation.from_quat(it.field.quats_wxyz[keep].numpy(), scalar_first=True).as_matrix()[:, :, 2]
        scene = joined(scene, flat(points, turned @ T_world_object[:3, :3].T, colors, 0.0025))
    seen = render(scene, camera, T_world_camera)
    rgb = seen.rgb.clamp(0, 1).numpy() + rng.normal(0, 0.01, (camera.height, camera.width, 3))
    depth = (seen.depth * (seen.alpha > 0.5)).numpy()
    depth = np.where(depth > 0, depth + rng.normal(0, noise, depth.shape), 0).clip(0).astype(np.float32)
    return Frame((255 * rgb.clip(0, 1)).astype(np.uint8), depth, camera, None)
