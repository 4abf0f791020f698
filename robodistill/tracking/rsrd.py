"""The parts followed as RSRD does it, by Adam on the rendered picture's error: the paper's way, to compare ours with.

4D-DPM of Kerr et al., "Robot See Robot Do", CoRL 2024, with the paper's losses, weights, rates and steps. Differs, for
want of models that ship with this project: features are those of the field's `dinov2` or `dinov3` layer or, as a stand
in for DINO, of `builtin:head=looks`, and without either there is colour only; no monocular depth; no mask of people
unless one is given. Where the paper leaves it open: the learned background is behind the parts, as for
`tracker.follow`; the joint pass keeps the rate that the frames ended with; Gaussians of two parts are neighbours as
for `tracker.follow`, because hardly any of ours, which are larger and fewer, lie within the paper's 2 mm.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from robodistill.config import TrackingConfig
from robodistill.geometry.camera import Camera
from robodistill.progress import Progress, silent
from robodistill.tracking.background import Background
from robodistill.tracking.model import PartModel
from robodistill.tracking.photometric import linearize
from robodistill.tracking.picture import Picture
from robodistill.tracking.rsrd_loss import Behind, PosedParts, RsrdConfig, RsrdFeatures, Seen, product
from robodistill.tracking.tracker import Followed


def follow_rsrd(
    model: PartModel,
    frames: Sequence[np.ndarray],
    camera: Camera,
    Ts_first: np.ndarray,
    config: RsrdConfig | None = None,
    features: RsrdFeatures | None = None,
    usable: Sequence[np.ndarray] | None = None,
    progress: Progress = silent,
) -> np.ndarray:
    """(T, P, 4, 4) poses of the parts in a film from a fixed camera: frame by frame, then all frames at once.

    Args:
        frames: (H, W, 3) uint8 each.
        Ts_first: (P, 4, 4) poses in the first frame.
        features: Of the model's Gaussians, see `load_features`; None for colour only.
        usable: (H, W) bool of each frame, False where a person is.
    """
    config = config or RsrdConfig()
    parts = PosedParts(model, Ts_first, config, features)
    background = Background(frames, model.covered(Ts_first, camera))
    behind = Behind(background, camera, features)
    rounds = len(frames) * (1 + (config.joint_steps > 0))
    deltas, seen = [], []
    for k, image in enumerate(frames):
        start = _carried_on(deltas, config.carried_on) if deltas else parts.rest
        seen.append(behind.look(image, parts.window(start, camera), None if usable is None else usable[k]))
        deltas.append(_descend(parts, seen[-1], start, config))
        progress("track (rsrd)", k + 1, rounds)
    found = torch.stack(deltas)
    if config.joint_steps and len(frames) > 1:
        found = _all_at_once(parts, seen, found, config, lambda n: progress("track (rsrd)", n, rounds))
    with torch.no_grad():
        return np.stack([parts.poses(each) for each in found])


def judged(
    model: PartModel, frames: Sequence[np.ndarray], camera: Camera, Ts_camera_part: np.ndarray, config: TrackingConfig
) -> Followed:
    """What the pictures say of given poses (T, P, 4, 4): what is seen of each part, as `tracker.follow` tells it."""
    background, quadratics, lights = Background(frames, model.covered(Ts_camera_part[0], camera)), [], None
    for image, Ts in zip(frames, Ts_camera_part, strict=True):
        picture = Picture(image.astype(np.float32) / 255, background.rgb, background.known, camera)
        quadratics.append(linearize(model, Ts, picture, config.spread, lights))
        lights = quadratics[-1].lights
    return Followed(Ts_camera_part, quadratics, background)


def _descend(parts: PosedParts, seen: Seen | None, start: Tensor, config: RsrdConfig) -> Tensor:
    """(P, 7) after the steps of one frame."""
    if seen is None:
        return start
    state = start.clone().requires_grad_()
    adam = torch.optim.Adam([state], config.first_rate)
    falling = torch.optim.lr_scheduler.ExponentialLR(adam, _fall(config))
    colors = parts.colors(start)
    for _ in range(config.steps):
        adam.zero_grad()
        parts.loss(state, seen, colors, config).backward()
        adam.step()
        falling.step()
    return _unit(state.detach())


def _all_at_once(
    parts: PosedParts, seen: list[Seen | None], states: Tensor, config: RsrdConfig, progress: Progress
) -> Tensor:
    """(T, P, 7) after the joint pass."""
    colors = [parts.colors(each) for each in states]
    states = states.clone().requires_grad_()
    adam = torch.optim.Adam([states], config.last_rate)
    for step in range(config.joint_steps):
        adam.zero_grad()
        (config.smooth * _jerks(states)).backward()
        for k, each in enumerate(seen):
            parts.loss(states[k], each, colors[k], config).backward()
        adam.step()
        progress(len(seen) + round(len(seen) * (step + 1) / config.joint_steps))
    return _unit(states.detach())


def _jerks(states: Tensor) -> Tensor:
    """Squared shift and angle from each frame to the one before and the one after, summed."""
    q = functional.normalize(states[..., :4], dim=-1)
    shift = (states[1:, :, 4:] - states[:-1, :, 4:]).square().sum()
    turn = product(q[:-1] * q.new_tensor([1, -1, -1, -1]), q[1:])
    angle = 2 * torch.atan2((turn[..., 1:].square().sum(-1) + 1e-12).sqrt(), turn[..., 0].abs())
    return 2 * (shift + angle.sum())


def _carried_on(states: list[Tensor], share: float) -> Tensor:
    """The last state, carried on by a share of the last step."""
    return states[-1] if len(states) < 2 else _unit(states[-1] + share * (states[-1] - states[-2]))


def _unit(states: Tensor) -> Tensor:
    return torch.cat([functional.normalize(states[..., :4], dim=-1), states[..., 4:]], -1)


def _fall(config: RsrdConfig) -> float:
    return (config.last_rate / config.first_rate) ** (1 / max(config.steps - 1, 1))
