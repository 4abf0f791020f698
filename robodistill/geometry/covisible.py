"""Where the points of one depth image are in another, and whether they are seen there."""

from dataclasses import dataclass

import numpy as np

_HIDDEN = 0.01  # metres between a point and what the other image shows in its place


@dataclass(frozen=True, eq=False)
class DepthView:
    """A depth image with its camera."""

    depth: np.ndarray
    """(H, W) metres, 0 = not measured."""
    K: np.ndarray
    """(3, 3), integer pixels at their centres."""
    T_world_camera: np.ndarray
    """(4, 4)."""


def seen_in(first: DepthView, second: DepthView, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, 2) pixels (u, v) of the second view that show points at (n, 2) pixels of the first, and (n,) if it does."""
    height, width = first.depth.shape
    whole = np.clip(np.rint(pixels), 0, [width - 1, height - 1]).astype(int)
    z = first.depth[whole[:, 1], whole[:, 0]].astype(float)
    points = np.column_stack([(pixels - first.K[:2, 2]) / first.K[[0, 1], [0, 1]] * z[:, None], z])
    T = np.linalg.inv(second.T_world_camera) @ first.T_world_camera
    there = points @ T[:3, :3].T + T[:3, 3]
    depth = np.maximum(there[:, 2], 1e-3)
    uv = there[:, :2] / depth[:, None] * second.K[[0, 1], [0, 1]] + second.K[:2, 2]
    height, width = second.depth.shape
    inside = (uv > -0.5).all(1) & (uv < [width - 0.5, height - 0.5]).all(1)
    at = np.clip(np.rint(uv), 0, [width - 1, height - 1]).astype(int)
    shown = second.depth[at[:, 1], at[:, 0]]
    return uv, inside & (z > 0) & (shown > 0) & (np.abs(shown - there[:, 2]) < _HIDDEN)
