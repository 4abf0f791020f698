"""A pose from matches, refined: Gauss-Newton on reprojection and, where depth was measured, on depth, robustly."""

from dataclasses import dataclass

import numpy as np

from robodistill.inversion.landmarks import Matches
from robodistill.inversion.twist import camera_motion, moved, pixel_motion

_DEPTH_SIGMA = 0.008  # relative error of measured against rendered depth at a keypoint
_PIXEL_SIGMA = 1.0


@dataclass(frozen=True, eq=False)
class SparseFit:
    """A pose and what it fits."""

    T_world_camera: np.ndarray
    inliers: np.ndarray
    """(n,) bool."""
    focal: float = 1.0
    """Factor of the focal length."""


def refine_pose(
    matches: Matches,
    T_world_camera: np.ndarray,
    K: np.ndarray,
    pixel_error: float,
    with_focal: bool = False,
    rounds: int = 12,
) -> SparseFit:
    """The pose near the given one that fits best the matches within `pixel_error` of it (weights are Tukey's).

    Args:
        with_focal: Also estimate a factor of the focal length.
        rounds: Steps at most; each sets the weights anew.
    """
    T, log_focal, K = T_world_camera, 0.0, K.astype(np.float64)
    inliers = np.zeros(len(matches), bool)
    for _ in range(rounds):
        scaled = K * np.array([[np.exp(log_focal)] * 2 + [1]] * 2 + [[1, 1, 1]])
        points = (matches.points - T[:3, 3]) @ T[:3, :3]
        ahead = points[:, 2] > 1e-3
        z = np.where(ahead, points[:, 2], 1.0)
        offset = points[:, :2] / z[:, None] * scaled[[0, 1], [0, 1]]
        residual = offset + scaled[:2, 2] - matches.pixels
        weight = _tukey(np.linalg.norm(residual, axis=1), pixel_error) * ahead / _PIXEL_SIGMA**2
        inliers = weight > 0
        if inliers.sum() < (4 if with_focal else 3):
            break
        J = pixel_motion(points[inliers], scaled)
        if with_focal:
            J = np.concatenate([J, offset[inliers][..., None]], -1)
        A, b = _normal(J, residual[inliers], weight[inliers, None])
        if matches.measured is not None and not with_focal:
            off = (z - matches.measured[:, 2]) / z
            weigh = np.nan_to_num(_tukey(np.abs(off), 6 * _DEPTH_SIGMA)) * inliers / _DEPTH_SIGMA**2
            used = weigh > 0
            J = camera_motion(points[used])[:, 2:] / z[used, None, None]
            A_depth, b_depth = _normal(J, off[used, None], weigh[used, None])
            A, b = A + A_depth, b + b_depth
        step = -np.linalg.solve(A + 1e-6 * np.diag(np.diag(A)) + 1e-9 * np.eye(len(A)), b)
        step = step * min(1.0, 0.5 / max(np.abs(step).max(), 1e-12))
        T = moved(T, step[:6])
        log_focal += step[6] if with_focal else 0.0
        if np.abs(step).max() < 1e-6:
            break
    return SparseFit(T, inliers, float(np.exp(log_focal)))


def _tukey(error: np.ndarray, bound: float) -> np.ndarray:
    return np.square(np.maximum(1 - np.square(error / bound), 0))


def _normal(J: np.ndarray, residual: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """J^T W J and J^T W r of (n, k, d) derivatives and (n, k) residuals."""
    flat, r = J.reshape(-1, J.shape[-1]), residual.ravel()
    w = np.broadcast_to(weight, residual.shape).ravel()
    return flat.T @ (flat * w[:, None]), flat.T @ (w * r)
