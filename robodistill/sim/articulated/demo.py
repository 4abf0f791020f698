"""Filming a demonstration: where the camera stands, what the hands do, and what is true in each frame."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from robodistill.geometry.camera import Camera
from robodistill.sim.articulated.motion import Handling, corners
from robodistill.sim.articulated.spec import Articulated, Grip
from robodistill.sim.articulated.stage import Stage
from robodistill.sim.render import Painter
from robodistill.sim.views import look_at

_TRIES = 12  # viewpoints
_TURN = np.pi * (3 - np.sqrt(5))  # between two of them
_SEEN = 0.5  # share of each part that the first frame should show
_PIXELS = 150  # that a part should have
_FILL = 0.92  # of the image's half sides that the object may sweep
_NEAREST = 0.22  # metres from camera to object
_REACH = 0.55  # metres that a hand comes from


@dataclass(frozen=True, eq=False)
class Hold:
    """A hand's job in a demonstration."""

    part: int
    grip: Grip
    """In the frame of the resting object."""
    near: np.ndarray
    """(T,) 1 = holds, 0 = away."""


def draw_holds(
    rest: Articulated, handling: Handling, T_world_camera: np.ndarray, rng: np.random.Generator
) -> tuple[Hold, ...]:
    """One hand for each part that is moved and, half of the time, a second one that steadies the body."""
    holds = []
    towards = T_world_camera[:3, 2]
    for p in np.flatnonzero(handling.near.max(0) > 0):
        at = int(handling.near[:, p].argmax())
        holds.append(Hold(int(p), _pick(rest, handling, int(p), at, towards, (), rng), handling.near[:, p]))
    if rng.random() < 0.5:
        near = np.maximum.accumulate(handling.near.max(1))
        holds.append(Hold(0, _pick(rest, handling, 0, 0, towards, [h.grip for h in holds], rng), near))
    return tuple(holds)


def _pick(
    rest: Articulated,
    handling: Handling,
    part: int,
    at: int,
    towards: np.ndarray,
    taken: Sequence[Grip],
    rng: np.random.Generator,
) -> Grip:
    """The grip with most room: not from the camera's side, not from below, not where another hand is."""
    R = handling.Ts_world_part[at, part, :3, :3]

    def cost(grip: Grip) -> float:
        direction = R @ grip.T_object_grip[:3, 2]
        crowd = sum(max(0.0, float(grip.T_object_grip[:3, 2] @ other.T_object_grip[:3, 2])) for other in taken)
        return 0.6 * max(0.0, float(direction @ towards)) + 2 * max(0.0, direction[2]) + crowd + 0.4 * rng.random()

    return min(rest.grips[rest.parts[part]], key=cost)


def hand_places(holds: Sequence[Hold], handling: Handling, frame: int) -> list[np.ndarray | None]:
    """Where each hand is, (4, 4), None = out of sight."""
    places: list[np.ndarray | None] = []
    for hold in holds:
        T = hold.grip.T_object_grip.copy()
        T[:3, 3] -= (1 - hold.near[frame]) * _REACH * T[:3, 2]
        places.append(handling.Ts_world_part[frame, hold.part] @ T if hold.near[frame] > 0 else None)
    return places


def draw_viewpoint(
    rest: Articulated, handling: Handling, stage: Stage, camera: Camera, painter: Painter, rng: np.random.Generator
) -> np.ndarray:
    """(4, 4) T_world_camera of a fixed camera that shows each part at the start and has all that moves in view."""
    points = [hull[:: max(1, len(hull) // 60)] for hull in corners(rest)]
    swept = np.concatenate(
        [
            (p @ T[::3, :3, :3].mT + T[::3, None, :3, 3]).reshape(-1, 3)
            for p, T in zip(points, handling.Ts_world_part.swapaxes(0, 1), strict=True)
        ]
    )
    half = _FILL * np.array([camera.width / 2 / camera.K[0, 0], camera.height / 2 / camera.K[1, 1]])
    best, best_score = None, -1.0
    start = rng.uniform(0, 2 * np.pi)
    for k in range(_TRIES):
        azimuth, elevation = start + k * _TURN, np.radians(rng.uniform(24, 56))
        away = np.array([np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation)])
        T = look_at(away, np.zeros(3), rng.uniform(-0.06, 0.06))
        T[:3, 3] = _stand(swept, T[:3, :3], half)
        score = 0.0
        for frame, weight in ((0, 2.0), (len(handling.values) // 2, 1.0)):
            Ts = handling.Ts_world_part[frame]
            stage.pose(Ts, ())
            seen = count(stage.labels(painter, T), stage.parts)
            share = (seen / np.maximum(outlines(stage, painter, T, Ts), 1)).min()
            score += weight * (min(_SEEN, share) + 0.2 * min(1.0, seen.min() / _PIXELS))
        if score > best_score:
            best, best_score = T, score
        if score > 3 * (_SEEN + 0.2) - 1e-6:
            break
    return best


def _stand(points: np.ndarray, R: np.ndarray, half: np.ndarray) -> np.ndarray:
    """(3,) the nearest place of a camera of this orientation from where all (n, 3) points are in its middle.

    Args:
        half: (2,) tangents of the half angles that they may fill.
    """
    local = points @ R
    low, high = ((local[:, :2] + sign * half * local[:, 2:]) for sign in (1, -1))
    # a camera at c sees p inside when |p_xy - c_xy| <= half (p_z - c_z): two bounds a side, met halfway
    low, high = low.min(0), high.max(0)
    depth = max(float(((high - low) / (2 * half)).max()), _NEAREST - float(local[:, 2].min()))
    return R @ np.array([*(low + high) / 2, -depth])


def outlines(stage: Stage, painter: Painter, T_world_camera: np.ndarray, Ts_world_part: np.ndarray) -> np.ndarray:
    """(P,) pixels that each of (P, 4, 4) parts would have if nothing were before it."""
    pixels = np.zeros(stage.parts, int)
    for p in range(stage.parts):
        stage.pose(Ts_world_part, (), alone=p)
        pixels[p] = (stage.labels(painter, T_world_camera) == p + 1).sum()
    return pixels


def outline_path(
    stage: Stage, painter: Painter, T_world_camera: np.ndarray, Ts_world_part: np.ndarray, every: int = 3
) -> np.ndarray:
    """(T, P) `outlines` of (T, P, 4, 4) parts; looked at in one frame of `every`, interpolated between."""
    frames = np.unique([*range(0, len(Ts_world_part), every), len(Ts_world_part) - 1])
    pixels = np.stack([outlines(stage, painter, T_world_camera, Ts_world_part[t]) for t in frames])
    return np.stack([np.interp(np.arange(len(Ts_world_part)), frames, each) for each in pixels.T], axis=1)


def count(labels: np.ndarray, parts: int) -> np.ndarray:
    """(P,) pixels of each part among (H, W) labels."""
    return np.bincount(labels.ravel(), minlength=parts + 1)[1 : parts + 1]


def film(
    stage: Stage, painter: Painter, T_world_camera: np.ndarray, handling: Handling, holds: Sequence[Hold]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """For each frame (H, W, 3) uint8 colour and (H, W) uint16 part labels."""
    for frame, Ts_world_part in enumerate(handling.Ts_world_part):
        stage.pose(Ts_world_part, hand_places(holds, handling, frame))
        labels = stage.labels(painter, T_world_camera)
        yield painter.color(), labels
