"""The 7-Scenes reader on a real recording, whose path ROBODISTILL_REDKITCHEN gives."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from robodistill.capture.frame import Frame
from robodistill.capture.open import open_capture

PATH = os.environ.get("ROBODISTILL_REDKITCHEN", "")
pytestmark = pytest.mark.skipif(
    not PATH or not Path(PATH).is_dir(), reason="set ROBODISTILL_REDKITCHEN to the folder of the 7-Scenes red kitchen"
)
ONE_CAMERA = {"color_intrinsics": (585, 585, 320, 240), "T_color_depth": np.eye(4), "color_delay": 0.0}
NO_EXTRINSICS = {"color_intrinsics": (525, 525, 320, 240), "T_color_depth": np.eye(4), "color_delay": 0.0}
CAP = 5.0


def contour_distance(frame: Frame) -> float:
    """Mean distance, px (at most CAP), from pixels in front of a step in depth to the nearest colour edge."""
    far = cv2.dilate(frame.depth, np.ones((3, 3)))
    contour = frame.valid & (far > 1.08 * frame.depth)
    edges = cv2.Canny(cv2.GaussianBlur(frame.rgb, (0, 0), 1), 30, 90)
    distance = cv2.distanceTransform((edges == 0).astype(np.uint8), cv2.DIST_L2, 5)
    assert contour.sum() > 500
    return float(np.minimum(distance[contour], CAP).mean())


def photometric_error(a: Frame, b: Frame) -> float:
    """Mean absolute difference, grey levels, of a's pixels and where a's depth puts them in b."""
    points = a.camera.unproject(a.depth)[a.valid]
    T_b_a = np.linalg.inv(b.T_world_camera) @ a.T_world_camera
    pixels, z = b.camera.project(points @ T_b_a[:3, :3].T + T_b_a[:3, 3])
    inside = (pixels > 0).all(-1) & (pixels < [a.camera.width - 1, a.camera.height - 1]).all(-1)
    u, v = np.rint(pixels[inside]).astype(int).T
    grey_a, grey_b = (cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2GRAY).astype(np.float64) for frame in (a, b))
    seen = np.abs(b.depth[v, u] - z[inside]) < 0.05
    difference = (grey_b[v, u] - grey_a[a.valid][inside])[seen]
    return float(np.abs(difference - np.median(difference)).mean())


def mean_contour_distance(**options: object) -> float:
    return float(np.mean([contour_distance(frame) for frame in open_capture(PATH, **options).frames(range(0, 71, 7))]))


def mean_photometric_error(**options: object) -> float:
    capture = open_capture(PATH, **options)
    return float(np.mean([photometric_error(capture[i], capture[i + 12]) for i in range(0, 56, 5)]))


def test_every_frame_is_usable(caplog: pytest.LogCaptureFixture) -> None:
    """71 frames, none dropped, most pixels measured, at the distances of a kitchen."""
    found = list(open_capture(PATH).frames(range(0, 71, 5)))
    assert len(open_capture(PATH)) == 71 and len(found) == 15 and not caplog.records
    for frame in found:
        assert frame.valid.mean() > 0.6
        assert 0.5 < np.median(frame.depth[frame.valid]) < 4


def test_depth_edges_lie_on_color_edges() -> None:
    """Registered depth's contours are nearer to colour's than without extrinsics, and than with one camera for both."""
    ours, no_extrinsics, one_camera = (mean_contour_distance(**options) for options in ({}, NO_EXTRINSICS, ONE_CAMERA))
    assert ours < 0.7 * no_extrinsics < 0.7 * one_camera


def test_frames_agree_in_color() -> None:
    """What one frame saw is where another sees it, better than uncalibrated or with one camera for both."""
    ours, no_extrinsics, one_camera = (mean_photometric_error(**options) for options in ({}, NO_EXTRINSICS, ONE_CAMERA))
    assert ours < no_extrinsics < one_camera
