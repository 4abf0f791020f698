"""capture/register.py: depth as another camera would have measured it, against exact depth of planes and boxes."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from robodistill.capture.register import register_depth
from robodistill.geometry.camera import Camera

DEPTH_CAMERA = Camera.from_focal(117, 117, 64, 48, 128, 96)


def plane_depth(camera: Camera, normal: np.ndarray, offset: float) -> np.ndarray:
    """(H, W) exact depth of the plane normal . X = offset in the camera's frame."""
    return (offset / (camera.rays() @ normal)).astype(np.float32)


def interior(depth: np.ndarray, margin: int = 14) -> np.ndarray:
    return depth[margin:-margin, margin:-margin]


def test_same_camera_changes_nothing() -> None:
    """Registration to its own camera is the identity, holes included, where no two neighbours are of one surface."""
    v, u = np.mgrid[:96, :128]
    depth = (1 + 0.2 * ((u + 2 * v) % 5)).astype(np.float32)  # all corners of a cell differ by more than 2 %
    depth[20:30, 20:30] = 0
    np.testing.assert_allclose(register_depth(depth, DEPTH_CAMERA, DEPTH_CAMERA), depth, rtol=1e-6)


@pytest.mark.parametrize("focal", [60.0, 105.0, 117.0, 250.0, 400.0])
@pytest.mark.parametrize("roll", [0.0, 0.4])
def test_plane_has_no_cracks_and_no_bias(focal: float, roll: float) -> None:
    """A slanted plane seen by a coarser, similar, finer or turned camera is exact, and every pixel of it is there."""
    size = (int(128 * focal / 117), int(96 * focal / 117))
    color = Camera.from_focal(focal, focal, size[0] / 2, size[1] / 2, *size)
    T = np.eye(4)
    T[:3, :3] = Rotation.from_rotvec([0.01, -0.02, roll]).as_matrix()
    T[:3, 3] = [-0.02, 0.01, 0.005]
    normal, offset = np.array([0.5, 0.1, 0.8]), 1.6
    depth = register_depth(plane_depth(DEPTH_CAMERA, normal, offset), DEPTH_CAMERA, color, T)
    normal_color = T[:3, :3] @ normal
    exact = plane_depth(color, normal_color, offset + normal_color @ T[:3, 3])
    margin = round((14 if roll == 0 else 36) * focal / 117)
    depth, exact = interior(depth, margin), interior(exact, margin)
    assert depth.size and (depth > 0).all()
    # Samples lie up to half a pixel from the centre; depth changes by about 1 % per pixel of the depth camera here.
    slope = np.abs(np.gradient(exact, axis=1)).max()
    assert np.abs(depth - exact).max() < 0.6 * slope
    assert abs((depth - exact).mean()) < 0.05 * slope


def test_edges_are_not_smeared() -> None:
    """Every registered depth is on one of two surfaces: none arises between them."""
    depth = np.full((96, 128), 3.0, np.float32)
    depth[30:60, 40:80] = 1.0
    T = np.eye(4)
    T[0, 3] = -0.05
    color = Camera.from_focal(300, 300, 160, 120, 320, 240)
    registered = register_depth(depth, DEPTH_CAMERA, color, T)
    values = registered[registered > 0]
    assert (np.minimum(np.abs(values - 1), np.abs(values - 3)) < 1e-5).all()


def test_near_surface_hides_far_one() -> None:
    """Where a box and the wall behind it fall into the same pixels, the box is kept; what it uncovers stays empty."""
    depth = np.full((96, 128), 3.0, np.float32)
    depth[30:60, 40:80] = 1.0
    T = np.eye(4)
    T[0, 3] = 0.05  # the box moves 5.85 px to the right, the wall 1.95 px
    registered = register_depth(depth, DEPTH_CAMERA, DEPTH_CAMERA, T)
    assert (registered[32:58, 47:84] == 1.0).all()
    assert (registered[32:58, 43:45] == 0).all()


def test_shift_is_that_of_the_baseline() -> None:
    """A lone pixel at depth z moves by f b / z."""
    depth = np.zeros((96, 128), np.float32)
    depth[40, 50] = 2.0
    T = np.eye(4)
    T[0, 3] = -0.2
    registered = register_depth(depth, DEPTH_CAMERA, DEPTH_CAMERA, T)
    assert np.argwhere(registered).tolist() == [[40, round(50 - 117 * 0.2 / 2)]]


def test_points_behind_the_color_camera_are_gone() -> None:
    """Depth that ends up behind the colour camera is left out, not mirrored into the image."""
    T = np.eye(4)
    T[2, 3] = -5.0
    assert not register_depth(np.full((96, 128), 2.0, np.float32), DEPTH_CAMERA, DEPTH_CAMERA, T).any()


def test_nothing_measured_gives_nothing() -> None:
    """An empty image stays empty."""
    assert not register_depth(np.zeros((96, 128), np.float32), DEPTH_CAMERA, DEPTH_CAMERA).any()
