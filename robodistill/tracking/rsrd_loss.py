"""What RSRD's tracking makes small: features, colour and what holds parts together, through the rasteriser.

See `rsrd`, which has the paper and where this differs.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation
from torch import Tensor
from torch.nn import functional

from robodistill.capture.frame import Frame
from robodistill.field.features import FeatureLayer
from robodistill.geometry.camera import Camera
from robodistill.raster.projection import quats_to_matrices
from robodistill.raster.rasterize import rasterize, view_colors
from robodistill.teachers.teacher import ImageTeacher
from robodistill.tracking.background import Background
from robodistill.tracking.layers import Window
from robodistill.tracking.model import PartModel

_MARGIN = 0.25  # of the object's box in the picture, added around it
_SOLID = 0.8  # alpha above which rendered features are not blurred


@dataclass(frozen=True)
class RsrdConfig:
    """The paper's numbers."""

    steps: int = 50
    """Of Adam, a frame."""
    first_rate: float = 0.005
    """Of Adam, metres and quaternion; falls geometrically to `last_rate`."""
    last_rate: float = 0.001
    carried_on: float = 0.2
    """Share of the last step by which a frame's start is carried on."""
    rgb: float = 0.05
    """Weight of the mean absolute error of colour; that of features is 1."""
    touch: float = 0.2
    """Weight of what holds parts together."""
    touch_reach: float = 0.002
    """Gaussians of two parts nearer than this at rest are held together, metres."""
    touch_share: float = 0.03
    """And nearer than this in the object's size: Gaussians here are larger and fewer than the paper's."""
    touch_scale: float = 0.001
    """Of Barron's loss, metres."""
    touch_alpha: float = 1.0
    """Its shape: 1 for jointed objects, 0.1 in the paper where a part comes off or slides."""
    smooth: float = 0.2
    """Weight of motion from frame to frame in the joint pass."""
    joint_steps: int = 50
    """Of Adam over all frames at once; 0 for no joint pass."""
    dims: int = 16
    """Directions of the features that are rendered; what lies across them is part of the error still."""


@dataclass(frozen=True, eq=False)
class RsrdFeatures:
    """What the feature loss needs: the Gaussians' features, and who says what a frame's are."""

    codes: Tensor
    """(N, k) in the basis."""
    basis: Tensor
    """(D, k) orthonormal columns."""
    teacher: ImageTeacher

    @classmethod
    def of(cls, layer: FeatureLayer, teacher: ImageTeacher, dims: int) -> "RsrdFeatures":
        """The strongest `dims` directions of a layer's features."""
        features = functional.normalize(layer.features().float(), dim=-1)
        _, _, directions = torch.linalg.svd(features, full_matrices=False)
        basis = directions[:dims].mT.contiguous()
        return cls(features @ basis, basis, teacher)

    def seen(self, rgb: np.ndarray, camera: Camera) -> tuple[Tensor, Tensor]:
        """(H, W, k) and (H, W) float32 of a frame (H, W, 3) uint8: its features in the basis, their length across."""
        features = functional.normalize(self.teacher.encode(Frame(rgb, None, camera, None)).float(), dim=-1)
        inside = features @ self.basis
        across = (1 - inside.square().sum(-1)).clamp_min(0)
        both = torch.cat([inside, across[..., None]], -1).permute(2, 0, 1)[None]
        both = functional.interpolate(both, rgb.shape[:2], mode="bilinear")[0].permute(1, 2, 0)
        return both[..., :-1], both[..., -1].sqrt()


_HEADS = ("head=looks", "head=visual")
"""Of the built-in teacher, for correspondence."""


def load_features(layers: dict[str, FeatureLayer], dims: int = RsrdConfig.dims) -> RsrdFeatures | None:
    """Of a field's layers the one that the paper's loss is for, or what stands in for it; None where there is neither.

    Raises:
        MissingPart: The teacher's weights are not there.
    """
    from robodistill.teachers.registry import load_image_teacher

    for wanted in ("dinov2", "dinov3", "builtin"):
        layer = layers.get(wanted)
        if layer is not None and (wanted != "builtin" or any(it in layer.teacher for it in _HEADS)):
            return RsrdFeatures.of(layer, load_image_teacher(layer.teacher), dims)
    return None


class PosedParts:
    """The model in tensors; a state is (P, 7), each part's quaternion wxyz and shift about its middle, from the first
    frame's pose on."""

    def __init__(
        self, model: PartModel, Ts_first: np.ndarray, config: RsrdConfig, features: RsrdFeatures | None
    ) -> None:
        self.model, self.features = model, features
        self.labels = torch.from_numpy(model.labels).long()
        self.centers = torch.from_numpy(model.centers).float()
        self.R_first, self.t_first = torch.from_numpy(Ts_first).float()[:, :3].split([3, 1], -1)
        self.rest = torch.tensor([1.0, 0, 0, 0, 0, 0, 0]).repeat(model.parts, 1)
        self._local = model.field.means - self.centers[self.labels]
        self._first = torch.from_numpy(Rotation.from_matrix(Ts_first[:, :3, :3]).as_quat(scalar_first=True)).float()
        self._touch = _Touch(model, config)

    def posed(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 3) centres and (N, 4) quaternions in the camera frame."""
        q = functional.normalize(state[:, :4], dim=-1)
        R, at = self.R_first @ quats_to_matrices(q), self.labels
        middle = (self.R_first @ (self.centers + state[:, 4:])[..., None] + self.t_first)[..., 0]
        means = (R[at] @ self._local[..., None])[..., 0] + middle[at]
        return means, product(product(self._first, q)[at], self.model.field.quats_wxyz)

    def poses(self, state: Tensor) -> np.ndarray:
        """(P, 4, 4) Ts_camera_part."""
        R = self.R_first @ quats_to_matrices(functional.normalize(state[:, :4], dim=-1))
        middle = self.R_first @ (self.centers + state[:, 4:])[..., None] + self.t_first
        Ts = np.tile(np.eye(4), (len(state), 1, 1))
        Ts[:, :3] = torch.cat([R, middle - R @ self.centers[..., None]], -1).double().numpy()
        return Ts

    def window(self, state: Tensor, camera: Camera) -> Window | None:
        """The box of the object in the picture and a quarter more; None where it is not in it."""
        points = self.model.posed_points(self.poses(state))
        points = points[points[:, 2] > 0.05] @ camera.K.T
        if len(points) < 10:
            return None
        low, high = np.percentile(points[:, :2] / points[:, 2:], [0.5, 99.5], axis=0)
        more = _MARGIN / 2 * (high - low)
        left, top = np.floor(np.maximum(low - more, 0)).astype(int)
        right, bottom = np.ceil(np.minimum(high + more + 1, [camera.width, camera.height])).astype(int)
        if right - left < 8 or bottom - top < 8:
            return None
        return Window(camera, int(left), int(top), int(right - left), int(bottom - top))

    @torch.no_grad()
    def colors(self, state: Tensor) -> Tensor:
        """(N, 3) that the camera sees."""
        field, Ts = self.model.field, torch.from_numpy(self.poses(state)).float()
        if field.sh_degree == 0:
            return view_colors(field.means, field.sh, Ts[:1], 0)[0]
        shown = torch.stack([view_colors(field.means, field.sh, T[None], field.sh_degree)[0] for T in Ts])
        return shown[self.labels, torch.arange(len(field))]

    def loss(self, state: Tensor, seen: "Seen | None", colors: Tensor, config: RsrdConfig) -> Tensor:
        """Of one frame: features, colour, and what holds parts together."""
        means, quats = self.posed(state)
        total = config.touch * self._touch.loss(means)
        if seen is None:
            return total
        field, codes = self.model.field, self.features
        columns = colors if codes is None else torch.cat([colors, codes.codes], -1)
        view = (torch.eye(4)[None], seen.K[None], seen.rgb.shape[1], seen.rgb.shape[0])
        image, alpha, _ = rasterize(means, quats, field.scales, field.opacities, columns, *view)
        image, alpha = image[0], alpha[0]
        through = 1 - alpha
        # an edge over what has never been seen says nothing
        share = seen.share * (alpha.detach()[..., 0] + seen.known).clamp_max(1)
        rgb = image[..., :3] + through * seen.behind_rgb
        total = total + config.rgb * ((rgb - seen.rgb).abs().mean(-1) * share).sum()
        if codes is not None:
            shown = image[..., 3:] + through * seen.behind_codes.float()
            shown = torch.where(alpha > _SOLID, shown, _blurred(shown))
            square = (shown - seen.codes.float()).square().sum(-1) + seen.across.float().square()
            total = total + ((square + 1e-8).sqrt() * share).sum()
        return total


@dataclass(frozen=True, eq=False)
class Seen:
    """A frame in the window around the object."""

    K: Tensor
    rgb: Tensor
    behind_rgb: Tensor
    share: Tensor
    """(H, W) of each pixel in a mean."""
    known: Tensor
    """(H, W) 1 where the background is known."""
    codes: Tensor | None = None
    across: Tensor | None = None
    behind_codes: Tensor | None = None


class Behind:
    """Cuts frames, and what is behind the object, to windows."""

    def __init__(self, background: Background, camera: Camera, features: RsrdFeatures | None) -> None:
        self._rgb, self._known = torch.from_numpy(background.rgb), torch.from_numpy(background.known)
        self._features, self._camera = features, camera
        if features is not None:
            image = np.round(255 * background.rgb).clip(0, 255).astype(np.uint8)
            self._codes = features.seen(image, camera)[0].half()

    def look(self, image: np.ndarray, window: Window | None, usable: np.ndarray | None) -> Seen | None:
        """A frame (H, W, 3) uint8; None where there is nothing to see."""
        if window is None:
            return None
        cut = window.pixels
        mask = (np.ones(image.shape[:2], bool) if usable is None else usable > 0)[cut]
        if not mask.any():
            return None
        seen = Seen(
            torch.from_numpy(window.K_corner).float(),
            torch.from_numpy(image[cut].astype(np.float32) / 255),
            self._rgb[cut],
            torch.from_numpy((mask / mask.sum()).astype(np.float32)),
            self._known[cut],
        )
        if self._features is None:
            return seen
        # half precision: the joint pass holds all frames
        codes, across = (x[cut].half() for x in self._features.seen(image, self._camera))
        return replace(seen, codes=codes, across=across, behind_codes=self._codes[cut])


class _Touch:
    """As rigid as possible between parts ("ATAP"): Gaussians of two parts that touch at rest keep their distance."""

    def __init__(self, model: PartModel, config: RsrdConfig, most: int = 500) -> None:
        points, self._config, self._pairs = model.points, config, []
        reach = max(config.touch_reach, config.touch_share * model.size)
        for b in range(model.parts):
            own = np.flatnonzero(model.labels == b)
            others = np.flatnonzero(model.labels != b)
            near = cKDTree(points[others]).query_ball_point(points[own], reach)
            pairs = [(i, others[j]) for i, found in zip(own, near, strict=True) for j in found[:most]]
            if pairs:
                i, j = np.array(pairs).T
                rest = np.linalg.norm(points[i] - points[j], axis=1)
                self._pairs.append((torch.from_numpy(i), torch.from_numpy(j), torch.from_numpy(rest).float()))

    def loss(self, means: Tensor) -> Tensor:
        """Mean over each part's pairs of Barron's loss (CVPR 2019) of their distance's change, summed over parts."""
        alpha, total = self._config.touch_alpha, means.new_zeros(())
        for i, j, rest in self._pairs:
            change = ((means[i] - means[j]).square().sum(-1) + 1e-12).sqrt() - rest
            square = (change / self._config.touch_scale).square() / abs(alpha - 2)
            total = total + (abs(alpha - 2) / alpha * ((square + 1) ** (alpha / 2) - 1)).mean()
        return total


def _blurred(image: Tensor) -> Tensor:
    """(H, W, C) under a Gaussian of 5 x 5, by sums of shifted pictures: much faster than convolution here."""
    side = np.exp(-0.5 * (np.arange(-2, 3) / 1.1) ** 2)
    for axis in (0, 1):
        ends = [image.narrow(axis, at, 1) for at in (0, image.shape[axis] - 1)]
        padded = torch.cat([ends[0], ends[0], image, ends[1], ends[1]], axis)
        shifted = (padded.narrow(axis, k, image.shape[axis]) * (side[k] / side.sum()) for k in range(5))
        image = sum(shifted)
    return image


def product(a: Tensor, b: Tensor) -> Tensor:
    """(..., 4) quaternion product, wxyz."""
    aw, av, bw, bv = a[..., :1], a[..., 1:], b[..., :1], b[..., 1:]
    w = aw * bw - (av * bv).sum(-1, keepdim=True)
    return torch.cat([w, aw * bv + bw * av + torch.linalg.cross(*torch.broadcast_tensors(av, bv))], -1)
