"""Light on the support with a removed thing and without it, and colours under more or less light."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from robodistill.edit.light import Light, ShadowGrid, estimate_light
from robodistill.edit.support import Support
from robodistill.field.gaussians import GaussianField
from robodistill.raster.sh import rgb_to_sh0, sh0_to_rgb

_SOLID = 0.3  # opacity of what casts a shadow
_TALLEST = 3.0  # casters stand no higher, in sizes of the thing
_ROOM = 60  # and at least so many spacings


@dataclass(frozen=True, eq=False)
class Shadow:
    """How much light comes to the support with the removed thing and without it."""

    grid: ShadowGrid | None
    light: Light | None
    with_it: np.ndarray | None
    without_it: np.ndarray | None
    note: str

    @property
    def deepest(self) -> float:
        """Share of the light that a full shadow takes."""
        return float(self.light.share.max()) if self.light else 1.0

    def before(self, local: np.ndarray) -> np.ndarray:
        """(n, 3) share of the light at (n, 2 or 3) plane coordinates, by channel."""
        return self._light(self.with_it, local)

    def after(self, local: np.ndarray) -> np.ndarray:
        """The same once the thing is gone."""
        return self._light(self.without_it, local)

    def _light(self, image: np.ndarray | None, local: np.ndarray) -> np.ndarray:
        if self.light is None:
            return np.ones((len(local), 3))
        return 1 - self.light.share * self.grid.sample(image, local[:, :2])[:, None]


def find_shadow(
    field: GaussianField, removed: np.ndarray, surface: np.ndarray, local: np.ndarray, support: Support
) -> Shadow:
    """The shadow that (N,) bool removed Gaussians cast on a support; none where no light is found.

    Args:
        surface: (N,) bool, well-seen Gaussians of the support.
        local: (N, 3) plane coordinates of all.
    """
    solid = field.opacities.numpy() > _SOLID
    size = float(np.ptp(local[removed], axis=0).max())
    top = max(_TALLEST * size, _ROOM * support.spacing)
    own = removed & solid & (local[:, 2] > 0)
    light = None
    if own.any() and surface.any():
        grid = ShadowGrid(support, np.median(local[removed, :2], axis=0))
        standing = solid & ~removed & (local[:, 2] > support.tolerance) & (local[:, 2] < top)
        standing &= grid.stands_on(local[surface, :2], local[:, :2])
        rgb = sh0_to_rgb(field.sh[:, 0]).numpy()
        light = estimate_light(grid, local[standing | own], local[surface, :2], rgb[surface])
    if light is None:
        return Shadow(None, None, None, None, "")
    before = grid.cast(local[standing | own], light.slope, light.radius)
    after = grid.cast(local[standing], light.slope, light.radius)
    return Shadow(grid, light, before, np.minimum(after, before), "its shadow is taken off")


def lit(field: GaussianField, ids: np.ndarray, gain: np.ndarray) -> GaussianField:
    """The field with gain (n, 3) times the light on some Gaussians."""
    sh = field.sh.clone()
    sh[ids] = times(sh[ids], gain)
    return replace(field, sh=sh)


def times(sh: Tensor, gain: np.ndarray) -> Tensor:
    """Coefficients (n, K, 3) of colours multiplied with (n, 3): the 0.5 that 3DGS adds is multiplied too."""
    factor = torch.from_numpy(gain).to(sh)
    product = sh * factor[:, None]
    product[:, 0] += rgb_to_sh0(0.5 * factor)
    return product
