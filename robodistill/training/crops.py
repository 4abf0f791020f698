"""Crops for the dense encoder: around a random thing, at a random scale, in random light; and pairs of one place."""

from dataclasses import dataclass

import cv2
import numpy as np

from robodistill.geometry.covisible import DepthView, seen_in
from robodistill.teachers.builtin.image_net import STRIDE
from robodistill.teachers.builtin.inputs import CHANNELS

SIDE = 96
PAIR_SIDE = 144
"""Pixels of a crop of a pair: what tells one side of a round thing from another is around it."""
_AT = STRIDE // 2  # pixel of a cell whose label it takes
_APART = np.radians([12, 48])  # directions of the two views of a pair
_BLIND = 0.2  # share of crops without depth
_NO_PLANE = 0.1  # share without height and uprightness
_MIRRORED = 0.5
_ZOOM = 0.6  # octaves each way
_PAIR_ZOOM = 0.25


@dataclass(frozen=True, eq=False)
class Crop:
    """One crop: what the encoder sees, and what is known of its cells."""

    channels: np.ndarray
    """(9, side, side) float32."""
    labels: np.ndarray
    """(side / 4, side / 4, 7) uint8 as in `scenes.LabelledView.table`."""
    rows: np.ndarray
    """(side / 4, side / 4) uint8 pieces."""
    window: tuple[float, float, float]
    """Left, top and pixels of the view to a pixel of the crop."""


def draw_crop(shard: dict, rng: np.random.Generator) -> Crop:
    """A crop around a pixel of a random thing."""
    view = int(rng.integers(len(shard["rgb"])))
    scale = 2 ** rng.uniform(-_ZOOM, _ZOOM)
    center = pixel_of_thing(shard, view, rng)
    return cut(shard, view, center + rng.uniform(-24, 24, 2) * scale, scale, rng, rng.random() < _MIRRORED)


def draw_pair(shard: dict, rng: np.random.Generator) -> tuple[Crop, Crop, np.ndarray, np.ndarray] | None:
    """Two crops of one place from two sides, and (n,) cells of the first with (n, 2) their row, column in the second.

    None where the place is not seen twice.
    """
    chosen = choose_views(shard, rng)
    if chosen is None:
        return None
    a, b = chosen
    center = pixel_of_thing(shard, a, rng)
    there, seen = project(shard, a, b, center[None])
    if not seen[0]:
        return None
    first, second = (
        cut(
            shard,
            view,
            at + rng.uniform(-24, 24, 2),
            2 ** rng.uniform(-_PAIR_ZOOM, _PAIR_ZOOM),
            rng,
            size=(PAIR_SIDE, PAIR_SIDE),
        )
        for view, at in ((a, center), (b, there[0]))
    )
    left, top, scale = first.window
    cells = PAIR_SIDE // STRIDE
    grid = np.stack(np.meshgrid(np.arange(cells), np.arange(cells)), -1).reshape(-1, 2)
    places, seen = project(shard, a, b, np.array([left, top]) + (STRIDE * grid + _AT) * scale)
    left, top, scale = second.window
    places = ((places - [left, top]) / scale - _AT) / STRIDE
    seen &= (places > -0.5).all(1) & (places < cells - 0.5).all(1) & (first.labels[..., 6].ravel() > 0)
    return first, second, np.flatnonzero(seen), places[seen][:, ::-1].astype(np.float32)


def choose_views(shard: dict, rng: np.random.Generator) -> tuple[int, int] | None:
    """Two views of the same things from two sides; None where a random view has no other."""
    a = int(rng.integers(len(shard["rgb"])))
    forward = shard["T_world_camera"][:, :3, 2]
    apart = np.arccos(np.clip(forward @ forward[a], -1, 1))
    near = (apart > _APART[0]) & (apart < _APART[1])
    others = np.flatnonzero((shard["layout"] == shard["layout"][a]) & near)
    return (a, int(rng.choice(others))) if len(others) else None


def pixel_of_thing(shard: dict, view: int, rng: np.random.Generator) -> np.ndarray:
    """(u, v) of a random pixel of a random thing that the view shows, or of the middle where it shows none."""
    rows = shard["rows"][view]
    shown = np.unique(rows)
    things = np.unique(shard["table"][view][shown, 6])
    things = things[things > 0]
    if not len(things):
        return np.array(rows.shape[::-1]) / 2
    mask = np.isin(rows, np.flatnonzero(shard["table"][view][:, 6] == rng.choice(things)))
    v, u = np.nonzero(mask)
    k = rng.integers(len(u))
    return np.array([u[k], v[k]], float)


def cut(
    shard: dict,
    view: int,
    center: np.ndarray,
    scale: float,
    rng: np.random.Generator,
    mirrored: bool = False,
    size: tuple[int, int] = (SIDE, SIDE),
) -> Crop:
    """The window of `size` (across, down) x `scale` pixels about a pixel, moved into the picture."""
    height, width = shard["rows"].shape[1:]
    left, top = (
        float(np.clip(at - n * scale / 2, 0, most - n * scale))
        for at, n, most in zip(center, size, (width, height), strict=True)
    )
    M = np.array([[scale, 0, left], [0, scale, top]])

    def warp(image: np.ndarray, how: int) -> np.ndarray:
        return cv2.warpAffine(image, M, size, flags=how | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE)

    smooth = cv2.INTER_LINEAR
    channels = np.zeros((CHANNELS, *size[::-1]), np.float32)
    channels[:3] = _lit(warp(shard["rgb"][view], smooth).astype(np.float32) / 255, rng).transpose(2, 0, 1) * 2 - 1
    if rng.random() >= _BLIND:
        shape = warp(np.ascontiguousarray(shard["shape"][view].transpose(1, 2, 0).astype(np.float32)), smooth)
        channels[3] = warp((shard["depth"][view] > 0).astype(np.float32), cv2.INTER_NEAREST)
        channels[4:] = shape.transpose(2, 0, 1) / 127
        channels[8] += 0.5 * np.log2(scale) * (channels[8] != 0)
        if rng.random() < _NO_PLANE:
            channels[4:6] = 0
    rows = warp(shard["rows"][view], cv2.INTER_NEAREST)[_AT::STRIDE, _AT::STRIDE]
    labels = shard["table"][view][rows]
    if mirrored:
        channels, labels, rows = channels[:, :, ::-1], labels[:, ::-1], rows[:, ::-1]
    return Crop(channels, labels, rows, (left, top, scale))


def _lit(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Exposure, gamma, white balance, blur and noise of another camera; colours keep their words."""
    gain = rng.uniform(0.75, 1.2) * (1 + rng.uniform(-0.06, 0.06, 3))
    rgb = np.clip(rgb * gain.astype(np.float32), 0, 1) ** np.float32(rng.uniform(0.8, 1.25))
    if rng.random() < 0.25:
        rgb = cv2.GaussianBlur(rgb, (0, 0), rng.uniform(0.4, 1.0))
    if rng.random() < 0.5:
        rgb = rgb + rng.standard_normal(rgb.shape, np.float32) * np.float32(rng.uniform(0, 0.03))
    return np.clip(rgb, 0, 1)


def project(shard: dict, a: int, b: int, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`seen_in` of two views of a shard."""
    first, second = (
        DepthView(shard["depth"][k] / np.float32(1000), shard["K"][k], shard["T_world_camera"][k]) for k in (a, b)
    )
    return seen_in(first, second, pixels)
