"""A frame as solvers want it, and the window of it that an object fills."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from robodistill.geometry.camera import Camera
from robodistill.tracking.layers import Window
from robodistill.tracking.model import PartModel

MARGIN = 12
"""Pixels around the object."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A frame over what is known of its background."""

    rgb: np.ndarray
    """(H, W, 3) float32 in [0, 1]."""
    background: np.ndarray
    """(H, W, 3) float32, what is behind the object."""
    known: np.ndarray
    """(H, W) float32 in [0, 1]: whether the background has been seen there."""
    camera: Camera
    usable: np.ndarray | None = None
    """(H, W) float32 weight of each pixel, such as 0 on a person; None where all count."""

    @cached_property
    def half(self) -> "Picture":
        """The same at half the size."""
        camera = self.camera.resized(self.camera.width // 2, self.camera.height // 2)
        planes = (self.rgb, self.background, self.known, self.usable)
        size = camera.width, camera.height
        rgb, background, known, usable = (
            None if x is None else cv2.resize(x, size, interpolation=cv2.INTER_AREA) for x in planes
        )
        return Picture(rgb, background, known, camera, usable)


def window_of(model: PartModel, Ts: np.ndarray, camera: Camera, margin: int = MARGIN) -> Window | None:
    """The part of the picture that the object is in, some pixels around it; None where it is not."""
    points = model.posed_points(Ts)
    points = points[points[:, 2] > 0.05]
    if len(points) < 10:
        return None
    pixels = points @ camera.K.T
    low, high = np.percentile(pixels[:, :2] / pixels[:, 2:], [0.5, 99.5], axis=0)
    left, top = np.floor(np.maximum(low - margin, 0)).astype(int)
    right, bottom = np.ceil(np.minimum(high + margin + 1, [camera.width, camera.height])).astype(int)
    if right - left < 8 or bottom - top < 8:
        return None
    return Window(camera, int(left), int(top), int(right - left), int(bottom - top))
