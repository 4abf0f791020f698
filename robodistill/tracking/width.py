"""How wide a scanned thing is drawn: what a film shows of its foot, and how soft its edges are in it.

A thin thing's distance is told by its width, to which a tenth of a pixel is some percent: drawn too narrow it is found
too near, and tilted to fit. No view of a scan saw an underside, and next to its support a thing is mixed with its
shadow: as much of the foot is left out as a film is nearer without. A film's lens and coder blur what they show: things
are drawn with as much blur as it is nearest with, which leaves them at their distance.
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
from robodistill.tracking.model import LOW_PASS, PartModel
from robodistill.tracking.photometric import misfit
from robodistill.tracking.tracker import Followed, Follower, picture_of

FEET = (0.15, 0.0, 0.1, 0.2, 0.3)
"""Shares of a thing's height that may be left out, the likeliest first."""
_ASKED = 24  # frames
_HIGHEST = 0.004  # metres of a foot at most
_SOLVED = 12  # frames that are solved for
_WIDTHS = (0.05, 0.1, 0.2, 0.35, LOW_PASS, 0.8, 1.2, 1.8)  # square pixels


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
    low_pass: float,
    followed: Followed,
    frames: Sequence[np.ndarray],
    camera: Camera,
    config: TrackingConfig,
) -> float:
    """Which of `without_feet` is nearest to the frames where the thing was followed to.

    Args:
        labels: (N,) parts, -1 for what is not the thing.
    """
    chosen = range(0, len(frames), max(1, len(frames) // _ASKED))
    pictures = [picture_of(frames[k], camera, followed.background) for k in chosen]

    def cost(share: float) -> float:
        model = PartModel.of(fields[share], labels, low_pass)
        costs = [
            misfit(model, followed.Ts_camera_part[k], picture, config.spread, followed.quadratics[k].lights, 0.0)
            for k, picture in zip(chosen, pictures, strict=True)
        ]
        return float(np.minimum(costs, 0.0).mean())

    shares = list(fields)
    return shares[int(np.argmin(side_by_side(cost, shares)))]


def best_low_pass(
    model: PartModel, frames: Sequence[np.ndarray], camera: Camera, followed: Followed, config: TrackingConfig
) -> float:
    """Square pixels, for `PartModel`, that the frames are nearest with, the parts solved for near where they were
    followed to: as far as a film blurs edges.

    Only frames that fit best are asked: what is lost, or behind a hand, fits with any width, at another distance.
    """
    fitting = np.argsort([q.misfit for q in followed.quadratics])[: 2 * _SOLVED]
    chosen = np.sort(fitting)[::2]
    pictures = [picture_of(frames[k], camera, followed.background) for k in chosen]
    lights = [followed.quadratics[k].sure_lights for k in chosen]

    def tried(low_pass: float, Ts: Sequence[np.ndarray]) -> tuple[float, list[np.ndarray]]:
        follower = Follower(replace(model, low_pass=low_pass), config, FreeParts(model.centers))
        found = side_by_side(
            lambda k: follower.solve(pictures[k], Ts[k], Ts[k], lights[k], wide=False), range(len(chosen))
        )
        return float(np.mean([min(q.cost, 0.0) for _, q in found])), [state for state, _ in found]

    at = int(np.abs(np.log(np.array(_WIDTHS) / model.low_pass)).argmin())
    known = {at: tried(_WIDTHS[at], followed.Ts_camera_part[chosen])}
    while True:  # downhill
        for k in (at - 1, at + 1):
            if 0 <= k < len(_WIDTHS) and k not in known:
                known[k] = tried(_WIDTHS[k], known[at][1])
        best = min(known, key=lambda k: known[k][0])
        if best == at:
            break
        at = best
    if not 0 < at < len(_WIDTHS) - 1:
        return _WIDTHS[at]
    between = np.polyfit(np.log(_WIDTHS[at - 1 : at + 2]), [known[k][0] for k in (at - 1, at, at + 1)], 2)
    return float(np.exp(-between[1] / (2 * between[0]))) if between[0] > 0 else _WIDTHS[at]
