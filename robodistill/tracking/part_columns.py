"""The channels that a part's Gaussians are drawn with: colour, one for alpha, depth, and the normal."""

from collections.abc import Callable
from ctypes import c_int, c_void_p
from functools import cache

import torch
from torch import Tensor

from robodistill.field.gaussians import GaussianField
from robodistill.field.render import turned_to
from robodistill.raster.kernel import load_kernel
from robodistill.raster.rasterize import kernel_is_there, view_colors


def part_columns(part: GaussianField, axes: Tensor, T: Tensor) -> Tensor:
    """(N, 8) float32 as a camera sees them.

    Args:
        axes: (N, 3) the Gaussians' normals, of either sign.
        T: (4, 4) from the Gaussians' coordinates to the camera's.
    """
    if not kernel_is_there():
        return columns_in_torch(part, axes, T)
    tensors = [t.contiguous() for t in (part.means, axes, part.sh, T)]
    assert all(t.dtype == torch.float32 for t in tensors), [t.dtype for t in tensors]
    out = torch.empty(len(part), 8)
    pointers = [t.data_ptr() for t in (*tensors, out)]
    _function()(len(part), part.sh_degree, part.sh.shape[1], *pointers)
    return out


def columns_in_torch(part: GaussianField, axes: Tensor, T: Tensor) -> Tensor:
    """The same without the kernel."""
    color = view_colors(part.means, part.sh, T[None], part.sh_degree)[0]
    depth = part.means @ T[2, :3] + T[2, 3]
    return torch.cat([color, torch.ones_like(color[:, :1]), depth[:, None], turned_to(axes, part.means, T)], 1)


@cache
def _function() -> Callable[..., None]:
    columns = load_kernel().rd_columns
    columns.restype, columns.argtypes = None, [c_int] * 3 + [c_void_p] * 5
    return columns
