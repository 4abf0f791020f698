"""When and which Gaussians are split or pruned.

Splitting follows the error in the pictures, not the gradient of the position: each Gaussian carries the error of the
pixels it made, weighted as it was blended (Rota Bulo et al., "Revising Densification in Gaussian Splatting", ECCV
2024). Differs from the paper in that the largest-error share is split every time instead of those above a threshold.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from robodistill.config import PolicyConfig


@dataclass(frozen=True)
class Change:
    """What to do with N Gaussians: keep some, split some of the kept in two."""

    keep: Tensor
    """(N,) bool."""
    split: Tensor
    """(N,) bool, a subset of `keep`."""


class SplitPrune:
    """Collects errors between changes and says what to change."""

    def __init__(self, config: PolicyConfig, steps: int) -> None:
        self.config = config
        self.last_step = int(config.last_share * steps)

    def wants_error(self, step: int) -> bool:
        """Whether `step` counts for the next change, so that errors are worth collecting."""
        return self.config.split_share > 0 and step < self.last_step

    def is_due(self, step: int) -> bool:
        """Whether Gaussians are changed after `step`."""
        return self.config.first_step <= step < self.last_step and step % self.config.every == 0

    def decide(self, error: Tensor, opacities: Tensor) -> Change:
        """Decide from the summed error (N,) and the opacities (N,)."""
        keep = opacities > self.config.min_opacity
        room = max(self.config.max_gaussians - int(keep.sum()), 0)
        count = min(int(self.config.split_share * len(error)), room)
        split = torch.zeros_like(keep)
        split[torch.topk(torch.where(keep, error, -1.0), count).indices] = True
        return Change(keep, split & keep & (error > 0))
