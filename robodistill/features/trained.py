"""What the trained ways into the field share: checked input, rendered codes, the order of views, and Adam."""

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.optim.adam import adam

from robodistill.errors import BadInput
from robodistill.field.gaussians import FieldView, GaussianField
from robodistill.field.render import view_tensors
from robodistill.raster.rasterize import rasterize


def check_maps(views: Sequence[FieldView], maps: Sequence[Tensor]) -> int:
    """The teacher's D.

    Raises:
        BadInput: No view, not one (h, w, D) map for each view, or maps of several D.
    """
    if not views or len(views) != len(maps):
        raise BadInput(f"features are learned from views, one map for each; got {len(views)} views, {len(maps)} maps")
    shapes = sorted({tuple(m.shape) for m in maps})
    if any(len(shape) != 3 or 0 in shape for shape in shapes) or len({shape[-1] for shape in shapes}) > 1:
        raise BadInput(f"feature maps must be (h, w, D) with one D for all; got {', '.join(map(str, shapes))}")
    return shapes[0][-1]


def render_codes(field: GaussianField, codes: Tensor, view: FieldView) -> Tensor:
    """(H, W, d) blend of codes (N, d), with the weights that blend the colours."""
    viewmats, Ks = view_tensors(field.means, view.camera, view.T_world_camera)
    gaussians = (field.means, field.quats_wxyz, field.scales, field.opacities, codes)
    return rasterize(*gaussians, viewmats, Ks, view.camera.width, view.camera.height)[0][0]


def view_order(count: int, generator: torch.Generator) -> Iterator[int]:
    """Views without end, in a new order each time that all have been seen."""
    while True:
        yield from torch.randperm(count, generator=generator).tolist()


class Adam:
    """Adam by torch's functional form, as in `field.fit`; each tensor has its own learning rate."""

    def __init__(self, params: dict[str, Tensor], rates: dict[str, float], steps: int, lr_final: float) -> None:
        """Rates fall along a cosine to the share `lr_final` at the last of `steps`."""
        assert params.keys() == rates.keys()
        self.params, self._rates, self._steps, self._lr_final = params, rates, steps, lr_final
        self._moments = {name: (torch.zeros_like(p), torch.zeros_like(p)) for name, p in params.items()}
        self._updates = {name: torch.zeros((), device=p.device) for name, p in params.items()}
        self._done = 0

    @torch.no_grad()
    def step(self) -> None:
        """Move every tensor against its gradient, and clear the gradients."""
        factor = self._lr_final + (1 - self._lr_final) * 0.5 * (1 + math.cos(math.pi * self._done / self._steps))
        for name, p in self.params.items():
            mean, square = self._moments[name]
            state = ([p], [p.grad], [mean], [square], [], [self._updates[name]])
            adam(
                *state,
                fused=True,
                amsgrad=False,
                beta1=0.9,
                beta2=0.99,
                lr=self._rates[name] * factor,
                weight_decay=0.0,
                eps=1e-15,
                maximize=False,
            )
            p.grad = None
        self._done += 1

    def was_moved(self, name: str) -> Tensor:
        """(N,) bool: which rows of a tensor ever had a gradient."""
        return (self._moments[name][1] > 0).any(-1)
