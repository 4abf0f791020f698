"""`distill`: features of the Gaussians are optimised until their renderings look like the teacher's maps.

Zhou et al., "Feature 3DGS: Supercharging 3D Gaussian Splatting to Enable Distilled Feature Fields", CVPR 2024. Here on
a field whose geometry is fitted and stays; `joint.py` moves geometry and colour too, as the paper does.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from robodistill.config import DistillConfig
from robodistill.errors import BadInput
from robodistill.features.trained import Adam, check_maps, render_codes, view_order
from robodistill.field.features import Decoder, FeatureLayer
from robodistill.field.gaussians import FieldView, GaussianField
from robodistill.progress import Progress, silent


def distill(
    field: GaussianField,
    views: Sequence[FieldView],
    maps: Sequence[Tensor],
    config: DistillConfig,
    progress: Progress = silent,
    teacher: str = "",
) -> FeatureLayer:
    """Learn features that render to the teacher's maps.

    Args:
        field: Frozen; its rendering weights blend the features.
        views: What the maps were made from.
        maps: (h, w, D) for each view.
        config: See there for what the paper has.
        progress: Called after every step with the loss.
        teacher: Spec of what made the maps.

    Raises:
        BadInput: The maps do not fit the views, or the config is out of range.

    Reference: Zhou et al., CVPR 2024, section 3.2 and the released training loop. Differs from it in: geometry is
    frozen; steps and rates are for minutes on a CPU; see `DistillConfig.resize` for the third.
    """
    student = Student(len(field), check_maps(views, maps), config, field.means.device)
    random = torch.Generator().manual_seed(config.seed)
    for step, k in zip(range(config.steps), view_order(len(views), random), strict=False):
        loss = student.loss(render_codes(field, student.codes, views[k]), maps[k])
        loss.backward()
        student.step()
        progress("distilling", step + 1, config.steps, f"L1 {loss.item():.4f}")
    return student.layer(teacher)


class Student:
    """Codes of N Gaussians and, where they are shorter than the teacher's D, a linear decoder: what is learned."""

    def __init__(self, count: int, dim: int, config: DistillConfig, device: torch.device) -> None:
        """Begin with codes of zero, as the paper does.

        Raises:
            BadInput: The config is out of range.
        """
        code_dim = config.dim or dim
        if not config.decoder and code_dim != dim:
            raise BadInput(f"without a decoder the codes have the teacher's dimension {dim}; got dim={config.dim}")
        if config.resize not in _RESIZE or config.steps < 1 or config.dim < 0:
            raise BadInput(
                f"distill: resize one of {', '.join(_RESIZE)}, steps >= 1 and dim >= 0 are needed; "
                f"got {config.resize!r}, {config.steps}, {config.dim}"
            )
        self._config = config
        params = {"codes": torch.zeros(count, code_dim)}
        rates = {"codes": config.lr}
        if config.decoder:
            random = torch.Generator().manual_seed(config.seed)
            params["weight"] = torch.randn(dim, code_dim, generator=random) / code_dim**0.5
            params["bias"] = torch.zeros(dim)
            rates |= {"weight": config.lr_decoder, "bias": config.lr_decoder}
        params = {name: p.to(device).requires_grad_() for name, p in params.items()}
        self._adam = Adam(params, rates, config.steps, config.lr_final)

    @property
    def codes(self) -> Tensor:
        """(N, d)."""
        return self._adam.params["codes"]

    def loss(self, rendered: Tensor, teacher_map: Tensor) -> Tensor:
        """L1 between the decoded rendering (H, W, d) and the map (h, w, D)."""
        target = teacher_map.to(rendered)
        small = _RESIZE[self._config.resize](rendered.permute(2, 0, 1)[None], target.shape[:2])[0].permute(1, 2, 0)
        if self._config.decoder:
            small = F.linear(small, self._adam.params["weight"], self._adam.params["bias"])
        return self._config.weight * (small - target).abs().mean()

    def step(self) -> None:
        """Learn from the gradients that the loss has left."""
        self._adam.step()

    def layer(self, teacher: str) -> FeatureLayer:
        """What was learned so far."""
        p = {name: t.detach().clone() for name, t in self._adam.params.items()}
        dim = p["codes"].shape[1]
        if self._config.decoder:
            decoder = Decoder((p["weight"],), (p["bias"],))
        else:
            decoder = Decoder((torch.eye(dim, device=p["codes"].device),), (None,))
        return FeatureLayer(teacher, "distill", p["codes"], decoder)


def _area(image: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(image, size, mode="area")


def _corners(image: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(image, size, mode="bilinear", align_corners=True)


_RESIZE = {"area": _area, "corners": _corners}
