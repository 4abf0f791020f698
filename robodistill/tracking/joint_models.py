"""One-parameter motions between two parts, fitted to noisy poses: prismatic, revolute and screw.

A pose of the child, seen from the parent at rest, is taken as the displacement of the child's middle and a rotation.
For given axis, origin and pitch the value of each frame is the closest one (variable projection, Golub and Pereyra,
SIAM J. Numer. Anal. 1973), so that only 2 to 5 numbers are searched; frames that disagree are weighted down (IRLS with
Cauchy's weights over whole frames).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from robodistill.inversion.twist import skew

_ROUNDS = 3  # of reweighting
_CAUCHY = 6.0  # squared residual of a frame, 6 numbers, in sigmas, at which its weight is half
_LITTLE = 0.3  # rad, turns that noise may hide
_FARTHEST = 1.0  # metres from the child to an axis


@dataclass(frozen=True, eq=False)
class Relative:
    """T poses of a child seen from its parent; both at rest give no displacement and no rotation."""

    shift: np.ndarray
    """(T, 3) of the child's middle, metres."""
    turn: Rotation
    """(T) rotations."""
    middle: np.ndarray
    """(3,) of the child at rest."""
    weights: np.ndarray
    """(T,) in [0, 1]."""
    sigma: tuple[float, float]
    """Noise of shift (metres) and turn (rad)."""

    def __len__(self) -> int:
        return len(self.shift)

    @cached_property
    def quat(self) -> np.ndarray:
        """(T, 4) of the rotations, xyzw as scipy has them."""
        return self.turn.as_quat()

    def misfit(self, shift: ArrayLike, turn: Rotation) -> np.ndarray:
        """(T, 6) difference to predictions, in sigmas."""
        return np.concatenate(
            [(self.shift - shift) / self.sigma[0], (self.turn * turn.inv()).as_rotvec() / self.sigma[1]], axis=1
        )


@dataclass(frozen=True, eq=False)
class Fit:
    """One model, fitted."""

    axis: np.ndarray
    """(3,) unit, or zeros."""
    origin: np.ndarray
    """(3,) on the axis, nearest to the child's middle."""
    pitch: float
    values: np.ndarray
    """(T,)."""
    squares: np.ndarray
    """(T,) squared misfit of each frame, in sigmas; 6 numbers each."""
    free: int
    """Numbers that all frames share."""
    covariance: np.ndarray
    """(k, k) of two angles of the axis, two shifts of the origin across it, and the pitch, as far as there are."""
    misfit: np.ndarray
    """(T, 6) in sigmas."""


def fit_fixed(data: Relative) -> Fit:
    """No motion at all."""
    misfit = data.misfit(0.0, Rotation.identity(len(data)))
    zero = np.zeros(3)
    return Fit(zero, data.middle, 0.0, np.zeros(len(data)), (misfit**2).sum(1), 0, np.zeros((0, 0)), misfit)


def fit_prismatic(data: Relative) -> Fit:
    """Translation along an axis: the principal direction of the shifts, without their mean taken off."""
    weights = data.weights
    for _ in range(_ROUNDS):
        scatter = (data.shift * weights[:, None]).T @ data.shift
        strength, directions = np.linalg.eigh(scatter)
        axis = directions[:, 2]
        values = data.shift @ axis
        misfit = data.misfit(values[:, None] * axis, Rotation.identity(len(data)))
        squares = (misfit**2).sum(1)
        weights = data.weights * _trust(squares)
    axis, values = _heading(axis, values, weights)
    spread = data.sigma[0] ** 2 / max(strength[2], 1e-12)
    return Fit(axis, data.middle, 0.0, values, squares, 2, np.eye(2) * spread, misfit)


def fit_turning(data: Relative, screw: bool) -> Fit:
    """Rotation about an axis, with a pitch if `screw`; where little is turned, the better of two starts."""
    starts = [_main_turn(data)]
    if np.quantile(data.turn.magnitude()[data.weights > 0], 0.8) < _LITTLE:
        _, directions = np.linalg.eigh((data.shift * data.weights[:, None]).T @ data.shift)
        starts.append(directions[:, 0])  # an arc lies in a plane
    fits = [_fit_turning(data, start, screw) for start in starts]
    return min(fits, key=lambda fit: (data.weights * np.log1p(fit.squares / _CAUCHY)).sum())


def _fit_turning(data: Relative, axis: np.ndarray, screw: bool) -> Fit:
    weights = data.weights
    reference = _unwound(_twist(data.quat, axis))
    origin, pitch = _linear_origin(data, axis, reference, screw)
    for _ in range(_ROUNDS):
        across = _across(axis)
        start = np.concatenate([[0, 0], across.T @ (origin - data.middle), [pitch] * screw])
        root = np.sqrt(weights)[:, None]

        def unpack(x: np.ndarray, axis: np.ndarray = axis, across: np.ndarray = across) -> tuple:
            a = axis + across @ x[:2]
            return a / np.linalg.norm(a), data.middle + across @ x[2:4], float(x[4]) if screw else 0.0

        def residual(x: np.ndarray, root: np.ndarray = root, unpack=unpack) -> np.ndarray:
            return (root * _closest(data, *unpack(x), reference)[1]).ravel()

        scale = [0.1, 0.1, 0.02, 0.02] + [0.003] * screw
        found = least_squares(residual, start, x_scale=scale, max_nfev=8, xtol=1e-5, ftol=1e-5)
        axis, origin, pitch = unpack(found.x)
        values, misfit = _closest(data, axis, origin, pitch, reference, steps=3)
        squares = (misfit**2).sum(1)
        weights = data.weights * _trust(squares)
    covariance = np.linalg.pinv(found.jac.T @ found.jac)
    turned, values = _heading(axis, values, weights)
    nearest = origin + axis * (axis @ (data.middle - origin))
    return Fit(turned, nearest, pitch, values, squares, 4 + screw, covariance, misfit)


def _closest(
    data: Relative, axis: np.ndarray, origin: np.ndarray, pitch: float, reference: np.ndarray, steps: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """(T,) values that explain the frames best, and the (T, 6) misfit that is left; `steps` of Newton's method."""
    values = _twist(data.quat, axis)
    values = values + 2 * np.pi * np.rint((reference - values) / (2 * np.pi))
    arm = data.middle - origin
    turned_by = skew(axis)
    along, beside = axis * (axis @ arm), turned_by @ arm
    across = arm - along
    beside_quat = data.quat[:, :3] @ turned_by  # the vector part x axis
    for step in range(steps + 1):
        s, c = np.sin(values)[:, None], np.cos(values)[:, None]
        shift = (data.shift + across - c * across - s * beside - pitch * values[:, None] * axis) / data.sigma[0]
        turn = _turn_left(data.quat, axis, values, beside_quat) / data.sigma[1]
        if step < steps:
            slope = (c * beside - s * across + pitch * axis) / data.sigma[0]
            gain = (slope * shift).sum(1) + turn @ axis / data.sigma[1]
            values = values + gain / ((slope * slope).sum(1) + 1 / data.sigma[1] ** 2)
    return values, np.concatenate([shift, turn], axis=1)


def _turn_left(quat: np.ndarray, axis: np.ndarray, values: np.ndarray, beside: np.ndarray) -> np.ndarray:
    """(T, 3) rotation vectors that lead from turns about an axis to (T, 4) quaternions xyzw.

    Args:
        beside: (T, 3) cross product of the quaternions' vector part with the axis.
    """
    s, c = np.sin(values / 2)[:, None], np.cos(values / 2)[:, None]
    scalar = quat[:, 3:]
    left = c * quat[:, :3] - s * (scalar * axis + beside)
    cosine = scalar * c + s * (quat[:, :3] @ axis)[:, None]
    left, cosine = np.where(cosine < 0, -left, left), np.abs(cosine)
    sine = np.sqrt((left * left).sum(1, keepdims=True))
    return left * np.where(sine > 1e-9, 2 * np.arctan2(sine, cosine) / np.maximum(sine, 1e-9), 2.0)


def _main_turn(data: Relative) -> np.ndarray:
    """(3,) the direction that most rotations between distant frames share."""
    count = len(data)
    pairs = [
        np.stack([np.arange(count - lag), np.arange(lag, count)], 1)
        for lag in {*(max(1, count * k // 8) for k in range(1, 7))}
    ]
    first, second = np.concatenate(pairs).T
    rotvec = (data.turn[second] * data.turn[first].inv()).as_rotvec()
    angle = np.linalg.norm(rotvec, axis=1)
    weights = data.weights[first] * data.weights[second] * (angle < 2.8)  # near pi the direction is lost
    for _ in range(_ROUNDS):
        _, directions = np.linalg.eigh((rotvec * weights[:, None]).T @ rotvec)
        off = np.linalg.norm(np.cross(rotvec, directions[:, 2]), axis=1) / data.sigma[1]
        weights = data.weights[first] * data.weights[second] * (angle < 2.8) / (1 + off**2 / 8)
    return directions[:, 2]


def _linear_origin(data: Relative, axis: np.ndarray, values: np.ndarray, screw: bool) -> tuple[np.ndarray, float]:
    """Origin and pitch for a given axis, linear in shift = (1 - R) (origin - middle) + pitch q axis."""
    across = _across(axis)
    R = Rotation.from_rotvec(values[:, None] * axis).as_matrix()
    columns = (np.eye(3) - R) @ across
    if screw:
        columns = np.concatenate([columns, (values[:, None] * axis)[..., None]], axis=2)
    weights = data.weights
    for _ in range(_ROUNDS):
        A, b = columns * weights[:, None, None], data.shift * weights[:, None]
        ridge = 1e-3 * np.eye(columns.shape[2])
        A, b = (
            np.concatenate([A.reshape(-1, columns.shape[2]), ridge]),
            np.concatenate([b.ravel(), np.zeros(len(ridge))]),
        )
        x = np.linalg.lstsq(A, b, rcond=None)[0]
        off = np.linalg.norm(columns @ x - data.shift, axis=1) / data.sigma[0]
        weights = data.weights / (1 + off**2 / 4)
    offset = across @ x[:2]
    offset *= min(1.0, _FARTHEST / max(np.linalg.norm(offset), 1e-9))
    return data.middle + offset, float(x[2]) if screw else 0.0


def _twist(quat: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """(T,) angle in [-pi, pi] about an axis that explains each of (T, 4) rotations best."""
    angle = 2 * np.arctan2(quat[:, :3] @ axis, quat[:, 3])
    return np.mod(angle + np.pi, 2 * np.pi) - np.pi


def _unwound(angles: np.ndarray) -> np.ndarray:
    """Whole turns added so that each angle is near the median of those before it; the first is near rest."""
    angles = angles.copy()
    for t in range(len(angles)):
        near = np.median(angles[max(0, t - 5) : t]) if t else 0.0
        angles[t] += 2 * np.pi * np.rint((near - angles[t]) / (2 * np.pi))
    return angles


def _across(axis: np.ndarray) -> np.ndarray:
    """(3, 2) orthonormal columns across an axis."""
    return np.linalg.svd(axis[None])[2][1:].T


def _trust(squares: np.ndarray) -> np.ndarray:
    return 1 / (1 + squares / (6 * _CAUCHY))


def _heading(axis: np.ndarray, values: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same with the sign for which the values are mostly positive."""
    sign = -1.0 if (weights * values).sum() < 0 else 1.0
    return sign * axis, sign * values
