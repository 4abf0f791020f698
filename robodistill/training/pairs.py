"""Pairs of whole views from two sides, for features of correspondence: all that is around a thing is in the picture."""

from dataclasses import dataclass

import cv2
import numpy as np

from robodistill.geometry.camera import Camera
from robodistill.teachers.builtin.image_net import STRIDE
from robodistill.teachers.builtin.inputs import cell_points
from robodistill.training.crops import Crop, choose_views, cut, pixel_of_thing, project

_ZOOM = 0.25  # octaves that a window is smaller than its view, at most
_LEAST = 30  # cells of things seen in both
_MIDDLE = (STRIDE - 1) / 2  # pixel in the middle of a cell


@dataclass(frozen=True, eq=False)
class WholePair:
    """Two views of the same things, and which cells show the same surface."""

    crops: tuple[Crop, Crop]
    points: tuple[np.ndarray, np.ndarray]
    """(3, h, w) metres each, as the encoder is given them."""
    cells: np.ndarray
    """(n,) cells of the first that show a thing which the second shows, too."""
    places: np.ndarray
    """(n, 2) float32 row, column of each in the second."""


def draw_whole_pair(shard: dict, rng: np.random.Generator) -> WholePair | None:
    """A random pair; None where little is seen twice."""
    chosen = choose_views(shard, rng)
    if chosen is None:
        return None
    height, width = shard["rows"].shape[1:]
    crops, points = [], []
    for view in chosen:
        scale, center = 2 ** -rng.uniform(0, _ZOOM), pixel_of_thing(shard, view, rng)
        crop = cut(shard, view, center, scale, rng, size=(width, height))
        crops.append(crop)
        points.append(_points(shard, view, crop))
    rows, columns = np.nonzero(crops[0].labels[..., 6] > 0)
    left, top, scale = crops[0].window
    at = np.array([left, top]) + (STRIDE * np.column_stack([columns, rows]) + _MIDDLE) * scale
    places, seen = project(shard, *chosen, at)
    left, top, scale = crops[1].window
    places = ((places - [left, top]) / scale - _MIDDLE) / STRIDE
    h, w = crops[1].rows.shape
    seen &= (places > -0.5).all(1) & (places < [w - 0.5, h - 0.5]).all(1)
    if seen.sum() < _LEAST:
        return None
    cells = rows * w + columns
    return WholePair(tuple(crops), tuple(points), cells[seen], places[seen][:, ::-1].astype(np.float32))


def _points(shard: dict, view: int, crop: Crop) -> np.ndarray:
    """(3, h, w) points of the crop's cells; zero where it was drawn without depth."""
    left, top, scale = crop.window
    height, width = crop.channels.shape[1:]
    if not crop.channels[3].any():
        return np.zeros((3, height // STRIDE, width // STRIDE), np.float32)
    to_view = np.array([[scale, 0, left], [0, scale, top]])
    how = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    depth = cv2.warpAffine(shard["depth"][view].astype(np.float32) / 1000, to_view, (width, height), flags=how)
    K = np.linalg.inv(np.vstack([to_view, [0, 0, 1]])) @ shard["K"][view]
    return cell_points(depth, Camera(K, width, height))
