"""Frames at another size: colour averaged, depth averaged within a surface and never across its edge."""

from dataclasses import replace

import cv2
import numpy as np

from robodistill.capture.frame import Frame

_SAME_SURFACE = 0.02  # relative depth difference


def limit_size(frame: Frame, max_side: int) -> Frame:
    """The frame reduced so that its longer side is at most `max_side` pixels; smaller ones are returned as they are."""
    scale = max_side / max(frame.rgb.shape[:2])
    if scale >= 1:
        return frame
    size = (max(round(frame.camera.width * scale), 1), max(round(frame.camera.height * scale), 1))
    return replace(
        frame,
        rgb=cv2.resize(frame.rgb, size, interpolation=cv2.INTER_AREA),
        depth=None if frame.depth is None else _reduce_depth(frame.depth, size),
        camera=frame.camera.resized(*size),
    )


def _reduce_depth(depth: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    nearest = cv2.resize(depth, size, interpolation=cv2.INTER_NEAREST_EXACT)
    measured = cv2.resize((depth > 0).astype(np.float32), size, interpolation=cv2.INTER_AREA)
    mean = cv2.resize(depth, size, interpolation=cv2.INTER_AREA) / np.maximum(measured, 1e-6)
    one_surface = np.abs(mean - nearest) < _SAME_SURFACE * nearest
    return np.where(one_surface, mean, nearest).astype(np.float32)
