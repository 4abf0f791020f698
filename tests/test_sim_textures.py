"""Textures, and how they lie on a mesh."""

import numpy as np
import pytest

from robodistill.sim.meshing import corner_arrays
from robodistill.sim.room import room_texture
from robodistill.sim.shapes import box, cylinder, ellipsoid
from robodistill.sim.textures import PATTERNS, object_texture

ROOM = ("planks", "tiles", "bricks", "stone", "terrazzo", "cloth", "stripes", "plaster")


@pytest.mark.parametrize("pattern", PATTERNS)
def test_object_textures_are_gray_and_near_white(pattern):
    """A tint times the texture keeps its hue, and on average at least 85 % of its brightness."""
    image = object_texture(pattern, np.random.default_rng(0))
    assert (image == image[..., :1]).all()
    assert image.min() > 0.7 * 255 and image.mean() > 0.85 * 255


@pytest.mark.parametrize("kind", ROOM)
def test_room_textures_repeat_without_a_seam(kind):
    """The step from the last row or column to the first is like the steps inside."""
    image = room_texture(kind, np.random.default_rng(1)).astype(float)
    for axis in (0, 1):
        rolled = np.moveaxis(image, axis, 0)
        inside = np.abs(np.diff(rolled, axis=0)).mean((1, 2))
        seam = np.abs(rolled[0] - rolled[-1]).mean()
        assert seam <= max(1.5 * inside.max(), 3.0)  # 3 of 255 is below what noise of a camera shows


@pytest.mark.parametrize("kind", ROOM)
def test_room_textures_are_patterns_not_noise(kind):
    """There is contrast to hold on to, and most of it survives a blur of 4 pixels (6 mm on a table)."""
    import cv2

    image = room_texture(kind, np.random.default_rng(2)).astype(np.float32).mean(2)
    blurred = cv2.GaussianBlur(image, (0, 0), 4)
    assert image.std() > 3
    assert blurred.std() > 0.4 * image.std()


def test_normals_are_smooth_on_a_ball_and_flat_on_a_box():
    """Corner normals of a sphere point away from its middle within a facet's angle; those of a box along the axes."""
    corners, normals, _ = corner_arrays(ellipsoid(0.05, 0.05, 0.05), 0.08)
    radial = corners / np.linalg.norm(corners, axis=2, keepdims=True)
    assert (radial * normals).sum(2).min() > np.cos(np.radians(8))
    _, normals, _ = corner_arrays(box(0.1, 0.2, 0.3), 0.08)
    np.testing.assert_allclose(np.sort(np.abs(normals), axis=2)[..., :2], 0, atol=1e-9)


def test_texture_lengths_are_metric():
    """On a box, texture coordinates times the tile are distances along the face."""
    corners, _, uv = corner_arrays(box(0.1, 0.2, 0.3).turned("z", 0.7).at(x=1.0), 0.05)
    for k in range(3):
        along = np.linalg.norm(corners[:, k] - corners[:, k - 1], axis=1)
        np.testing.assert_allclose(np.linalg.norm(uv[:, k] - uv[:, k - 1], axis=1) * 0.05, along, atol=1e-9)


def test_a_wound_texture_has_no_seam():
    """Around a cylinder the coordinate of a whole turn is a whole number, and no face spans more than a piece of it."""
    solid = cylinder(0.04, 0.1)
    corners, _, uv = corner_arrays(solid, 0.08)
    side = np.ptp(corners[..., 2], axis=1) > 0.05
    turns = round(2 * np.pi * 0.04 / 0.08)
    assert np.ptp(uv[side][..., 0], axis=1).max() < 1.01 * turns / 28
    angle = np.arctan2(corners[side][..., 1], corners[side][..., 0]) / (2 * np.pi) * turns
    off = (uv[side][..., 0] - angle) / turns
    np.testing.assert_allclose(off, np.rint(off), atol=1e-9)
