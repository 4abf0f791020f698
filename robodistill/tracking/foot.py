"""A scanned thing's foot: how much of what a scan has next to the support is none of the thing, as a film tells.

No view of a scan saw an underside, and next to its support a thing is mixed with its shadow. A thin thing's distance is
told by its width: drawn too wide it is found too far, and tilted to fit. So a share of its height is left out, and more
of it where a film is clearly nearer without.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from robodistill.config import TrackingConfig
from robodistill.field.gaussians import GaussianField
from robodistill.field.standing import support_plane
from robodistill.geometry.camera import Camera
from robodistill.parallel import side_by_side
from robodistill.tracking.articulation import FreeParts
from robodistill.tracking.model import PartModel
from robodistill.tracking.tracker import Followed, Follower, picture_of

FEET = (0.15, 0.2, 0.3)
"""Shares of a thing's height that may be left out, the likeliest first."""
_ASKED = 12  # frames
_HIGHEST = 0.004  # metres of a foot at most
_JUMP = 0.01  # metres: with another foot a thing is elsewhere
_BETTER = 0.01  # of the cost, that another foot than the likeliest must bring


def without_feet(field: GaussianField, keep: np.ndarray) -> dict[float, GaussianField]:
    """By each of FEET the field with that share of the height of a thing (N,) bool, and what is below its support, made
    transparent; as it is where nobody knows its support."""
    plane = support_plane(field)
    if plane is None:
        return dict.fromkeys(FEET, field)
    heights = field.means.double().numpy() @ plane[:3] + plane[3]
    high = np.percentile(heights[keep], 99)
    feet = {share: torch.from_numpy(keep & (heights < min(_HIGHEST, share * high))) for share in FEET}
    return {share: replace(field, opacities=torch.where(foot, 0.0, field.opacities)) for share, foot in feet.items()}


def best_foot(
    fields: dict[float, GaussianField],
    labels: np.ndarray,
    followed: Followed,
    frames: Sequence[np.ndarray],
    camera: Camera,
    config: TrackingConfig,
) -> float:
    """Which of `without_feet` is nearest to the frames, the parts solved for near where they were followed to: with
    another foot they are at another distance. The likeliest, where no other is clearly nearer.

    Args:
        labels: (N,) parts, -1 for what is not the thing.
    """
    usual = fields[FEET[0]]
    if all(torch.equal(field.opacities, usual.opacities) for field in fields.values()):
        return FEET[0]
    chosen = np.linspace(0, len(frames) - 1, min(_ASKED, len(frames))).astype(int)
    pictures = {k: picture_of(frames[k], camera, followed.background) for k in chosen}

    def cost(share: float) -> float:
        model = PartModel.of(fields[share], labels)
        follower = Follower(model, replace(config, jump=_JUMP), FreeParts(model.centers))

        def solved(k: int) -> float:
            Ts, lights = followed.Ts_camera_part[k], followed.quadratics[k].sure_lights
            return min(follower.solve(pictures[k], Ts, Ts, lights, wide=False)[1].cost, 0.0)

        return float(np.mean(side_by_side(solved, chosen)))

    costs = {share: cost(share) for share in fields}
    best = min(costs, key=lambda share: costs[share])
    return best if costs[best] < (1 + _BETTER) * costs[FEET[0]] else FEET[0]
