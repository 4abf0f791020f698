"""Pinhole cameras, and the half-pixel rule.

The rule, written here and nowhere else: in this package `K` is as OpenCV and ROS give it, so that integer (u, v) is
the *centre* of a pixel and the image spans [-0.5, width - 0.5]. Formats and rasterisers that put (0, 0) at the corner
of the first pixel (nerfstudio, gsplat, OpenGL) use `K_corner`: `K` with half a pixel added to the principal point.
"""

from dataclasses import dataclass

import numpy as np

from robodistill.errors import BadIntrinsics

# OpenGL cameras look along -z with y up; OpenCV's look along +z with y down. Its own inverse.
FLIP_YZ = np.diag([1.0, -1.0, -1.0, 1.0])
_HALF = np.array([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]])


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole camera without distortion."""

    K: np.ndarray
    """(3, 3) float64, pixels; integer (u, v) is a pixel's centre."""
    width: int
    """Pixels."""
    height: int
    """Pixels."""

    def __post_init__(self) -> None:
        K = np.asarray(self.K, dtype=np.float64)
        if K.shape != (3, 3) or not np.isfinite(K).all() or K[0, 0] <= 0 or K[1, 1] <= 0:
            raise BadIntrinsics(f"K must be a finite (3, 3) matrix with positive focal lengths, got {K.tolist()}")
        if self.width <= 0 or self.height <= 0:
            raise BadIntrinsics(f"image size must be positive, got {self.width}x{self.height}")
        if not (-self.width < K[0, 2] < 2 * self.width and -self.height < K[1, 2] < 2 * self.height):
            raise BadIntrinsics(
                f"principal point ({K[0, 2]:g}, {K[1, 2]:g}) lies far outside a {self.width}x{self.height} image"
            )
        object.__setattr__(self, "K", K)

    @classmethod
    def from_focal(cls, fx: float, fy: float, cx: float, cy: float, width: int, height: int) -> "Camera":
        """Camera from four numbers in pixels (principal point with pixel centres at integers)."""
        return cls(np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]]), width, height)

    @classmethod
    def from_fov(cls, fov_y: float, width: int, height: int) -> "Camera":
        """Camera with square pixels, the principal point in the middle and a vertical field of view, rad."""
        f = 0.5 * height / np.tan(0.5 * fov_y)
        return cls.from_focal(f, f, (width - 1) / 2, (height - 1) / 2, width, height)

    @classmethod
    def from_corner(cls, K: np.ndarray, width: int, height: int) -> "Camera":
        """Camera from a `K` whose origin is the corner of the first pixel (nerfstudio, gsplat)."""
        return cls(np.asarray(K, dtype=np.float64) - _HALF, width, height)

    @property
    def K_corner(self) -> np.ndarray:
        """`K` with the origin at the corner of the first pixel, as nerfstudio and gsplat take it."""
        return self.K + _HALF

    @property
    def focal(self) -> float:
        """Mean focal length, pixels."""
        return float(self.K[0, 0] + self.K[1, 1]) / 2

    def resized(self, width: int, height: int) -> "Camera":
        """The same view sampled at another size."""
        scale = np.diag([width / self.width, height / self.height, 1.0])
        return Camera.from_corner(scale @ self.K_corner, width, height)

    def pixels(self) -> np.ndarray:
        """(H, W, 2) float64 centres (u, v) of all pixels."""
        return np.stack(np.meshgrid(np.arange(self.width), np.arange(self.height)), -1).astype(np.float64)

    def rays(self) -> np.ndarray:
        """(H, W, 3) float64 directions with z = 1, camera frame: times depth gives points."""
        uv1 = np.concatenate([self.pixels(), np.ones((self.height, self.width, 1))], -1)
        return uv1 @ np.linalg.inv(self.K).T

    def unproject(self, depth: np.ndarray) -> np.ndarray:
        """(H, W, 3) points in the camera frame, metres, from (H, W) depth along the optical axis."""
        assert depth.shape == (self.height, self.width), (depth.shape, self.height, self.width)
        return self.rays() * depth[..., None]

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(..., 2) pixels, not clipped to the image, and (...) depths of (..., 3) points in the camera frame."""
        z = points[..., 2]
        uvw = points @ self.K.T
        return uvw[..., :2] / np.where(z == 0, np.nan, z)[..., None], z
