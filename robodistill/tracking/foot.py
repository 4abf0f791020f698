"""A scanned thing's foot: what a scan has next to the support is none of the thing.

No view of a scan saw an underside, and next to its support a thing is mixed with its shadow. So a share of its height
is left out; how much, `outline` asks a film.
"""

from dataclasses import replace

import numpy as np
import torch

from robodistill.field.gaussians import GaussianField
from robodistill.field.standing import support_plane

FEET = (0.15, 0.2, 0.3)
"""Shares of a thing's height that may be left out, the likeliest first."""
_HIGHEST = 0.004  # metres of a foot at most


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
