"""What the built-in image encoder looks at: colour, and shape as the depth camera sees it relative to the table.

A height above the largest plane and a normal against it are the same from wherever the camera looks, and in metres: a
mug and a bowl differ in them more than in colour. Where there is no depth the shape channels are zero, and the encoder
was trained for that, too.
"""

import cv2
import numpy as np

from robodistill.geometry.camera import Camera
from robodistill.geometry.planes import largest_plane

CHANNELS = 9
"""Red, green, blue, measured or not, height, upward and toward parts of the normal, relief, size of a pixel."""
CELL = 4
"""Pixels each way of a cell of the encoder."""
_NEAR = 0.008  # metres at 1 m from a plane that count as on it
_REACH = 2  # pixels each way that a normal is taken over
_RELIEF = 31  # pixels over which relief is taken
_PIXEL = 0.003  # metres that a pixel covers in the middle of what was trained on


def input_channels(rgb: np.ndarray, depth: np.ndarray | None, camera: Camera) -> np.ndarray:
    """(9, H, W) float32 in about [-1, 1].

    Args:
        rgb: (H, W, 3) uint8.
        depth: (H, W) metres along the optical axis, 0 = not measured; None = no depth camera.
        camera: Of both.
    """
    channels = np.zeros((CHANNELS, *rgb.shape[:2]), np.float32)
    channels[:3] = rgb.transpose(2, 0, 1) / np.float32(127.5) - 1
    if depth is not None and (depth > 0).any():
        channels[3:] = shape_channels(depth, camera)
    return channels


def shape_channels(depth: np.ndarray, camera: Camera) -> np.ndarray:
    """(6, H, W) float32: measured, height, up, toward, relief and size of a pixel."""
    measured = depth > 0
    smooth = _filled_mean(depth, measured, 5)
    directions = camera.rays().astype(np.float32)
    points = directions * smooth[..., None]
    normals = _normals(points)
    toward = np.einsum("hwk,hwk->hw", normals, directions)
    normals *= np.where(toward > 0, -1, 1).astype(np.float32)[..., None]
    toward = np.abs(toward) / np.sqrt(np.einsum("hwk,hwk->hw", directions, directions))
    seen = (directions[measured] * depth[measured, None]).astype(np.float64)
    plane = largest_plane(seen, _NEAR * np.maximum(seen[:, 2], 0.3) ** 2, np.zeros(3))
    height, up = np.zeros_like(depth), np.zeros_like(depth)
    if plane is not None:
        height = points @ plane[:3].astype(np.float32) + np.float32(plane[3])
        up = normals @ plane[:3].astype(np.float32)
    relief = (smooth - _filled_mean(depth, measured, _RELIEF)) / 0.04
    pixel = np.log2(np.maximum(smooth, 1e-3) / np.float32(camera.K[0, 0] * _PIXEL))
    shape = np.stack([np.ones_like(depth), _squashed(height / 0.06), up, toward, relief, pixel / 2])
    known = smooth > 0
    shape = np.where(known, np.clip(shape, -1, 1), 0)
    shape[0] = measured
    return shape.astype(np.float32)


def cell_points(depth: np.ndarray | None, camera: Camera) -> np.ndarray:
    """(3, H / 4, W / 4) float32 points in the camera frame in the middle of each cell, metres; zero where unknown."""
    if depth is None:
        return np.zeros((3, camera.height // CELL, camera.width // CELL), np.float32)
    at = slice(CELL // 2, None, CELL)
    smooth = _filled_mean(depth, depth > 0, 5)[at, at]
    return (camera.rays()[at, at] * smooth[..., None]).transpose(2, 0, 1).astype(np.float32)


def _squashed(x: np.ndarray) -> np.ndarray:
    """Fine near zero, coarse far away: half of the range is one unit."""
    return x / (1 + np.abs(x))


def _filled_mean(depth: np.ndarray, measured: np.ndarray, size: int) -> np.ndarray:
    """Mean of what is measured around each pixel, 0 where nothing is."""
    total = cv2.boxFilter(depth, -1, (size, size), normalize=False, borderType=cv2.BORDER_REPLICATE)
    count = cv2.boxFilter(
        measured.astype(np.float32), -1, (size, size), normalize=False, borderType=cv2.BORDER_REPLICATE
    )
    return np.where(count > 0.5, total / np.maximum(count, 1), 0).astype(np.float32)


def _normals(points: np.ndarray) -> np.ndarray:
    padded = np.pad(points, ((_REACH, _REACH), (_REACH, _REACH), (0, 0)), mode="edge")
    r = 2 * _REACH
    a = padded[_REACH:-_REACH, r:] - padded[_REACH:-_REACH, :-r]
    b = padded[r:, _REACH:-_REACH] - padded[:-r, _REACH:-_REACH]
    normals = np.empty_like(points)  # the cross product, which np.cross takes four times as long for
    for k in range(3):
        i, j = (k + 1) % 3, (k + 2) % 3
        normals[..., k] = a[..., i] * b[..., j] - a[..., j] * b[..., i]
    return normals / np.maximum(np.sqrt(np.einsum("hwk,hwk->hw", normals, normals)), 1e-12)[..., None]
