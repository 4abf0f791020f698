"""Where a scanning camera stands: spread over the upper hemisphere by the golden angle, with jitter."""

import numpy as np

_GOLDEN_ANGLE = np.pi * (3 - np.sqrt(5))


def look_at(eye: np.ndarray, target: np.ndarray, roll: float = 0.0) -> np.ndarray:
    """(4, 4) T_world_camera (OpenCV axes) at `eye`, looking at `target`; roll about the optical axis, rad."""
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    c, s = np.cos(roll), np.sin(roll)
    T = np.eye(4)
    T[:3, :3] = np.column_stack([c * right + s * down, c * down - s * right, forward])
    T[:3, 3] = eye
    return T


def hemisphere_views(
    count: int,
    rng: np.random.Generator,
    distances: tuple[float, float] = (0.65, 1.1),
    elevations: tuple[float, float] = (30, 74),
    spread: float = 0.06,
) -> np.ndarray:
    """(count, 4, 4) Ts_world_camera around the table's middle.

    Args:
        distances: From what is looked at, metres.
        elevations: Above the horizon, degrees.
        spread: How far from the middle the camera may look, metres.
    """
    start = rng.uniform(0, 2 * np.pi)
    low, high = np.sin(np.radians(elevations))
    level = (np.arange(count) + rng.uniform(0.1, 0.9, count)) / count
    rng.shuffle(level)  # neighbours in the recording differ in height, so that any part of it covers the scene
    views = []
    for k in range(count):
        azimuth = start + k * _GOLDEN_ANGLE + rng.uniform(-0.12, 0.12)
        elevation = np.arcsin(low + (high - low) * level[k])
        distance = rng.uniform(*distances)
        away = [np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation)]
        target = np.array([*rng.uniform(-spread, spread, 2), rng.uniform(0.0, spread)])
        views.append(look_at(target + distance * np.array(away), target, rng.uniform(-0.09, 0.09)))
    return np.stack(views)
