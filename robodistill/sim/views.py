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


def hemisphere_views(count: int, rng: np.random.Generator) -> np.ndarray:
    """(count, 4, 4) Ts_world_camera 0.65 to 1.1 m from the table's middle, 30 to 74 degrees above it."""
    start = rng.uniform(0, 2 * np.pi)
    low, high = np.sin(np.radians([30, 74]))
    level = (np.arange(count) + rng.uniform(0.1, 0.9, count)) / count
    rng.shuffle(level)  # neighbours in the recording differ in height, so that any part of it covers the scene
    views = []
    for k in range(count):
        azimuth = start + k * _GOLDEN_ANGLE + rng.uniform(-0.12, 0.12)
        elevation = np.arcsin(low + (high - low) * level[k])
        distance = rng.uniform(0.65, 1.1)
        away = [np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation)]
        target = np.array([*rng.uniform(-0.06, 0.06, 2), rng.uniform(0.0, 0.06)])
        views.append(look_at(target + distance * np.array(away), target, rng.uniform(-0.09, 0.09)))
    return np.stack(views)
