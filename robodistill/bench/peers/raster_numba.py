"""The rasteriser in numba: what a tuned kernel without a C++ compiler reaches, for the benchmark to compare with.

The same algorithm, conventions and precision as the compiled kernel, written by hand for float32 and one camera.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from robodistill.errors import MissingPart


class NumbaRender(NamedTuple):
    """A rendered image and the way back from it."""

    image: np.ndarray
    """(H, W, D) float32."""
    alpha: np.ndarray
    """(H, W) float32."""
    backward: Callable[[np.ndarray, np.ndarray], dict[str, np.ndarray]]
    """Gradients of the inputs, by name, from gradients of `image` and `alpha`; `viewmat` is (4, 4), its last row 0."""


def rasterize_numba(
    means: np.ndarray,
    quats: np.ndarray,
    scales: np.ndarray,
    opacities: np.ndarray,
    colors: np.ndarray,
    viewmat: np.ndarray,
    K: np.ndarray,
    width: int,
    height: int,
    *,
    near_plane: float = 0.01,
    far_plane: float = 1e10,
    eps2d: float = 0.3,
    background: np.ndarray | None = None,
) -> NumbaRender:
    """Render Gaussians into one camera. Arguments mean what they do in `rasterize_twin`; anything NumPy can read.

    Args:
        means: (N, 3), metres.
        quats: (N, 4) wxyz.
        scales: (N, 3), metres.
        opacities: (N,).
        colors: (N, D), any D.
        viewmat: (4, 4) `T_camera_world`.
        K: (3, 3) pixels, origin at the corner of the first pixel, without skew.
        background: (D,).

    Raises:
        MissingPart: numba is not installed.
    """
    try:
        from robodistill.bench.peers import numba_blend, numba_project
    except ModuleNotFoundError as error:
        if error.name != "numba":
            raise
        raise MissingPart("the numba peer needs numba: pip install 'robodistill[bench]'") from error

    gaussians = [np.ascontiguousarray(x, np.float32) for x in (means, quats, scales, opacities)]
    colors = np.ascontiguousarray(colors, np.float32)
    view, K = np.ascontiguousarray(viewmat, np.float32), np.ascontiguousarray(K, np.float32)
    N, D = colors.shape
    assert [x.shape for x in gaussians] == [(N, 3), (N, 4), (N, 3), (N,)], [x.shape for x in gaussians]
    assert view.shape == (4, 4) and K.shape == (3, 3) and K[0, 1] == 0, (view.shape, K)
    background = np.zeros(D, np.float32) if background is None else np.ascontiguousarray(background, np.float32)
    size = (int(width), int(height))
    planes = (np.float32(near_plane), np.float32(far_plane), np.float32(eps2d))

    colors, background = _padded(colors), _padded(background)
    splats, covs, depths, radii = numba_project.project(*gaussians, view, K, *map(np.float32, size), *planes)
    across, down = (-(-x // numba_project.TILE) for x in size)
    first, start, slots, owner = numba_project.assign(splats, covs, depths, radii, across, down)
    image, alpha, *state = numba_blend.forward(splats, colors, start, owner, *size, background)

    def backward(v_image: np.ndarray, v_alpha: np.ndarray) -> dict[str, np.ndarray]:
        v_image, v_alpha = np.ascontiguousarray(v_image, np.float32), np.ascontiguousarray(v_alpha, np.float32)
        assert v_image.shape == (height, width, D) and v_alpha.shape == alpha.shape, (v_image.shape, v_alpha.shape)
        grads = numba_blend.backward(
            *(splats, colors, start, slots, owner, *size, background, *state, _padded(v_image), v_alpha)
        )
        results = numba_project.project_backward(
            *gaussians[:3], view, K, *map(np.float32, size), splats, first, grads, D
        )
        names = ("means", "quats", "scales", "opacities", "colors", "viewmat")
        return dict(zip(names, results, strict=True))

    return NumbaRender(image[..., :D], alpha, backward)


def _padded(channels: np.ndarray) -> np.ndarray:
    """At least four channels: the kernels unroll four, and unused ones cost less than a loop of unknown length."""
    missing = 4 - channels.shape[-1]
    return np.pad(channels, [(0, 0)] * (channels.ndim - 1) + [(0, missing)]) if missing > 0 else channels
