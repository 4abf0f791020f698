"""The last steps of a pose: down the image error through the rasteriser's own pose gradient.

`align` moves the picture over one rendering; what changes in the rendering itself as the camera moves (what covers
what, colours by direction) only the rasteriser knows. Its gradient gives the direction, and Gauss-Newton's curvature,
which needs depth and image slopes only, the length of the step: two steps do what gradient descent takes tens for
(compare iNeRF, Yen-Chen et al., IROS 2021; iComMa, Sun et al., 2023). Channels of the field's features may stand beside
colour. A step that makes the error larger is not taken.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from robodistill.capture.frame import Frame
from robodistill.field.gaussians import GaussianField
from robodistill.field.render import render
from robodistill.inversion.twist import moved, pixel_motion

_SIGMA = 0.8  # of the blur on both pictures, pixels
_SOLID = 0.9
_FLOOR = 0.004  # least spread of errors, brightness


@dataclass(frozen=True, eq=False)
class SeenFeatures:
    """What a teacher says of the picture, in the field's own codes."""

    codes: Tensor
    """(N, k) of the Gaussians."""
    image: np.ndarray
    """(H, W, k) float32 of the picture."""


def descend(
    field: GaussianField, frame: Frame, T_world_camera: np.ndarray, steps: int, features: SeenFeatures | None = None
) -> np.ndarray:
    """(4, 4) T_world_camera after at most so many steps from a pose that is nearly right."""
    seen = frame.rgb.astype(np.float32) / 255
    if features is not None:
        seen = np.concatenate([seen, features.image], -1)
    seen = torch.from_numpy(cv2.GaussianBlur(seen, (0, 0), _SIGMA)).to(field.means)
    kept, least, T = T_world_camera, np.inf, T_world_camera
    for k in range(steps + 1):
        error, twist = _step(field, frame, T, seen, None if features is None else features.codes, k < steps)
        if error >= least:
            break
        kept, least = T, error
        T = moved(T, twist)
    return kept


def _step(
    field: GaussianField, frame: Frame, T: np.ndarray, seen: Tensor, codes: Tensor | None, with_step: bool
) -> tuple[float, np.ndarray]:
    """The robust error at a pose, and the twist that should make it less."""
    twist = torch.zeros(6, dtype=field.means.dtype, device=field.means.device, requires_grad=with_step)
    with torch.set_grad_enabled(with_step):
        view = render(field, frame.camera, torch.as_tensor(T).to(field.means) @ _near_identity(twist), codes)
        image = view.rgb if codes is None else torch.cat([view.rgb, view.features.to(view.rgb)], -1)
        image = _blurred(image)
        solid = cv2.erode((view.alpha > _SOLID).cpu().numpy().astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
        if solid.sum() < 100:
            return np.inf, np.zeros(6)
        inner = torch.from_numpy(solid).to(image.device)
        rendered, wanted = image[inner], seen[inner]
        gain, offset = _exposure(rendered.detach(), wanted)
        residual = gain * rendered + offset - wanted
        size = residual.detach().abs()
        sigma = (1.4826 * size.median(0).values).clamp_min(_FLOOR)
        weight = (1 - (size / (4 * sigma)).square()).clamp_min(0).square() / sigma.square()
        # Tukey's loss itself, which unlike its weights can be compared between poses; spread fixed by the channel
        error = float((1 - (1 - (size / 0.2).square()).clamp_min(0) ** 3).mean())
        if not with_step:
            return error, np.zeros(6)
        (gradient,) = torch.autograd.grad(0.5 * (weight * residual.square()).sum(), twist)
    points = frame.camera.unproject(view.depth.detach().cpu().numpy())[solid]
    flow = pixel_motion(np.maximum(points, [-np.inf, -np.inf, 1e-3]), frame.camera.K)
    curvature = np.zeros((6, 6))
    drawn, gain = image.detach().cpu().numpy(), gain.cpu().numpy()
    for c in range(drawn.shape[-1]):
        slopes = [cv2.Scharr(drawn[..., c], cv2.CV_32F, *axis, scale=1 / 32)[solid] for axis in ((1, 0), (0, 1))]
        J = float(gain[c]) * np.einsum("nk,nkd->nd", np.stack(slopes, -1), flow)
        curvature += J.T @ (J * weight[:, c].cpu().numpy()[:, None])
    step = -np.linalg.solve(curvature + np.diag(1e-3 * np.diag(curvature) + 1e-9), gradient.double().cpu().numpy())
    return error, step * min(1.0, 0.02 / max(np.abs(step).max(), 1e-12))


def _near_identity(twist: Tensor) -> Tensor:
    """(4, 4) exp(twist) to first order, for a derivative at zero."""
    x, y, z = twist[3:]
    o = torch.zeros_like(x)
    rows = [torch.stack([o, -z, y, twist[0]]), torch.stack([z, o, -x, twist[1]]), torch.stack([-y, x, o, twist[2]])]
    return torch.eye(4).to(twist) + torch.stack([*rows, torch.stack([o, o, o, o])])


def _blurred(image: Tensor) -> Tensor:
    """(H, W, C) under the same blur as `seen`."""
    kernel = torch.from_numpy(cv2.getGaussianKernel(7, _SIGMA)[:, 0]).to(image)
    channels = image.permute(2, 0, 1)[:, None]
    padded = torch.nn.functional.pad(channels, (3, 3, 3, 3), mode="reflect")
    rows = torch.nn.functional.conv2d(padded, kernel[None, None, None])
    return torch.nn.functional.conv2d(rows, kernel[None, None, :, None])[:, 0].permute(1, 2, 0)


def _exposure(rendered: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """(C,) gain and offset by robust regression: what is covered or new in the picture must not turn the colours."""
    weight = torch.ones_like(rendered)
    gain, offset = rendered.new_ones(rendered.shape[1]), rendered.new_zeros(rendered.shape[1])
    for _ in range(4):
        total = weight.sum(0).clamp_min(1e-6)
        mean_r, mean_w = (weight * rendered).sum(0) / total, (weight * wanted).sum(0) / total
        spread = (weight * (rendered - mean_r).square()).sum(0)
        gain = ((weight * (rendered - mean_r) * (wanted - mean_w)).sum(0) / spread.clamp_min(1e-6)).clamp(0.3, 3.0)
        offset = mean_w - gain * mean_r
        size = (gain * rendered + offset - wanted).abs()
        sigma = (1.4826 * size.median(0).values).clamp_min(_FLOOR)
        weight = (1 - (size / (4 * sigma)).square()).clamp_min(0).square()
    return gain, offset
