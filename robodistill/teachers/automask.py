"""From the answers of a promptable segmenter to a grid of points, to label maps: masks without prompts.

The filters are those of the automatic mask generator of Kirillov et al., "Segment Anything" (ICCV 2023, appendix B):
predicted IoU, stability under a shift of the threshold, non-maximum suppression. Differs from it: suppression compares
masks, not boxes, and the three answers to each point go to three maps by their area, since SAM means them as part,
larger part and whole.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

SHIFT = 1.0
"""Logits by which the threshold is moved both ways to see whether a mask is stable."""
SMALLEST = 9
"""Pixels of the decoder's mask that a region must have."""


@dataclass(frozen=True)
class MaskRules:
    """When an answer counts as a region."""

    iou: float = 0.88
    """Least IoU that the decoder predicts of itself."""
    stability: float = 0.95
    """Least IoU of the masks at the moved thresholds."""
    overlap: float = 0.7
    """IoU from which the worse of two masks of a scale is dropped."""


def grid_points(count: int, height: int, width: int) -> np.ndarray:
    """(count^2, 2) pixels (u, v) at the centres of a count x count division of the image."""
    shares = (np.arange(count) + 0.5) / count
    u, v = np.meshgrid(shares * width - 0.5, shares * height - 0.5)
    return np.stack([u.ravel(), v.ravel()], -1)


def stability(logits: Tensor, shift: float = SHIFT) -> Tensor:
    """(...) IoU of the masks at thresholds +shift and -shift; 0 for empty ones. Logits are (..., h, w)."""
    small, large = ((logits > bound).sum((-2, -1)) for bound in (shift, -shift))
    return small / large.clamp(min=1)


def keep_good(logits: Tensor, scores: Tensor, rules: MaskRules) -> tuple[Tensor, Tensor, Tensor]:
    """Filter the answers to points.

    Args:
        logits: (n, S, h, w), S answers to each of n points.
        scores: (n, S) predicted IoU.

    Returns:
        Logits (m, h, w) in half precision, scores (m,), and scales (m,): 0 for the smallest answer to its point.
    """
    areas = (logits > 0).sum((-2, -1))
    scales = areas.argsort(stable=True, dim=1).argsort(dim=1)
    good = (scores >= rules.iou) & (stability(logits) >= rules.stability) & (areas >= SMALLEST)
    return logits[good].half(), scores[good], scales[good]


def suppress(masks: Tensor, scores: Tensor, overlap: float) -> list[int]:
    """Indices of masks (m, h, w) bool that stay: best score first, none over `overlap` in IoU with a better one."""
    flat = masks.flatten(1).float()
    areas = flat.sum(1)
    stays: list[int] = []
    for index in scores.argsort(descending=True, stable=True).tolist():
        shared = flat[stays] @ flat[index]
        iou = shared / (areas[stays] + areas[index] - shared).clamp(min=1)
        if not (iou > overlap).any():
            stays.append(index)
    return stays


def paint(logits: Tensor, height: int, width: int) -> np.ndarray:
    """(height, width) int32 labels of masks (m, h, w) given as logits, small over large; 0 where there is none."""
    labels = np.zeros((height, width), np.int32)
    areas = (logits > 0).sum((-2, -1))
    for label, index in enumerate(areas.argsort(descending=True, stable=True).tolist(), 1):
        mask = functional.interpolate(
            logits[index][None, None].float(), size=(height, width), mode="bilinear", align_corners=False
        )
        labels[(mask[0, 0] > 0).cpu().numpy()] = label
    # What is painted over entirely must leave no gap in the counting; the appended 0 keeps "none" the first.
    _, counted = np.unique(np.append(labels.ravel(), 0), return_inverse=True)
    return counted[:-1].reshape(labels.shape).astype(np.int32)


def label_maps(logits: Tensor, scores: Tensor, scales: Tensor, size: tuple[int, int], rules: MaskRules) -> np.ndarray:
    """(3, H, W) int32 label maps, fine to coarse, from what `keep_good` kept."""
    maps = []
    for scale in range(3):
        chosen = scales == scale
        stays = suppress(logits[chosen][:, ::2, ::2] > 0, scores[chosen], rules.overlap)
        maps.append(paint(logits[chosen][stays], *size))
    return np.stack(maps)


def join(parts: list[tuple[Tensor, Tensor, Tensor]]) -> tuple[Tensor, Tensor, Tensor]:
    """Put together what `keep_good` kept of several batches of points."""
    logits, scores, scales = zip(*parts, strict=True)
    return torch.cat(logits), torch.cat(scores), torch.cat(scales)
