"""`distill` as the paper has it: geometry, colour and features are fitted together.

Zhou et al., "Feature 3DGS", CVPR 2024. The feature loss moves and fades Gaussians, too. Differs in that no Gaussian is
split or pruned, so that codes stay with their Gaussians, and in that colour and features are rendered one after the
other, with the same weights.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from robodistill.capture.frame import Frame
from robodistill.config import DistillConfig, FitConfig
from robodistill.errors import BadInput
from robodistill.features.distill import Student
from robodistill.features.trained import check_maps
from robodistill.field.features import FeatureLayer
from robodistill.field.fit import Fit, Target
from robodistill.field.gaussians import GaussianField
from robodistill.progress import Progress, silent
from robodistill.raster.rasterize import rasterize


def distill_jointly(
    field: GaussianField,
    frames: Sequence[Frame],
    maps: Sequence[Tensor],
    config: DistillConfig,
    fit: FitConfig,
    progress: Progress = silent,
    teacher: str = "",
) -> tuple[GaussianField, FeatureLayer]:
    """Fit a field and its features to frames and the teacher's maps of them.

    Args:
        field: The start, seeded or fitted; its other layers are kept.
        frames: With poses.
        maps: (h, w, D) for each frame.
        config: Of the features; its `steps` hold for both.
        fit: Of geometry and colour; its `steps` and `policy` are not used.
        progress: Called after every step with the colour error.
        teacher: Spec of what made the maps.

    Returns:
        The field as fitted, and the layer that belongs to it; the layer is not put into the field.

    Raises:
        BadInput: The maps do not fit the frames, a frame has no pose, or the config is out of range.
    """
    if any(frame.T_world_camera is None for frame in frames):
        raise BadInput("a frame without a pose cannot be fitted to; leave it and its map out")
    student = Student(len(field), check_maps(frames, maps), config, field.means.device)
    still = replace(fit.policy, first_step=config.steps + 1, split_share=0.0)
    joint = _JointFit(field, list(frames), maps, replace(fit, steps=config.steps, policy=still), student)
    while not joint.is_done:
        mse = joint.step()
        progress("distilling", joint.step_number, config.steps, f"mse {mse:.4f}")
    return joint.field(), student.layer(teacher)


class _JointFit(Fit):
    """A fit whose loss has the features' in it."""

    def __init__(
        self, field: GaussianField, frames: list[Frame], maps: Sequence[Tensor], config: FitConfig, student: Student
    ) -> None:
        super().__init__(field, frames, config)
        self._student = student
        self._maps = {id(target): m for target, m in zip(self.targets, maps, strict=True)}

    def _loss(self, target: Target, probe: Tensor | None) -> tuple[Tensor, float]:
        loss, mse = super()._loss(target, probe)
        p = self.params
        gaussians = (p["means"], p["quats"], p["log_scales"].exp(), p["logits"].sigmoid(), self._student.codes)
        height, width = target.rgb.shape[:2]
        rendered = rasterize(*gaussians, target.viewmats, target.Ks, width, height)[0][0]
        return loss + self._student.loss(rendered, self._maps[id(target)]), mse

    @torch.no_grad()
    def _update(self) -> None:
        super()._update()
        self._student.step()
