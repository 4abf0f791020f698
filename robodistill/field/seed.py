"""First Gaussians from depth: surface elements averaged in voxels that follow what the cameras resolve.

A voxel's size is proportional to the footprint of a pixel there (depth / focal length), smaller where the pictures have
edges, and the factor is chosen so that the number of Gaussians comes out as asked. Each is a flat ellipsoid along the
surface, as wide as its neighbours are far.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from robodistill.capture.frame import Frame
from robodistill.config import SeedConfig
from robodistill.errors import EmptyCapture
from robodistill.field.gaussians import FieldView, GaussianField
from robodistill.raster.sh import rgb_to_sh0

_LEVEL = 2**0.5  # ratio of neighbouring voxel sizes
_ALONE = 2.5  # times the usual distance of neighbours, for what cameras resolve there, that is believed
_EDGE = 0.04  # relative depth step between neighbouring pixels that separates two surfaces


@dataclass(frozen=True)
class _Points:
    """Depth pixels of all frames, world frame."""

    xyz: np.ndarray  # (M, 3) float32, metres
    rgb: np.ndarray  # (M, 3) float32 in [0, 1]
    normal: np.ndarray  # (M, 3) float32, towards the camera
    size: np.ndarray  # (M,) float32, wished voxel size up to a factor, metres


def seed_field(frames: list[Frame], config: SeedConfig) -> GaussianField:
    """Make Gaussians of the frames' depth; their views become the field's.

    Raises:
        EmptyCapture: No frame has depth and a pose, or depth is nothing but single pixels and edges.
    """
    usable = [f for f in frames if f.depth is not None and f.T_world_camera is not None and f.valid.any()]
    if not usable:
        raise EmptyCapture(f"none of {len(frames)} frames has both depth and a pose; a field is seeded from depth")
    per_frame = max(config.max_points // len(usable), 1000)
    parts = [_surface_points(frame, per_frame, config.detail) for frame in usable]
    points = _Points(*(np.concatenate([getattr(p, name) for p in parts]) for name in ("xyz", "rgb", "normal", "size")))
    if not len(points.xyz):
        raise EmptyCapture(
            f"the depth of {len(usable)} frames holds no surface: every measured pixel lies beside a hole or an edge"
        )
    voxel = _assign_voxels(points, config.gaussians)
    count = np.bincount(voxel).astype(np.float32)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.stack([np.bincount(voxel, weights=v) for v in values.T], -1).astype(np.float32) / count[:, None]

    xyz, normal = mean(points.xyz), mean(points.normal)
    spacing = (
        cKDTree(xyz).query(xyz, k=min(4, len(xyz)), workers=-1)[0][:, 1:].mean(-1) if len(xyz) > 1 else np.full(1, 0.01)
    )
    resolved = mean(points.size[:, None])[:, 0]
    usual = np.median(spacing / resolved)  # what is alone does not stand for all that is between it and the next
    spacing = np.clip(spacing, usual / 16 * resolved, _ALONE * usual * resolved).astype(np.float32)
    along = config.overlap * spacing
    n = len(xyz)
    return GaussianField(
        means=torch.from_numpy(xyz),
        quats_wxyz=torch.from_numpy(_rotations_to(normal)),
        scales=torch.from_numpy(np.stack([along, along, config.thickness * along], -1)),
        opacities=torch.full((n,), config.opacity),
        sh=rgb_to_sh0(torch.from_numpy(mean(points.rgb)))[:, None],
        background=tuple((np.mean([f.rgb.mean((0, 1)) for f in usable], 0) / 255).tolist()),
        views=views_of(frames),
    )


def views_of(frames: list[Frame]) -> tuple[FieldView, ...]:
    """The cameras of the frames that have a pose."""
    return tuple(FieldView(f.name, f.camera, f.T_world_camera) for f in frames if f.T_world_camera is not None)


def _surface_points(frame: Frame, limit: int, detail: float) -> _Points:
    """At most `limit` pixels of one frame that lie within a surface."""
    depth = frame.depth
    xyz = frame.camera.unproject(depth.astype(np.float64)).astype(np.float32)
    dx = np.zeros_like(xyz)
    dy = np.zeros_like(xyz)
    dx[:, 1:-1], dy[1:-1] = xyz[:, 2:] - xyz[:, :-2], xyz[2:] - xyz[:-2]
    normal = np.cross(dy, dx)  # image y is down: this order points to the camera
    length = np.linalg.norm(normal, axis=-1)
    lowest = cv2.erode(depth, np.ones((3, 3)))  # 0 beside a hole
    highest = cv2.dilate(depth, np.ones((3, 3)))
    inside = (lowest > 0) & (highest - lowest < _EDGE * depth) & (length > 0)
    inside[[0, -1]] = inside[:, [0, -1]] = False
    rows = np.flatnonzero(inside.ravel())
    if len(rows) > limit:  # a seeded draw: a regular grid would beat with the voxels
        rows = np.sort(np.random.default_rng(len(rows)).choice(rows, limit, replace=False))
    size = depth.ravel()[rows] / frame.camera.K[0, 0] / _edges(frame.rgb, detail).ravel()[rows]
    R, t = frame.T_world_camera[:3, :3].astype(np.float32), frame.T_world_camera[:3, 3].astype(np.float32)
    return _Points(
        xyz=xyz.reshape(-1, 3)[rows] @ R.T + t,
        rgb=frame.rgb.reshape(-1, 3)[rows].astype(np.float32) / 255,
        normal=(normal.reshape(-1, 3)[rows] / length.ravel()[rows, None]) @ R.T,
        size=size.astype(np.float32),
    )


def _edges(rgb: np.ndarray, detail: float) -> np.ndarray:
    """(H, W) from 1 in flat parts to `detail` at strong edges: how many times finer the voxels shall be."""
    gray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    gradient = cv2.magnitude(cv2.Sobel(gray, cv2.CV_32F, 1, 0), cv2.Sobel(gray, cv2.CV_32F, 0, 1))
    strength = np.clip(cv2.GaussianBlur(gradient, (0, 0), 1.5) / 0.4, 0, 1)  # Sobel of a full step is 4
    return detail**strength


def _assign_voxels(points: _Points, wanted: int) -> np.ndarray:
    """(M,) voxel number of each point, about `wanted` different ones."""
    cell_size = 8 * float(np.median(points.size))
    cell = _number(_keys(np.floor(points.xyz / cell_size).astype(np.int32)))
    log_size = np.bincount(cell, weights=np.log(points.size)) / np.bincount(cell)  # one size in each cell
    factor = 1.5
    for _ in range(4):  # on surfaces the number falls with the square of the size
        level = np.round((log_size + np.log(factor)) / np.log(_LEVEL)).astype(np.int32)[cell]
        size = _LEVEL ** level.astype(np.float32)
        index = np.floor(points.xyz / size[:, None]).astype(np.int32)
        keys = _keys(np.concatenate([index, level[:, None]], -1))
        found = 1 + int(np.count_nonzero(np.diff(np.sort(keys))))
        if abs(found - wanted) < 0.1 * wanted:
            break
        factor *= (found / wanted) ** 0.5
    return _number(keys)


def _keys(index: np.ndarray) -> np.ndarray:
    """(M,) int64, equal for equal rows of (M, k) integers."""
    low = index.min(0)
    span = (index.max(0) - low + 1).astype(np.int64)
    assert float(np.prod(span.astype(np.float64))) < 2**63, span
    key = np.zeros(len(index), np.int64)
    for column, first, width in zip(index.T, low, span, strict=True):
        key = key * width + (column - first)
    return key


def _number(keys: np.ndarray) -> np.ndarray:
    """Consecutive numbers for equal keys."""
    return np.unique(keys, return_inverse=True)[1]


def _rotations_to(normal: np.ndarray) -> np.ndarray:
    """(N, 4) quaternions wxyz that turn z to the given directions; the identity where a direction is zero."""
    z = normal / np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-9)
    z[np.linalg.norm(z, axis=-1) < 0.5] = (0, 0, 1)
    helper = np.where(np.abs(z[:, :1]) < 0.9, [[1.0, 0, 0]], [[0, 1.0, 0]])
    x = np.cross(helper, z)
    x /= np.linalg.norm(x, axis=-1, keepdims=True)
    R = np.stack([x, np.cross(z, x), z], -1)
    return Rotation.from_matrix(R).as_quat(scalar_first=True).astype(np.float32)
