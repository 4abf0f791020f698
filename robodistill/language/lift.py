"""Between the pixels of a view and the Gaussians that made them: masks to selections, and back."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from robodistill.errors import HonestNo
from robodistill.field.gaussians import GaussianField
from robodistill.field.render import view_tensors
from robodistill.geometry.camera import Camera
from robodistill.raster.rasterize import blending_weights

_SIZES_DEEP = 3.0  # of its own: how far behind the surface of a pixel a Gaussian still is of that surface
_SLOPE = 0.01  # of the depth, besides: a slanted surface has some depth within a pixel


@dataclass(frozen=True, eq=False)
class ViewWeights:
    """Which of N Gaussians made each pixel of a view: M pairs, pixel after pixel, near to far within each."""

    size: tuple[int, int]
    """Height, width."""
    count: int
    """N."""
    starts: np.ndarray
    """(H W + 1,) int64 where each pixel's pairs begin."""
    ids: np.ndarray
    """(M,) int32."""
    weights: np.ndarray
    """(M,) float32; those of a pixel sum to its alpha."""

    @property
    def pixels(self) -> np.ndarray:
        """(M,) the pixel of each pair."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))

    def at(self, u: int, v: int) -> tuple[np.ndarray, np.ndarray]:
        """Gaussians of one pixel, near to far, and their weights."""
        row = slice(*self.starts[v * self.size[1] + u :][:2])
        return self.ids[row], self.weights[row]

    def blended(self, values: np.ndarray) -> np.ndarray:
        """(H, W) values (N,) blended as colours are."""
        sums = np.bincount(self.pixels, self.weights * values[self.ids], len(self.starts) - 1)
        return sums.reshape(self.size)

    def mask(self, selection: np.ndarray) -> np.ndarray:
        """(H, W) bool: pixels more than half of which, of all that could be there, is of the selection (N,) bool."""
        return self.blended(selection.astype(np.float32)) > 0.5

    def surface(self, values: np.ndarray) -> np.ndarray:
        """(H, W) value (N,) of the Gaussian with which each pixel is half covered; infinite where none does."""
        covered = np.concatenate([[0.0], np.cumsum(self.weights, dtype=np.float64)])
        half = np.searchsorted(covered[1:], covered[self.starts[:-1]] + 0.5)
        found = half < self.starts[1:]
        result = np.full(len(found), np.inf, np.float32)
        result[found] = values[self.ids[half[found]]]
        return result.reshape(self.size)

    def share(self, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of each Gaussian, the share of its weight that lies within `mask` (H, W), and the weight in all pixels."""
        inside = np.bincount(self.ids, self.weights * mask.ravel()[self.pixels], self.count)
        total = np.bincount(self.ids, self.weights, self.count)
        return inside / np.maximum(total, 1e-12), total


def view_weights(field: GaussianField, camera: Camera, T_world_camera: np.ndarray) -> ViewWeights:
    """Work out who made which pixel.

    Raises:
        MissingPart: The CPU kernel is not there.
    """
    viewmats, Ks = view_tensors(field.means, camera, T_world_camera)
    gaussians = (field.means, field.quats_wxyz, field.scales, field.opacities)
    found = blending_weights(*gaussians, viewmats[0], Ks[0], camera.width, camera.height)
    return ViewWeights((camera.height, camera.width), len(field), *(t.cpu().numpy() for t in found))


def pixel_seeds(view: ViewWeights, u: int, v: int) -> np.ndarray:
    """(N,) weights, of sum 1, of the Gaussians that make a pixel, the more so the nearer they are.

    Raises:
        HonestNo: The field covers less than half of the pixel.
    """
    ids, weights = view.at(u, v)
    if weights.sum() < 0.5:
        raise HonestNo(f"nothing of the field is seen at pixel ({u}, {v}): background")
    # each counts by what it covers while the pixel is not yet half covered: the front surface, not what shines through
    before = np.cumsum(weights) - weights
    seeds = np.zeros(view.count)
    seeds[ids] = np.clip(0.5 - before, 0, weights)
    return seeds / seeds.sum()


def lift_mask(
    field: GaussianField, camera: Camera, T_world_camera: np.ndarray, mask: np.ndarray, least: float = 0.02
) -> Tensor:
    """(N,) bool: the Gaussians that a mask (H, W) of one view shows: its front surface, nothing behind it.

    A Gaussian counts by all pixels that it made, so that one which the rim of the mask cuts goes to the side that has
    more of it. One that is hardly seen, less than `least` times the median, has no say, nor has one that shines
    through from behind: a pixel's surface is where it is half covered.
    """
    assert mask.shape == (camera.height, camera.width), (mask.shape, camera.height, camera.width)
    view = view_weights(field, camera, T_world_camera)
    share, total = view.share(mask.astype(np.float32))
    depths = view_tensors(field.means, camera, T_world_camera)[0][0, 2]
    depths = (field.means @ depths[:3] + depths[3]).cpu().numpy()
    behind = depths[view.ids] - view.surface(depths).ravel()[view.pixels]
    size = field.scales.amax(-1).cpu().numpy()
    is_front = behind < (_SIZES_DEEP * size + _SLOPE * depths)[view.ids]
    front = np.bincount(view.ids, view.weights * is_front, view.count)
    chosen = (share > 0.5) & (front > 0.5 * total) & (total > least * _typical(total))
    return torch.from_numpy(chosen).to(field.means.device)


def _typical(total: np.ndarray) -> float:
    seen = total[total > 0]
    return float(np.median(seen)) if len(seen) else 0.0
