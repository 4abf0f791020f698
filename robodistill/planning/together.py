"""Which grasps of two parts leave room for both hands, looked at before any arm is asked.

Hands are as wide as the things they hold: of the best grasps of two neighbouring parts nearly all get in each other's
way. Points on one hand are measured against the other's shapes, for all pairs of grasps at once, at a few key frames.
"""

import numpy as np

from robodistill.grasp.clearance import Hand, signed_distance
from robodistill.robots.urdf import Shape

_APART = 0.002  # metres that hands keep from one another
_GRID, _AROUND = 4, 8  # points along an edge, and around an axis
_OPENING = 0.02  # metres between the pads, for which hands are looked at


def together(first: Hand, second: Hand, Ts_first: np.ndarray, Ts_second: np.ndarray) -> np.ndarray:
    """(m, n) bool: whether two hands never meet.

    Args:
        Ts_first: (K, m, 4, 4) Ts_world_grasp of the first hand at key frames.
        Ts_second: (K, n, 4, 4) of the second.
    """
    shapes = first.shapes(min(_OPENING, first.opening))
    points = np.concatenate([_points(it) for it in second.shapes(min(_OPENING, second.opening))])
    free = np.ones((Ts_first.shape[1], Ts_second.shape[1]), bool)
    for Ts, others in zip(Ts_first, Ts_second, strict=True):
        world = points @ others[:, :3, :3].mT + others[:, None, :3, 3]  # (n, p, 3)
        for k, T in enumerate(Ts):
            local = (world - T[:3, 3]) @ T[:3, :3]
            for shape in shapes:
                free[k] &= (signed_distance(shape, local) > _APART).all(1)
    return free


def _points(shape: Shape) -> np.ndarray:
    """(p, 3) on a shape, some millimetres or centimetres apart, in the frame that its link has."""
    if shape.kind == "hull":
        local = shape.points
    elif shape.kind == "box":
        grid = np.stack(np.meshgrid(*[np.linspace(-0.5, 0.5, _GRID)] * 3), -1).reshape(-1, 3)
        local = grid[np.abs(grid).max(1) > 0.49] * shape.size
    else:
        radius, length = (*shape.size, 0.0)[:2]
        angles = 2 * np.pi * np.arange(_AROUND) / _AROUND
        ring = np.column_stack([np.cos(angles), np.sin(angles), np.zeros(_AROUND)])
        local = np.concatenate([radius * ring + [0, 0, z] for z in np.linspace(-0.5, 0.5, _GRID) * length])
        if shape.kind != "cylinder":
            local = np.concatenate([local, [[0, 0, s * (length / 2 + radius)] for s in (-1.0, 1.0)]])
    return local @ shape.T_link_shape[:3, :3].T + shape.T_link_shape[:3, 3]
