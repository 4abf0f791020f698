"""Poses as recordings give them: numbers in text, rounded, sometimes broken."""

import numpy as np

from robodistill.errors import BadMetadata, BadPose

TOLERANCE = 1e-3
"""Largest |R R^T - I| that is taken for rounding and repaired; a larger one is an error."""


def as_numbers(values: object, shape: tuple[int, ...], what: str) -> np.ndarray:
    """float64 array of parsed JSON, YAML or text.

    Raises:
        BadMetadata: Not numbers, or not of `shape`.
    """
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise BadMetadata(f"{what} must be {shape} numbers, got {str(values)[:80]}") from None
    if array.shape != shape:
        raise BadMetadata(f"{what} must be {shape} numbers, got shape {array.shape}")
    return array


def rigid(matrix: np.ndarray, what: str) -> np.ndarray:
    """The rigid (4, 4) transform nearest to `matrix`, which may be off by rounding.

    Raises:
        BadPose: Not finite, the last row is not 0 0 0 1, or the rotation is further than `TOLERANCE` from orthonormal
            or is a reflection.
    """
    assert matrix.shape == (4, 4), matrix.shape
    if not np.isfinite(matrix).all():
        raise BadPose(f"{what} holds NaN or infinite numbers; a finite 4x4 rigid transform is needed")
    if np.abs(matrix[3] - [0, 0, 0, 1]).max() > TOLERANCE:
        raise BadPose(f"{what} has the last row {matrix[3].tolist()}; 0 0 0 1 is needed")
    R = matrix[:3, :3]
    error = np.abs(R @ R.T - np.eye(3)).max()
    if error > TOLERANCE or np.linalg.det(R) < 0:
        raise BadPose(
            f"{what} is not orthonormal and right-handed (|R R^T - I| = {error:.2g}, allowed {TOLERANCE:g}, "
            f"det {np.linalg.det(R):.2g})"
        )
    result = np.eye(4)
    result[:3, 3] = matrix[:3, 3]
    if error < 1e-12:  # leave exact rotations as they are, so that writing and reading is the identity
        result[:3, :3] = R
    else:
        U, _, Vt = np.linalg.svd(R)
        result[:3, :3] = U @ Vt
    return result


def from_quaternion(xyz: np.ndarray, xyzw: np.ndarray, what: str) -> np.ndarray:
    """(4, 4) transform from a translation, metres, and a quaternion in the order x, y, z, w of TUM and ROS.

    Raises:
        BadPose: Not finite, or the quaternion's length differs from 1 by more than 1e-2 (files round to 4 digits).
    """
    from scipy.spatial.transform import Rotation

    if not (np.isfinite(xyz).all() and np.isfinite(xyzw).all()):
        raise BadPose(f"{what} holds NaN or infinite numbers")
    if abs(np.linalg.norm(xyzw) - 1) > 1e-2:
        raise BadPose(f"{what} has a quaternion of length {np.linalg.norm(xyzw):.3g}; 1 is needed")
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_quat(xyzw).as_matrix()
    matrix[:3, 3] = xyz
    return matrix
