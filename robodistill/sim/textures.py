"""Procedural textures and where they lie on a mesh.

A texture of an object is a near-white modulation of its tint, so that the colour word stays true. All are periodic, and
smooth enough to be reconstructed from a scan: their finest feature is a few millimetres.
"""

import cv2
import numpy as np

from robodistill.sim.shapes import Solid

_SIZE = 128

PATTERNS = ("plain", "speckle", "stripes", "checks", "dots", "weave", "grain", "brushed")


def smooth_noise(rng: np.random.Generator, size: int, cells: tuple[int, int]) -> np.ndarray:
    """(size, size) periodic noise in [0, 1] with this many cells down and across."""
    grid = rng.random(cells)
    grid = np.pad(grid, 2, mode="wrap")
    scale = (size / cells[0], size / cells[1])
    big = cv2.resize(grid, None, fx=scale[1], fy=scale[0], interpolation=cv2.INTER_CUBIC)
    top, left = round(2 * scale[0]), round(2 * scale[1])
    return np.clip(big[top : top + size, left : left + size], 0, 1)


def fractal_noise(rng: np.random.Generator, size: int, cells: int, octaves: int = 3) -> np.ndarray:
    """(size, size) periodic noise in [0, 1]; each octave is twice as fine and half as strong."""
    total = sum(smooth_noise(rng, size, (cells << k, cells << k)) * 0.5**k for k in range(octaves))
    return (total - total.min()) / np.ptp(total)


def object_texture(pattern: str, rng: np.random.Generator) -> np.ndarray:
    """(128, 128, 3) uint8 near-white texture of one of `PATTERNS`."""
    v, u = np.mgrid[0:_SIZE, 0:_SIZE] / _SIZE
    if pattern == "plain":
        shade = 0.93 + 0.07 * smooth_noise(rng, _SIZE, (4, 4))
    elif pattern == "speckle":
        shade = 1 - 0.22 * (smooth_noise(rng, _SIZE, (24, 24)) > 0.74)
    elif pattern == "stripes":
        count = int(rng.integers(4, 9))
        shade = 1 - 0.20 * (np.sin(2 * np.pi * count * v) > rng.uniform(0, 0.6))
    elif pattern == "checks":
        count = int(rng.integers(2, 5))
        shade = 1 - 0.18 * (np.sin(2 * np.pi * count * u) * np.sin(2 * np.pi * count * v) > 0)
    elif pattern == "dots":
        count = int(rng.integers(3, 6))
        shade = 1 - 0.22 * (np.hypot((u * count) % 1 - 0.5, (v * count) % 1 - 0.5) < rng.uniform(0.2, 0.32))
    elif pattern == "weave":
        shade = 0.90 + 0.10 * np.sin(2 * np.pi * 16 * u) * np.sin(2 * np.pi * 16 * v)
    elif pattern == "grain":
        warp = 0.12 * smooth_noise(rng, _SIZE, (3, 2))
        shade = 0.88 + 0.12 * np.sin(2 * np.pi * (5 * v + 6 * warp)) * smooth_noise(rng, _SIZE, (12, 3)) ** 0.5
    elif pattern == "brushed":
        shade = 0.86 + 0.14 * smooth_noise(rng, _SIZE, (64, 3))
    else:
        raise AssertionError(pattern)
    shade = cv2.GaussianBlur(np.pad(shade, 4, mode="wrap"), (0, 0), 0.8)[4:-4, 4:-4]
    return np.rint(255 * np.clip(shade, 0, 1)[..., None].repeat(3, 2)).astype(np.uint8)


def lay_texture(solid: Solid, corners: np.ndarray, normals: np.ndarray, tile: float) -> np.ndarray:
    """(F, 3, 2) texture coordinates of face corners.

    "box" solids are painted from the side that a face looks to most; "round" ones are wound around their axis, a whole
    number of times so that there is no seam.

    Args:
        corners: (F, 3, 3) points, metres, in the solid's present frame.
        normals: (F, 3) unit normals of the faces.
        tile: Metres that one repeat of the texture covers.
    """
    T = np.eye(4) if solid.T_here_made is None else solid.T_here_made
    made = np.linalg.inv(T)
    normals = normals @ T[:3, :3]
    normals = normals / np.linalg.norm(normals, axis=1, keepdims=True)
    # As the solid was made, but with the lengths it has now.
    metric = (corners @ made[:3, :3].T + made[:3, 3]) * np.linalg.norm(T[:3, :3], axis=0) / tile
    side = np.abs(normals).argmax(1)
    planes = np.array([[1, 2], [0, 2], [0, 1]])[side]
    uv = np.take_along_axis(metric, planes[:, None, :].repeat(3, 1), axis=2)
    if solid.wrap == "round":
        wound = np.abs(normals[:, 2]) < 0.9
        angle = np.arctan2(metric[..., 1], metric[..., 0]) / (2 * np.pi)
        angle -= np.rint(angle - angle[:, :1])  # a face across the seam stays in one piece
        turns = max(1, round(2 * np.pi * np.hypot(metric[..., 0], metric[..., 1]).max()))
        uv = np.where(wound[:, None, None], np.stack([angle * turns, metric[..., 2]], -1), uv)
    return uv
