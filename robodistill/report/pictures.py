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


def label_colors(labels: np.ndarray) -> np.ndarray:
    """(..., 3) uint8, a colour of its own for each whole number; 0 and less are dark grey."""
    turns = np.modf(np.maximum(labels, 0) * 0.61803398875)[0]  # the golden ratio keeps neighbouring numbers apart
    hsv = np.stack([turns * 179, 120 + 110 * ((labels // 3) % 2), 255 - 70 * (labels % 3)], -1).astype(np.uint8)
    rgb = cv2.cvtColor(hsv.reshape(1, -1, 3), cv2.COLOR_HSV2RGB).reshape(*labels.shape, 3)
    return np.where((labels > 0)[..., None], rgb, 60).astype(np.uint8)


def heat_picture(rgb: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """A score in [0, 1] (H, W) as colour over a greyed picture (H, W, 3) uint8."""
    hot = cv2.applyColorMap((np.clip(heat, 0, 1) * 255).astype(np.uint8), cv2.COLORMAP_TURBO)[..., ::-1]
    grey = rgb.mean(-1, keepdims=True)
    share = 0.25 + 0.6 * np.clip(heat, 0, 1)[..., None]
    return np.rint(share * hot + (1 - share) * grey).astype(np.uint8)


def outlined(rgb: np.ndarray, mask: np.ndarray, color: tuple[int, int, int] = (255, 40, 40)) -> np.ndarray:
    """A picture (H, W, 3) uint8 with the rim of a mask (H, W) bool drawn in."""
    shapes, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.ascontiguousarray(rgb), shapes, -1, color, 1)
