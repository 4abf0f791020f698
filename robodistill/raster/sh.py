"""View-dependent colour as real spherical harmonics up to degree 3, in the order and signs of the standard 3DGS PLY.

Basis: Sloan, "Efficient Spherical Harmonic Evaluation", JCGT 2013; its use for colour: Kerbl et al., "3D Gaussian
Splatting", SIGGRAPH 2023. Odd orders carry the Condon-Shortley sign, so degree 1 is (-y, z, -x).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from robodistill.errors import BadInput

MAX_DEGREE = 3
_C0 = math.sqrt(1 / (4 * math.pi))


def evaluate_sh(degree: int, dirs: Tensor, coeffs: Tensor) -> Tensor:
    """(..., 3) sums of basis times coefficients; 3DGS shows `(sum + 0.5).clamp(min=0)`, which is the caller's to do.

    Args:
        degree: 0 to 3; coefficients beyond it are ignored.
        dirs: (..., 3) from the camera to the Gaussian, in the world frame, of any length but zero.
        coeffs: (..., K, 3), K at least (degree + 1)^2.

    Raises:
        BadInput: The degree is not 0 to 3, or there are too few coefficients for it.
    """
    basis = sh_basis(degree, dirs)
    count = basis.shape[-1]
    if coeffs.shape[-2] < count:
        raise BadInput(f"degree {degree} needs {count} coefficients per channel, got {coeffs.shape[-2]}")
    return (basis[..., None] * coeffs[..., :count, :]).sum(-2)


def sh_basis(degree: int, dirs: Tensor) -> Tensor:
    """(..., (degree + 1)^2) basis functions, orthonormal over the unit sphere, in directions (..., 3) of any length.

    Raises:
        BadInput: The degree is not 0 to 3.
    """
    if degree not in range(MAX_DEGREE + 1):
        raise BadInput(f"spherical harmonics go from degree 0 to {MAX_DEGREE}, got {degree}")
    assert dirs.shape[-1] == 3, dirs.shape
    x, y, z = F.normalize(dirs, dim=-1).unbind(-1)
    # (square of the factor, times pi) and the polynomial of each function
    terms = [(1 / 4, torch.ones_like(x))]
    if degree >= 1:
        terms += [(3 / 4, -y), (3 / 4, z), (3 / 4, -x)]
    if degree >= 2:
        xx, yy, zz = x * x, y * y, z * z
        terms += [(15 / 4, x * y), (15 / 4, -y * z), (5 / 16, 2 * zz - xx - yy), (15 / 4, -x * z), (15 / 16, xx - yy)]
    if degree >= 3:
        terms += [(35 / 32, -y * (3 * xx - yy)), (105 / 4, x * y * z), (21 / 32, -y * (4 * zz - xx - yy))]
        terms += [(7 / 16, z * (2 * zz - 3 * xx - 3 * yy)), (21 / 32, -x * (4 * zz - xx - yy))]
        terms += [(105 / 16, z * (xx - yy)), (35 / 32, -x * (xx - 3 * yy))]
    return torch.stack([math.sqrt(square / math.pi) * polynomial for square, polynomial in terms], -1)


def rgb_to_sh0(rgb: Tensor) -> Tensor:
    """Coefficients of degree 0 (`f_dc` in the PLY) that 3DGS shows as `rgb` from everywhere."""
    return (rgb - 0.5) / _C0


def sh0_to_rgb(sh0: Tensor) -> Tensor:
    """Colours of coefficients of degree 0; not cut, so that it is the inverse of `rgb_to_sh0`."""
    return 0.5 + _C0 * sh0
