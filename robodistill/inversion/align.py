"""Dense alignment of a picture to a rendered view: Gauss-Newton on brightness and, with depth, point to plane.

A rendering and its depth are a textured surface; where the picture's camera must stand for that surface to look like
the picture is a small least-squares problem that needs no further rendering (Lucas & Kanade, IJCAI 1981; Newcombe et
al., "DTAM", ICCV 2011; for depth Chen & Medioni, "Object modelling by registration of multiple range images", ICRA
1991). Gain and offset of the exposure are unknowns of the same system. Differs in that the gradient is the mean of the
picture's and the rendering's (Malis, "Improving vision-based control using efficient second-order minimization", ICRA
2004), and that both kinds of error are weighed by their own robust spread, found anew in each step.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from robodistill.capture.frame import Frame
from robodistill.inversion.landmarks import bilinear, to_world
from robodistill.inversion.twist import moved, pixel_motion
from robodistill.inversion.views import Picture

_STEPS = 12
_SCALES = (2.5, 0.8)  # sigma of the blur, pixels, one after the other
_MOST_PIXELS = 12_000  # about so many are used: the others see the same edges
_STRIDE = 3  # of depth pixels
_GATE = 0.04  # furthest a measured point may lie from its plane, relative to its depth
_FACING = 0.3  # cosine to the ray below which a rendered plane is not used
_DEPTH_PATCH = 200.0  # the same of depth: what a field's surface is off by, it is off by over a whole region
_FREE = 1e-3  # information about what nothing tells
_BRIGHT_PATCH = 12.0  # neighbouring pixels whose errors count as one: both pictures are smooth


@dataclass(frozen=True, eq=False)
class Alignment:
    """Where the camera stands, and how well that is known."""

    T_world_camera: np.ndarray
    information: np.ndarray
    """(6, 6) inverse covariance of the twist on the right, metres and rad."""
    gain: float
    offset: float
    """Of the exposure: picture = gain x rendering + offset, brightness in [0, 1]."""
    focal: float = 1.0
    """Factor of the focal length."""


def align(
    picture: Picture, frame: Frame, T_world_camera: np.ndarray, with_focal: bool = False, by_depth: bool = False
) -> Alignment:
    """The pose at which the frame looks like what is rendered from nearby.

    Args:
        picture: Rendered from where the camera is about, with the frame's camera.
        frame: Of the same size; its depth is used where it has any.
        T_world_camera: Where to start.
        with_focal: Also estimate a factor of the focal length.
        by_depth: By depth, which the frame must have, and not by brightness.
    """
    surface = _Surface(picture)
    gray = cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    T, exposure, log_focal = T_world_camera, np.array([1.0, 0.0]), 0.0
    planes = None if frame.depth is None else _Planes(picture, frame)
    information = np.eye(6)
    for sigma in _SCALES:
        brightness = _Brightness(surface, gray, sigma)
        for _ in range(_STEPS):
            scaled = frame.camera.K * np.array([[np.exp(log_focal)] * 2 + [1]] * 2 + [[1, 1, 1]])
            A, b = (np.eye(9) * _FREE, np.zeros(9)) if by_depth else brightness.normal(T, scaled, exposure)
            if planes is not None:
                more_A, more_b = planes.normal(T, np.exp(log_focal))
                A, b = A + more_A, b + more_b
            free = np.r_[0:9] if with_focal else np.r_[0:8]
            damped = A + np.diag(1e-4 * np.diag(A) + 1e-9)
            step = np.zeros(9)
            step[free] = -np.linalg.solve(damped[np.ix_(free, free)], b[free])
            step[:6] *= min(1.0, 0.05 / max(np.abs(step[:6]).max(), 1e-12))
            T = moved(T, step[:6])
            exposure = exposure + step[6:8]
            log_focal += step[8]
            if np.abs(step[:6]).max() < 2e-5:
                break
        # what is left of the pose once the exposure (and the focal length) are free
        rest = free[6:]
        information = A[:6, :6] - A[:6, rest] @ np.linalg.solve(
            A[np.ix_(rest, rest)] + 1e-9 * np.eye(len(rest)), A[rest, :6]
        )
    return Alignment(T, information, float(exposure[0]), float(exposure[1]), float(np.exp(log_focal)))


class _Surface:
    """Rendered pixels with depth, as points of the world."""

    def __init__(self, picture: Picture) -> None:
        camera = picture.view.camera
        inner = cv2.erode((picture.depth > 0).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        self.where = inner
        self.points = to_world(picture.view.T_world_camera, camera.unproject(picture.depth)[inner])
        self.gray = cv2.cvtColor(picture.rgb, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255


class _Brightness:
    """Normal equations of brightness at one scale, over (v, omega, gain, offset, log focal)."""

    def __init__(self, surface: _Surface, gray: np.ndarray, sigma: float) -> None:
        # both are blurred: the rendering is smoother than the picture to begin with, and the noise is the picture's
        rendered, seen = (cv2.GaussianBlur(image, (0, 0), sigma) for image in (surface.gray, gray))
        slopes = np.stack(_slopes(rendered), -1)[surface.where]
        steep = np.square(slopes).sum(1)
        # flat pixels tell the exposure only: a share of them is enough
        keep = steep > np.quantile(steep, 0.5) if len(steep) > 4000 else np.ones(len(steep), bool)
        keep[::8] = True
        ids = np.flatnonzero(keep)
        keep = ids[:: max(1, len(ids) // _MOST_PIXELS)]
        self.points, self.rendered, self.slopes = surface.points[keep], rendered[surface.where][keep], slopes[keep]
        self.seen = np.stack([seen, *_slopes(seen)], -1)
        self.size = gray.shape
        # neighbours err alike; the fewer are used, the more each counts
        self.patch = min(1.0, len(ids) / max(len(keep), 1) / _BRIGHT_PATCH)

    def normal(self, T: np.ndarray, K: np.ndarray, exposure: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        points = (self.points - T[:3, 3]) @ T[:3, :3]
        z = np.maximum(points[:, 2], 1e-3)
        offset = points[:, :2] / z[:, None] * K[[0, 1], [0, 1]]
        uv = offset + K[:2, 2]
        h, w = self.size
        inside = (points[:, 2] > 1e-3) & (uv > 1).all(1) & (uv < [w - 2, h - 2]).all(1)
        if inside.sum() < 50:
            return 1e-6 * np.eye(9), np.zeros(9)
        points, uv, offset = points[inside], uv[inside], offset[inside]
        seen, rendered = bilinear(self.seen, uv), self.rendered[inside]
        residual = exposure[0] * rendered + exposure[1] - seen[:, 0]
        # half the gradient of each: what moves the picture over the rendering, whatever lies between them
        slope = 0.5 * (seen[:, 1:] + exposure[0] * self.slopes[inside])
        J = np.empty((len(residual), 9))
        J[:, :6] = -np.einsum("nk,nkd->nd", slope, pixel_motion(points, K))
        J[:, 6], J[:, 7], J[:, 8] = rendered, 1.0, -(slope * offset).sum(1)
        sigma = max(1.4826 * np.median(np.abs(residual)), 0.004)
        weight = _tukey(residual, 4 * sigma) / sigma**2 * self.patch
        return J.T @ (J * weight[:, None]), J.T @ (weight * residual)


class _Planes:
    """Normal equations of measured points against rendered planes, over the unknowns of `_Brightness`."""

    def __init__(self, picture: Picture, frame: Frame) -> None:
        view = picture.view
        depth = np.zeros_like(frame.depth)
        depth[::_STRIDE, ::_STRIDE] = frame.depth[::_STRIDE, ::_STRIDE]
        self.measured = frame.camera.unproject(depth)[depth > 0]
        self.view, self.depth = view, picture.depth
        points = to_world(view.T_world_camera, view.camera.unproject(picture.depth))
        rays = points - view.T_world_camera[:3, 3]
        cosine = -(picture.normals * rays).sum(-1) / np.maximum(np.linalg.norm(rays, axis=-1), 1e-9)
        self.points, self.normals = points, picture.normals
        self.usable = (picture.depth > 0) & (cosine > _FACING)

    def normal(self, T: np.ndarray, focal: float) -> tuple[np.ndarray, np.ndarray]:
        measured = self.measured / [focal, focal, 1.0]
        world = to_world(T, measured)
        T_view = self.view.T_world_camera
        uv, z = self.view.camera.project((world - T_view[:3, 3]) @ T_view[:3, :3])
        u, v = np.rint(np.nan_to_num(uv, nan=-1)).astype(np.int64).clip(-1, 100_000).T
        h, w = self.depth.shape
        inside = (z > 1e-3) & (u >= 0) & (v >= 0) & (u < w) & (v < h)
        inside[inside] &= self.usable[v[inside], u[inside]]
        u, v, world, measured = u[inside], v[inside], world[inside], measured[inside]
        normals = self.normals[v, u]
        residual = ((world - self.points[v, u]) * normals).sum(1)
        near = np.abs(residual) < _GATE * measured[:, 2]
        if near.sum() < 30:
            return np.zeros((9, 9)), np.zeros(9)
        residual, normals, measured = residual[near], normals[near].astype(np.float64), measured[near]
        turned = normals @ T[:3, :3]  # n . R (v + omega x p) = (R^T n) . v + (p x R^T n) . omega
        by_focal = -(turned[:, :2] * measured[:, :2]).sum(1)
        none = np.zeros((len(residual), 2))
        J = np.concatenate([turned, np.cross(measured, turned), none, by_focal[:, None]], 1)
        sigma = max(1.4826 * np.median(np.abs(residual)), 0.001)
        weight = _tukey(residual, 4 * sigma) / sigma**2 * _STRIDE**2 / (_STRIDE**2 + _DEPTH_PATCH)
        return J.T @ (J * weight[:, None]), J.T @ (weight * residual)


def _slopes(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Derivatives across and down, per pixel."""
    scale = 1 / 32  # of Scharr's kernel
    return tuple(cv2.Scharr(image, cv2.CV_32F, *axis, scale=scale) for axis in ((1, 0), (0, 1)))


def _tukey(error: np.ndarray, bound: float) -> np.ndarray:
    return np.square(np.maximum(1 - np.square(error / bound), 0))
