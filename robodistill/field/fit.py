"""Fit a field to its frames: one view a step, L1 on colour and on relative depth, Adam.

Kerbl et al., "3D Gaussian Splatting", SIGGRAPH 2023, begun from depth and supervised by it. SSIM is off by default: in
plain torch it makes a step several times dearer on a CPU and changes the result little.
"""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.optim.adam import adam

from robodistill.capture.frame import Frame
from robodistill.config import FitConfig
from robodistill.errors import EmptyCapture
from robodistill.field.gaussians import GaussianField
from robodistill.field.losses import ssim
from robodistill.field.policy import SplitPrune
from robodistill.field.render import shortest_axes, surface_planes, view_tensors
from robodistill.raster.projection import quats_to_matrices
from robodistill.raster.rasterize import rasterize
from robodistill.raster.sh import sh0_to_rgb, sh_basis

_NAMES = ("means", "quats", "log_scales", "logits", "sh0", "shN")
_AXES_EVERY = 20  # steps


@dataclass(frozen=True, eq=False)
class Target:
    """A frame as the fit holds it, on the device."""

    rgb: Tensor  # (H, W, 3) uint8
    depth: Tensor | None  # (H, W) float32, metres, 0 = none
    viewmats: Tensor  # (1, 4, 4)
    Ks: Tensor  # (1, 3, 3)
    rays: Tensor  # (H, W, 3), z = 1


class Fit:
    """An optimisation that is advanced step by step, and whose whole state can be saved and restored between steps."""

    def __init__(self, field: GaussianField, frames: list[Frame], config: FitConfig) -> None:
        """Begin at `field`; the frames must have poses.

        Raises:
            EmptyCapture: No frame has a pose.
        """
        self.config = config
        self.device = field.means.device
        self.targets = [self._target(f, field.means) for f in frames if f.T_world_camera is not None]
        if not self.targets:
            raise EmptyCapture(f"none of {len(frames)} frames has a pose; a field is fitted to posed frames")
        self._field = field
        self._background = field.means.new_tensor(field.background)
        self.step_number = 0
        self.policy = SplitPrune(config.policy, config.steps)
        self._random = torch.Generator().manual_seed(config.seed)
        self._order: list[int] = []
        self._size = float(field.scales.max(-1).values.median())
        sh = torch.zeros(len(field), (config.sh_degree + 1) ** 2, 3, device=self.device)
        shared = min(sh.shape[1], field.sh.shape[1])
        sh[:, :shared] = field.sh[:, :shared]
        self._start(
            {
                "means": field.means,
                "quats": field.quats_wxyz,
                "log_scales": field.scales.log(),
                "logits": field.opacities.logit(1e-4),
                "sh0": sh[:, :1],
                "shN": sh[:, 1:],
            }
        )

    def _target(self, frame: Frame, like: Tensor) -> Target:
        viewmats, Ks = view_tensors(like, frame.camera, frame.T_world_camera)
        depth = None if frame.depth is None else torch.from_numpy(frame.depth).to(self.device)
        rays = torch.from_numpy(frame.camera.rays()).to(like)
        return Target(torch.from_numpy(frame.rgb).to(self.device), depth, viewmats, Ks, rays)

    def _start(self, params: dict[str, Tensor]) -> None:
        c = self.config
        rates = (c.lr_means * self._size, c.lr_quats, c.lr_scales, c.lr_opacities, c.lr_colors, c.lr_colors / 10)
        self._rates = dict(zip(_NAMES, rates, strict=True))
        self.params = {name: p.detach().clone().contiguous().requires_grad_() for name, p in params.items()}
        self._moments = {name: (torch.zeros_like(p), torch.zeros_like(p)) for name, p in params.items()}
        self._updates = {name: torch.zeros((), device=self.device) for name in params}
        self.error = torch.zeros(len(params["means"]), device=self.device)
        self._axes: Tensor | None = None

    @property
    def is_done(self) -> bool:
        """Whether all steps are made."""
        return self.step_number >= self.config.steps

    def step(self) -> float:
        """Fit one view; returns its mean squared colour error."""
        target = self.targets[self._next_view()]
        collect = self.policy.wants_error(self.step_number)
        probe = torch.zeros(len(self.error), 1, device=self.device, requires_grad=True) if collect else None
        loss, mse = self._loss(target, probe)
        loss.backward()
        self._update()
        if collect:
            self.error += probe.grad[:, 0]
        self.step_number += 1
        if self.policy.is_due(self.step_number):
            self._change()
        return mse

    def _next_view(self) -> int:
        if not self._order:
            self._order = torch.randperm(len(self.targets), generator=self._random).tolist()
        return self._order.pop()

    @torch.no_grad()
    def _update(self) -> None:
        """Adam by torch's functional form: making its class loads the compiler, seconds of every build."""
        share = self.step_number / self.config.steps
        factor = self.config.lr_final + (1 - self.config.lr_final) * 0.5 * (1 + math.cos(math.pi * share))
        constants = {
            "amsgrad": False,
            "beta1": 0.9,
            "beta2": 0.99,
            "weight_decay": 0.0,
            "eps": 1e-15,
            "maximize": False,
        }
        for name, p in self.params.items():
            if p.grad is None:
                continue
            mean, square = self._moments[name]
            state = ([p], [p.grad], [mean], [square], [], [self._updates[name]])
            adam(*state, fused=True, lr=self._rates[name] * factor, **constants)
            p.grad = None

    def _loss(self, target: Target, probe: Tensor | None) -> tuple[Tensor, float]:
        c, p = self.config, self.params
        scales, with_depth = p["log_scales"].exp(), target.depth is not None
        columns = [self._colors(target)]
        if with_depth:
            columns.append(surface_planes(p["means"], self._normals(), target.viewmats[0]))
        if probe is not None:
            columns.append(probe)
        height, width = target.rgb.shape[:2]
        image, alphas, _ = rasterize(
            *(p["means"], p["quats"], scales, p["logits"].sigmoid(), torch.cat(columns, -1)),
            *(target.viewmats, target.Ks, width, height),
        )
        rgb = image[0, ..., :3] + (1 - alphas[0]) * self._background
        truth = target.rgb.float() / 255
        difference = rgb - truth
        loss = difference.abs().mean()
        if with_depth:
            # alpha x truth / depth is compared with alpha: the relative error, without division by small alphas
            valid, alpha = target.depth > 0, alphas[0, ..., 0]
            inverse = (image[0, ..., 3:6] * target.rays).sum(-1)
            relative = (inverse * target.depth - alpha).abs() * valid
            transparent = (1 - alpha) * valid  # a measured surface is opaque
            loss = loss + c.depth_weight * (relative.sum() + 0.1 * transparent.sum()) / valid.sum().clamp_min(1)
        if c.ssim_weight and self.step_number % c.ssim_every == 0:
            loss = loss + c.ssim_weight * (1 - ssim(rgb, truth))
        if probe is not None:
            # the gradient of a channel of zeros is the blended error of each Gaussian, and moves nothing else
            loss = loss + (image[0, ..., -1] * difference.detach().abs().sum(-1)).sum()
        return loss, float(difference.detach().square().mean())

    def _colors(self, target: Target) -> Tensor:
        """(N, 3) colours from a view; unlike `view_colors` without a gradient to the direction, which is tiny."""
        p, c = self.params, self.config
        if c.sh_degree == 0 or self.step_number < c.sh_from * c.steps:
            return sh0_to_rgb(p["sh0"][:, 0]).clamp_min(0)
        with torch.no_grad():
            R, t = target.viewmats[0, :3, :3], target.viewmats[0, :3, 3]
            basis = sh_basis(c.sh_degree, p["means"] + R.mT @ t)[..., 1:]
        return (sh0_to_rgb(p["sh0"][:, 0]) + (basis[..., None] * p["shN"]).sum(1)).clamp_min(0)

    @torch.no_grad()
    def _normals(self) -> Tensor:
        """(N, 3) axes across the surfaces, renewed now and then: they turn slowly; depth moves centres, not axes."""
        if self._axes is None or len(self._axes) != len(self.error) or self.step_number % _AXES_EVERY == 0:
            self._axes = shortest_axes(self.params["quats"], self.params["log_scales"])
        return self._axes

    @torch.no_grad()
    def _change(self) -> None:
        change = self.policy.decide(self.error, self.params["logits"].sigmoid())
        kept, rows = change.keep.nonzero()[:, 0], change.split.nonzero()[:, 0]
        scales = self.params["log_scales"][rows].exp()
        widest = scales.argmax(-1, keepdim=True)
        R = quats_to_matrices(self.params["quats"][rows])
        shift = R.gather(2, widest[:, None].expand(-1, 3, 1))[..., 0] * scales.gather(1, widest)
        first = {name: p.detach()[rows].clone() for name, p in self.params.items()}
        first["log_scales"].scatter_add_(1, widest, torch.full_like(widest, 1, dtype=scales.dtype) * math.log(0.6))
        second = {name: t.clone() for name, t in first.items()}
        first["means"] += 0.7 * shift
        second["means"] -= 0.7 * shift
        place = torch.full((len(self.error),), -1, dtype=torch.long, device=self.device)
        place[kept] = torch.arange(len(kept), device=self.device)

        def changed(old: Tensor, a: Tensor, b: Tensor) -> Tensor:
            """The kept rows, `a` in place of those that are split, `b` behind."""
            merged = old.detach()[kept]
            merged[place[rows]] = a
            return torch.cat([merged, b])

        for name in _NAMES:
            self.params[name] = changed(self.params[name], first[name], second[name]).requires_grad_()
            none = torch.zeros_like(first[name])
            self._moments[name] = tuple(changed(moment, none, none) for moment in self._moments[name])
        self.error = torch.zeros(len(self.params["means"]), device=self.device)

    def field(self) -> GaussianField:
        """The field as it is now."""
        p = {name: t.detach().clone() for name, t in self.params.items()}
        return replace(
            self._field,
            means=p["means"],
            quats_wxyz=torch.nn.functional.normalize(p["quats"], dim=-1),
            scales=p["log_scales"].exp(),
            opacities=p["logits"].sigmoid(),
            sh=torch.cat([p["sh0"], p["shN"]], 1),
        )

    def state(self) -> dict[str, Tensor]:
        """Everything that the next step depends on."""
        tensors = {name: p.detach() for name, p in self.params.items()}
        for name in _NAMES:
            tensors[f"{name}.mean"], tensors[f"{name}.square"] = self._moments[name]
            tensors[f"{name}.updates"] = self._updates[name]
        tensors["error"] = self.error
        if self._axes is not None:
            tensors["axes"] = self._axes
        tensors["random"] = self._random.get_state()
        tensors["order"] = torch.tensor(self._order, dtype=torch.int64)
        tensors["progress"] = torch.tensor([self.step_number, self._size], dtype=torch.float64)
        return tensors

    def restore(self, state: dict[str, Tensor]) -> None:
        """Continue from what `state` returned, of a fit with the same frames and config."""
        step, self._size = state["progress"].tolist()
        self.step_number = int(step)
        state = {name: t if name in ("random", "order") else t.to(self.device) for name, t in state.items()}
        self._start({name: state[name] for name in _NAMES})
        self._moments = {name: (state[f"{name}.mean"].clone(), state[f"{name}.square"].clone()) for name in _NAMES}
        self._updates = {name: state[f"{name}.updates"].clone() for name in _NAMES}
        self.error = state["error"].clone()
        self._axes = state.get("axes")
        self._random.set_state(state["random"])
        self._order = state["order"].tolist()
