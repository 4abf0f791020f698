"""Pose hypotheses from matches that are mostly wrong: many minimal sets, all scored at once, the best few kept apart.

Fischler & Bolles, "Random Sample Consensus", CACM 1981; the score is MSAC's (Torr & Zisserman, "MLESAC", CVIU 2000).
With depth, three matches give a pose by aligning points to points (Umeyama, TPAMI 1991); without, by P3P (Ke &
Roumeliotis, "An efficient algebraic solution to the perspective-three-point problem", CVPR 2017, OpenCV's). Differs
from the usual loop in that it does not end with the best pose: a checked cloth or a symmetric table has several good
ones, and the picture as a whole decides among them.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from robodistill.inversion.landmarks import Matches
from robodistill.inversion.sparse import refine_pose

_STRETCH = 0.05  # relative difference of a triangle's sides between measured and mapped points
_MANY = 30  # matches with depth that do without the others
_DEPTH_ERROR = 0.03  # relative depth error of a match that fits


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """A camera pose that may be right."""

    T_world_camera: np.ndarray
    score: float
    """Matches that speak for it, a misfit counting less; 0 where it came without any."""
    source: str
    """Where it came from: matches, semantics, spine, previous."""
    focal: float = 1.0
    """Factor of the focal length that was given."""


def pose_hypotheses(
    matches: Matches, K: np.ndarray, samples: int, most: int, pixel_error: float, rng: np.random.Generator
) -> list[Hypothesis]:
    """The best poses that differ from each other, best first; none where fewer than four matches speak for one."""
    if len(matches) < 4:
        return []
    measured = 0 if matches.measured is None else np.isfinite(matches.measured[:, 0]).sum()
    parts = [np.zeros((0, 4, 4))]
    if measured >= 3:
        parts.append(_from_points(matches, samples, rng))
    if measured < _MANY:  # on a small thing most keypoints lie at its edge, where depth is missing
        parts.append(_from_pixels(matches, K, samples, rng))
    candidates = np.concatenate(parts)
    if not len(candidates):
        return []
    scores = score_poses(candidates, matches, K, pixel_error)
    kept: list[Hypothesis] = []
    for k in np.argsort(-scores)[: 40 * most]:
        if len(kept) == most or scores[k] < 3:
            break
        if any(is_near(candidates[k], other.T_world_camera, matches.points) for other in kept):
            continue
        T = candidates[k]
        for slack in (2.0, 1.0):
            T = refine_pose(matches, T, K, slack * pixel_error).T_world_camera
        score = float(score_poses(T[None], matches, K, pixel_error)[0])
        if score >= 4 and not any(is_near(T, other.T_world_camera, matches.points) for other in kept):
            kept.append(Hypothesis(T, score, "matches"))
    return sorted(kept, key=lambda h: -h.score)


def is_near(T_a: np.ndarray, T_b: np.ndarray, points: np.ndarray) -> bool:
    """Whether two poses show (n, 3) world points within about a twentieth of their depth of each other."""
    if not len(points):
        return bool(np.linalg.norm(T_a[:3, 3] - T_b[:3, 3]) < 0.02 and np.trace(T_a[:3, :3].T @ T_b[:3, :3]) > 2.99)
    some = points[:: max(1, len(points) // 64)]
    a, b = _in_camera(T_a[None], some)[0], _in_camera(T_b[None], some)[0]
    return bool(np.median(np.linalg.norm(a - b, axis=1)) < 0.05 * np.median(np.abs(a[:, 2])))


def score_poses(Ts: np.ndarray, matches: Matches, K: np.ndarray, pixel_error: float) -> np.ndarray:
    """(h,) sums over the matches of 1 - (error / bound)^2, of (h, 4, 4) poses."""
    total = np.zeros(len(Ts))
    for start in range(0, len(Ts), 256):
        camera = _in_camera(Ts[start : start + 256], matches.points)
        z = camera[..., 2]
        uv = camera[..., :2] / np.where(z > 1e-6, z, 1e-6)[..., None] * K[[0, 1], [0, 1]] + K[:2, 2]
        error = ((uv - matches.pixels) ** 2).sum(-1) / pixel_error**2
        if matches.measured is not None:
            off = (z - matches.measured[:, 2]) / (_DEPTH_ERROR * np.maximum(z, 1e-6))
            error = error + np.nan_to_num(off**2)
        total[start : start + 256] = np.where(z > 1e-6, np.maximum(1 - error, 0), 0).sum(1)
    return total


def _in_camera(Ts: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(h, n, 3) world points in cameras (h, 4, 4)."""
    return np.einsum("hji,hnj->hni", Ts[:, :3, :3], points[None] - Ts[:, None, :3, 3])


def _triplets(weights: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """(m, 3) different indices, drawn by weight."""
    drawn = rng.choice(len(weights), (count, 3), p=weights / weights.sum())
    return drawn[(drawn[:, 0] != drawn[:, 1]) & (drawn[:, 1] != drawn[:, 2]) & (drawn[:, 0] != drawn[:, 2])]


def _from_points(matches: Matches, samples: int, rng: np.random.Generator) -> np.ndarray:
    ids = np.flatnonzero(np.isfinite(matches.measured[:, 0]))
    # triangles are cheap and most are thrown away by their sides
    drawn = ids[_triplets(matches.weights[ids], 10 * samples, rng)]
    here, there = matches.measured[drawn], matches.points[drawn]
    sides, mapped = (np.linalg.norm(x - np.roll(x, 1, 1), axis=2) for x in (here, there))
    fits = (np.abs(sides - mapped) < _STRETCH * np.maximum(sides, mapped)).all(1)
    here, there = here[fits][:samples], there[fits][:samples]
    return align_points(here, there)


def align_points(here: np.ndarray, there: np.ndarray) -> np.ndarray:
    """(m, 4, 4) rigid transforms that best take (m, k, 3) points `here` to `there`."""
    mean_here, mean_there = here.mean(1, keepdims=True), there.mean(1, keepdims=True)
    U, _, Vt = np.linalg.svd(np.einsum("mki,mkj->mij", there - mean_there, here - mean_here))
    sign = np.ones((len(here), 3))
    sign[:, 2] = np.sign(np.linalg.det(U @ Vt))
    Ts = np.tile(np.eye(4), (len(here), 1, 1))
    Ts[:, :3, :3] = (U * sign[:, None]) @ Vt
    Ts[:, :3, 3] = mean_there[:, 0] - np.einsum("mij,mj->mi", Ts[:, :3, :3], mean_here[:, 0])
    return Ts


def _from_pixels(matches: Matches, K: np.ndarray, samples: int, rng: np.random.Generator) -> np.ndarray:
    found = []
    for drawn in _triplets(matches.weights, samples, rng):
        points, pixels = matches.points[drawn], matches.pixels[drawn]
        if np.linalg.norm(np.cross(points[1] - points[0], points[2] - points[0])) < 1e-8:
            continue  # landmarks of one place, or in line
        count, rvecs, tvecs = cv2.solveP3P(points, pixels, K, None, cv2.SOLVEPNP_AP3P)
        for rvec, tvec in zip(rvecs[:count], tvecs[:count], strict=True):
            R = cv2.Rodrigues(rvec)[0]
            T = np.eye(4)
            T[:3, :3], T[:3, 3] = R.T, -R.T @ tvec[:, 0]
            if np.isfinite(T).all():
                found.append(T)
    return np.stack(found) if found else np.zeros((0, 4, 4))
