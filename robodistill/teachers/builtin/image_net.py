"""The dense encoder: a residual network with a top-down path, one feature to every four pixels each way.

Residual blocks after He et al. (CVPR 2016), the top-down path after Lin et al., "Feature pyramid networks" (CVPR 2017).
Its features are laid out in blocks, one a role of words: what a thing is, its colour, and so on. Each block has unit
length and its own concept directions, so that words compose and no pair of a colour and a thing need ever be seen.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from robodistill.teachers.builtin.inputs import CELL, CHANNELS
from robodistill.teachers.builtin.landmarks import PLACE, Landmarks

BLOCKS = {"thing": 40, "color": 12, "surface": 12, "material": 8, "pattern": 8, "part": 32}
"""Dimensions of each role."""
DIM = sum(BLOCKS.values())
LOOKS = 32
VISUAL = LOOKS + PLACE
"""Dimensions of the features for correspondence."""
STRIDE = CELL
_WIDTHS = (32, 64, 128, 224)
_DEPTHS = (2, 3, 2)
_TOP = 128


class ImageNet(nn.Module):
    """(n, 9, H, W) channels -> features (n, 112, H / 4, W / 4) for words and (n, 32, ...) for correspondence."""

    def __init__(self) -> None:
        """H and W must be multiples of 16."""
        super().__init__()
        first, *widths = _WIDTHS
        self.stem = nn.Sequential(_conv(CHANNELS, first, 2), nn.ReLU(), _conv(first, first), nn.ReLU())
        stages, width = [], first
        for wide, deep in zip(widths, _DEPTHS, strict=True):
            blocks = [_Residual(width, wide, 2), *(_Residual(wide, wide, 1) for _ in range(deep - 1))]
            stages.append(nn.Sequential(*blocks))
            width = wide
        self.stages = nn.ModuleList(stages)
        self.sides = nn.ModuleList(nn.Conv2d(wide, _TOP, 1) for wide in widths)
        self.mix = nn.Sequential(_conv(_TOP, _TOP), nn.ReLU())
        self.words = nn.Sequential(_conv(_TOP, 2 * _TOP), nn.ReLU(), nn.Conv2d(2 * _TOP, DIM, 1))
        self.visual = nn.Sequential(_conv(_TOP, _TOP), nn.ReLU(), nn.Conv2d(_TOP, LOOKS, 1))
        self.landmarks = Landmarks(_TOP)

    def forward(self, channels: Tensor) -> tuple[Tensor, Tensor]:
        """Both features, not normalised; those for correspondence by looks alone."""
        mixed = self.trunk(channels)
        return self.words(mixed), self.visual(mixed)

    def matchable(self, mixed: Tensor, points: Tensor) -> Tensor:
        """(n, 32, H / 4, W / 4) features for correspondence, not normalised: by looks, and by place among landmarks.

        Args:
            mixed: Of `trunk`.
            points: (n, 3, H / 4, W / 4) metres in the camera frame, zero where not measured.
        """
        seen = self.visual[:2](mixed)
        looks = functional.normalize(self.visual[2](seen), dim=1)
        return torch.cat([looks, self.landmarks(seen, points)], 1)

    def trunk(self, channels: Tensor) -> Tensor:
        """(n, 128, H / 4, W / 4) what both heads, `words` and `visual`, look at."""
        x, seen = self.stem(channels), []
        for stage in self.stages:
            x = stage(x)
            seen.append(x)
        top = self.sides[-1](seen[-1])
        for side, x in zip(self.sides[-2::-1], seen[-2::-1], strict=True):
            top = functional.interpolate(top, scale_factor=2.0, mode="bilinear", align_corners=False) + side(x)
        return self.mix(top)


class Concepts(nn.Module):
    """Directions of the concepts of each role, in its block."""

    def __init__(self, counts: Mapping[str, int]) -> None:
        """`counts`: concepts of each role."""
        super().__init__()
        self.directions = nn.ParameterDict({role: torch.randn(counts[role], dim) for role, dim in BLOCKS.items()})

    def forward(self, role: str) -> Tensor:
        """(concepts, dims) unit vectors."""
        return functional.normalize(self.directions[role], dim=-1)


def unit_blocks(features: Tensor) -> dict[str, Tensor]:
    """Features (..., 112) as unit vectors by role."""
    parts = features.split(list(BLOCKS.values()), dim=-1)
    return {role: functional.normalize(part, dim=-1) for role, part in zip(BLOCKS, parts, strict=True)}


class _Residual(nn.Module):
    def __init__(self, width: int, wide: int, stride: int) -> None:
        super().__init__()
        self.first, self.second = _conv(width, wide, stride), _conv(wide, wide)
        self.skip = nn.Identity() if (width, stride) == (wide, 1) else _conv(width, wide, stride, 1)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.skip(x) + self.second(functional.relu(self.first(x))))


def _conv(width: int, wide: int, stride: int = 1, size: int = 3) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(width, wide, size, stride, size // 2, bias=False), nn.BatchNorm2d(wide))
