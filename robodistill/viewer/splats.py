"""Layers of Gaussians as a page shows them: arrays for the browser's splats, one field for pictures drawn here."""

from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
import torch
from torch import Tensor

from robodistill.field.gaussians import GaussianField
from robodistill.geometry import se3
from robodistill.raster.projection import quats_to_matrices
from robodistill.raster.rotate_sh import rotate_sh
from robodistill.raster.sh import rgb_to_sh0, sh0_to_rgb


@dataclass(frozen=True, eq=False)
class Layer:
    """N Gaussians under one name, posed and perhaps painted."""

    field: GaussianField
    colors: Tensor | None = None
    """(N, 3) in [0, 1] in place of the field's own."""
    T_world_layer: np.ndarray | None = None
    """(4, 4) rigid, of the field's coordinates; None is the identity."""

    @cached_property
    def covariances(self) -> np.ndarray:
        """(N, 3, 3) float32 square metres."""
        axes = quats_to_matrices(self.field.quats_wxyz) * self.field.scales[:, None]
        return (axes @ axes.mT).cpu().numpy()

    @property
    def rgbs(self) -> np.ndarray:
        """(N, 3) uint8: what a browser can show, which is colour that does not depend on the view."""
        shown = sh0_to_rgb(self.field.sh[:, 0]) if self.colors is None else self.colors
        return (shown.clamp(0, 1) * 255).round().byte().cpu().numpy()

    def placed(self) -> GaussianField:
        """The layer in the world, in its colours."""
        field = self.field
        if self.colors is not None:
            field = replace(field, sh=rgb_to_sh0(self.colors)[:, None].to(field.sh))
        if self.T_world_layer is None:
            return field
        T = torch.from_numpy(self.T_world_layer)
        there = se3.compose(se3.from_matrix(T).to(field.means), torch.cat([field.quats_wxyz, field.means], -1))
        turned = rotate_sh(field.sh, T[:3, :3].to(field.sh))
        return replace(field, quats_wxyz=there[:, :4], means=there[:, 4:], sh=turned)


def one_field(layers: list[Layer]) -> GaussianField:
    """All layers (at least one) in one field, for pictures; the background is the first one's."""
    placed = [layer.placed() for layer in layers]
    if len(placed) == 1:
        return placed[0]
    most = max(field.sh.shape[1] for field in placed)
    sh = [torch.nn.functional.pad(field.sh, (0, 0, 0, most - field.sh.shape[1])) for field in placed]
    names = ("means", "quats_wxyz", "scales", "opacities")
    tensors = {name: torch.cat([getattr(field, name) for field in placed]) for name in names}
    return GaussianField(**tensors, sh=torch.cat(sh), background=placed[0].background)


def heat_colors(field: GaussianField, scores: Tensor) -> Tensor:
    """(N, 3) in [0, 1]: a score (N,) in [0, 1] as colour over the field's own in grey."""
    scores = scores.clamp(0, 1).cpu()
    # the map ends in a red that is nearly black
    hot = cv2.applyColorMap((scores.numpy() * 230).astype(np.uint8)[None], cv2.COLORMAP_TURBO)[0, :, ::-1]
    grey = sh0_to_rgb(field.sh[:, 0]).clamp(0, 1).mean(-1, keepdim=True).expand(-1, 3)
    share = 0.25 + 0.6 * scores[:, None]
    return share * torch.from_numpy(hot.copy()).float() / 255 + (1 - share) * grey


def selected_colors(field: GaussianField, mask: Tensor) -> Tensor:
    """(N, 3) in [0, 1]: what is selected (N,) bool as it is with a tint, the rest dim."""
    own = sh0_to_rgb(field.sh[:, 0]).clamp(0, 1)
    tint = own.new_tensor([1.0, 0.55, 0.1])
    return torch.where(mask[:, None], 0.6 * own + 0.4 * tint, 0.25 + 0.35 * own.mean(-1, keepdim=True))
