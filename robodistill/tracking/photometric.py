"""How the picture's error changes with the parts' poses: the quadratic that a frame contributes to any solve.

Direct alignment of layers (compare Lucas & Kanade, 1981; Newcombe et al., "DTAM", ICCV 2011): the model is drawn once,
part by part, over the static background; a part's layer moves with the part, and its slope along that motion is the
derivative of the picture, at silhouettes, too. RSRD descends the same error by fifty steps of Adam through the
rasteriser; Gauss-Newton needs a handful of drawings, and its curvature says how sure each direction is.
"""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from robodistill.geometry.camera import Camera
from robodistill.tracking.model import Layers, PartModel, Window
from robodistill.tracking.shade import shade

_LEAST_ALPHA, _NO_ALPHA = 0.03, 1e-3
_LIGHT_STD = (0.03, 0.01, 0.01, 0.01)  # by which a part's light changes from frame to frame
_MARGIN = 12  # pixels around the object
_CORRELATED = 20  # pixels and channels that err together: what the scan got wrong is wrong in all of them
_UNKNOWN = 0.6  # robust error of a pixel whose background nobody has seen
_IN_SIGHT = 0.15  # share of a part that a frame must agree with to tell its light
_BY_CHANCE = 0.25  # share of a part's pixels that agree with anything
_SHADOW, _DEEP = 0.2, 0.4  # robust error that a shadow counts as, and the logarithm of one that does so fully
_HIDDEN = 0.12  # error of colour of what is not the object, blurred over a few pixels


@dataclass(frozen=True, eq=False)
class Picture:
    """A frame as the solver wants it."""

    rgb: np.ndarray
    """(H, W, 3) float32 in [0, 1]."""
    background: np.ndarray
    """(H, W, 3) float32, what is behind the object."""
    known: np.ndarray
    """(H, W) float32 in [0, 1]: whether the background has been seen there."""
    camera: Camera
    usable: np.ndarray | None = None
    """(H, W) float32 weight of each pixel, such as 0 on a person; None where all count."""

    @cached_property
    def half(self) -> "Picture":
        """The same at half the size."""
        camera = self.camera.resized(self.camera.width // 2, self.camera.height // 2)
        planes = (self.rgb, self.background, self.known, self.usable)
        size = camera.width, camera.height
        rgb, background, known, usable = (
            None if x is None else cv2.resize(x, size, interpolation=cv2.INTER_AREA) for x in planes
        )
        return Picture(rgb, background, known, camera, usable)


@dataclass(frozen=True, eq=False)
class Quadratic:
    """The error about given poses: `cost + g . x + x . H x / 2`, x (6 P,) the twists (v, omega) of all parts, on the
    left in the camera frame about the part's middle: see
    `articulation.moved_parts`. Units: squared standard deviations."""

    H: np.ndarray
    """(6 P, 6 P)."""
    g: np.ndarray
    """(6 P,)."""
    cost: float
    """Robust, of all the picture, less that of the background alone, in thousands of pixels: the poses of one frame
    compare by it. What covers the object costs the same wherever the object is thought to be behind it."""
    misfit: float
    """Robust, in [0, 1], mean over the pixels of the object: frames compare by it."""
    visible: np.ndarray
    """(P,) share of a part's drawn pixels that the frame agrees with."""
    area: np.ndarray
    """(P,) pixels."""
    lights: np.ndarray
    """(P, 4) brightness against the scan: `l0 + <l, normal>`, the normal in the field's coordinates at rest."""

    @property
    def sure_lights(self) -> np.ndarray:
        """(P, 4) the same; as in the scan for parts out of sight, as what is taken for them has another colour."""
        return np.where(self.visible[:, None] > _IN_SIGHT, self.lights, unlit(len(self.lights)))


def linearize(
    model: PartModel,
    Ts: np.ndarray,
    picture: Picture,
    spread: float,
    lights: np.ndarray | None = None,
    blur: float = 0.0,
) -> Quadratic:
    """The quadratic of one frame at part poses (P, 4, 4).

    Args:
        spread: Standard deviation of a right pixel's error, brightness in [0, 1].
        lights: (P, 4) brightness to start from; None for that of the scan.
        blur: Of picture and drawing, pixels: more is felt from further away. Such pictures are `Picture.half`.
    """
    parts = model.parts
    lights = unlit(parts) if lights is None else lights
    drawn = _draw(model, Ts, picture, lights, spread, blur)
    if drawn is None:
        nothing = np.zeros(parts)
        return Quadratic(np.zeros((6 * parts,) * 2), np.zeros(6 * parts), np.inf, 1.0, nothing, nothing, lights)
    layers, window, active, error = drawn.layers, drawn.window, drawn.active, drawn.error
    lit = drawn.lit * drawn.gain[..., None]
    behind, weight = picture.background[window.pixels], drawn.weight
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
    chance = (1 / (1 + np.exp((_BY_CHANCE - visible) / 0.04)) + 1e-3).astype(np.float32)
    weight = weight * agreed * np.einsum("phw,p->hw", share, chance) / np.maximum(share.sum(0), 1e-3)
    J = np.zeros((np.count_nonzero(active), 3, 10 * parts), np.float32)
    numbers = np.cumsum(active).reshape(active.shape) - 1
    for p in range(parts):
        if layers.alpha[p].max() < _LEAST_ALPHA:
            continue
        box = layers.box(p, int(np.ceil(3 * blur)) + 2)
        # its edges move over what is behind it; edges of what hides it stay
        rest, hidden = layers.without(p, lit, behind, box), sight[p][box][..., None]
        slopes = [
            _blurred((_slope(lit[p][box], axis) - rest * _slope(layers.alpha[p][box], axis)[..., None]) * hidden, blur)
            for axis in ((1, 0), (0, 1))
        ]
        _move(J[:, :, 6 * p : 6 * p + 6], model, Ts, layers, p, slopes, window, active, numbers, box, blur)
        inside = active[box]
        rows, color = numbers[box][inside], (layers.color[p][box] * hidden * drawn.gain[box][..., None])[inside]
        at = 6 * parts + 4 * p
        J[rows, :, at] = color
        normal = layers.normal[p][box][inside] / np.maximum(layers.alpha[p][box][inside], _NO_ALPHA)[:, None]
        J[rows, :, at + 1 : at + 4] = color[:, :, None] * normal[:, None]
    w = weight[active] / np.float32(_CORRELATED * spread**2)
    flat = J.reshape(-1, J.shape[-1])
    weighted = flat * np.repeat(w, 3)[:, None]
    A = (weighted.T @ flat).astype(np.float64)
    b = (weighted.T @ error[active].ravel()).astype(np.float64)
    # light: near what it was, then solved for and out
    poses, light = slice(6 * parts), slice(6 * parts, None)
    A[light, light] += np.diag(np.tile(np.array(_LIGHT_STD) ** -2.0, parts))
    solved = np.linalg.solve(A[light, light], np.column_stack([A[light, poses], b[light]]))
    return Quadratic(
        H=A[poses, poses] - A[poses, light] @ solved[:, :-1],
        g=b[poses] - A[poses, light] @ solved[:, -1],
        cost=drawn.cost(spread),
        misfit=float(robust(drawn.error, spread)[drawn.active].mean()),
        visible=visible,
        area=area,
        lights=np.clip(lights - solved[:, -1].reshape(parts, 4), [0.4, -0.6, -0.6, -0.6], [2.0, 0.6, 0.6, 0.6]),
    )


def misfit(
    model: PartModel,
    Ts: np.ndarray,
    picture: Picture,
    spread: float,
    lights: np.ndarray | None,
    blur: float,
    made: tuple[Layers, Window] | None = None,
) -> float:
    """`linearize(...).cost` alone, which is several times cheaper; what is `made` already need not be drawn."""
    drawn = _draw(model, Ts, picture, unlit(model.parts) if lights is None else lights, spread, blur, made)
    return np.inf if drawn is None else drawn.cost(spread)


@dataclass(frozen=True, eq=False)
class _Drawn:
    """The model beside the frame, in the window that it fills."""

    layers: Layers
    window: Window
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

    def cost(self, spread: float) -> float:
        """See `Quadratic.cost`."""
        without = np.where(self.known[self.active] > 0.5, robust(self.empty, spread)[self.active], _UNKNOWN)
        gains = robust(self.error, spread)[self.active] - without
        gains += _SHADOW * np.minimum(np.abs(np.log(self.gain[self.active])) / _DEEP, 1)
        return float(gains.sum() if self.usable is None else gains @ self.usable[self.active]) / 1000


def _checkered(shape: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[::2, ::2] = mask[1::2, 1::2] = True
    return mask


def unlit(parts: int) -> np.ndarray:
    """(P, 4) lights of `Quadratic` as in the scan."""
    return np.tile([1.0, 0, 0, 0], (parts, 1))


def _draw(
    model: PartModel,
    Ts: np.ndarray,
    picture: Picture,
    lights: np.ndarray,
    spread: float,
    blur: float,
    made: tuple[Layers, Window] | None = None,
) -> _Drawn | None:
    margin = _MARGIN // 2 if blur > 0 else _MARGIN  # a blurred picture is of half the size
    window = window_of(model, Ts, picture.camera, margin) if made is None else made[1]
    if window is None:
        return None
    layers = model.draw(Ts, window) if made is None else made[0]
    seen, behind, known = (array[window.pixels] for array in (picture.rgb, picture.background, picture.known))
    lit, through = lit_by(layers, lights), layers.through
    own = layers.added(lit)
    gain = shade(layers, own, seen, spread, blur > 0)
    error = _blurred(gain[..., None] * own + through[..., None] * behind - seen, blur)
    # an edge over an unknown background says nothing
    weight = (np.clip(1 - through + known, 0, 1) ** 2) ** 2 if known.min() < 1 else np.ones_like(known)
    usable = None if picture.usable is None else picture.usable[window.pixels]
    if usable is not None:
        weight = weight * usable
    empty = _blurred(behind - seen, blur)
    return _Drawn(layers, window, lit, through < 1 - _LEAST_ALPHA, weight, error, empty, known, usable, gain)


def lit_by(layers: Layers, lights: np.ndarray) -> np.ndarray:
    """(P, H, W, 3) colours times alpha under lights (P, 4): the light on a matt surface that turns is, to first order,
    linear in its normal (Lambert)."""
    lit, lights = layers.color.copy(), lights.astype(np.float32)
    for own, normal, alpha, light in zip(lit, layers.normal, layers.alpha, lights, strict=True):
        turned = normal @ light[1:] / np.maximum(alpha, _NO_ALPHA) if light[1:].any() else 0
        own *= np.atleast_2d(light[0] + turned)[..., None]
    return lit


def _blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), sigma) if sigma > 0 else np.ascontiguousarray(image)


def _slope(image: np.ndarray, axis: tuple[int, int]) -> np.ndarray:
    return cv2.Scharr(np.ascontiguousarray(image), cv2.CV_32F, *axis, scale=1 / 32)


def _agreement(error: np.ndarray, spread: float) -> np.ndarray:
    """(H, W) weight of each pixel: robust (Geman & McClure), and nought where the neighbourhood disagrees as well."""
    size = np.sqrt(_mean_square(error))
    around = cv2.GaussianBlur(np.minimum(size, 0.4), (0, 0), 2.0)
    return 1 / ((1 + (size / (2 * spread)) ** 2) ** 2 * (1 + ((around / _HIDDEN) ** 2) ** 2))


def robust(error: np.ndarray, spread: float) -> np.ndarray:
    """(H, W) loss of errors (H, W, 3) in [0, 1), Geman & McClure's."""
    square = _mean_square(error) / np.float32((3 * spread) ** 2)
    return square / (1 + square)


def _mean_square(error: np.ndarray) -> np.ndarray:
    """(H, W) over the colours; numpy's own mean over a short last axis takes ten times as long."""
    return np.einsum("hwc,hwc->hw", error, error) / np.float32(error.shape[-1])


def _move(
    J: np.ndarray,
    model: PartModel,
    Ts: np.ndarray,
    layers: Layers,
    p: int,
    slopes: list[np.ndarray],
    window: Window,
    active: np.ndarray,
    numbers: np.ndarray,
    box: tuple[slice, slice],
    blur: float,
) -> None:
    """Fill in (n, 3, 6), the active pixels' colours by the twist of part p, which is in a box; `numbers` (H, W) name
    the pixels."""
    sx, sy = slopes
    # one pixel beyond its edge a part has no depth of its own: that of its rim
    around = max(1.5, blur)
    smooth_alpha, smooth_depth = (cv2.GaussianBlur(x[p][box], (0, 0), around) for x in (layers.alpha, layers.depth))
    own = (smooth_alpha > 1e-3) & active[box]
    K = window.camera.K
    x, y = window.inside(box).rays(own).T
    z = smooth_depth[own] / smooth_alpha[own]
    mx, my, mz = Ts[p, :3, :3] @ model.centers[p] + Ts[p, :3, 3]
    # a point's offset from the part's middle, and its pixel's motion by v and by omega x offset
    dx, dy, dz = x * z - np.float32(mx), y * z - np.float32(my), z - np.float32(mz)
    fx, fy, o = np.float32(K[0, 0]) / z, np.float32(K[1, 1]) / z, np.zeros_like(z)
    u = fx[:, None] * np.stack([o + 1, o, -x, -x * dy, dz + x * dx, -dy], 1)
    v = fy[:, None] * np.stack([o, o + 1, -y, -dz - y * dy, y * dx, dx], 1)
    J[numbers[box][own]] = -(sx[own][:, :, None] * u[:, None] + sy[own][:, :, None] * v[:, None])


def window_of(model: PartModel, Ts: np.ndarray, camera: Camera, margin: int = _MARGIN) -> Window | None:
    """The part of the picture that the object is in, some pixels around it; None where it is not."""
    points = model.posed_points(Ts)
    points = points[points[:, 2] > 0.05]
    if len(points) < 10:
        return None
    pixels = points @ camera.K.T
    low, high = np.percentile(pixels[:, :2] / pixels[:, 2:], [0.5, 99.5], axis=0)
    left, top = np.floor(np.maximum(low - margin, 0)).astype(int)
    right, bottom = np.ceil(np.minimum(high + margin + 1, [camera.width, camera.height])).astype(int)
    if right - left < 8 or bottom - top < 8:
        return None
    return Window(camera, int(left), int(top), int(right - left), int(bottom - top))
