"""Small motions of a camera in NumPy, as Gauss-Newton on a pose needs them; twists are those of `geometry.se3`."""

import numpy as np
from scipy.spatial.transform import Rotation


def moved(T: np.ndarray, twist: np.ndarray) -> np.ndarray:
    """(4, 4) `T @ exp(twist)`, the twist (6,) as (v, omega); exact for the rotation, first order in coupling v to it.

    Steps of Gauss-Newton are repeated until they vanish, where both agree; orthonormal to rounding.
    """
    step = np.eye(4)
    step[:3, :3] = Rotation.from_rotvec(twist[3:]).as_matrix()
    step[:3, 3] = twist[:3]
    return T @ step


def skew(points: np.ndarray) -> np.ndarray:
    """(..., 3, 3) matrices that take a vector to its cross product with (..., 3) points: `skew(p) @ w = p x w`."""
    out = np.zeros((*points.shape, 3), points.dtype)
    for k, (i, j) in enumerate(((1, 2), (2, 0), (0, 1))):
        out[..., j, i], out[..., i, j] = points[..., k], -points[..., k]
    return out


def camera_motion(points: np.ndarray) -> np.ndarray:
    """(n, 3, 6) derivative of (n, 3) fixed points' camera coordinates by the camera's twist on the right."""
    return np.concatenate([np.broadcast_to(-np.eye(3), (len(points), 3, 3)), skew(points)], -1)


def pixel_motion(points: np.ndarray, K: np.ndarray) -> np.ndarray:
    """(n, 2, 6) derivative of the pixels of (n, 3) points in the camera by the camera's twist on the right."""
    x, y, z = points.T
    o = np.zeros_like(z)
    fx, fy = K[0, 0], K[1, 1]
    by_point = np.stack([np.stack([fx / z, o, -fx * x / z**2], -1), np.stack([o, fy / z, -fy * y / z**2], -1)], -2)
    return by_point @ camera_motion(points)


def pose_error(T_a: np.ndarray, T_b: np.ndarray) -> tuple[float, float]:
    """Distance, metres, and angle, rad, between two poses."""
    R = T_a[:3, :3].T @ T_b[:3, :3]
    angle = np.arctan2(np.linalg.norm([R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1]]), np.trace(R) - 1)
    return float(np.linalg.norm(T_a[:3, 3] - T_b[:3, 3])), float(angle)
