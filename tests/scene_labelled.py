"""A small field of known things: a wall, slabs in front of it, views, and maps and masks as a teacher gives them."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from robodistill.features.trained import render_codes
from robodistill.field.gaussians import FieldView, GaussianField
from robodistill.geometry.camera import Camera
from robodistill.raster.sh import rgb_to_sh0

SPACING = 0.04
COLORS = torch.tensor([[0.6, 0.6, 0.6], [0.8, 0.1, 0.1], [0.1, 0.2, 0.8]])
CAMERA = Camera.from_fov(1.0, 64, 48)


@dataclass(frozen=True, eq=False)
class Labelled:
    """Things 0 (the wall), 1 and 2."""

    field: GaussianField
    labels: Tensor
    """(N,) int64."""
    directions: Tensor
    """(3, D) orthonormal: the feature of each thing."""

    def mask(self, view: FieldView) -> np.ndarray:
        """(H, W) int32 label of each pixel."""
        shares = render_codes(self.field, torch.nn.functional.one_hot(self.labels, 3).float(), view)
        return shares.argmax(-1).numpy().astype(np.int32)

    def map(self, view: FieldView, noise: float = 0.0, seed: int = 0) -> Tensor:
        """(12, 16, D) features, each cell with a random vector of about the length `noise`."""
        exact = self.directions[torch.from_numpy(self.mask(view)).long()].permute(2, 0, 1)[None]
        cells = torch.nn.functional.interpolate(exact, (12, 16), mode="area")[0].permute(1, 2, 0)
        random = torch.Generator().manual_seed(seed)
        return cells + noise * torch.randn(cells.shape, generator=random) / cells.shape[-1] ** 0.5


def labelled_field(dim: int = 24, colored: bool = True, seed: int = 0) -> Labelled:
    """A wall at z = 2 m, a red slab left and a blue one right, 0.3 m nearer; seen from six places.

    Not `colored`, all is grey, and the shape and the features alone tell things apart.
    """
    wall, left, right = _patch((-1.4, 1.4), (-1.1, 1.1), 2.0), _slab(-0.35), _slab(0.35)
    means = torch.cat([wall, left, right])
    labels = torch.cat([torch.full((len(t),), k) for k, t in enumerate((wall, left, right))])
    n = len(means)
    random = torch.Generator().manual_seed(seed)
    directions = torch.linalg.qr(torch.randn(dim, 3, generator=random))[0].T
    colors = COLORS[labels if colored else torch.zeros_like(labels)]
    field = GaussianField(
        means=means,
        quats_wxyz=torch.tensor([1.0, 0, 0, 0]).repeat(n, 1),
        scales=torch.tensor([0.7, 0.7, 0.1]).repeat(n, 1) * SPACING,
        opacities=torch.full((n,), 0.9),
        sh=rgb_to_sh0(colors)[:, None],
        views=tuple(_view(x, y) for x in (-0.3, 0.0, 0.3) for y in (-0.15, 0.15)),
    )
    return Labelled(field, labels, directions)


def _patch(x: tuple[float, float], y: tuple[float, float], z: float) -> Tensor:
    grid = torch.meshgrid(torch.arange(*x, SPACING), torch.arange(*y, SPACING), indexing="ij")
    return torch.stack([*(g.flatten() for g in grid), torch.full((grid[0].numel(),), z)], -1)


def _slab(x: float) -> Tensor:
    return _patch((x - 0.2, x + 0.2), (-0.25, 0.25), 1.7)


def _view(x: float, y: float) -> FieldView:
    T = np.eye(4)
    T[:3, 3] = x, y, 0
    return FieldView(f"{x:g} {y:g}", CAMERA, T)
