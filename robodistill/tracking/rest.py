"""What rests from one frame to the next, told by these two frames alone, without the scan's looks.

Each frame against the scan leaves what the scan has wrong (an underside that no view saw, an edge a little too far out)
as an error along what is hardly seen, distance above all, along which a smooth motion may go on after its end. The same
surface in the next frame has the same look: dense alignment of frame to frame (Kerl, Sturm & Cremers, "Robust odometry
estimation for RGB-D cameras", ICRA 2013), a part at a time and with the model's depth for a sensor's, tells rest to
hundredths of a pixel. Of motion it tells less than the scan does, as its errors are of one sign and add up: nothing is
taken from it there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from robodistill.tracking.alignment import by_twist
from robodistill.tracking.articulation import moved_parts
from robodistill.tracking.model import PartModel
from robodistill.tracking.picture import Picture, window_of

_STEPS = 3
_BLUR = 1.2  # pixels, of both frames
_SPREAD = 0.02  # of right pixels' difference, brightness in [0, 1]
_NOISE = 0.0054  # of it at rest, where 20 pixels and channels that err together count as one
_RESTS = 0.05, 0.3  # pixels of motion that make rest worth a quarter, and from which a part moves
_OWN, _AGREES = 0.5, 0.25  # alpha of a part's pixels; by how much they agree with the model
_GAIN = 0.02  # by which a part's brightness changes from frame to frame
_LEAST = 20  # pixels that tell of a part
_KNOWN = (1e-2, 1e-1)  # metres and rad by which a part goes from frame to frame


@dataclass(frozen=True, eq=False)
class Rest:
    """`(x - twist) . H (x - twist) / 2` of x (6 P,), by which parts moved otherwise than the poses of two frames have
    it: twists about their middles in the later one, camera axes. Units: squared standard deviations."""

    H: np.ndarray
    """(6 P, 6 P); zeros of parts that move."""
    twist: np.ndarray
    """(6 P,)."""


def rest(
    model: PartModel, Ts: np.ndarray, Ts_next: np.ndarray, agreed: np.ndarray, picture: Picture, later: Picture
) -> Rest:
    """Of two frames that follow each other, parts at (P, 4, 4) in each.

    Args:
        agreed: (H, W) by how much each pixel of the first agrees with the model.
    """
    H, twist = np.zeros((6 * model.parts,) * 2), np.zeros(6 * model.parts)
    window = window_of(model, Ts, picture.camera)
    if window is None:
        return Rest(H, twist)
    layers = model.draw(Ts, window)
    own = (layers.alpha * layers.in_sight > _OWN) & (agreed[window.pixels] > _AGREES)
    first, second = (cv2.GaussianBlur(it.rgb, (0, 0), _BLUR) for it in (picture, later))
    images = second, *(cv2.Scharr(second, cv2.CV_32F, *axis, scale=1 / 32) for axis in ((1, 0), (0, 1)))
    for p, mask in enumerate(own):
        if mask.sum() < _LEAST:
            continue
        z = layers.depth[p][mask] / layers.alpha[p][mask]
        points = np.column_stack([window.rays(mask) * z[:, None], z]).astype(np.float64)
        middle = Ts[p, :3, :3] @ model.centers[p] + Ts[p, :3, 3]
        found = _aligned(points, middle, first[window.pixels][mask], images, picture.camera.K)
        if found is not None:
            rows, (H[rows, rows], moved) = slice(6 * p, 6 * p + 6), found
            has = Ts_next[p] @ np.linalg.inv(Ts[p])
            twist[rows] = [
                *((moved - has) @ np.append(middle, 1))[:3],
                *Rotation.from_matrix(moved[:3, :3] @ has[:3, :3].T).as_rotvec(),
            ]
    return Rest(H, twist)


def _aligned(
    points: np.ndarray, middle: np.ndarray, colors: np.ndarray, images: Sequence[np.ndarray], K: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """Information (6, 6) on the twist about a middle of (n, 3) points with colours (n, 3) that another picture, given
    with its slopes, shows, and their motion (4, 4); None where they move."""
    prior, step = np.diag(np.repeat(np.array(_KNOWN) ** -2.0, 3)), np.zeros(6)
    for _ in range(_STEPS):
        moved = moved_parts(np.eye(4)[None], middle[None], step)[0]
        there = points @ moved[:3, :3].T + moved[:3, 3]
        at = _pixels(there, K)
        moves = np.sqrt(((at - _pixels(points, K)) ** 2).sum(1).mean())
        if moves > _RESTS[1]:
            return None
        seen, sx, sy = (
            cv2.remap(it, *at.T.astype(np.float32)[:, None], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]
            for it in images
        )
        error = (seen - colors).astype(np.float64)
        J = _slopes(there, sx, sy, moved[:3, :3] @ middle + moved[:3, 3], K)
        J = np.concatenate([J, -colors[:, :, None]], 2).reshape(-1, 7)  # it is lit otherwise, too
        size = np.einsum("nc,nc->n", error, error) / 3
        w = np.repeat((1 + size / (2 * _SPREAD) ** 2) ** -2.0, 3) / _NOISE**2
        A, b = (J * w[:, None]).T @ J, (J * w[:, None]).T @ error.ravel()
        A[6, 6] += _GAIN**-2.0
        H, g = A[:6, :6] - np.outer(A[:6, 6], A[6, :6]) / A[6, 6], b[:6] - A[:6, 6] * b[6] / A[6, 6]
        step = step - np.linalg.solve(H + prior, g + prior @ step)
    return H * (1 + (moves / _RESTS[0]) ** 2) ** -2.0, moved


def _pixels(points: np.ndarray, K: np.ndarray) -> np.ndarray:
    """(n, 2)."""
    return points[:, :2] / points[:, 2:] * [K[0, 0], K[1, 1]] + K[:2, 2]


def _slopes(points: np.ndarray, sx: np.ndarray, sy: np.ndarray, middle: np.ndarray, K: np.ndarray) -> np.ndarray:
    """(n, 3, 6) of colours by a twist about a middle, of points (n, 3) where they change by (n, 3) a pixel."""
    x, y, z = points[:, 0] / points[:, 2], points[:, 1] / points[:, 2], points[:, 2]
    u, v = by_twist(x, y, z, (points - middle).T, K)
    return sx[:, :, None] * u[:, None] + sy[:, :, None] * v[:, None]
