"""A grid over a support: what the surface's Gaussians say of height and colour, and what lies between."""

import numpy as np
from scipy import ndimage
from scipy.sparse import coo_matrix, diags
from scipy.sparse.linalg import splu

from robodistill.edit.support import Support

_CELL = 0.75  # of the spacing of the surface's Gaussians
_MARGIN = 12  # cells around the footprint
_LARGEST = 300  # cells along a side; a larger footprint gets larger cells
_STIFFNESS = 0.3  # of the membrane, against a fully trusted cell
_OUTLIER = 0.06  # deviation in colour at which trust is halved
_SH0 = 0.2820948  # colour per coefficient of degree 0
_ENCLOSED = 6  # of 8 directions in which a hole must have surface


class SurfaceGrid:
    """Square cells over the part of a support that lies under a thing."""

    def __init__(self, support: Support, removed: np.ndarray):
        """Span the grid over (n, 3) plane coordinates of what is removed."""
        low, high = np.percentile(removed[:, :2], [0.5, 99.5], axis=0)
        self.cell = max(_CELL * support.spacing, float((high - low).max()) / _LARGEST)
        self.low = low - _MARGIN * self.cell
        self.shape = tuple((np.ceil((high - low) / self.cell).astype(int) + 2 * _MARGIN + 1).tolist())

    def centers(self) -> np.ndarray:
        """(a, b, 2) plane coordinates."""
        return np.stack(np.meshgrid(*(np.arange(n) for n in self.shape), indexing="ij"), -1) * self.cell + self.low

    def places(self, xy: np.ndarray) -> np.ndarray:
        """(n, 2) plane coordinates in cells."""
        return (xy - self.low) / self.cell

    def holds(self, xy: np.ndarray) -> np.ndarray:
        """(n,) bool: lies over the grid."""
        place = self.places(xy)
        return ((place > -0.5) & (place < np.array(self.shape) - 0.5)).all(-1)

    def mark(self, xy: np.ndarray) -> np.ndarray:
        """(a, b) bool: cells that hold a point."""
        index = np.rint(self.places(xy[self.holds(xy)])).astype(int)
        mask = np.zeros(self.shape, bool)
        mask[tuple(index.T)] = True
        return mask

    def paint(self, xy: np.ndarray, values: np.ndarray) -> np.ndarray:
        """(a, b) the largest of the values (n,) that fall into a cell or beside it; 0 where there are none."""
        inside = self.holds(xy)
        image = np.zeros(self.shape)
        np.maximum.at(image, tuple(np.rint(self.places(xy[inside])).astype(int).T), values[inside])
        return ndimage.grey_dilation(image, 3)

    def sample(self, image: np.ndarray, xy: np.ndarray) -> np.ndarray:
        """(n, ...) values at plane coordinates of an image (a, b, ...), between cells linear."""
        place = self.places(xy).T
        flat = image.reshape(*self.shape, -1).astype(np.float64)
        columns = [ndimage.map_coordinates(flat[..., k], place, order=1, mode="nearest") for k in range(flat.shape[-1])]
        return np.stack(columns, -1).reshape(len(xy), *image.shape[2:])

    def splat(self, xy: np.ndarray, values: np.ndarray, sigma: np.ndarray, opacity: np.ndarray) -> tuple:
        """Blend round Gaussians (n,) with values (n, C) into the cells: (a, b, C) means and (a, b) alpha."""
        sigma = np.maximum(sigma, 0.5 * self.cell)
        total, weight = np.zeros((*self.shape, values.shape[1])), np.zeros(self.shape)
        clear = np.zeros(self.shape)
        place = self.places(xy)
        near = np.rint(place).astype(int)
        reach = int(min(np.ceil(2.5 * np.percentile(sigma, 90) / self.cell), _MARGIN)) if len(sigma) else 0
        for i in range(-reach, reach + 1):
            for j in range(-reach, reach + 1):
                index = near + (i, j)
                inside = ((index >= 0) & (index < self.shape)).all(1)
                off = ((place - index) ** 2).sum(1) * self.cell**2
                a = (opacity * np.exp(-0.5 * off / sigma**2))[inside]
                rows = tuple(index[inside].T)
                np.add.at(total, rows, a[:, None] * values[inside])
                np.add.at(weight, rows, a)
                np.add.at(clear, rows, np.log1p(-a.clip(max=0.99)))
        return total / np.maximum(weight, 1e-9)[..., None], 1 - np.exp(clear)


def enclosed(surface: np.ndarray) -> np.ndarray:
    """(a, b) bool: cells with surface in most of eight directions, so that a table does not grow over its edge."""
    count = np.zeros(surface.shape, int)
    for turn in range(4):
        image = np.rot90(surface, turn)
        straight = np.maximum.accumulate(image, 0)
        diagonal = image.copy()
        for k in range(1, len(image)):
            diagonal[k, 1:] |= diagonal[k - 1, :-1]
        count += np.rot90(straight, -turn).astype(int) + np.rot90(diagonal, -turn)
    return count >= _ENCLOSED


def membrane(known: np.ndarray, trust: np.ndarray) -> np.ndarray:
    """Smooth (a, b, C) values through cells (a, b, C) as far as each is trusted (a, b).

    The first three channels are colour (SH of degree 0): cells that deviate in it lose their trust (Cauchy weights), so
    that stains do not spread. Minimises trust |x - known|^2 + stiffness |grad x|^2; where nothing is trusted, x is
    harmonic.
    """
    a, b, channels = known.shape
    ids = np.arange(a * b).reshape(a, b)
    i = np.concatenate([ids[1:].ravel(), ids[:, 1:].ravel()])
    j = np.concatenate([ids[:-1].ravel(), ids[:, :-1].ravel()])
    edges = coo_matrix((np.ones(len(i)), (i, j)), shape=(a * b, a * b))
    edges = (edges + edges.T).tocsr()
    laplace = _STIFFNESS * (diags(np.asarray(edges.sum(1)).ravel()) - edges)
    flat, weight = known.reshape(a * b, channels), trust.ravel()
    for _ in range(3):
        # a grain of weight everywhere keeps the system regular; it pulls to nothing in particular
        values = splu((laplace + diags(weight + 1e-9)).tocsc()).solve(weight[:, None] * flat)
        residual = _SH0 * np.abs(values - flat)[:, :3].max(1)
        weight = trust.ravel() / (1 + (residual / _OUTLIER) ** 2)
    return values.reshape(a, b, channels)
