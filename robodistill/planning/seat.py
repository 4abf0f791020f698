"""How pads sit on a part: a hand turned so that both press flat, and the area that each then presses.

A part that is held at an angle turns as the hand closes, until it is as narrow as it gets between the pads, and takes
its base along. So hands are turned to where it is narrowest; where it is so nowhere nearby, at an edge, none is left.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from robodistill.grasp.candidates import Pads
from robodistill.grasp.surface import Surface

CELL = 0.004
"""Metres: side of the cells that a pressed area is counted in."""
_COARSE = tuple(np.radians(np.arange(-20, 21, 4)))  # rad by which a hand is turned about each of two axes
_FINE = tuple(np.radians(np.arange(-3, 4)))
_FOLLOWED = 2  # times that a hand is turned on where the part still gets narrower
_DRIFT = 0.001  # metres per rad that a turn must win: round things are as wide from all sides
_GIVES = 0.0008  # metres that a thing gets narrower where it would turn out of the pads
_NEAR = 0.0015  # metres from an outermost point that a soft pad presses, or that a scan is wrong by
_FACING = 0.7  # cosine between a pad's normal and that of what it presses
_SKIN = 0.004  # metres from an outermost point to where a face is another
_STRAYS = 1  # outermost points that may be such
_LEAST = 4  # points that a pad must press
_TRUSTED = 7e-6  # square metres over which points lie from which their plane tells as much as their normals


@dataclass(frozen=True, eq=False)
class Seats:
    """m hands and what they press."""

    Ts_world_grasp: np.ndarray
    """(m, 4, 4), centred."""
    widths: np.ndarray
    """(m,) metres between the pads; 0 where they press nothing."""
    angles: np.ndarray
    """(m, 2) rad between a pad's normal and the mean of what it presses."""
    areas: np.ndarray
    """(m, 2) square metres that each pad presses."""
    gaps: np.ndarray
    """(m,) area of faces between the pads that look inwards, of the smaller of the pressed ones: what is held is two
    things side by side, of which nobody knows that they are one."""


def seated(Ts_world_grasp: np.ndarray, thing: Surface, widest: float, pads: Pads) -> Seats:
    """Hands (m, 4, 4) turned about the middle between their pads to sit flat on a thing.

    Args:
        widest: That may be between the pads, metres.
    """
    tree = cKDTree(thing.points)
    reach = np.linalg.norm([widest, pads.half_width, max(pads.beyond, pads.behind)])
    near = tree.query_ball_point(Ts_world_grasp[:, :3, 3], reach)
    found = [_seat(T, thing.points[i], thing.normals[i], widest, pads)
             for T, i in zip(Ts_world_grasp, near, strict=True)]  # fmt: skip
    if not found:
        return Seats(np.zeros((0, 4, 4)), np.zeros(0), np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0))
    return Seats(*(np.array([it[k] for it in found]) for k in range(5)))


def _seat(T: np.ndarray, points: np.ndarray, normals: np.ndarray, widest: float, pads: Pads) -> tuple:
    none = T, 0.0, np.full(2, np.pi / 2), np.zeros(2), 0.0
    T = T.copy()
    for angles in (_COARSE, _FINE):
        for axis in (2, 1):  # about the approach, then about the pads' long side
            for _ in range(_FOLLOWED):
                turns = T @ _turns(angles, axis)
                low, high, *_ = _between(turns, _stay(T, points, axis, pads), widest, pads)
                widths = high - low
                straight, best = len(angles) // 2, int(np.argmin(widths + _DRIFT * np.abs(np.array(angles))))
                if not np.isfinite(widths[straight]):
                    return none
                T = turns[best]
                if best not in (0, len(angles) - 1) or widths[straight] - widths[best] <= _GIVES:
                    break
            else:
                return none  # it would turn further and further out of the pads
    low, high, local, between = _between(T, points, widest, pads)
    if not high - low < widest:
        return none
    x, y, z = local.T
    n = normals @ T[:3, :3]
    sides = (x < low + _NEAR) & (n[:, 0] < -_FACING), (x > high - _NEAR) & (n[:, 0] > _FACING)
    pressed = [between & it for it in sides]
    if min(it.sum() for it in pressed) < _LEAST:
        return none
    T[:3, 3] += (low + high) / 2 * T[:3, 0]
    angles = np.array([_lean(local[it], n[it].mean(0)) for it in pressed])
    cells = np.array([_cells(y[it], z[it]) for it in pressed])
    # what is round, or has steps, faces outwards there as well
    inwards = n[:, 0] * np.sign((low + high) / 2 - x) > _FACING
    inside = between & (x > low + _SKIN) & (x < high - _SKIN) & inwards
    return T, high - low, angles, cells * CELL**2, _cells(y[inside], z[inside]) / cells.min()


def _lean(points: np.ndarray, normal: np.ndarray) -> float:
    """Rad between a pad and what it presses: the plane of its points (n, 3), or where these are few their normal.

    Normals of Gaussians on thin things are 0.3 rad off where points are half a millimetre off.
    """
    away = points - points.mean(0)
    expected = -normal[1:] / normal[0]  # slopes of x along y and z
    A = away[:, 1:].T @ away[:, 1:] + _TRUSTED * np.eye(2)
    slopes = np.linalg.solve(A, away[:, 1:].T @ away[:, 0] + _TRUSTED * expected)
    return float(np.arctan(np.linalg.norm(slopes)))


def _between(T: np.ndarray, points: np.ndarray, widest: float, pads: Pads) -> tuple:
    """From where to where along x something is between pads T (..., 4, 4), points in its frame, and which are."""
    local = (points - T[..., None, :3, 3]) @ T[..., :3, :3]
    x, y, z = np.moveaxis(local, -1, 0)
    between = (np.abs(y) < pads.half_width) & (z < pads.beyond) & (z > -pads.behind) & (np.abs(x) < widest)
    if x.shape[-1] <= _STRAYS:
        return np.full(x.shape[:-1], -np.inf), np.full(x.shape[:-1], np.inf), local, between
    low, high = _least(np.where(between, x, np.inf)), -_least(np.where(between, -x, np.inf))
    few = between.sum(-1) < 2 * _LEAST
    return np.where(few, -np.inf, low), np.where(few, np.inf, high), local, between


def _stay(T: np.ndarray, points: np.ndarray, axis: int, pads: Pads) -> np.ndarray:
    """Points that may be between pads T (4, 4) turned about an axis: none other is as far along that as they are."""
    along = (points - T[:3, 3]) @ T[:3, axis]
    return points[(along < pads.beyond) & (along > -pads.behind) if axis == 2 else np.abs(along) < pads.half_width]


def _least(values: np.ndarray) -> np.ndarray:
    """(...) the least of values (..., n) but for strays, which are overwritten."""
    for _ in range(_STRAYS):
        np.put_along_axis(values, values.argmin(-1)[..., None], np.inf, -1)
    return values.min(-1)


def _cells(y: np.ndarray, z: np.ndarray) -> int:
    return len(np.unique(np.floor(np.stack([y, z], -1) / CELL).astype(int), axis=0))


@cache
def _turns(angles: tuple[float, ...], axis: int) -> np.ndarray:
    """(k, 4, 4) about an axis of the hand."""
    Ts = np.tile(np.eye(4), (len(angles), 1, 1))
    Ts[:, :3, :3] = Rotation.from_rotvec(np.outer(angles, np.eye(3)[axis])).as_matrix()
    return Ts
