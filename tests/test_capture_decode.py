"""capture/decode.py, capture/stamps.py: what a file or sensor gives becomes an array, or a named error."""

import cv2
import numpy as np
import pytest

from robodistill.capture.decode import as_depth, as_rgb, decode_image
from robodistill.capture.stamps import associate, nearest
from robodistill.errors import BadDepth, UnreadableImage

IMAGE = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_no_truncated_image_is_accepted(suffix: str) -> None:
    """Wherever a file is cut off, it is an error, never the upper part of an image."""
    data = cv2.imencode(suffix, IMAGE)[1].tobytes()
    assert decode_image(data, "whole").shape == IMAGE.shape
    for end in [*range(1, len(data), len(data) // 40), *range(len(data) - 12, len(data))]:
        with pytest.raises(UnreadableImage, match="cut"):
            decode_image(data[:end], "cut")


def test_color_is_rgb_from_every_layout() -> None:
    """BGR, BGRA and grey give RGB; alpha is left out."""
    np.testing.assert_array_equal(as_rgb(IMAGE, "bgr"), IMAGE[..., ::-1])
    np.testing.assert_array_equal(as_rgb(np.dstack([IMAGE, IMAGE[..., 0]]), "bgra"), IMAGE[..., ::-1])
    np.testing.assert_array_equal(as_rgb(IMAGE[..., 0], "grey"), np.repeat(IMAGE[..., :1], 3, -1))


@pytest.mark.parametrize("array", [IMAGE.astype(np.uint16), IMAGE[..., :2], IMAGE.astype(np.float32)])
def test_other_layouts_are_no_color(array: np.ndarray) -> None:
    """16 bits, two channels and floats are refused, with what would be valid."""
    with pytest.raises(UnreadableImage, match="uint8"):
        as_rgb(array, "image")


def test_depth_is_metres_with_zero_for_nothing() -> None:
    """Counts are scaled; 0 and 65535, and in floats NaN, infinity and what is not positive, are 0."""
    counts = np.array([[0, 1000, 65535, 2500]], np.uint16)
    np.testing.assert_allclose(as_depth(counts, 0.001, "mm"), [[0, 1, 0, 2.5]], rtol=1e-6)
    np.testing.assert_allclose(as_depth(counts, 0.0002, "tum"), [[0, 0.2, 0, 0.5]], rtol=1e-6)
    metres = np.array([[np.nan, 1.5, np.inf, -np.inf, -1, 0]], np.float64)
    depth = as_depth(metres, 0.001, "float")
    np.testing.assert_array_equal(depth, np.float32([[0, 1.5, 0, 0, 0, 0]]))
    assert depth.dtype == np.float32


@pytest.mark.parametrize(
    ("raw", "unit", "word"),
    [
        (np.full((2, 2), 9, np.uint8), 0.001, "uint8"),
        (np.full((2, 2, 3), 9, np.uint16), 0.001, "one channel"),
        (np.full((2, 2), 1500, np.float32), 1.0, "millimetres"),
        (np.full((2, 2), 1500, np.uint16), 1.0, "millimetres"),
        (np.full((2, 2), 2, np.uint16), 0.001, "0.002 m"),
        (np.zeros((2, 2), np.uint16), 0.001, "no measurement"),
        (np.full((2, 2), np.nan, np.float32), 1.0, "no measurement"),
    ],
)
def test_bad_depth_is_named(raw: np.ndarray, unit: float, word: str) -> None:
    """A wrong type or unit is refused by what gives it away."""
    with pytest.raises(BadDepth, match=word):
        as_depth(raw, unit, "depth")


def test_nearest_is_the_brute_force_answer() -> None:
    """Against all pairs, also beyond both ends and for a single partner."""
    rng = np.random.default_rng(0)
    for count in (1, 2, 30):
        stamps, others = rng.uniform(-2, 2, 50), np.sort(rng.uniform(-1, 1, count))
        gaps = np.abs(stamps[:, None] - others)
        np.testing.assert_allclose(np.abs(others[nearest(stamps, others)] - stamps), gaps.min(1))


def test_association_gives_each_partner_once() -> None:
    """Two stamps near one partner: the nearer has it; nothing beyond the tolerance is taken."""
    stamps, others = np.array([0.0, 0.010, 1.0, 2.0]), np.array([0.008, 1.03, 2.0])
    np.testing.assert_array_equal(associate(stamps, others, 0.02), [-1, 0, -1, 2])
    np.testing.assert_array_equal(associate(stamps, others[:0], 0.02), [-1, -1, -1, -1])
