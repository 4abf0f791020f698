"""Images for encoders: resizing and normalisation in torch, at the image's own aspect.

Pillow and torchvision are not needed; antialiased resizing in torch agrees with Pillow's to rounding.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from robodistill.capture.read import read_json
from robodistill.errors import BadInput

_RESAMPLE = {2: "bilinear", 3: "bicubic"}  # Pillow's numbers, as the files have them


@dataclass(frozen=True)
class Norm:
    """How pixels in [0, 1] become what an encoder was trained on."""

    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    """ImageNet's, as DINO and SAM have it."""
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    resample: str = "bicubic"
    size: int = 0
    """Pixels of the square image that the model was used with; 0 where the folder does not say."""


def read_norm(folder: Path, default: Norm) -> Norm:
    """Read a model folder's preprocessor_config.json; what it does not say is `default`'s.

    Raises:
        BadInput: Mean or standard deviation are not three numbers, the latter positive.
    """
    said: dict = {}
    for name in ("preprocessor_config.json", "processor_config.json"):
        if (folder / name).is_file():
            said = read_json(folder / name)
            # Newer files hold the processors of all inputs.
            said = said.get("image_processor", said)
            if "image_mean" in said:
                break
    mean, std = (said.get(f"image_{key}", getattr(default, key)) for key in ("mean", "std"))
    for values in (mean, std):
        if np.shape(values) != (3,) or not np.isfinite(values).all():
            raise BadInput(f"{folder}: image_mean and image_std must be 3 numbers each, got {mean} and {std}")
    if min(std) <= 0:
        raise BadInput(f"{folder}: image_std must be positive, got {std}")
    size = said.get("size") or {}
    edge = size if isinstance(size, int) else size.get("height") or size.get("shortest_edge") or default.size
    return Norm(tuple(mean), tuple(std), _RESAMPLE.get(said.get("resample"), default.resample), int(edge))


def grid_for(height: int, width: int, side: int, patch: int) -> tuple[int, int]:
    """(rows, columns) of patches for an image whose long side becomes about `side` pixels, at its own aspect."""
    cells = side / patch / max(height, width)
    return max(1, round(height * cells)), max(1, round(width * cells))


def prepare(rgb: np.ndarray, size: tuple[int, int], norm: Norm, device: torch.device) -> Tensor:
    """Resize and normalise.

    Args:
        rgb: (H, W, 3) uint8.
        size: (h, w) pixels wanted; the whole image is squeezed or stretched into them.

    Returns:
        (1, 3, h, w) float32 on `device`.
    """
    image = torch.from_numpy(np.ascontiguousarray(rgb)).to(device).permute(2, 0, 1)[None].float()
    image = functional.interpolate(image, size=size, mode=norm.resample, align_corners=False, antialias=True)
    image = image.clamp(0, 255) / 255  # bicubic weights are partly negative
    mean, std = (torch.tensor(values, device=device).view(1, 3, 1, 1) for values in (norm.mean, norm.std))
    return (image - mean) / std
