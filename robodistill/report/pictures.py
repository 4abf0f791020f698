"""Arrays as pictures: RGB uint8 (H, W, 3)."""

import cv2
import numpy as np


def rgb_picture(rgb: np.ndarray) -> np.ndarray:
    """From float (H, W, 3) in [0, 1]."""
    return (np.clip(rgb, 0, 1) * 255).round().astype(np.uint8)


def depth_picture(depth: np.ndarray, near: float, far: float) -> np.ndarray:
    """Near is red, far is blue, nothing measured is black; `near` and `far` in metres."""
    scaled = np.clip((far - depth) / max(far - near, 1e-6), 0, 1)
    picture = cv2.applyColorMap((scaled * 255).astype(np.uint8), cv2.COLORMAP_TURBO)[..., ::-1]
    return np.where((depth > 0)[..., None], picture, 0).astype(np.uint8)


def normal_picture(normals: np.ndarray) -> np.ndarray:
    """World axes x, y, z as red, green, blue; no surface is black."""
    solid = np.linalg.norm(normals, axis=-1, keepdims=True) > 0.5
    return (np.where(solid, (normals + 1) / 2, 0) * 255).astype(np.uint8)


def error_picture(a: np.ndarray, b: np.ndarray, full: float = 0.25) -> np.ndarray:
    """Mean absolute difference of float (H, W, 3) images; white is `full` or more."""
    error = np.clip(np.abs(a - b).mean(-1) / full, 0, 1)
    return cv2.applyColorMap((error * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]
