"""Where may a thing stand on a known table, seen by a camera whose place is known? Upright hypotheses of its pose.

Three unknowns instead of six: where on the table, and turned how far. Measured points above the table (without depth:
the rays of what looks like the thing, at half its height) vote for places; at the best ones the thing is drawn turned
all around, and the drawings that fit outline, colours and depth best are what `ObjectFinder` begins from. Differs from
tabletop segmentation by clusters in that a thing that touches others, or is half hidden, still has a place.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from robodistill.capture.frame import Frame
from robodistill.field.gaussians import GaussianField
from robodistill.inversion.landmarks import to_world
from robodistill.inversion.object_fit import Drawn, Sight, agreement, draw_object, likeness

_CELL = 0.01  # of the table, metres
_RISES = 0.005  # metres above the table from which something stands on it
_SEATS, _YAWS = 5, 24
_DRAWN = 40  # pixels of the diameter at which turns are compared
_AROUND = 0.8  # metres from where the camera's axis meets the table that are looked at
_ODD = 0.02  # of the votes of a point that does not look like the thing
_BEYOND = 0.5  # weight of votes within twice the thing's radius against those within it
_NEAR = 0.015  # difference of depth, metres, that is none yet


@dataclass(frozen=True, eq=False)
class Standing:
    """A thing and how it stands: turning and shifting it on the table is all that it can do."""

    field: GaussianField
    """The thing alone."""
    level: np.ndarray
    """(4, 4) T_level_object: z = 0 is the thing's support, z up, the origin below its middle."""
    radius: float
    """Of the circle about the origin that holds most of its footprint, metres."""
    height: float
    """Metres."""

    @classmethod
    def of_field(cls, thing: GaussianField, plane: np.ndarray) -> "Standing":
        """From a thing's Gaussians and the plane (4,) n . x + d = 0 that it stands on, n up."""
        up = plane[:3] / np.linalg.norm(plane[:3])
        side = np.cross(up, np.eye(3)[int(np.abs(up).argmin())])
        side /= np.linalg.norm(side)
        level = np.eye(4)
        level[:3, :3] = np.stack([side, np.cross(up, side), up])
        points = thing.means.cpu().double().numpy() @ level[:3, :3].T
        low, high = np.quantile(points, (0.01, 0.99), 0)
        middle = 0.5 * (low + high)
        level[:3, 3] = -middle[0], -middle[1], plane[3] / np.linalg.norm(plane[:3])
        away = np.linalg.norm(points[:, :2] - middle[:2], axis=1)
        return cls(thing, level, float(np.quantile(away, 0.98)), float(high[2] + level[2, 3]))

    def placed(self, x: float, y: float, yaw: float, table: float) -> np.ndarray:
        """(4, 4) T_world_object of the thing with its middle above x, y, metres, turned by yaw, rad."""
        c, s = np.cos(yaw), np.sin(yaw)
        T = np.array([[c, -s, 0, x], [s, c, 0, y], [0, 0, 1, table], [0, 0, 0, 1]])
        return T @ self.level

    def seat(self, T_world_object: np.ndarray) -> tuple[float, float, float]:
        """x, y, yaw of `placed` that are nearest to a pose, as if it had turned back about its own middle."""
        T = T_world_object @ np.linalg.inv(self.level)
        middle = T[:3, :3] @ [0, 0, self.height / 2] + T[:3, 3]
        yaw = np.arctan2(T[1, 0] - T[0, 1], T[0, 0] + T[1, 1])
        return float(middle[0]), float(middle[1]), float(yaw)

    def tilt(self, T_world_object: np.ndarray) -> float:
        """Angle of the thing's upright to the vertical, rad."""
        up = T_world_object[:3, :3] @ self.level[2, :3]
        return float(np.arctan2(np.hypot(up[0], up[1]), up[2]))

    def lift(self, T_world_object: np.ndarray, table: float) -> float:
        """How far the foot of the thing's middle is above the table, metres, when set upright about its middle."""
        T = T_world_object @ np.linalg.inv(self.level)
        return float((T @ [0, 0, self.height / 2, 1])[2] - self.height / 2 - table)


def upright_hypotheses(
    it: Standing, frame: Frame, sight: Sight, T_world_camera: np.ndarray, table: float, most: int
) -> list[np.ndarray]:
    """(4, 4) T_camera_object each, the likeliest first, no two at one place turned alike.

    Args:
        frame: Of the robot's camera; its depth is used where it has any.
        sight: Of the frame, see `ObjectFinder.sight`.
        table: Height of the table, world frame, metres.
        most: Returned at most.
    """
    seats = find_seats(it, frame, sight.chance, T_world_camera, table)
    if not len(seats):
        return []
    z = float((np.linalg.inv(T_world_camera) @ [*seats[0], table + it.height / 2, 1])[2])
    pixels = max(2 * max(it.radius, it.height / 2) * frame.camera.K[0, 0] / max(z, 0.05), 8.0)
    small = sight.resized(min(1.0, _DRAWN / pixels))
    depth = None if frame.depth is None else _thinned(frame.depth, small.chance.shape)
    found = []
    for turn in range(_YAWS):
        yaw = turn * 2 * np.pi / _YAWS
        off = np.zeros(2)  # of what is seen of the thing from its middle: points vote for the former
        for k, seat in enumerate(seats):
            T = np.linalg.inv(T_world_camera) @ it.placed(*(seat - off), yaw, table)
            drawn = draw_object(it.field, small.camera, np.linalg.inv(T))
            if k == 0 and depth is not None:
                off = _visible(drawn, small, T_world_camera) - seat
                T = np.linalg.inv(T_world_camera) @ it.placed(*(seat - off), yaw, table)
                drawn = draw_object(it.field, small.camera, np.linalg.inv(T))
            found.append((_fit(drawn, small, depth), k, turn, T))
    found.sort(key=lambda it: -it[0])
    kept: list[tuple[int, int, np.ndarray]] = []
    for _, seat, turn, T in found:
        if len(kept) < most and all(s != seat or (turn - t) % _YAWS not in (0, 1, _YAWS - 1) for s, t, _ in kept):
            kept.append((seat, turn, T))
    return [T for *_, T in kept]


def measured_chance(
    it: Standing, frame: Frame, by_color: np.ndarray, T_world_camera: np.ndarray, table: float
) -> np.ndarray:
    """(H, W) float32 that a pixel is of the thing: what rises from the table may be, whatever its colour.

    Colours tell only where no depth was measured: a white thing on a light cloth has none of its own.
    """
    z = to_world(T_world_camera, frame.camera.unproject(frame.depth))[..., 2] - table
    z = cv2.medianBlur(z.astype(np.float32), 3)
    chance = np.clip(z / _RISES - 0.5, 0, 1) * (z < 1.2 * it.height + 0.02)
    return np.where(frame.depth > 0, chance, by_color).astype(np.float32)


def find_seats(it: Standing, frame: Frame, chance: np.ndarray, T_world_camera: np.ndarray, table: float) -> np.ndarray:
    """(k, 2) where on the table most of what looks like the thing is, metres, the likeliest first."""
    camera = frame.camera
    if frame.depth is not None:
        points = to_world(T_world_camera, camera.unproject(frame.depth))
        good = (frame.depth > 0) & (points[..., 2] > table + _RISES) & (points[..., 2] < table + 1.2 * it.height + 0.02)
        area = np.square(frame.depth) / (camera.K[0, 0] * camera.K[1, 1])
        weight = area * (_ODD + chance)
    else:
        rays = camera.rays() @ T_world_camera[:3, :3].T
        with np.errstate(divide="ignore", invalid="ignore"):
            far = (table + it.height / 2 - T_world_camera[2, 3]) / rays[..., 2]
        good = np.isfinite(far) & (far > 0.05) & (far < 5)
        far = np.where(good, far, 0)
        points = T_world_camera[:3, 3] + far[..., None] * rays
        weight = np.square(far) * chance
    middle = T_world_camera[:2, 3] + _ahead(T_world_camera, table)
    cells = np.floor((points[..., :2] - middle + _AROUND) / _CELL).astype(np.int64)
    size = int(2 * _AROUND / _CELL)
    good &= ((cells >= 0) & (cells < size)).all(-1)
    votes = np.zeros((size, size), np.float32)
    np.add.at(votes, (cells[good, 0], cells[good, 1]), weight[good])
    reach = max(int(round(it.radius / _CELL)), 1)
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1)).astype(np.float32)
    # what goes on beyond the thing's own size, such as a wall or an arm, is no place of it
    wide = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (4 * reach + 1, 4 * reach + 1)).astype(np.float32)
    near, all_around = (cv2.filter2D(votes, -1, kernel, borderType=cv2.BORDER_CONSTANT) for kernel in (disk, wide))
    mass = cv2.GaussianBlur(near - _BEYOND * (all_around - near), (0, 0), 1 + reach / 4)
    seats, least = [], 0.05 * float(mass.max())
    for _ in range(_SEATS):
        a, b = np.unravel_index(int(mass.argmax()), mass.shape)
        if mass[a, b] <= least:
            break
        seats.append(middle - _AROUND + (np.array([a, b]) + 0.5) * _CELL)
        cv2.circle(mass, (int(b), int(a)), max(reach, 3), 0.0, -1)
    return np.array(seats)


def _ahead(T_world_camera: np.ndarray, table: float) -> np.ndarray:
    """(2,) from below the camera to where its axis meets the table; as far as a metre where it hardly does."""
    down = -T_world_camera[2, 2]
    far = (T_world_camera[2, 3] - table) / down if down > 0.1 else 1.0
    return np.clip(far, 0, 2) * T_world_camera[:2, 2]


def _visible(drawn: Drawn, sight: Sight, T_world_camera: np.ndarray) -> np.ndarray:
    """(2,) middle of what is seen of a drawn thing, world frame, weighed as `find_seats` weighs it."""
    solid = (drawn.alpha > 0.5) & (drawn.depth > 0)
    if not solid.any():
        return np.zeros(2)
    points = to_world(T_world_camera, sight.camera.unproject(drawn.depth)[solid])
    return np.average(points[:, :2], axis=0, weights=np.square(drawn.depth[solid]))


def _fit(drawn: Drawn, sight: Sight, depth: np.ndarray | None) -> float:
    """How well a drawing fits what is seen."""
    score = likeness(agreement(drawn, sight))
    if depth is not None:
        seen = (drawn.alpha > 0.5) & (drawn.depth > 0) & (depth > 0)
        if seen.any():
            off = np.abs(drawn.depth - depth)[seen]
            score += float(np.exp(-np.square(off / _NEAR) / 2).mean())
    return score


def _thinned(depth: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Depth at fewer pixels, never a mean of near and far."""
    return cv2.resize(depth, size[::-1], interpolation=cv2.INTER_NEAREST)
