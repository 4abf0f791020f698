"""Image losses and measures."""

import torch
from torch import Tensor


def psnr(image: Tensor, truth: Tensor, mask: Tensor | None = None) -> float:
    """Peak signal-to-noise ratio in dB of (H, W, 3) in [0, 1], over `mask` (H, W) where given."""
    error = (image - truth).square().mean(-1)
    mse = float(error.mean() if mask is None else error[mask].mean())
    return -10 * float(torch.log10(torch.tensor(max(mse, 1e-12))))


def ssim(image: Tensor, truth: Tensor, window: int = 11, sigma: float = 1.5) -> Tensor:
    """Mean structural similarity of (H, W, C) in [0, 1] (Wang et al., "Image Quality Assessment", TIP 2004).

    Differs in the border, where the Gaussian window is filled with zeros, as 3DGS has it.
    """
    x = torch.arange(window, dtype=image.dtype, device=image.device) - window // 2
    g = torch.exp(-x.square() / (2 * sigma**2))
    g = g / g.sum()
    channels = image.shape[-1]
    a, b = image.permute(2, 0, 1), truth.permute(2, 0, 1)
    stack = torch.cat([a, b, a * a, b * b, a * b])[:, None]  # one call for the five filtered images
    blurred = torch.nn.functional.conv2d(stack, g.view(1, 1, 1, -1), padding=(0, window // 2))
    blurred = torch.nn.functional.conv2d(blurred, g.view(1, 1, -1, 1), padding=(window // 2, 0))[:, 0]
    mean_a, mean_b, aa, bb, ab = blurred.split(channels)
    c1, c2 = 0.01**2, 0.03**2
    luminance = (2 * mean_a * mean_b + c1) / (mean_a.square() + mean_b.square() + c1)
    contrast = (2 * (ab - mean_a * mean_b) + c2) / (aa - mean_a.square() + bb - mean_b.square() + c2)
    return (luminance * contrast).mean()
