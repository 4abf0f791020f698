"""SIFT landmarks of a field: points in the world with the looks they have from many virtual views.

The field is made a map in which an image is looked up directly: no retrieval of one view, no training. Descriptors are
SIFT (Lowe, "Distinctive Image Features from Scale-Invariant Keypoints", IJCV 2004) under the Hellinger kernel
(Arandjelovic & Zisserman, "Three things everyone should know to improve object retrieval", CVPR 2012). Differs from a
SfM map in that the ratio test is against the next *place*: the same point seen from other views is no rival.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from robodistill.inversion.views import Picture

_CONTRAST, _EDGE = 0.015, 20  # SIFT's thresholds: renderings are smooth, and what is lost here is lost
_RIVALS = 12  # nearest descriptors among which the next place is looked for
_STEP = 0.03  # relative depth step around a keypoint beside which it hangs in the air


@dataclass(frozen=True, eq=False)
class Keypoints:
    """SIFT of one image."""

    pixels: np.ndarray
    """(n, 2) float64 (u, v)."""
    descriptors: np.ndarray
    """(n, 128) float32 of unit length."""


@dataclass(frozen=True, eq=False)
class Landmarks:
    """Keypoints of virtual views, lifted by rendered depth."""

    points: np.ndarray
    """(M, 3) world frame, metres."""
    descriptors: np.ndarray
    """(M, 128)."""
    view: np.ndarray
    """(M,) int32 virtual view that each is of."""


@dataclass(frozen=True, eq=False)
class Matches:
    """n keypoints of an image and the landmarks they look like."""

    pixels: np.ndarray
    """(n, 2)."""
    points: np.ndarray
    """(n, 3) world frame, metres."""
    weights: np.ndarray
    """(n,) in (0, 1]: how much better than the next place, for sampling."""
    view: np.ndarray
    """(n,) virtual view of the landmark."""
    measured: np.ndarray | None = None
    """(n, 3) where the image's own depth puts the keypoints, camera frame, metres; NaN where nothing was measured."""

    def __len__(self) -> int:
        return len(self.pixels)

    def take(self, keep: np.ndarray) -> "Matches":
        """Those that a mask or indices name."""
        measured = None if self.measured is None else self.measured[keep]
        return Matches(self.pixels[keep], self.points[keep], self.weights[keep], self.view[keep], measured)


def find_keypoints(rgb: np.ndarray, most: int, mask: np.ndarray | None = None) -> Keypoints:
    """SIFT of an (H, W, 3) uint8 image, the strongest `most`, where the (H, W) mask allows."""
    sift = cv2.SIFT_create(nfeatures=most, contrastThreshold=_CONTRAST, edgeThreshold=_EDGE)
    gray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    found, descriptors = sift.detectAndCompute(gray, None if mask is None else mask.astype(np.uint8))
    if not found:
        return Keypoints(np.zeros((0, 2)), np.zeros((0, 128), np.float32))
    descriptors = np.sqrt(descriptors / np.maximum(np.abs(descriptors).sum(1, keepdims=True), 1e-9))
    return Keypoints(np.array([k.pt for k in found], np.float64), descriptors.astype(np.float32))


def lift(pixels: np.ndarray, depth: np.ndarray, K: np.ndarray) -> np.ndarray:
    """(n, 3) points in the camera frame of (n, 2) pixels by a depth image; NaN without depth or beside a step."""
    u, v = np.rint(pixels).astype(int).T
    h, w = depth.shape
    inside = (u >= 1) & (v >= 1) & (u < w - 1) & (v < h - 1)
    u, v = np.clip(u, 1, w - 2), np.clip(v, 1, h - 2)
    around = np.stack([depth[v + dv, u + du] for dv in (-1, 0, 1) for du in (-1, 0, 1)])
    z = bilinear(depth, pixels)
    good = inside & (around > 0).all(0) & (around.max(0) - around.min(0) < _STEP * around.max(0) + 1e-9)
    rays = np.concatenate([pixels, np.ones((len(pixels), 1))], 1) @ np.linalg.inv(K).T
    return np.where(good[:, None], rays * z[:, None], np.nan)


def bilinear(image: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Values of an (H, W[, C]) image at (..., 2) pixels, clamped at its border."""
    shape = pixels.shape[:-1]
    flat = pixels.reshape(-1, 1, 2).astype(np.float32)
    # remap holds at most 32767 rows
    parts = [
        cv2.remap(image, flat[s : s + 30_000], None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        for s in range(0, len(flat), 30_000)
    ]
    values = np.concatenate(parts)[:, 0] if parts else np.zeros((0, *image.shape[2:]), image.dtype)
    return values.reshape(*shape, *image.shape[2:])


def to_world(T_world_camera: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(..., 3) camera points in the world."""
    return points @ T_world_camera[:3, :3].T + T_world_camera[:3, 3]


def make_landmarks(pictures: Iterable[Picture], most: int) -> Landmarks:
    """Landmarks of rendered views, `most` of each."""
    points, descriptors, views = [], [], []
    for k, picture in enumerate(pictures):
        found = find_keypoints(picture.rgb, most, picture.depth > 0)
        xyz = lift(found.pixels, picture.depth, picture.view.camera.K)
        good = np.isfinite(xyz[:, 0])
        points.append(to_world(picture.view.T_world_camera, xyz[good]))
        descriptors.append(found.descriptors[good])
        views.append(np.full(good.sum(), k, np.int32))
    if not points:
        return Landmarks(np.zeros((0, 3)), np.zeros((0, 128), np.float32), np.zeros(0, np.int32))
    return Landmarks(np.concatenate(points), np.concatenate(descriptors), np.concatenate(views))


def match_landmarks(
    found: Keypoints, landmarks: Landmarks, ratio: float, apart: float, depth: np.ndarray | None, K: np.ndarray
) -> Matches:
    """The landmark each keypoint looks like most, where that is better than any other place by the ratio of distances.

    Args:
        found: Of the image.
        ratio: Distance to the best over distance to the best of another place, at most.
        apart: How far from the best another place is, metres.
        depth: (H, W) of the image, where it has any.
        K: (3, 3) of the image.
    """
    if not len(found.pixels) or not len(landmarks.points):
        empty = np.zeros(0)
        return Matches(
            np.zeros((0, 2)), np.zeros((0, 3)), empty, empty.astype(int), None if depth is None else np.zeros((0, 3))
        )
    k = min(_RIVALS, len(landmarks.points))
    cosines, ids = (torch.from_numpy(found.descriptors) @ torch.from_numpy(landmarks.descriptors).mT).topk(k, 1)
    distances, ids = np.sqrt(np.maximum(2 - 2 * cosines.numpy(), 1e-6)), ids.numpy()
    places = landmarks.points[ids]
    same = np.linalg.norm(places - places[:, :1], axis=2) < apart
    # among the nearest all of one place: the last of them bounds the rival from below
    rival = np.where(same, np.inf, distances).min(1)
    rival = np.where(np.isfinite(rival), rival, distances[:, -1])
    quality = distances[:, 0] / rival
    keep = quality < ratio
    # views that agree on the place are averaged: each has its own error of depth
    weight = same * np.exp(-((distances / distances[:, :1]) ** 2 - 1) / 0.1)
    mean = (places * weight[..., None]).sum(1) / weight.sum(1)[:, None]
    measured = None if depth is None else lift(found.pixels[keep], depth, K)
    weights = (1 - quality[keep]) + 0.02
    return Matches(found.pixels[keep], mean[keep], weights, landmarks.view[ids[keep, 0]], measured)
