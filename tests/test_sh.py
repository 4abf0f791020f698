"""Spherical harmonics against gsplat, against their own definition, and against the constants of the 3DGS format."""

from importlib.metadata import PackageNotFoundError, version

import numpy as np
import pytest
import torch

from robodistill.errors import BadInput
from robodistill.raster.sh import evaluate_sh, rgb_to_sh0, sh0_to_rgb, sh_basis


def random(*size: int) -> torch.Tensor:
    return torch.randn(*size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_basis_is_orthonormal():
    """Integrals over the sphere of products of two functions are 1 or 0; this quadrature is exact to degree 7."""
    z, weight = np.polynomial.legendre.leggauss(4)
    turn = np.arange(8) * 2 * np.pi / 8
    r = np.sqrt(1 - z**2)
    dirs = np.stack([np.outer(r, np.cos(turn)), np.outer(r, np.sin(turn)), np.outer(z, np.ones(8))], -1)
    basis = sh_basis(3, torch.from_numpy(dirs)).numpy()
    gram = np.einsum("a,abi,abj->ij", weight * 2 * np.pi / 8, basis, basis)
    np.testing.assert_allclose(gram, np.eye(16), atol=1e-14)


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_equals_gsplat(degree):
    """Order, signs and factors are those of gsplat, so also of the 3DGS files it reads and writes."""
    try:
        found = version("gsplat")
    except PackageNotFoundError:
        pytest.skip("gsplat is not installed")
    if found != "1.5.3":
        pytest.skip(f"reads private names of gsplat 1.5.3, found {found}")
    gsplat_torch = pytest.importorskip("gsplat.cuda._torch_impl")
    dirs, coeffs = 3 * random(5, 40, 3), random(5, 40, 16, 3)
    expected = gsplat_torch._spherical_harmonics(degree, dirs, coeffs)
    # gsplat's constants are written with 16 digits, of which the last is rounded.
    torch.testing.assert_close(evaluate_sh(degree, dirs, coeffs), expected, atol=1e-13, rtol=0)


def test_signs_of_the_axes():
    """Degree 1 reads (-y, z, -x) with the factor 0.4886025119029199 that 3DGS renderers hard-code."""
    basis = sh_basis(1, torch.eye(3, dtype=torch.float64))
    c1 = 0.4886025119029199
    expected = torch.tensor([[0, 0, -c1], [-c1, 0, 0], [0, c1, 0]], dtype=torch.float64)
    torch.testing.assert_close(basis[:, 1:], expected, atol=1e-15, rtol=0)


def test_degree_0_keeps_the_colour():
    """rgb -> f_dc -> rgb is the identity, seen from anywhere; the factor is 3DGS's 0.28209479177387814."""
    rgb = random(50, 3).sigmoid()
    sh0 = rgb_to_sh0(rgb)
    torch.testing.assert_close(sh0_to_rgb(sh0), rgb, atol=1e-15, rtol=0)
    torch.testing.assert_close(evaluate_sh(0, random(50, 3), sh0[:, None]) + 0.5, rgb, atol=1e-15, rtol=0)
    torch.testing.assert_close(sh0 * 0.28209479177387814, rgb - 0.5, atol=1e-15, rtol=0)


def test_odd_degrees_change_sign_with_the_direction():
    """Seen from opposite sides, odd degrees cancel: the mean of both views has the even degrees only."""
    dirs, coeffs = random(30, 3), random(30, 16, 3)
    odd = torch.zeros(16, dtype=torch.bool)
    odd[1:4] = odd[9:] = True
    both = (evaluate_sh(3, dirs, coeffs) + evaluate_sh(3, -dirs, coeffs)) / 2
    even = evaluate_sh(3, dirs, torch.where(odd[:, None], 0.0, coeffs))
    torch.testing.assert_close(both, even, atol=1e-14, rtol=0)


def test_length_of_the_direction_does_not_matter():
    """Directions are normalised, so their gradient is at right angles to them."""
    dirs, coeffs = random(30, 3).requires_grad_(), random(30, 16, 3)
    torch.testing.assert_close(evaluate_sh(3, 5 * dirs, coeffs), evaluate_sh(3, dirs, coeffs), atol=1e-13, rtol=0)
    (gradient,) = torch.autograd.grad(evaluate_sh(3, dirs, coeffs).sum(), dirs)
    assert gradient.norm() > 1
    torch.testing.assert_close((gradient * dirs).sum(-1), torch.zeros(30, dtype=torch.float64), atol=1e-12, rtol=0)


def test_bad_degree_and_missing_coefficients_are_named():
    """The message says what was given and what would be valid."""
    with pytest.raises(BadInput, match="degree 0 to 3, got 4"):
        sh_basis(4, random(1, 3))
    with pytest.raises(BadInput, match="degree 2 needs 9 coefficients per channel, got 4"):
        evaluate_sh(2, random(1, 3), random(1, 4, 3))
