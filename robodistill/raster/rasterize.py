"""Rasterise Gaussians with the call convention of `gsplat.rasterization`: CUDA through gsplat, CPU by our kernel.

The way is chosen by where the tensors are. Without a compiled kernel the PyTorch twin runs, with one warning.
"""

import functools
import logging

import torch
from torch import Tensor

from robodistill.errors import BadInput, MissingPart
from robodistill.raster.kernel import Rasterize, View, load_kernel
from robodistill.raster.sh import evaluate_sh
from robodistill.raster.twin import RENDER_MODES, rasterize_twin

log = logging.getLogger(__name__)


def rasterize(
    means: Tensor,
    quats: Tensor,
    scales: Tensor,
    opacities: Tensor,
    colors: Tensor,
    viewmats: Tensor,
    Ks: Tensor,
    width: int,
    height: int,
    *,
    near_plane: float = 0.01,
    far_plane: float = 1e10,
    eps2d: float = 0.3,
    sh_degree: int | None = None,
    backgrounds: Tensor | None = None,
    render_mode: str = "RGB",
    backend: str = "auto",
) -> tuple[Tensor, Tensor, dict]:
    """Render Gaussians into cameras, differentiable with respect to everything but `Ks`.

    Args:
        means: (N, 3) centres in the world, metres.
        quats: (N, 4) orientations wxyz, of any length but zero.
        scales: (N, 3) standard deviations along the Gaussian's axes, metres.
        opacities: (N,) in [0, 1].
        colors: (N, D) or, where they depend on the view, (C, N, D), with any D; with `sh_degree`, (N, K, 3)
            spherical harmonics coefficients.
        viewmats: (C, 4, 4) `T_camera_world`, OpenCV cameras.
        Ks: (C, 3, 3) pixels, origin at the *corner* of the first pixel (`Camera.K_corner`).
        near_plane: Gaussians nearer than this are dropped, metres.
        far_plane: Gaussians further than this are dropped, metres.
        eps2d: Low-pass added to the 2D covariance, square pixels.
        sh_degree: Evaluate `colors` as spherical harmonics up to this degree.
        backgrounds: (C, D) what is seen through the colour channels; depth has no background.
        render_mode: "RGB" colours; "D" depth summed with the blending weights; "ED" that divided by alpha; or
            "RGB+D", "RGB+ED", depth in the last channel.
        backend: "auto", or one of "kernel", "twin", "gsplat".

    Returns:
        (C, H, W, X) channels, (C, H, W, 1) alphas, and what is known besides: {"backend": name}.

    Raises:
        BadInput: Unknown `render_mode` or `backend`.
        MissingPart: The asked-for back end is not there.

    Reference: Kerbl et al., "3D Gaussian Splatting", SIGGRAPH 2023; conventions and numerics of gsplat 1.5.3.
    """
    if render_mode not in RENDER_MODES:
        raise BadInput(f"render_mode must be one of {', '.join(RENDER_MODES)}; got {render_mode!r}")
    backend = choose_backend(means.device) if backend == "auto" else backend
    if backend not in _BACKENDS:
        raise BadInput(f"backend must be auto, {', '.join(_BACKENDS)}; got {backend!r}")
    if sh_degree is not None:
        colors = view_colors(means, colors, viewmats, sh_degree)
    options = {"near_plane": near_plane, "far_plane": far_plane, "eps2d": eps2d}
    image, alphas = _BACKENDS[backend](
        *(means, quats, scales, opacities, colors, viewmats, Ks, width, height),
        **options,
        backgrounds=backgrounds,
        render_mode=render_mode,
    )
    return image, alphas, {"backend": backend}


def view_colors(means: Tensor, coefficients: Tensor, viewmats: Tensor, sh_degree: int) -> Tensor:
    """(C, N, 3) colours >= 0 that cameras see of spherical harmonics (N, K, 3), as 3DGS defines them."""
    R, t = viewmats[:, :3, :3], viewmats[:, :3, 3]
    centers = -(R.mT @ t[..., None])[..., 0]
    rays = torch.nn.functional.normalize(means[None] - centers[:, None], dim=-1)
    return (evaluate_sh(sh_degree, rays, coefficients[None]) + 0.5).clamp_min(0)


def blending_weights(
    means: Tensor, quats: Tensor, scales: Tensor, opacities: Tensor, viewmat: Tensor, K: Tensor, width: int, height: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Which Gaussians made each pixel of one camera, and with what weight, without a dense pixel x Gaussian array.

    Args are those of `rasterize` for one camera: viewmat (4, 4), K (3, 3).

    Returns:
        Compressed rows over the H W pixels: starts (H W + 1,) int64, Gaussian indices (M,) int32 near to far in each
        pixel, weights (M,); a pixel's weights sum to its alpha.

    Raises:
        MissingPart: The CPU kernel, which does this for tensors on any device, is not there.
    """
    view = _projected(means, quats, scales, opacities, viewmat, K, width, height)
    starts, ids, weights = view.weights(means.dtype)
    return starts.to(means.device), ids.to(means.device), weights.to(means.device)


def cell_weights(
    means: Tensor,
    quats: Tensor,
    scales: Tensor,
    opacities: Tensor,
    viewmat: Tensor,
    K: Tensor,
    width: int,
    height: int,
    columns: int,
    rows: int,
    least: float = 0.0,
    threads: int | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """`blending_weights` summed over the cells of a grid of `columns` x `rows` that covers the image evenly.

    It is what lifts a feature map into a field: made inside the tiles, it takes a fraction of the memory of the weights
    of all pixels.

    Args:
        least: Pixels; a cell of which a Gaussian made no more than this is left out of its row.
        threads: That work on it; None for torch's number.

    Returns:
        Compressed rows over the N Gaussians: starts (N + 1,) int64, cells (M,) int32 counted by rows of the grid,
        weights (M,). A cell comes once for each 16 x 16 tile of the image that it lies in.

    Raises:
        MissingPart: The CPU kernel, which does this for tensors on any device, is not there.
    """
    view = _projected(means, quats, scales, opacities, viewmat, K, width, height, threads)
    starts, cells, weights = view.cell_weights(len(means), columns, rows, means.dtype, least)
    return starts.to(means.device), cells.to(means.device), weights.to(means.device)


def _projected(means, quats, scales, opacities, viewmat, K, width, height, threads=None) -> View:
    cpu = [t.detach().cpu() for t in (means, quats, scales, opacities)]
    none = cpu[0].new_empty(len(means), 0)
    return View(*cpu, none, viewmat.detach().cpu(), K.detach().cpu(), width, height, 0.01, 1e10, 0.3, False, threads)


def choose_backend(device: torch.device) -> str:
    """Name of the back end for tensors on `device`."""
    if device.type == "cuda":
        return "gsplat"
    return "kernel" if kernel_is_there() else "twin"


@functools.cache
def kernel_is_there() -> bool:
    """Whether the compiled kernel runs here; said once where it does not."""
    try:
        load_kernel()
    except MissingPart as error:
        log.warning("%s; the PyTorch twin runs instead, 10 to 40 times slower", error)
        return False
    return True


def _rasterize_kernel(
    means,
    quats,
    scales,
    opacities,
    colors,
    viewmats,
    Ks,
    width,
    height,
    *,
    near_plane,
    far_plane,
    eps2d,
    backgrounds,
    render_mode,
):
    with_rgb, with_depth = "RGB" in render_mode, "D" in render_mode
    planes = (near_plane, far_plane, eps2d)
    images, alphas = [], []
    for c in range(len(viewmats)):
        features = colors[c] if colors.ndim == 3 else colors
        if not with_rgb:
            features = features[:, :0]
        image, alpha = Rasterize.apply(
            means, quats, scales, opacities, features, viewmats[c], Ks[c], width, height, planes, with_depth
        )
        if "ED" in render_mode or backgrounds is not None:
            rgb, depth = image.split([features.shape[-1], int(with_depth)], -1)
            if "ED" in render_mode:
                depth = depth / alpha.clamp_min(1e-10)
            if with_rgb and backgrounds is not None:
                rgb = rgb + (1 - alpha) * backgrounds[c]
            image = torch.cat([rgb, depth], -1)
        images.append(image)
        alphas.append(alpha)
    if len(images) == 1:
        return images[0][None], alphas[0][None]  # no copy of what most views are
    return torch.stack(images), torch.stack(alphas)


def _rasterize_gsplat(means, quats, scales, opacities, colors, viewmats, Ks, width, height, **options):
    try:
        from gsplat import rasterization
    except ImportError as error:
        raise MissingPart(f"tensors on {means.device} need gsplat: pip install gsplat packaging ({error})") from error
    if options["backgrounds"] is None:
        options.pop("backgrounds")
    image, alphas, _ = rasterization(means, quats, scales, opacities, colors, viewmats, Ks, width, height, **options)
    return image, alphas


_BACKENDS = {"kernel": _rasterize_kernel, "twin": rasterize_twin, "gsplat": _rasterize_gsplat}
