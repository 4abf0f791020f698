"""`alignment` in C++ (`csrc/`): the same numbers to single precision, in one pass over the window."""

from collections.abc import Callable
from ctypes import c_float, c_int, c_int64, c_void_p
from functools import cache

import numpy as np

from robodistill.raster.kernel import load_kernel
from robodistill.tracking import alignment, shade
from robodistill.tracking.alignment import Compared, Scene, Sums

_TUNING = np.array(
    [
        *(alignment.LEAST_ALPHA, shade.NO_ALPHA, alignment.BY_CHANCE, alignment.SHADOW, alignment.DEEP),
        *(alignment.HIDDEN, alignment.UNKNOWN, alignment.CORRELATED),
        *(shade.SOLID, shade.SMOOTH, *shade.GAINS, shade.SHADED, *shade.LIGHTS, shade.TELL),
    ],
    np.float32,
)
"""`Tuning` of csrc/alignment.hpp."""


def compare(scene: Scene) -> Compared:
    """See `alignment.compare`."""
    return _aligned(scene, *[None] * 6)


def normal_equations(scene: Scene, middles: np.ndarray) -> tuple[Compared, Sums]:
    """See `alignment.normal_equations`."""
    parts, window = len(scene.layers.planes), scene.window
    K = window.camera.K
    camera = np.array([K[0, 0], K[1, 1], K[0, 2] - window.left, K[1, 2] - window.top], np.float32)
    A, b, visible, area = np.zeros((10 * parts,) * 2), np.zeros(10 * parts), np.zeros(parts), np.zeros(parts)
    compared = _aligned(scene, camera, np.ascontiguousarray(middles, np.float32), A, b, visible, area)
    return compared, Sums(A, b, visible, area)


def _aligned(scene: Scene, *sums: np.ndarray | None) -> Compared:
    planes, picture = [np.ascontiguousarray(plane, np.float32) for plane in scene.layers.planes], scene.picture
    images = [picture.rgb, picture.background, picture.known, picture.usable]
    images = [None if x is None else np.ascontiguousarray(x, np.float32) for x in images]
    views = [None if x is None else x[scene.window.pixels] for x in images]
    lights, summary = np.ascontiguousarray(scene.lights, np.float32), np.zeros(2 + len(planes))
    drawn = (c_void_p * len(planes))(*[plane.ctypes.data for plane in planes])
    failed = _function()(
        *(len(planes), scene.window.height, scene.window.width, drawn, _pointer(lights), *map(_pointer, views)),
        *(images[2].shape[1], scene.spread, scene.blur, _pointer(_TUNING), _pointer(summary), *map(_pointer, sums)),
    )
    if failed:
        raise MemoryError(f"no memory to compare {len(planes)} parts in {scene.window.height} x {scene.window.width}")
    return Compared(float(summary[0]), float(summary[1]), summary[2:])


@cache
def _function() -> Callable[..., int]:
    align = load_kernel().rd_align
    align.restype, align.argtypes = c_int, [c_int] * 3 + [c_void_p] * 6 + [c_int64, c_float, c_float] + [c_void_p] * 8
    return align


def _pointer(array: np.ndarray | None) -> int | None:
    return None if array is None else array.ctypes.data
