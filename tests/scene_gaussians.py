"""Random Gaussian scenes with known cameras, and the rasteriser written as directly as its definition allows."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from robodistill.raster.projection import project_gaussians, quats_to_matrices


@dataclass(frozen=True, eq=False)
class Scene:
    """Arguments of a rasteriser, in its order."""

    means: Tensor
    quats: Tensor
    scales: Tensor
    opacities: Tensor
    colors: Tensor
    viewmats: Tensor
    Ks: Tensor
    width: int
    height: int

    def args(self) -> tuple:
        return tuple(vars(self).values())

    def to(self, dtype: torch.dtype) -> "Scene":
        return Scene(*(x.to(dtype) if isinstance(x, Tensor) else x for x in self.args()))

    def requires_grad(self) -> tuple["Scene", dict[str, Tensor]]:
        """The scene on fresh leaves, and those leaves (all but Ks)."""
        names = ("means", "quats", "scales", "opacities", "colors", "viewmats")
        leaves = {name: getattr(self, name).detach().clone().requires_grad_() for name in names}
        return replace(self, **leaves), leaves


def random_scene(
    seed: int,
    n: int = 60,
    channels: int = 3,
    cameras: int = 1,
    width: int = 40,
    height: int = 30,
    scale: float = 0.15,
    dtype: torch.dtype = torch.float64,
) -> Scene:
    """A cloud of Gaussians 2 to 4 m in front of slightly turned cameras.

    Most overlap; some lie outside the view, and of these some so far that the slope of their projection is clamped, and
    yet wide enough to be seen.
    """
    g = torch.Generator().manual_seed(seed)

    def uniform(low: float, high: float, *size: int) -> Tensor:
        return low + (high - low) * torch.rand(*size, generator=g, dtype=torch.float64)

    depth = uniform(2, 4, n, 1)
    means = torch.cat([uniform(-0.9, 0.9, n, 1) * depth, uniform(-0.65, 0.65, n, 1) * depth, depth], 1)
    viewmats = torch.eye(4, dtype=torch.float64).repeat(cameras, 1, 1)
    turn = torch.cat([torch.ones(cameras, 1, dtype=torch.float64), uniform(-0.05, 0.05, cameras, 3)], 1)
    viewmats[:, :3, :3] = quats_to_matrices(turn)
    viewmats[:, :3, 3] = uniform(-0.1, 0.1, cameras, 3)
    K = torch.tensor([[0.9 * width, 0, 0.52 * width], [0, 0.95 * width, 0.47 * height], [0, 0, 1]], dtype=torch.float64)
    scene = Scene(
        means=means,
        quats=torch.randn(n, 4, generator=g, dtype=torch.float64),
        scales=scale * uniform(0.2, 1.5, n, 3),
        opacities=uniform(0.05, 1.2, n).clamp(max=1),  # some reach the greatest alpha, 0.999
        colors=uniform(0, 1, n, channels),
        viewmats=viewmats,
        Ks=K.repeat(cameras, 1, 1),
        width=width,
        height=height,
    )
    return scene.to(dtype)


def dense_reference(scene: Scene, background: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Image (C, H, W, D) and alpha (C, H, W, 1): every Gaussian at every pixel, one after the other."""
    p = project_gaussians(*scene.args()[:4], *scene.args()[5:])
    y, x = torch.meshgrid(torch.arange(scene.height) + 0.5, torch.arange(scene.width) + 0.5, indexing="ij")
    images, alphas = [], []
    for c in range(len(scene.viewmats)):
        image = torch.zeros(scene.height, scene.width, scene.colors.shape[-1], dtype=scene.means.dtype)
        light, done = torch.ones_like(image[..., 0]), torch.zeros_like(image[..., 0], dtype=torch.bool)
        colors = scene.colors if scene.colors.ndim == 2 else scene.colors[c]
        for i in torch.argsort(p.depths[c], stable=True).tolist():
            if p.radii[c, i, 0] == 0:
                continue
            xx, xy, yy = p.covs2d[c, i]
            conic = torch.linalg.inv(torch.stack([torch.stack([xx, xy]), torch.stack([xy, yy])]))
            d = torch.stack([x, y], -1) - p.means2d[c, i]
            sigma = 0.5 * torch.einsum("hwi,ij,hwj->hw", d, conic, d)
            alpha = (scene.opacities[i] * torch.exp(-sigma)).clamp(max=0.999)
            alpha = torch.where(alpha < 1 / 255, 0.0, alpha)
            done = done | (light * (1 - alpha) <= 1e-4)
            weight = torch.where(done, 0.0, light * alpha)
            image, light = image + weight[..., None] * colors[i], light - weight
        images.append(image if background is None else image + light[..., None] * background[c])
        alphas.append(1 - light[..., None])
    return torch.stack(images), torch.stack(alphas)
