"""SE(3) on torch, a thin layer over pypose that fixes this package's order of components.

A pose is `wxyz_xyz` (..., 7): a unit quaternion, then a translation in metres. A twist is (..., 6): v then omega, on
the right: `T @ exp(xi)`. Everything is differentiable and batched; quaternions are wxyz here, xyzw inside pypose only.
"""

import warnings

import torch

with warnings.catch_warnings():  # pypose 0.9 asks for torch.jit names that torch has deprecated
    warnings.simplefilter("ignore")
    import pypose as pp

from robodistill.errors import BadPose

_TO_PYPOSE = [4, 5, 6, 1, 2, 3, 0]
_FROM_PYPOSE = [6, 3, 4, 5, 0, 1, 2]


def _lie(wxyz_xyz: torch.Tensor) -> "pp.LieTensor":
    assert wxyz_xyz.shape[-1] == 7, wxyz_xyz.shape
    return pp.SE3(wxyz_xyz[..., _TO_PYPOSE])


def _plain(lie: "pp.LieTensor") -> torch.Tensor:
    return lie.tensor()[..., _FROM_PYPOSE]


def exp(twist: torch.Tensor) -> torch.Tensor:
    """(..., 7) pose of a (..., 6) twist (v, omega)."""
    assert twist.shape[-1] == 6, twist.shape
    return _plain(pp.se3(twist).Exp())


def log(wxyz_xyz: torch.Tensor) -> torch.Tensor:
    """(..., 6) twist (v, omega) of a pose."""
    return _lie(wxyz_xyz).Log().tensor()


def compose(T_a_b: torch.Tensor, T_b_c: torch.Tensor) -> torch.Tensor:
    """T_a_c; batch shapes broadcast."""
    return _plain(_lie(T_a_b) @ _lie(T_b_c))


def inverse(T_a_b: torch.Tensor) -> torch.Tensor:
    """T_b_a."""
    return _plain(_lie(T_a_b).Inv())


def apply(T_a_b: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """(..., 3) points in a from (..., 3) points in b, metres."""
    return _lie(T_a_b).Act(points)


def as_matrix(wxyz_xyz: torch.Tensor) -> torch.Tensor:
    """(..., 4, 4) homogeneous matrix."""
    return _lie(wxyz_xyz).matrix()


def from_matrix(matrix: torch.Tensor, tolerance: float = 1e-3) -> torch.Tensor:
    """(..., 7) pose of (..., 4, 4) rigid matrices.

    Raises:
        BadPose: Not finite, or the rotation is further than `tolerance` from orthonormal or is a reflection.
    """
    check_rigid(matrix, tolerance)
    return _plain(pp.mat2SE3(matrix, check=False))


def check_rigid(matrix: torch.Tensor, tolerance: float = 1e-3) -> None:
    """Raise `BadPose` unless all (..., 4, 4) matrices are finite and rigid within `tolerance`."""
    assert matrix.shape[-2:] == (4, 4), matrix.shape
    if not torch.isfinite(matrix).all():
        raise BadPose("pose holds NaN or infinite numbers; a finite 4x4 rigid transform is needed")
    R = matrix[..., :3, :3]
    error = (R @ R.mT - torch.eye(3, dtype=R.dtype, device=R.device)).abs().max().item()
    if error > tolerance or (torch.linalg.det(R) < 0).any():
        raise BadPose(
            f"rotation is not orthonormal and right-handed (|R R^T - I| = {error:.2g}, allowed {tolerance:g})"
        )
