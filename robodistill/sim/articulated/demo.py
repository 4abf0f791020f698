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
_SHOWN = 0.55  # of what would be seen of a part without hands, that they should leave on average
_LOOKS = 4  # frames by which that is judged
_REACH = 0.55  # metres that a hand comes from


@dataclass(frozen=True, eq=False)
class Hold:
    """A hand's job in a demonstration."""

    part: int
    grip: Grip
    """In the frame of the resting object."""
    near: np.ndarray
    """(T,) 1 = holds, 0 = away."""
    hand: int
    """Its number on the stage."""


def draw_shot(
    rest: Articulated,
    handling: Handling,
    grips: Sequence[tuple[int, Grip]],
    stage: Stage,
    camera: Camera,
    painter: Painter,
    rng: np.random.Generator,
) -> tuple[np.ndarray, tuple[Hold, ...]]:
    """Where a fixed camera stands, (4, 4) T_world_camera, and who holds what: one shot that shows what is done.

    All that moves is in view, each part is seen in the first frame, and hands come from where they hide least: whoever
    films a demonstration stands where it can be seen.

    Args:
        grips: Part and grip of each hand of the stage; none for a film without hands.
        stage: With the parts and a hand for each of `grips`.
    """
    points = [hull[:: max(1, len(hull) // 60)] for hull in corners(rest)]
    swept = np.concatenate(
        [
            (p @ T[::3, :3, :3].mT + T[::3, None, :3, 3]).reshape(-1, 3)
            for p, T in zip(points, handling.Ts_world_part.swapaxes(0, 1), strict=True)
        ]
    )
    half = _FILL * np.array([camera.width / 2 / camera.K[0, 0], camera.height / 2 / camera.K[1, 1]])
    best, best_score = None, -np.inf
    start, steadied = rng.uniform(0, 2 * np.pi), rng.random() < 0.5
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
        holds, shown = _holds(handling, grips, stage, painter, T, steadied) if grips else ((), _SHOWN)
        score += 4 * min(shown, _SHOWN)
        if score > best_score:
            best, best_score = (T, holds), score
        if score > 3 * (_SEEN + 0.2) + 4 * _SHOWN - 1e-6:
            break
    return best


def _holds(
    handling: Handling,
    grips: Sequence[tuple[int, Grip]],
    stage: Stage,
    painter: Painter,
    T_world_camera: np.ndarray,
    steadied: bool,
) -> tuple[tuple[Hold, ...], float]:
    """One hand for each part that is moved, where `steadied` one for the body, each where it hides least; and how much
    of the worst seen part they leave, on average over the time that it is held."""
    holds: list[Hold] = []
    shares = [1.0]
    for p in [*np.flatnonzero(handling.near.max(0) > 0), *([0] if steadied else [])]:
        near = handling.near[:, p] if handling.near[:, p].any() else np.maximum.accumulate(handling.near.max(1))
        held = np.flatnonzero(near >= 1)
        frames = held[np.linspace(0, len(held) - 1, _LOOKS).astype(int)]
        trials = []
        for k, (part, grip) in enumerate(grips):
            if part == p:
                trial = Hold(int(p), grip, near, k)
                trials.append((_shown(handling, [*holds, trial], stage, painter, T_world_camera, frames), k, trial))
        share, _, hold = max(trials)
        if p == 0 and holds and share < _SHOWN:  # a hand that steadies would be in the way
            continue
        holds.append(hold)
        shares.append(share)
    return tuple(holds), min(shares)


def _shown(
    handling: Handling,
    holds: Sequence[Hold],
    stage: Stage,
    painter: Painter,
    T_world_camera: np.ndarray,
    frames: np.ndarray,
) -> float:
    """Share of what would be seen of a part without hands, of the worst part, mean over some frames."""
    shares = []
    for frame in frames:
        Ts, seen = handling.Ts_world_part[frame], []
        for shown in ((), holds):
            stage.pose(Ts, hand_places(shown, handling, frame))
            seen.append(count(stage.labels(painter, T_world_camera), stage.parts))
        there = seen[0] > _PIXELS / 8
        shares.append(np.where(there, seen[1] / np.maximum(seen[0], 1), 1.0))
    return float(np.mean(shares, 0).min())


def hand_places(holds: Sequence[Hold], handling: Handling, frame: int) -> list[np.ndarray | None]:
    """Where each hand of the stage is, (4, 4), None = out of sight."""
    places: list[np.ndarray | None] = [None] * (max((hold.hand for hold in holds), default=-1) + 1)
    for hold in holds:
        T = hold.grip.T_object_grip.copy()
        T[:3, 3] -= (1 - hold.near[frame]) * _REACH * T[:3, 2]
        if hold.near[frame] > 0:
            places[hold.hand] = handling.Ts_world_hand[frame, hold.part] @ T
    return places


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
