"""Turn view-dependent colour with the thing that has it."""

import torch
from torch import Tensor

from robodistill.raster.sh import sh_basis

_DIRECTIONS = 64  # more than the 16 functions of degree 3


def rotate_sh(sh: Tensor, R: Tensor) -> Tensor:
    """Coefficients (N, K, 3) of colours that were turned by R (3, 3): seen from R d they look as they did from d.

    Rotations mix the functions of one degree among themselves only, by a matrix (Wigner's) that is found here by least
    squares over fixed directions, exactly but for rounding; so it holds for any order and sign of the basis.
    """
    degree = round(sh.shape[1] ** 0.5) - 1
    assert sh.shape[1] == (degree + 1) ** 2 and R.shape == (3, 3), (sh.shape, R.shape)
    dirs = torch.randn(_DIRECTIONS, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    turned, still = (sh_basis(degree, d) for d in (dirs @ R.detach().cpu().double().mT, dirs))
    parts = [sh[:, :1]]
    for k in range(1, degree + 1):
        band = slice(k * k, (k + 1) ** 2)
        mix = torch.linalg.lstsq(turned[:, band], still[:, band]).solution
        parts.append(torch.einsum("ij,njc->nic", mix.to(sh), sh[:, band]))
    return torch.cat(parts, 1)
