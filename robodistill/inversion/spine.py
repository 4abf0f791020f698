"""SPINE's own way to a pose, beside ours for comparison: one regressed guess, one SIFT-PnP.

Mei, Shorinwa & Majumdar, "Geometry Meets Vision" (arXiv 2510.03104, 2025), after its description: a network of two
layers of 32 neurons, trained for each scene, takes one global token of the picture to a mixture of Gaussians over
translation and so(3) logarithm; its mean is the coarse pose; colour and depth rendered there give 2D-3D matches by SIFT
and FLANN, and EPnP inside RANSAC the pose, once. Differs in the token, since DINO's weights are not at hand everywhere:
colours and edge directions over a grid, or any that is given; and in that it is trained on the field's own views as the
field renders them, for a field keeps no pictures. Variances are trained by likelihood with the means held still.
"""

import math
from collections.abc import Callable, Sequence

import cv2
import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from robodistill.capture.frame import Frame
from robodistill.field.gaussians import GaussianField
from robodistill.geometry.camera import FLIP_YZ
from robodistill.inversion.minimal import Hypothesis
from robodistill.inversion.views import Picture, ViewPose, draw, fitted

Token = Callable[[np.ndarray], np.ndarray]

_NEURONS, _COMPONENTS = 32, 1
_LR, _LR_LAST, _DECAY = 1e-3, 1e-4, 1e-5
_KEYPOINTS, _RATIO, _PIXELS, _SURE = 1000, 0.9, 8.0, 0.99
_GRID, _DIRECTIONS = (8, 6), 8


class PoseNetwork:
    """A mixture-density network from a token of a picture to a camera pose; a `Proposer` of one hypothesis."""

    def __init__(
        self, field: GaussianField, max_side: int, token: Token | None = None, seed: int = 0, steps: int = 3000
    ) -> None:
        """Train on the field's own views; takes about ten seconds.

        Raises:
            ValueError: The field has no views of its own.
        """
        if not field.views:
            raise ValueError("the field has no views of its own to train on")
        self._token = token or grid_token
        views = [ViewPose(fitted(v.camera, max_side), v.T_world_camera) for v in field.views]
        tokens = torch.from_numpy(np.stack([self._token(draw(field, v).rgb) for v in views])).float()
        poses = torch.from_numpy(np.stack([_six(v.T_world_camera) for v in views])).float()
        # the paper's scenes are scaled to a unit box
        self._middle = poses[:, :3].mean(0)
        self._scale = float((poses[:, :3] - self._middle).abs().max().clamp_min(1e-6))
        poses[:, :3] = (poses[:, :3] - self._middle) / self._scale
        generator = torch.Generator().manual_seed(seed)
        self._layers = _layers(tokens.shape[1], generator)
        self._fit(tokens, poses, steps)

    def propose(self, frame: Frame) -> list[Hypothesis]:
        """The mean of the mixture."""
        token = torch.from_numpy(self._token(frame.rgb)).float()[None]
        with torch.no_grad():
            weights, means, _ = self._mixture(token)
        six = (weights[..., None] * means).sum(1)[0]
        six[:3] = six[:3] * self._scale + self._middle
        return [Hypothesis(_pose(six.double().numpy()), 0.0, "spine")]

    def entropy(self, frame: Frame) -> float:
        """Uncertainty: the mean entropy of the components, nats."""
        with torch.no_grad():
            weights, _, log_variances = self._mixture(torch.from_numpy(self._token(frame.rgb)).float()[None])
        each = 0.5 * (log_variances + math.log(2 * math.pi * math.e)).sum(-1)
        return float((weights * each).sum())

    def _mixture(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = tokens
        for k, (weight, bias) in enumerate(self._layers):
            x = torch.nn.functional.linear(x, weight, bias)
            x = x.relu() if k < len(self._layers) - 1 else x
        x = x.unflatten(-1, (_COMPONENTS, 13))
        return x[..., 0].softmax(-1), x[..., 1:7], x[..., 7:].clamp(-12, 4)

    def _fit(self, tokens: Tensor, poses: Tensor, steps: int) -> None:
        parameters = [p.requires_grad_() for layer in self._layers for p in layer]
        optimizer = torch.optim.RAdam(parameters, lr=_LR, weight_decay=_DECAY)
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, (_LR_LAST / _LR) ** (1 / steps))
        for _ in range(steps):
            weights, means, log_variances = self._mixture(tokens)
            error = (weights[..., None] * means).sum(1) - poses
            regression = error[:, :3].square().mean() + error[:, 3:].square().mean()
            off = (means.detach() - poses[:, None]).square()
            likelihood = 0.5 * (off / log_variances.exp() + log_variances).mean()
            optimizer.zero_grad()
            (regression + 1e-2 * likelihood).backward()
            optimizer.step()
            schedule.step()
        for p in parameters:
            p.requires_grad_(False)


def one_shot(picture: Picture, frame: Frame) -> np.ndarray | None:
    """(4, 4) T_world_camera by SIFT, FLANN, ratio test and EPnP-RANSAC against one picture; None where that fails."""
    sift = cv2.SIFT_create(nfeatures=_KEYPOINTS)
    (pixels_a, there), (pixels_b, here) = (
        sift.detectAndCompute(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), None) for rgb in (picture.rgb, frame.rgb)
    )
    if there is None or here is None or len(there) < 2 or len(here) < 2:
        return None
    pairs = cv2.FlannBasedMatcher({"algorithm": 1, "trees": 5}, {"checks": 50}).knnMatch(here, there, k=2)
    good = [p[0] for p in pairs if len(p) == 2 and p[0].distance < _RATIO * p[1].distance]
    points = picture.view.camera.unproject(picture.depth)
    seen, known = [], []
    for match in good:
        u, v = np.rint(pixels_a[match.trainIdx].pt).astype(int)
        if 0 <= v < picture.depth.shape[0] and 0 <= u < picture.depth.shape[1] and picture.depth[v, u] > 0:
            seen.append(pixels_b[match.queryIdx].pt)
            known.append(points[v, u])
    if len(known) < 4:
        return None
    cv2.setRNGSeed(0)
    options = {"reprojectionError": _PIXELS, "confidence": _SURE, "flags": cv2.SOLVEPNP_EPNP}
    found, rvec, tvec, _ = cv2.solvePnPRansac(np.array(known), np.array(seen), frame.camera.K, None, **options)
    if not found:
        return None
    T_camera_view = np.eye(4)
    T_camera_view[:3, :3], T_camera_view[:3, 3] = cv2.Rodrigues(rvec)[0], tvec[:, 0]
    return picture.view.T_world_camera @ np.linalg.inv(T_camera_view)


def grid_token(rgb: np.ndarray) -> np.ndarray:
    """(528,) unit vector: mean CIE Lab colour and edge directions in each cell of an 8 x 6 grid."""
    small = cv2.GaussianBlur(rgb, (0, 0), 1.5)
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB) / 50
    gray = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    dx, dy = (cv2.Scharr(gray, cv2.CV_32F, *axis, scale=1 / 32) for axis in ((1, 0), (0, 1)))
    length, angle = np.hypot(dx, dy), np.mod(np.arctan2(dy, dx), np.pi)
    bins = np.floor(angle / np.pi * _DIRECTIONS).clip(0, _DIRECTIONS - 1)
    edges = np.stack([length * (bins == k) for k in range(_DIRECTIONS)], -1).astype(np.float32)
    cells = [
        cv2.resize(x, _GRID, interpolation=cv2.INTER_AREA).reshape(-1) for x in (lab - lab.mean((0, 1)), 20 * edges)
    ]
    token = np.concatenate(cells)
    return token / max(np.linalg.norm(token), 1e-9)


def _layers(inputs: int, generator: torch.Generator) -> list[tuple[Tensor, Tensor]]:
    """Weights and biases, uniformly drawn as `torch.nn.Linear` does."""
    sizes: Sequence[int] = (inputs, _NEURONS, _NEURONS, 13 * _COMPONENTS)
    made = []
    for n, m in zip(sizes, sizes[1:], strict=False):
        bound = 1 / math.sqrt(n)
        made.append(tuple((2 * torch.rand(shape, generator=generator) - 1) * bound for shape in ((m, n), (m,))))
    return made


def _six(T_world_camera: np.ndarray) -> np.ndarray:
    """Translation and so(3) logarithm of the camera with OpenGL's axes, as the paper's code has it."""
    T = T_world_camera @ FLIP_YZ
    return np.concatenate([T[:3, 3], Rotation.from_matrix(T[:3, :3]).as_rotvec()])


def _pose(six: np.ndarray) -> np.ndarray:
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = Rotation.from_rotvec(six[3:]).as_matrix(), six[:3]
    return T @ FLIP_YZ
