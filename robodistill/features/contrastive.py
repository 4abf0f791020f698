"""`contrastive`: pixels of one mask are drawn together while a small decoder learns the teacher's features.

Zheng et al., "GaussianGrasper: 3D Language Gaussian Splatting for Open-Vocabulary Robotic Grasping", RA-L 2024, its
"efficient feature distillation". Geometry and colour, which the paper fits in the same loop, are those of the field.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from robodistill.config import ContrastiveConfig
from robodistill.errors import BadInput
from robodistill.features.trained import Adam, check_maps, render_codes, view_order
from robodistill.field.features import Decoder, FeatureLayer
from robodistill.field.gaussians import FieldView, GaussianField
from robodistill.progress import Progress, silent


def contrastive(
    field: GaussianField,
    views: Sequence[FieldView],
    maps: Sequence[Tensor],
    masks: Sequence[np.ndarray],
    config: ContrastiveConfig,
    progress: Progress = silent,
    teacher: str = "",
) -> FeatureLayer:
    """Learn features that agree within masks and decode to the teacher's.

    Args:
        field: Frozen; its rendering weights blend the codes.
        views: What maps and masks were made from.
        maps: (h, w, D) for each view.
        masks: (L, H, W) label maps for each view, fine to coarse, 0 = no mask; one level is used.
        config: See there for what the paper has.
        progress: Called after every step with the decoded cosine.
        teacher: Spec of what made the maps.

    Raises:
        BadInput: Maps or masks do not fit the views, or the config is out of range.

    Reference: Zheng et al., RA-L 2024, section III-B, and the released code. Differs from it in: pixels of no mask are
    taught too, as one more mask that is not drawn together, for else the background would have no features.
    """
    dim = check_maps(views, maps)
    if min(config.steps, config.dim, config.hidden, config.pairs, config.samples) < 1:
        raise BadInput(f"contrastive: steps, dim, hidden, pairs and samples must be 1 or more; got {config}")
    regions = [Regions(labels) for labels in _labels(views, masks, config.level)]
    targets = [_Target(m.to(field.means), r, config.pool) for m, r in zip(maps, regions, strict=True)]
    random = torch.Generator().manual_seed(config.seed)
    adam = _start(len(field), dim, config, random, field.means.device)
    p = adam.params
    decoder = Decoder((p["weight0"], p["weight1"]), (p["bias0"], p["bias1"]))
    for step, k in zip(range(config.steps), view_order(len(views), random), strict=False):
        latent = render_codes(field, p["codes"], views[k]).flatten(0, 1)
        pixels = regions[k].samples(config.samples, random)
        taught = 1 - F.cosine_similarity(decoder(latent[pixels]), targets[k](pixels), dim=-1).mean()
        a, b = regions[k].pairs(config.pairs, random)
        apart = 1 - F.cosine_similarity(latent[a], latent[b], dim=-1)
        # a view without masks has no pairs, and the mean of none is NaN
        (taught + config.weight * apart.sum() / max(len(a), 1)).backward()
        adam.step()
        progress("distilling", step + 1, config.steps, f"cosine {1 - taught.item():.3f}")
    p = {name: t.detach().clone() for name, t in p.items()}
    p["codes"][~adam.was_moved("codes")] = 0  # what no view saw has no feature
    decoder = Decoder((p["weight0"], p["weight1"]), (p["bias0"], p["bias1"]))
    return FeatureLayer(teacher, "contrastive", p["codes"], decoder)


_START = 0.01  # of the codes: cosines do not care, and what is rarely drawn must not stay as random as it began


class Regions:
    """The pixels of an image by mask, to draw from: one label map, 0 = no mask."""

    def __init__(self, labels: np.ndarray) -> None:
        self.shape = labels.shape
        flat = torch.from_numpy(np.ascontiguousarray(labels)).flatten().long()
        self.labels, self.index, self._counts = flat.unique(return_inverse=True, return_counts=True)
        self._pixels = self.index.argsort(stable=True)  # region after region
        self._starts = self._counts.cumsum(0) - self._counts

    def __len__(self) -> int:
        return len(self.labels)

    def samples(self, count: int, random: torch.Generator) -> Tensor:
        """(about `count`,) pixels, as many from each mask, small or large; half of all from what has no mask."""
        bare = int(self.labels[0] == 0)
        share = torch.tensor([count // 2] * bare + [count // (1 + bare)] * (len(self) - bare))
        share[bare:] = (share[bare:] // max(len(self) - bare, 1)).clamp_min(1)
        return self._drawn(torch.arange(len(self)).repeat_interleave(share), random)

    def pairs(self, count: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Two times (count,) pixels, pairwise of one mask; masks by their areas; none where there is no mask."""
        masked = self._pixels[self._counts[0] :] if self.labels[0] == 0 else self._pixels
        if not len(masked):
            return masked, masked
        first = masked[torch.randint(len(masked), (count,), generator=random)]
        return first, self._drawn(self.index[first], random)

    def _drawn(self, region: Tensor, random: torch.Generator) -> Tensor:
        place = (torch.rand(len(region), generator=random, dtype=torch.float64) * self._counts[region]).long()
        return self._pixels[self._starts[region] + place]


class _Target:
    """A teacher's map to look up by pixels; with `pool`, a mask has the mean of its pixels."""

    def __init__(self, teacher_map: Tensor, regions: Regions, pool: bool) -> None:
        (h, w, _), (height, width) = teacher_map.shape, regions.shape
        rows = torch.arange(height) * h // height
        self._cell = (rows[:, None] * w + torch.arange(width) * w // width).flatten()
        self._rows = teacher_map.flatten(0, 1)
        self._row = self._cell
        if pool:
            # mean over pixels = mean over cells, weighted by the pixels that the mask has in each
            share = torch.zeros(len(regions), h * w)
            share.view(-1).index_add_(0, regions.index * (h * w) + self._cell, torch.ones(height * width))
            means = (share / share.sum(1, keepdim=True)).to(self._rows) @ self._rows
            self._rows = torch.cat([self._rows, means])
            masked = regions.labels[regions.index] > 0
            self._row = torch.where(masked, h * w + regions.index, self._cell)

    def __call__(self, pixels: Tensor) -> Tensor:
        """(n, D) of (n,) pixels."""
        return self._rows[self._row[pixels]]


def _labels(views: Sequence[FieldView], masks: Sequence[np.ndarray], level: int) -> list[np.ndarray]:
    """One label map of each view."""
    if len(masks) != len(views):
        raise BadInput(f"contrastive needs masks for each view; got {len(views)} views, {len(masks)} masks")
    for view, m in zip(views, masks, strict=True):
        size = (view.camera.height, view.camera.width)
        if m.ndim != 3 or m.shape[1:] != size or not -len(m) <= level < len(m):
            raise BadInput(f"masks of view {view.name!r} must be (L, {size[0]}, {size[1]}), L > {level}; got {m.shape}")
    return [m[level] for m in masks]


def _start(count: int, dim: int, config: ContrastiveConfig, random: torch.Generator, device: torch.device) -> Adam:
    params, rates = {"codes": _START * torch.randn(count, config.dim, generator=random)}, {"codes": config.lr}
    for k, (fan_in, fan_out) in enumerate(((config.dim, config.hidden), (config.hidden, dim))):
        params[f"weight{k}"] = torch.randn(fan_out, fan_in, generator=random) * (2 / fan_in) ** 0.5
        params[f"bias{k}"] = torch.zeros(fan_out)
        rates |= {f"weight{k}": config.lr_decoder, f"bias{k}": config.lr_decoder}
    params = {name: p.to(device).requires_grad_() for name, p in params.items()}
    return Adam(params, rates, config.steps, config.lr_final)
