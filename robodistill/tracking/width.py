"""How wide a scanned thing is drawn: what a film shows of its foot, and what its first frames say of its edges.

A thin thing's distance is told by its width, to which a tenth of a pixel is some percent: drawn too narrow it is found
too near, and tilted to fit. No view of a scan saw an underside, and next to its support a thing is mixed with its
shadow: as much of the foot is left out as a film is nearer without. A scan's edge pixels are mixtures: things are
blurred by as much as leaves them where they are in the first frames, in which the pose is known.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from robodistill.config import TrackingConfig
from robodistill.field.gaussians import GaussianField
from robodistill.field.standing import support_plane
from robodistill.geometry.camera import Camera
from robodistill.tracking.articulation import FreeParts
from robodistill.tracking.background import Background
from robodistill.tracking.model import LOW_PASS, PartModel
from robodistill.tracking.photometric import Picture, misfit
from robodistill.tracking.tracker import Followed, Follower, picture_of

FEET = (0.15, 0.0, 0.1, 0.2, 0.3)
"""Shares of a thing's height that may be left out, the likeliest first."""
_ASKED = 24  # frames
_HIGHEST = 0.004  # metres of a foot at most
_FIRST = (2, 4)  # frames that are asked beside the first
_STILL = 0.02  # brightness by which they may differ from it where the thing is
_SOLVES = 6
_RIGHT = 0.003  # of its distance, by which they may shift the thing
_NARROWER, _WIDER = (0.05,), (0.3, 0.5, 0.8)  # square pixels


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
    costs = {}
    for share, field in fields.items():
        model = PartModel.of(field, labels, low_pass)
        each = [
            misfit(model, followed.Ts_camera_part[k], picture, config.spread, followed.quadratics[k].lights, 0.0)
            for k, picture in zip(chosen, pictures, strict=True)
        ]
        costs[share] = np.minimum(each, 0.0).mean()
    return min(costs, key=costs.get)


def best_low_pass(
    model: PartModel,
    frames: Sequence[np.ndarray],
    camera: Camera,
    T_first: np.ndarray,
    background: Background,
    config: TrackingConfig,
) -> float:
    """Square pixels, for `PartModel`, by which the first frames leave a thing nearest to where it is.

    Args:
        model: Of the thing at rest, its parts as one.
        T_first: (4, 4) T_camera_field there.
    """
    whole = replace(model, labels=np.zeros(len(model.labels), int), low_pass=LOW_PASS)
    where = whole.covered(T_first[None], camera)
    still = [frames[k] for k in _FIRST if k < len(frames) and _change(frames[k], frames[0], where) < _STILL]
    pictures = [picture_of(frame, camera, background) for frame in (frames[0], *still)]
    tried = {LOW_PASS: _first_frames(whole, pictures, T_first, config)}
    shift, cost = tried[LOW_PASS]
    if abs(shift) > _RIGHT:
        for low_pass in _WIDER if shift < 0 else _NARROWER:
            found = _first_frames(replace(whole, low_pass=low_pass), pictures, T_first, config)
            if found[1] > cost:
                break  # the pose is wrong, not the width
            tried[low_pass] = found
            if found[0] > -_RIGHT:
                break
    return min(tried, key=lambda it: abs(tried[it][0]))


def _first_frames(
    whole: PartModel, pictures: Sequence[Picture], T_first: np.ndarray, config: TrackingConfig
) -> tuple[float, float]:
    """By how much of its distance the pictures move the thing away, and their mean cost where they do."""
    follower, middle = Follower(whole, config, FreeParts(whole.centers)), np.append(whole.centers[0], 1)
    depths, costs = [], []
    for picture in pictures:
        state, lights = T_first[None], None
        for _ in range(_SOLVES):
            state, q = follower.solve(picture, state, state, lights, wide=False)
            lights = q.lights
        depths.append((state[0] @ middle)[2])
        costs.append(q.cost)
    return float(np.mean(depths) / (T_first @ middle)[2] - 1), float(np.mean(costs))


def _change(frame: np.ndarray, first: np.ndarray, where: np.ndarray) -> float:
    """Mean change of brightness between (H, W, 3) uint8 in (H, W) bool."""
    return float(np.abs(frame[where].astype(float) - first[where]).mean() / 255) if where.any() else np.inf
