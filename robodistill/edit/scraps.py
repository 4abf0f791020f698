"""Gaussians that a selection missed: scraps of the thing, and what the fit put askew along its foot."""

import numpy as np
from scipy.spatial import cKDTree

from robodistill.edit.support import Support
from robodistill.edit.surface_grid import SurfaceGrid
from robodistill.field.gaussians import GaussianField
from robodistill.raster.sh import sh0_to_rgb

_SCRAP = 2.0  # spacings from the thing within which its scraps lie
_ALIKE = 0.12  # deviation in colour of what may be of one thing
_AMONG = 0.6  # share of removed neighbours from which a Gaussian is of the thing whatever its colour


def scraps_of(field: GaussianField, removed: np.ndarray, local: np.ndarray, support: Support) -> np.ndarray:
    """(N,) bool: scraps that the selection missed: over the support, among the thing's Gaussians, and like them."""
    near = np.flatnonzero(
        cKDTree(local[removed]).query(local, distance_upper_bound=_SCRAP * support.spacing)[0] < np.inf
    )
    near = near[~removed[near] & (local[near, 2] > 0.5 * support.tolerance)]
    scraps = np.zeros(len(field), bool)
    if not len(near):
        return scraps
    around = cKDTree(local).query(local[near], k=min(9, len(local)))[1][:, 1:]
    rgb = sh0_to_rgb(field.sh[:, 0]).numpy()
    alike = np.abs(rgb[around] - rgb[near][:, None]).max(-1) < _ALIKE
    scraps[near] = ((removed[around] & alike).sum(1) > (~removed[around] & alike).sum(1)) | (
        removed[around].mean(1) > _AMONG
    )
    return scraps


def strays_in(
    known: np.ndarray, local: np.ndarray, support: Support, over: np.ndarray, grid: SurfaceGrid, rim: np.ndarray
) -> np.ndarray:
    """(n,) indices of what lies in the rim, not along the surface, and is of no other thing that stands there."""
    low = np.flatnonzero(over & ~known & (np.abs(local[:, 2]) < 2 * support.tolerance))
    low = low[grid.sample(rim, local[low, :2]) > 0.5]
    tall = local[~known & (local[:, 2] >= 2 * support.tolerance)]
    if not len(low) or not len(tall):
        return low
    return low[cKDTree(tall).query(local[low])[0] > 2 * support.tolerance]
