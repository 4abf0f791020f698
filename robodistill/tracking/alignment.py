"""Drawn parts laid over a picture and compared with it: what `alignment_kernel` does several times faster, in numpy.

A part's layer moves with the part, and its slope along that motion is the derivative of the picture, at silhouettes,
too: see `photometric`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from robodistill.tracking.layers import Layers, Window
from robodistill.tracking.picture import Picture
from robodistill.tracking.shade import NO_ALPHA, lit_by, shade

LEAST_ALPHA = 0.03
CORRELATED = 20  # pixels and channels that err together: what the scan got wrong is wrong in all of them
UNKNOWN = 0.6  # robust error of a pixel whose background nobody has seen
BY_CHANCE = 0.25  # share of a part's pixels that agree with anything
SHADOW, DEEP = 0.2, 0.4  # robust error that a shadow counts as, and the logarithm of one that does so fully
HIDDEN = 0.12  # error of colour of what is not the object, blurred over a few pixels


@dataclass(frozen=True, eq=False)
class Scene:
    """Parts as drawn, and a frame."""

    layers: Layers
    window: Window
    """That they are drawn in."""
    picture: Picture
    lights: np.ndarray
    """(P, 4) of `photometric.Quadratic`."""
    spread: float
    """Standard deviation of a right pixel's error, brightness in [0, 1]."""
    blur: float
    """Of picture and drawing, pixels; blurred pictures are of half the size."""


@dataclass(frozen=True, eq=False)
class Compared:
    """How near the drawing is."""

    cost: float
    """As `photometric.Quadratic` has it."""
    misfit: float
    """As `photometric.Quadratic` has it."""
    hidden: np.ndarray
    """(P,) pixels of a part that others hide."""


@dataclass(frozen=True, eq=False)
class Sums:
    """Over the pixels, in squared standard deviations: of products of the colours' derivatives with each other, and
    with the errors. They are by the twists of all P parts, then by their lights."""

    A: np.ndarray
    """(10 P, 10 P)."""
    b: np.ndarray
    """(10 P,)."""
    visible: np.ndarray
    """(P,) share of a part's drawn pixels that the frame agrees with."""
    area: np.ndarray
    """(P,) pixels."""


def compare(scene: Scene) -> Compared:
    """How near a drawing is to the frame."""
    return _draw(scene).compared(scene)


def normal_equations(scene: Scene, middles: np.ndarray) -> tuple[Compared, Sums]:
    """The same, and how that changes with the parts' poses and lights; `middles` (P, 3) are those of the parts in the
    camera frame, about which they turn."""
    drawn, layers, window, spread, blur = _draw(scene), scene.layers, scene.window, scene.spread, scene.blur
    parts, active, error = len(layers.planes), drawn.active, drawn.error
    lit = drawn.lit * drawn.gain[..., None]
    behind, weight = scene.picture.background[window.pixels], drawn.weight
    # a sharp picture is told by every second pixel; a blurred one is of half the size
    active = active if blur > 0 else active & _checkered(active.shape)
    weight = (4 if blur > 0 else 2) * weight
    agreed = _agreement(error, spread)
    sight = layers.in_sight
    share = layers.alpha * sight
    own = share * (layers.alpha > 0.5)
    area = own.sum((1, 2))
    visible = np.einsum("phw,hw->p", own, (agreed > 0.25).astype(np.float32)) / np.maximum(area, 1)
    # where little of a part agrees, it does so by chance
    chance = (1 / (1 + np.exp((BY_CHANCE - visible) / 0.04)) + 1e-3).astype(np.float32)
    weight = weight * agreed * np.einsum("phw,p->hw", share, chance) / np.maximum(share.sum(0), 1e-3)
    J = np.zeros((np.count_nonzero(active), 3, 10 * parts), np.float32)
    numbers = np.cumsum(active).reshape(active.shape) - 1
    for p in range(parts):
        if layers.alpha[p].max() < LEAST_ALPHA:
            continue
        box = layers.box(p, int(np.ceil(3 * blur)) + 2)
        # its edges move over what is behind it; edges of what hides it stay
        rest, hidden = layers.without(p, lit, behind, box), sight[p][box][..., None]
        slopes = [
            _blurred((_slope(lit[p][box], axis) - rest * _slope(layers.alpha[p][box], axis)[..., None]) * hidden, blur)
            for axis in ((1, 0), (0, 1))
        ]
        inside = active[box]
        rows = numbers[box][inside]
        _move(J[:, :, 6 * p : 6 * p + 6], middles[p], layers, p, slopes, window, inside, numbers, box, blur)
        color = (layers.color[p][box] * hidden * drawn.gain[box][..., None])[inside]
        at = 6 * parts + 4 * p
        J[rows, :, at] = color
        normal = layers.normal[p][box][inside] / np.maximum(layers.alpha[p][box][inside], NO_ALPHA)[:, None]
        J[rows, :, at + 1 : at + 4] = color[:, :, None] * normal[:, None]
    w = weight[active] / np.float32(CORRELATED * spread**2)
    flat = J.reshape(-1, J.shape[-1])
    weighted = flat * np.repeat(w, 3)[:, None]
    A, b = (weighted.T @ flat).astype(np.float64), (weighted.T @ error[active].ravel()).astype(np.float64)
    return drawn.compared(scene), Sums(A, b, visible, area)


def agreement(scene: Scene) -> np.ndarray:
    """(H, W) of the window, in [0, 1]: by how much each pixel agrees with what is drawn."""
    return _agreement(_draw(scene).error, scene.spread)


@dataclass(frozen=True, eq=False)
class _Drawn:
    """The parts beside the frame, in the window that they are drawn in."""

    lit: np.ndarray
    """(P, H, W, 3) of `lit_by`."""
    active: np.ndarray
    weight: np.ndarray
    error: np.ndarray
    empty: np.ndarray
    known: np.ndarray
    usable: np.ndarray | None
    gain: np.ndarray
    """(H, W) of `shade`."""

    def compared(self, scene: Scene) -> Compared:
        active, error = self.active, robust(self.error, scene.spread)[self.active]
        without = np.where(self.known[active] > 0.5, robust(self.empty, scene.spread)[active], UNKNOWN)
        gains = error - without + SHADOW * np.minimum(np.abs(np.log(self.gain[active])) / DEEP, 1)
        total = gains.sum() if self.usable is None else gains @ self.usable[active]
        hidden = (scene.layers.alpha * (1 - scene.layers.in_sight)).sum((1, 2))
        return Compared(float(total) / 1000, float(error.mean()) if len(error) else 1.0, hidden)


def _draw(scene: Scene) -> _Drawn:
    layers, window, picture, blur = scene.layers, scene.window, scene.picture, scene.blur
    seen, behind, known = (array[window.pixels] for array in (picture.rgb, picture.background, picture.known))
    lit, through = lit_by(layers, scene.lights), layers.through
    own = layers.added(lit)
    gain = shade(layers, own, seen, scene.spread, blur > 0)
    error = _blurred(gain[..., None] * own + through[..., None] * behind - seen, blur)
    # an edge over an unknown background says nothing
    weight = np.clip(1 - through + known, 0, 1) ** 4
    usable = None if picture.usable is None else picture.usable[window.pixels]
    if usable is not None:
        weight = weight * usable
    empty = _blurred(behind - seen, blur)
    return _Drawn(lit, through < 1 - LEAST_ALPHA, weight, error, empty, known, usable, gain)


def robust(error: np.ndarray, spread: float) -> np.ndarray:
    """(H, W) loss of errors (H, W, 3) in [0, 1), Geman & McClure's."""
    square = _mean_square(error) / np.float32((3 * spread) ** 2)
    return square / (1 + square)


def _mean_square(error: np.ndarray) -> np.ndarray:
    """(H, W) over the colours; numpy's own mean over a short last axis takes ten times as long."""
    return np.einsum("hwc,hwc->hw", error, error) / np.float32(error.shape[-1])


def _agreement(error: np.ndarray, spread: float) -> np.ndarray:
    """(H, W) weight of each pixel: robust (Geman & McClure), and nought where the neighbourhood disagrees as well."""
    size = np.sqrt(_mean_square(error))
    around = cv2.GaussianBlur(np.minimum(size, 0.4), (0, 0), 2.0)
    return 1 / ((1 + (size / (2 * spread)) ** 2) ** 2 * (1 + ((around / HIDDEN) ** 2) ** 2))


def _checkered(shape: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[::2, ::2] = mask[1::2, 1::2] = True
    return mask


def _blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), sigma) if sigma > 0 else np.ascontiguousarray(image)


def _slope(image: np.ndarray, axis: tuple[int, int]) -> np.ndarray:
    return cv2.Scharr(np.ascontiguousarray(image), cv2.CV_32F, *axis, scale=1 / 32)


def _move(
    J: np.ndarray,
    middle: np.ndarray,
    layers: Layers,
    p: int,
    slopes: list[np.ndarray],
    window: Window,
    inside: np.ndarray,
    numbers: np.ndarray,
    box: tuple[slice, slice],
    blur: float,
) -> None:
    """Fill in (n, 3, 6), the colours by the twist of part p, of the pixels `inside` of a box; `numbers` (H, W) name all
    pixels."""
    sx, sy = slopes
    # one pixel beyond its edge a part has no depth of its own: that of its rim
    around = max(1.5, blur)
    smooth_alpha, smooth_depth = (cv2.GaussianBlur(x[p][box], (0, 0), around) for x in (layers.alpha, layers.depth))
    own = (smooth_alpha > 1e-3) & inside
    K = window.camera.K
    x, y = window.inside(box).rays(own).T
    z = smooth_depth[own] / smooth_alpha[own]
    mx, my, mz = middle.astype(np.float32)
    u, v = by_twist(x, y, z, (x * z - mx, y * z - my, z - mz), K)
    J[numbers[box][own]] = -(sx[own][:, :, None] * u[:, None] + sy[own][:, :, None] * v[:, None])


def by_twist(
    x: np.ndarray, y: np.ndarray, z: np.ndarray, offset: Sequence[np.ndarray], K: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(n, 6) each: how pixels go by a twist (v, omega) of points of slopes x, y and depth z that are `offset`,
    (n,) in each of three directions, from what they turn about."""
    dx, dy, dz = offset
    fx, fy, o = np.float32(K[0, 0]) / z, np.float32(K[1, 1]) / z, np.zeros_like(z)
    u = fx[:, None] * np.stack([o + 1, o, -x, -x * dy, dz + x * dx, -dy], 1)
    v = fy[:, None] * np.stack([o, o + 1, -y, -dz - y * dy, y * dx, dx], 1)
    return u, v
