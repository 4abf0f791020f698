"""Close the hole that a removed thing leaves in what it stood on, and take away its shadow and its traces.

The surface's own Gaussians are painted on a grid over the support; a smooth membrane through them bridges the hole and
becomes Gaussians there. Gaussians that no camera saw are not believed, those beside the thing little: the fit stained
them with it. The cast shadow is taken off before, so that it neither stays nor bleeds into the hole.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy import ndimage
from scipy.spatial import cKDTree
from torch import Tensor

from robodistill.edit.exposure import exposure
from robodistill.edit.scraps import scraps_of, strays_in
from robodistill.edit.shadow import Shadow, find_shadow, lit, times
from robodistill.edit.support import Support, find_support
from robodistill.edit.surface_grid import SurfaceGrid, enclosed, membrane
from robodistill.field.gaussians import GaussianField
from robodistill.field.render import shortest_axes
from robodistill.raster.sh import sh0_to_rgb

_SIGMA = 0.8  # standard deviation of a new Gaussian, in cells
_OPACITY = 0.95
_THICKNESS = 0.15  # of the standard deviation
_COVERED = 0.85  # alpha of a cell from which it is no hole
_SEEN = 0.06  # exposure from which a Gaussian is fully believed
_UNSEEN = 0.03  # exposure below which one in the hole is taken away
_RIM = 4.0  # cells beside the hole that are stained
_STAINED = 0.02  # trust in those
_STAIN = 0.04  # deviation in colour that is half painted over in the rim
_LIFTED = 0.4  # doubt of the support where full shadow was taken off
_FLUSH = 0.4  # of the tolerance: thin things that lie on the support shall not tell of the light on it
_PARALLEL = 0.7  # cosine between a Gaussian's normal and the support's


@dataclass(frozen=True, eq=False)
class Filled:
    """A field without a selection."""

    field: GaussianField
    filled: int
    """Gaussians added, the last ones."""
    note: str
    """What was done, or why nothing was filled."""


def remove_and_fill(field: GaussianField, selection: Tensor) -> Filled:
    """Take a selection (N,) bool out and mend what it stood on. The work is done on the CPU."""
    done = _mended(field.to("cpu"), selection.cpu())
    return replace(done, field=done.field.to(field.means.device))


def _mended(field: GaussianField, selection: Tensor) -> Filled:
    removed = selection.numpy()
    support = find_support(field, removed)
    if support is None:
        return Filled(field.select(~selection), 0, "nothing was filled: the selection stands on no plane")
    local = support.coordinates(field.means.numpy().astype(np.float64))
    seen = exposure(field).numpy()
    normals = shortest_axes(field.quats_wxyz, field.scales).numpy() @ support.T_plane_world[2, :3]
    low = np.abs(local[:, 2]) < 2 * support.tolerance
    surface = ~removed & low & (np.abs(normals) > _PARALLEL)
    flush = surface & (seen > _SEEN) & (np.abs(local[:, 2]) < _FLUSH * support.tolerance)
    shadow = find_shadow(field, removed, flush, local, support)
    on = np.flatnonzero(~removed & low)
    field = lit(field, on, shadow.after(local[on]) / shadow.before(local[on]))

    grid = SurfaceGrid(support, local[removed])
    over = grid.holds(local[:, :2])
    ids = np.flatnonzero(surface & over)
    if not len(ids):
        return Filled(field.select(~selection), 0, "nothing was filled: the support ends at the selection")
    opacity = field.opacities.numpy()[ids] * (seen[ids] / _SEEN).clip(0, 1)
    unshaded = lit(field, ids, 1 / shadow.after(local[ids])).sh[ids].flatten(1).numpy()
    values = np.concatenate([unshaded, local[ids, 2:]], 1).astype(np.float64)
    known, alpha = grid.splat(local[ids, :2], values, _widths(field, ids), opacity)
    footprint = ndimage.binary_fill_holes(
        ndimage.binary_closing(ndimage.binary_dilation(grid.mark(local[removed, :2]), iterations=3), iterations=4)
    )
    hole = footprint & (alpha < _COVERED) & enclosed(alpha >= _COVERED)
    foot = hole | grid.mark(local[removed & (local[:, 2] < 2 * support.tolerance), :2])
    rim = ndimage.distance_transform_edt(~foot) < _RIM if foot.any() else foot
    lifted = 1 - (shadow.before(local[ids]) / shadow.after(local[ids])).min(-1)
    doubt = np.maximum(rim, _LIFTED * grid.paint(local[ids, :2], lifted / shadow.deepest))
    smooth = membrane(known, alpha * (1 - (1 - _STAINED) * doubt) * ~hole)

    goal = _Surface(support, grid, smooth, shadow)
    field = _repainted(field, ids, goal.sh(local[ids, :2], field), grid.sample(doubt, local[ids, :2]))
    hidden = over & (seen < _UNSEEN) & (local[:, 2] > -2 * support.tolerance) & (local[:, 2] < local[removed, 2].max())
    hidden[over] &= grid.sample(footprint, local[over, :2]) > 0.5
    stays = ~removed & ~hidden & ~scraps_of(field, removed, local, support)
    stays[strays_in(removed | surface, local, support, over, grid, rim)] = False
    where = np.flatnonzero(hole.ravel())
    source = ids[cKDTree(local[ids, :2]).query(grid.centers().reshape(-1, 2)[where], workers=-1)[1]]
    patch = goal.gaussians(where, field.select(torch.from_numpy(source)))
    note = f"{len(where)} Gaussians fill the hole" if len(where) else "the support has no hole to fill"
    note += f"; {shadow.note}" if shadow.note else ""
    return Filled(joined(field.select(torch.from_numpy(stays)), patch), len(where), note)


def joined(a: GaussianField, b: GaussianField) -> GaussianField:
    """The Gaussians of two fields with the same layers; the rest is a's."""
    names = ("means", "quats_wxyz", "scales", "opacities", "sh")
    tensors = {name: torch.cat([getattr(a, name), getattr(b, name)]) for name in names}
    features = {
        name: replace(layer, codes=torch.cat([layer.codes, b.features[name].codes]))
        for name, layer in a.features.items()
    }
    groups = None if a.groups is None else torch.cat([a.groups, b.groups])
    return replace(a, **tensors, features=features, groups=groups)


@dataclass(frozen=True, eq=False)
class _Surface:
    """The support as it is without the thing."""

    support: Support
    grid: SurfaceGrid
    values: np.ndarray  # (a, b, C) unshaded colour and height
    shadow: Shadow

    def sh(self, xy: np.ndarray, like: GaussianField) -> Tensor:
        """(n, K, 3) colour at plane coordinates, in what shadow there is."""
        flat = torch.from_numpy(self.grid.sample(self.values[..., :-1], xy)).to(like.sh)
        return times(flat.unflatten(1, (-1, 3)), self.shadow.after(xy))

    def gaussians(self, where: np.ndarray, like: GaussianField) -> GaussianField:
        """One Gaussian in each of the cells `where` (n,); what is no matter of shape or colour is from `like` (n)."""
        xy = self.grid.centers().reshape(-1, 2)[where]
        height = self.values[..., -1]
        T = np.linalg.inv(self.support.T_plane_world)
        slopes = [g.ravel()[where] for g in np.gradient(height, self.grid.cell)]
        normals = np.column_stack([-slopes[0], -slopes[1], np.ones(len(where))])
        points = np.column_stack([xy, height.ravel()[where]]) @ T[:3, :3].T + T[:3, 3]
        sigma = _SIGMA * self.grid.cell
        return replace(
            like,
            means=torch.from_numpy(points).to(like.means),
            quats_wxyz=rotations_to(torch.from_numpy(normals @ T[:3, :3].T)).to(like.means),
            scales=like.means.new_tensor([sigma, sigma, _THICKNESS * sigma]).repeat(len(where), 1),
            opacities=like.means.new_full((len(where),), _OPACITY),
            sh=self.sh(xy, like),
        )


def _repainted(field: GaussianField, ids: np.ndarray, goal: Tensor, doubt: np.ndarray) -> GaussianField:
    """Doubted Gaussians (n,) keep their colour as far as it is near the goal (n, K, 3)."""
    sh = field.sh.clone()
    off = (sh0_to_rgb(sh[ids, 0]) - sh0_to_rgb(goal[:, 0])).abs().amax(-1)
    own = 1 - torch.from_numpy(doubt).to(sh) * (1 - 1 / (1 + (off / _STAIN) ** 2))
    sh[ids] = goal + own[:, None, None] * (sh[ids] - goal)
    return replace(field, sh=sh)


def _widths(field: GaussianField, ids: np.ndarray) -> np.ndarray:
    """(n,) mean standard deviation along the surface."""
    return np.sort(field.scales[ids].numpy(), 1)[:, 1:].mean(1)


def rotations_to(normals: Tensor) -> Tensor:
    """(n, 4) quaternions wxyz that turn z along directions (n, 3) or their opposites: a Gaussian has no side."""
    up = torch.where(normals[:, 2:] < 0, -normals, normals)
    x, y, z = torch.nn.functional.normalize(up, dim=-1).unbind(-1)
    return torch.nn.functional.normalize(torch.stack([1 + z, -y, x, torch.zeros_like(x)], -1), dim=-1)
