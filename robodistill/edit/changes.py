"""What of a field is no longer as it was, by a few new pictures with depth: what is gone, and what is new.

A Gaussian is gone when some view looks through its place and none sees a surface there; a pixel is new when the field
shows nothing there, or something clearly behind what was measured.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch

from robodistill.capture.frame import Frame
from robodistill.field.gaussians import GaussianField
from robodistill.field.render import render

_NEAR = 0.012  # metres from what was measured within which a Gaussian is where it was; sensors and fields are not exact
_SHARE = 0.015  # the same, relative to the distance
_LEAST = 25  # pixels of a new region
_SOLID = 0.5  # alpha from which the field shows something


@dataclass(frozen=True, eq=False)
class Changes:
    """A field against new views."""

    gone: torch.Tensor
    """(N,) bool."""
    new: tuple[np.ndarray, ...]
    """(H, W) bool per view: pixels that the field does not explain once the gone is taken out."""


def gone_gaussians(field: GaussianField, frames: list[Frame]) -> torch.Tensor:
    """(N,) bool: views look through their place, and none sees a surface there."""
    means = field.means.cpu().numpy().astype(np.float64)
    through, there = np.zeros(len(means), bool), np.zeros(len(means), bool)
    for frame in frames:
        T = np.linalg.inv(frame.T_world_camera)
        local = means @ T[:3, :3].T + T[:3, 3]
        z = local[:, 2]
        K = frame.camera.K
        u, v = (
            np.rint(local[:, k] / np.maximum(z, 1e-6) * K[k, k] + K[k, 2]).clip(-1, 1e6).astype(int) for k in (0, 1)
        )
        inside = (z > 0.05) & (u >= 0) & (v >= 0) & (u < frame.camera.width) & (v < frame.camera.height)
        nearest, farthest = _ranges(frame.depth)
        at = np.flatnonzero(inside)
        near, far = nearest[v[at], u[at]], farthest[v[at], u[at]]
        tolerance = _NEAR + _SHARE * z[at]
        measured = far > 0
        through[at] |= measured & (z[at] < near - tolerance)
        there[at] |= measured & (z[at] > near - tolerance) & (z[at] < far + tolerance)
    return torch.from_numpy(through & ~there).to(field.means.device)


def new_pixels(field: GaussianField, frame: Frame) -> np.ndarray:
    """(H, W) bool: measured surfaces that a field does not show; single pixels and edges are left out."""
    with torch.no_grad():
        seen = render(field, frame.camera, frame.T_world_camera)
    shown, alpha = seen.depth.cpu().numpy(), seen.alpha.cpu().numpy()
    tolerance = _NEAR + _SHARE * frame.depth
    new = (frame.depth > 0) & ((alpha < _SOLID) | (np.abs(shown - frame.depth) > tolerance))
    new = cv2.morphologyEx(new.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(new)
    large = np.flatnonzero(stats[:, cv2.CC_STAT_AREA] >= _LEAST)
    return np.isin(labels, large[large > 0])


def find_changes(field: GaussianField, frames: list[Frame]) -> Changes:
    """Gone Gaussians and new pixels."""
    gone = gone_gaussians(field, frames)
    rest = field.select(~gone)
    return Changes(gone, tuple(new_pixels(rest, frame) for frame in frames))


def _ranges(depth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(H, W) least and greatest depth in a small window, holes left out; 0 where all is hole."""
    around = np.ones((5, 5), np.uint8)
    nearest = cv2.erode(np.where(depth > 0, depth, np.float32(1e6)).astype(np.float32), around)
    return np.where(nearest < 1e6, nearest, 0), cv2.dilate(depth, around)
