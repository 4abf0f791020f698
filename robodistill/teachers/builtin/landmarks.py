"""Where a point is among what stands around it: its distances from landmarks that the network picks in the view.

Looks alone cannot tell one side of a plain plate from the other; that it is 12 cm from the red thing can, and is true
from wherever the camera looks. For every point landmarks are picked as means of what scores high, near it, around it
and in the whole view (soft positions as in Levine et al., JMLR 2016). Each place that scores votes for a point beside
it: what is seen of a thing changes with the view, its middle does not (Qi et al., "Hough voting", ICCV 2019). That
distances in space do not change is used as in Qin et al., "Geometric transformer" (CVPR 2022).
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

_EACH = 10
"""Landmarks of each reach."""
_STEEP = (0.0, 4.0, 12.0)
"""Per metre, how fast what is far from a point loses weight; where training starts."""
_WAVES = (0.15, 0.2, 0.25, 0.35, 0.5)
"""Metres, of the sines that a distance is given as; where training starts."""
_FAR = 1.0  # metres: beyond, distances are not told apart
_HIDDEN = 64
_WEIGHT = 0.8  # of a place beside looks, where training starts
_SHARP = 3.0  # of scores, where training starts
_LOWEST = -20.0  # of a score against the highest in the view
_REACH = 0.1  # metres, of a vote
_KEYS, _QUERIES = 2, 4  # cells each way of what scores, and between points that landmarks are picked for
COUNT = _EACH * len(_STEEP)
PLACE = 2 * COUNT
"""Dimensions of a place: sine and cosine of the distance from each landmark."""


class Landmarks(nn.Module):
    """(n, C, h, w) looks and (n, 3, h, w) points -> (n, 60, h, w) places."""

    def __init__(self, width: int) -> None:
        """`width`: C."""
        super().__init__()
        self.hidden = nn.Sequential(nn.Conv2d(width, _HIDDEN, 1), nn.ReLU())
        self.score, self.vote = nn.Conv2d(_HIDDEN, COUNT, 1), nn.Conv2d(_HIDDEN, 3 * len(_STEEP), 1)
        self.steep = nn.Parameter(torch.tensor(_STEEP))
        self.waves = nn.Parameter(torch.tensor(_WAVES).repeat(COUNT // len(_WAVES)).log())
        self.weight = nn.Parameter(torch.full((COUNT,), _WEIGHT * COUNT**-0.5))
        nn.init.normal_(self.score.weight, std=_SHARP * _HIDDEN**-0.5)
        nn.init.zeros_(self.vote.weight)
        nn.init.zeros_(self.vote.bias)

    def forward(self, looks: Tensor, points: Tensor) -> Tensor:
        """Points are metres in the camera frame, zero where unknown; there the place is zero, too."""
        at = functional.interpolate(self.pick(looks, points), points.shape[2:], mode="bilinear", align_corners=False)
        distances = (points[:, None] - at.unflatten(1, (-1, 3))).norm(dim=2).clamp_max(_FAR)
        phases = distances * (2 * math.pi / self.waves.exp())[:, None, None]
        weights = self.weight[:, None, None] * (points[:, 2:] > 0)
        return torch.cat([phases.sin() * weights, phases.cos() * weights], 1)

    def pick(self, looks: Tensor, points: Tensor) -> Tensor:
        """(n, 3 landmarks, h / 4, w / 4) where each landmark is, for a point in that place."""
        keys, queries = (points[:, :, step // 2 :: step, step // 2 :: step] for step in (_KEYS, _QUERIES))
        hidden = self.hidden(functional.avg_pool2d(looks, _KEYS))
        scores, known = self.score(hidden).flatten(2).mT, keys[:, 2:].flatten(2).mT > 0
        scores = (scores - scores.amax(1, keepdim=True)).clamp_min(_LOWEST).exp() * known
        votes = (keys[:, None] + _REACH * self.vote(hidden).unflatten(1, (-1, 3))).flatten(3).mT
        size, queries = queries.shape[2:], queries.flatten(2).mT
        found = []
        for k, (steep, said) in enumerate(zip(self.steep.clamp_min(0), scores.split(_EACH, -1), strict=True)):
            near = (-steep * torch.cdist(queries, votes[:, k]).clamp_max(_FAR)).exp()
            total, *sums = (near @ torch.cat([said, *(said * votes[:, k, :, i, None] for i in range(3))], -1)).split(
                _EACH, -1
            )
            found.append(torch.stack(sums, -1) / (total[..., None] + 1e-30))
        return torch.cat(found, -2).permute(0, 2, 3, 1).flatten(1, 2).unflatten(2, size)
