"""The sensor model, on analytic depth."""

import numpy as np
import pytest

from robodistill.geometry.camera import Camera
from robodistill.sim.noise import TYPICAL, noisy_color, noisy_depth

CAMERA = Camera.from_fov(np.radians(50), 160, 120)


def wall(distance: float) -> np.ndarray:
    return np.full((120, 160), distance, np.float32)


def sigma(distance: float) -> float:
    measured = noisy_depth(wall(distance), CAMERA, np.random.default_rng(0))
    return float((measured - distance)[measured > 0].std())


def test_depth_noise_is_that_of_a_short_range_camera():
    """1.0 to 1.6 mm at 0.6 m on a wall that faces the camera."""
    assert 0.0010 < sigma(0.6) < 0.0016


def test_depth_noise_grows_with_the_square_of_distance():
    """Twice as far is four times as noisy; 10 % for quantisation and sampling."""
    assert sigma(1.6) / sigma(0.8) == pytest.approx(4, rel=0.1)


def test_depth_noise_has_no_bias():
    """The mean over 19200 correlated pixels is within 5 sigma of the mean."""
    measured = noisy_depth(wall(0.7), CAMERA, np.random.default_rng(1))
    assert measured.mean() == pytest.approx(0.7, abs=5 * 2 * sigma(0.7) / np.sqrt(measured.size))


def test_depth_is_quantised():
    """Every measurement is a whole number of steps."""
    measured = noisy_depth(wall(0.7), CAMERA, np.random.default_rng(2)).astype(float)
    np.testing.assert_allclose(measured / TYPICAL.step, np.rint(measured / TYPICAL.step), atol=1e-3)


def test_depth_is_lost_at_edges_only():
    """About 70 % of the pixels beside a step of 20 cm have no depth, and all further pixels have one."""
    depth = wall(0.8)
    depth[:, 80:] = 1.0
    measured = noisy_depth(depth, CAMERA, np.random.default_rng(3))
    assert (measured[:, 79:81] == 0).mean() == pytest.approx(TYPICAL.edge_loss, abs=0.1)
    assert (measured[:, :79] > 0).all() and (measured[:, 81:] > 0).all()


@pytest.mark.parametrize(("tilt", "lost"), [(0.9, 0.0), (1.45, 1.0)])
def test_depth_is_lost_at_grazing_incidence(tilt, lost):
    """A floor seen under 52 degrees is measured, one seen under 83 degrees is not."""
    rays = CAMERA.rays()
    normal = np.array([0, -np.sin(tilt), -np.cos(tilt)])
    depth = (-0.3 / (rays @ normal)).astype(np.float32)
    angle = np.arccos(np.abs(rays @ normal) / np.linalg.norm(rays, axis=2))
    seen = (rays @ normal < 0) & (depth < 5)
    beyond = angle > TYPICAL.grazing + 0.03 if lost else angle < TYPICAL.grazing - 0.1
    inner = np.zeros(depth.shape, bool)
    inner[2:-2, 2:-2] = True
    chosen = seen & beyond & inner
    assert chosen.sum() > 200
    measured = noisy_depth(np.where(seen, depth, 0).astype(np.float32), CAMERA, np.random.default_rng(4))
    chosen &= ~np.isclose(depth, 0)
    assert (measured[chosen] == 0).mean() == pytest.approx(lost, abs=0.02)


def test_nothing_is_measured_where_there_is_nothing():
    """Depth 0 stays 0."""
    depth = wall(0.8)
    depth[40:60] = 0
    measured = noisy_depth(depth, CAMERA, np.random.default_rng(5))
    assert (measured[40:60] == 0).all()
    assert measured.dtype == np.float32


def test_color_noise_is_small_unbiased_and_seeded():
    """A gray picture keeps its mean within 1 and gets a sigma of 1 to 5 of 255; a seed fixes it."""
    rgb = np.full((120, 160, 3), 128, np.uint8)
    a, b = (noisy_color(rgb, np.random.default_rng(6)) for _ in range(2))
    np.testing.assert_array_equal(a, b)
    assert a.mean() == pytest.approx(128, abs=1)
    assert 1 < a.std() < 5
