"""geometry/camera.py: pinhole projection and the half-pixel rule."""

import numpy as np
import pytest

from robodistill.errors import BadIntrinsics
from robodistill.geometry.camera import FLIP_YZ, Camera

CAMERA = Camera.from_focal(61.0, 59.0, 30.2, 25.7, 64, 48)


def test_project_inverts_unproject() -> None:
    """Unprojected depth projects to the pixel centres it came from, and to itself."""
    depth = np.random.default_rng(0).uniform(0.3, 5.0, (48, 64))
    pixels, z = CAMERA.project(CAMERA.unproject(depth))
    np.testing.assert_allclose(pixels, CAMERA.pixels(), atol=1e-11)  # pixels up to 64 in float64
    np.testing.assert_allclose(z, depth, rtol=1e-14)


def test_unproject_inverts_project() -> None:
    """A point on a pixel's ray is found again from that pixel and its depth."""
    pixel = (17, 40)
    point = 2.5 * CAMERA.rays()[pixel]
    depth = np.zeros((48, 64))
    depth[pixel] = 2.5
    np.testing.assert_allclose(CAMERA.unproject(depth)[pixel], point, rtol=1e-14)


def test_optical_axis_meets_the_principal_point() -> None:
    """A point straight ahead lies at (cx, cy), and depth is z, not the ray's length."""
    pixel, z = CAMERA.project(np.array([0.0, 0.0, 3.0]))
    np.testing.assert_array_equal(pixel, [30.2, 25.7])
    assert z == 3.0


def test_project_has_no_pixel_at_zero_depth() -> None:
    """A point in the camera's plane has NaN for a pixel, not infinity or a number."""
    pixel, _ = CAMERA.project(np.array([1.0, 1.0, 0.0]))
    assert np.isnan(pixel).all()


def test_image_centre_in_both_conventions() -> None:
    """The middle of a 64x48 image is (31.5, 23.5) with centres at integers and (32, 24) from the corner."""
    camera = Camera.from_fov(1.0, 64, 48)
    np.testing.assert_array_equal(camera.K[:2, 2], [31.5, 23.5])
    np.testing.assert_array_equal(camera.K_corner[:2, 2], [32.0, 24.0])


def test_from_corner_inverts_k_corner() -> None:
    """K survives the way to nerfstudio's and gsplat's convention and back."""
    np.testing.assert_allclose(Camera.from_corner(CAMERA.K_corner, 64, 48).K, CAMERA.K, rtol=1e-15)


def test_k_corner_samples_pixels_at_their_half() -> None:
    """gsplat evaluates pixel (i, j) at (i + 0.5, j + 0.5) of its image plane: the same ray as our (i, j)."""
    ours = CAMERA.rays()[10, 20]
    theirs = np.linalg.inv(CAMERA.K_corner) @ [20.5, 10.5, 1]
    np.testing.assert_allclose(ours, theirs, atol=1e-15)


def test_fov_spans_the_pixel_borders() -> None:
    """The given vertical angle lies between the upper border of the first row and the lower one of the last."""
    camera = Camera.from_fov(1.1, 64, 48)
    top, bottom = (np.linalg.inv(camera.K) @ [0, v, 1] for v in (-0.5, 47.5))
    assert np.arctan(bottom[1]) - np.arctan(top[1]) == pytest.approx(1.1, abs=1e-12)


@pytest.mark.parametrize("size", [(128, 96), (32, 24), (16, 36)])
def test_resized_keeps_rays(size: tuple[int, int]) -> None:
    """The image's borders see the same directions at any size."""
    other = CAMERA.resized(*size)
    for camera_border, other_border in (((-0.5, -0.5), (-0.5, -0.5)), ((63.5, 47.5), (size[0] - 0.5, size[1] - 0.5))):
        ours = np.linalg.inv(CAMERA.K) @ [*camera_border, 1]
        theirs = np.linalg.inv(other.K) @ [*other_border, 1]
        np.testing.assert_allclose(theirs, ours, atol=1e-14)


def test_flip_is_its_own_inverse_and_proper() -> None:
    """Between OpenGL and OpenCV cameras lies a half turn about x: y and z change sign."""
    np.testing.assert_array_equal(FLIP_YZ @ FLIP_YZ, np.eye(4))
    assert np.linalg.det(FLIP_YZ) == 1
    np.testing.assert_array_equal(FLIP_YZ @ [1, 2, 3, 1], [1, -2, -3, 1])


@pytest.mark.parametrize(
    ("fx", "fy", "cx", "cy", "width", "height"),
    [
        (0, 60, 32, 24, 64, 48),
        (60, -1, 32, 24, 64, 48),
        (np.nan, 60, 32, 24, 64, 48),
        (60, 60, np.inf, 24, 64, 48),
        (60, 60, 200, 24, 64, 48),
        (60, 60, 32, 24, 0, 48),
    ],
)
def test_bad_intrinsics_are_named(fx: float, fy: float, cx: float, cy: float, width: int, height: int) -> None:
    """A camera that cannot be is refused."""
    with pytest.raises(BadIntrinsics):
        Camera.from_focal(fx, fy, cx, cy, width, height)
