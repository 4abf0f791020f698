"""Depth registration: the depth image as the colour camera would have measured it.

Each depth pixel is a small patch of surface. Between neighbours on one surface the patch is interpolated, finely enough
that no crack opens where the colour image is the finer one; between neighbours on different surfaces nothing is put, so
an edge stays an edge. Patches then fall into colour pixels through a z-buffer; what falls into one pixel and belongs to
its nearest surface is averaged, which removes the bias towards the camera that a plain minimum has on slanted surfaces.
"""

from collections.abc import Iterator

import numpy as np

from robodistill.geometry.camera import Camera

SAME_SURFACE = 0.02
"""Largest relative difference in depth between neighbouring pixels of one surface; sensor noise is well below it."""


def register_depth(
    depth: np.ndarray, depth_camera: Camera, color_camera: Camera, T_color_depth: np.ndarray | None = None
) -> np.ndarray:
    """(H, W) float32 depth of the colour camera, metres, 0 where no depth pixel falls.

    Args:
        depth: Depth of `depth_camera`, metres, 0 = no measurement.
        T_color_depth: (4, 4) depth-camera coordinates to colour-camera coordinates; the identity where it is not known.
    """
    assert depth.shape == (depth_camera.height, depth_camera.width), (depth.shape, depth_camera)
    T = np.eye(4) if T_color_depth is None else T_color_depth
    width, height = color_camera.width, color_camera.height
    # A pixel (x, y) of inverse depth q projects to A (x, y, 1) + b q, whose third component is its depth times q.
    A = (color_camera.K @ T[:3, :3] @ np.linalg.inv(depth_camera.K)).astype(np.float32)
    b = (color_camera.K @ T[:3, 3]).astype(np.float32)
    targets, depths = [], []
    for x, y, q in _patches(depth, _steps(depth_camera, color_camera)):
        w = A[2, 0] * x + A[2, 1] * y + A[2, 2] + b[2] * q
        with np.errstate(invalid="ignore", divide="ignore"):
            u = (A[0, 0] * x + A[0, 1] * y + A[0, 2] + b[0] * q) / w
            v = (A[1, 0] * x + A[1, 1] * y + A[1, 2] + b[1] * q) / w
            inside = (w > 0) & (u > -0.5) & (u < width - 0.5) & (v > -0.5) & (v < height - 0.5)  # NaN is not inside
        u, v = (np.rint(coordinate[inside]).astype(np.int64) for coordinate in (u, v))
        targets.append(v * width + u)
        depths.append(w[inside] / q[inside])
    target, z = np.concatenate(targets), np.concatenate(depths)
    nearest = np.full(width * height, np.inf, np.float32)
    np.minimum.at(nearest, target, z)
    front = z <= nearest[target] * (1 + SAME_SURFACE)
    count = np.bincount(target[front], minlength=width * height)
    total = np.bincount(target[front], weights=z[front], minlength=width * height)
    return (total / np.maximum(count, 1)).astype(np.float32).reshape(height, width)


def _steps(depth_camera: Camera, color_camera: Camera) -> int:
    """Steps per depth pixel so that samples are at most 1/sqrt(2) colour pixels apart: then a turned grid has no holes.

    Odd, so that samples lie symmetrically about a pixel's centre and none on the border between two.
    """
    magnification = max(color_camera.K[i, i] / depth_camera.K[i, i] for i in (0, 1))
    return int(np.ceil(np.sqrt(2) * magnification)) // 2 * 2 + 1


def _patches(depth: np.ndarray, n: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """x (1, w), y (h, 1) and inverse depth (h, w), NaN = nothing: the pixels, then n x n steps in cells of one surface.

    Inverse depth is interpolated because it is what is linear in the image on a plane.
    """
    with np.errstate(divide="ignore"):
        q = np.where(depth > 0, 1 / depth, np.nan).astype(np.float32)
    x, y = np.arange(q.shape[1], dtype=np.float32)[None], np.arange(q.shape[0], dtype=np.float32)[:, None]
    yield x, y, q
    corners = q[:-1, :-1], q[:-1, 1:], q[1:, :-1], q[1:, 1:]
    low, high = np.minimum.reduce(corners), np.maximum.reduce(corners)
    one_surface = np.where(high - low < SAME_SURFACE * high, np.float32(0), np.float32(np.nan))
    for i, j in np.ndindex(n, n):
        if i or j:  # (0, 0) is the pixel itself
            s, t = np.float32(i / n), np.float32(j / n)
            upper = corners[0] + t * (corners[1] - corners[0])
            lower = corners[2] + t * (corners[3] - corners[2])
            yield x[:, :-1] + t, y[:-1] + s, upper + s * (lower - upper) + one_surface
