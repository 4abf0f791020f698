"""geometry/se3.py: the group SE(3), against the matrix exponential and by its axioms."""

import pytest
import torch

from robodistill.errors import BadPose
from robodistill.geometry import se3

DTYPES = [torch.float32, torch.float64]
BATCHES = [(), (5,), (2, 3)]
# Rounding of a handful of operations on numbers of order 1.
TOLERANCE = {torch.float32: 5e-5, torch.float64: 1e-12}
# pypose computes the translation's part of exp and log with (1 - cos(angle)) / angle^2 and drops the linear term below
# its switch to a series: near the identity it loses about sqrt(eps) of the translation, which is up to 3 here.
TOLERANCE_NEAR_IDENTITY = {torch.float32: 1e-3, torch.float64: 4e-8}


def twists(batch: tuple[int, ...], dtype: torch.dtype, angle: float = 2.5, seed: int = 0) -> torch.Tensor:
    """Twists with rotation angles up to `angle`, rad, below pi so that log is unique."""
    generator = torch.Generator().manual_seed(seed)
    v = torch.randn(*batch, 3, generator=generator, dtype=torch.float64)
    axis = torch.nn.functional.normalize(torch.randn(*batch, 3, generator=generator, dtype=torch.float64), dim=-1)
    omega = axis * angle * torch.rand(*batch, 1, generator=generator, dtype=torch.float64)
    return torch.cat([v, omega], -1).to(dtype)


def hat(twist: torch.Tensor) -> torch.Tensor:
    """(4, 4) matrix of a twist (v, omega)."""
    v, (x, y, z) = twist[:3], twist[3:]
    zero = torch.zeros_like(x)
    rows = [zero, -z, y, v[0], z, zero, -x, v[1], -y, x, zero, v[2], zero, zero, zero, zero]
    return torch.stack(rows).reshape(4, 4)


@pytest.fixture(params=DTYPES, ids=str)
def dtype(request: pytest.FixtureRequest) -> torch.dtype:
    return request.param


def close(a: torch.Tensor, b: torch.Tensor, dtype: torch.dtype, factor: float = 1) -> None:
    torch.testing.assert_close(a, b, atol=factor * TOLERANCE[dtype], rtol=0)


def close_near(a: torch.Tensor, b: torch.Tensor, dtype: torch.dtype, angle: float) -> None:
    """`close`, with the wider tolerance for angles near the identity."""
    tolerance = TOLERANCE_NEAR_IDENTITY if 0 < angle < 0.1 else TOLERANCE
    torch.testing.assert_close(a, b, atol=tolerance[dtype], rtol=0)


@pytest.mark.parametrize("angle", [2.5, 1e-3, 1e-7, 0.0])
def test_exp_is_the_matrix_exponential(dtype: torch.dtype, angle: float) -> None:
    """exp agrees with the series of the 4x4 twist matrix, also near and at the identity."""
    for twist in twists((8,), dtype, angle):
        close_near(se3.as_matrix(se3.exp(twist)), torch.linalg.matrix_exp(hat(twist)), dtype, angle)


@pytest.mark.parametrize("angle", [2.5, 1e-3, 1e-7, 0.0])
@pytest.mark.parametrize("batch", BATCHES, ids=str)
def test_log_inverts_exp(dtype: torch.dtype, batch: tuple[int, ...], angle: float) -> None:
    """log(exp(xi)) = xi for angles below pi, in every batch shape."""
    twist = twists(batch, dtype, angle)
    assert se3.exp(twist).shape == (*batch, 7)
    close_near(se3.log(se3.exp(twist)), twist, dtype, angle)


@pytest.mark.parametrize("batch", BATCHES, ids=str)
def test_group_axioms(dtype: torch.dtype, batch: tuple[int, ...]) -> None:
    """Associative, with identity and inverse, and closed: quaternions stay of unit length."""
    a, b, c = (se3.exp(twists(batch, dtype, seed=seed)) for seed in (1, 2, 3))
    identity = se3.exp(torch.zeros(*batch, 6, dtype=dtype))
    as_matrix, compose = se3.as_matrix, se3.compose
    close(as_matrix(compose(compose(a, b), c)), as_matrix(compose(a, compose(b, c))), dtype, 4)
    close(as_matrix(compose(a, identity)), as_matrix(a), dtype)
    close(as_matrix(compose(a, se3.inverse(a))), as_matrix(identity), dtype, 4)
    close(as_matrix(compose(se3.inverse(a), a)), as_matrix(identity), dtype, 4)
    close(compose(a, b)[..., :4].norm(dim=-1), torch.ones(batch, dtype=dtype), dtype)


def test_compose_is_the_matrix_product(dtype: torch.dtype) -> None:
    """T_a_c = T_a_b @ T_b_c, and shapes broadcast."""
    a, b = se3.exp(twists((4, 1), dtype, seed=1)), se3.exp(twists((3,), dtype, seed=2))
    close(se3.as_matrix(se3.compose(a, b)), se3.as_matrix(a) @ se3.as_matrix(b), dtype, 4)


def test_apply_is_the_matrix_on_points(dtype: torch.dtype) -> None:
    """apply(T, p) = R p + t."""
    T, points = se3.exp(twists((4,), dtype)), twists((4,), dtype, seed=9)[:, :3]
    matrix = se3.as_matrix(T)
    expected = (matrix[:, :3, :3] @ points[..., None])[..., 0] + matrix[:, :3, 3]
    close(se3.apply(T, points), expected, dtype, 4)


def test_order_of_components(dtype: torch.dtype) -> None:
    """A pose is w x y z, then the translation: a quarter turn about z and a step along x."""
    half = torch.tensor(0.5, dtype=dtype).sqrt()
    pose = torch.stack([half, half * 0, half * 0, half, half * 0 + 1, half * 0, half * 0])
    matrix = torch.tensor([[0, -1, 0, 1], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], dtype=dtype)
    close(se3.as_matrix(pose), matrix, dtype)


def test_perturbation_is_on_the_right() -> None:
    """A step along x of `T @ exp(xi)` moves the origin along T's own x axis."""
    T = se3.exp(torch.tensor([0.0, 0, 0, 0, 0, torch.pi / 2], dtype=torch.float64))  # own x is the world's y
    moved = se3.compose(T, se3.exp(torch.tensor([1.0, 0, 0, 0, 0, 0], dtype=torch.float64)))
    close(moved[4:], torch.tensor([0.0, 1, 0], dtype=torch.float64), torch.float64)


@pytest.mark.parametrize("batch", BATCHES, ids=str)
def test_from_matrix_inverts_as_matrix(dtype: torch.dtype, batch: tuple[int, ...]) -> None:
    """Poses survive the way over 4x4 matrices, also near a half turn."""
    matrix = se3.as_matrix(se3.exp(twists(batch, dtype, angle=3.1)))
    close(se3.as_matrix(se3.from_matrix(matrix)), matrix, dtype, 10)


def test_gradient_at_the_identity_is_finite_and_right() -> None:
    """d/dxi of exp(xi) p at xi = 0 is [I, -[p]x], where naive formulas divide zero by zero."""
    p = torch.tensor([0.3, -0.5, 2.0], dtype=torch.float64)
    J = torch.autograd.functional.jacobian(lambda xi: se3.apply(se3.exp(xi), p), torch.zeros(6, dtype=torch.float64))
    x, y, z = p.tolist()
    expected = torch.tensor([[1, 0, 0, 0, z, -y], [0, 1, 0, -z, 0, x], [0, 0, 1, y, -x, 0]], dtype=torch.float64)
    close(J, expected, torch.float64)


def test_gradient_of_log_at_the_identity_is_finite() -> None:
    """d/dxi of log(exp(xi)) at xi = 0 is the identity."""
    zero = torch.zeros(6, dtype=torch.float64)
    J = torch.autograd.functional.jacobian(lambda xi: se3.log(se3.exp(xi)), zero)
    close(J, torch.eye(6, dtype=torch.float64), torch.float64)


def test_gradients_match_differences() -> None:
    """exp, compose, inverse and apply are differentiable away from the identity too."""
    twist = twists((3,), torch.float64).requires_grad_()
    point = torch.tensor([0.3, -0.5, 2.0], dtype=torch.float64, requires_grad=True)

    def chain(twist: torch.Tensor, point: torch.Tensor) -> torch.Tensor:
        a, b, c = se3.exp(twist)
        return se3.apply(se3.compose(se3.compose(a, se3.inverse(b)), c), point)

    assert torch.autograd.gradcheck(chain, (twist, point))


@pytest.mark.parametrize(
    "broken",
    [
        lambda T: T.index_fill_(-1, torch.tensor([3]), float("nan")),
        lambda T: T.mul_(torch.tensor([1.01, 1.01, 1.01, 1])),
        lambda T: T.mul_(torch.tensor([-1.0, 1, 1, 1])),
        lambda T: T.zero_(),
    ],
    ids=["NaN", "scaled", "mirrored", "zero"],
)
def test_bad_matrices_are_named(broken: object) -> None:
    """What is not a rigid transform is refused, also if one of a batch is."""
    Ts = torch.eye(4).repeat(3, 1, 1)
    broken(Ts[1])
    with pytest.raises(BadPose):
        se3.from_matrix(Ts)
