"""How much each Gaussian made of each cell of a view, times how squarely the view saw it: what uplift sums by."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from robodistill.config import UpliftConfig
from robodistill.field.gaussians import FieldView, GaussianField
from robodistill.field.render import shortest_axes, view_tensors
from robodistill.raster.rasterize import cell_weights

_AT_ONCE = 16  # views


class ViewWeights:
    """The weights of a field's N Gaussians in views of it."""

    def __init__(self, field: GaussianField, config: UpliftConfig) -> None:
        """Keep what is the same for all views."""
        self._field, self._config = field, config
        axes = field.means, shortest_axes(field.quats_wxyz, field.scales)
        self._places, self._normals = (x.mT.contiguous().cpu().numpy() for x in axes)
        self._offsets = np.einsum("in,in->n", self._places, self._normals)

    def of(self, seen: Iterable[tuple[FieldView, Tensor]]) -> Iterator[tuple[Tensor, csr_matrix, np.ndarray]]:
        """Maps (h, w, D) of views, each with the view's weights (N, h w) and their sums (N,).

        Several views are weighed at once, one a thread: half of what the rasteriser does for a view runs on one core.
        Nothing else runs meanwhile, so that the threads of what sums them up do not contend.
        """
        waiting = iter(seen)
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            while batch := list(islice(waiting, _AT_ONCE)):
                found = list(pool.map(lambda pair: self._one(pair[0], pair[1].shape[:2]), batch))
                for (_, features), (weights, sums) in zip(batch, found, strict=True):
                    yield features, weights, sums

    def _one(self, view: FieldView, grid: Sequence[int]) -> tuple[csr_matrix, np.ndarray]:
        """(N, cells) weights, times a power of the cosine between each Gaussian's normal and its ray; (N,) sums."""
        field, camera = self._field, view.camera
        viewmats, Ks = view_tensors(field.means, camera, view.T_world_camera)
        gaussians = (field.means, field.quats_wxyz, field.scales, field.opacities)
        size = camera.width, camera.height, grid[1], grid[0]
        found = cell_weights(*gaussians, viewmats[0], Ks[0], *size, self._config.faint, threads=1)
        starts, cells, weights = (t.cpu().numpy() for t in found)
        if self._config.view_power:
            counts = self._facing(view.T_world_camera[:3, 3]) ** self._config.view_power
            weights = weights * np.repeat(counts, np.diff(starts))
        matrix = csr_matrix((weights, cells, starts.astype(np.int32)), shape=(len(field), grid[0] * grid[1]))
        return matrix, matrix @ np.ones(matrix.shape[1], np.float32)

    def _facing(self, center: np.ndarray) -> np.ndarray:
        """(N,) cosines between normals and the rays to a camera's centre (3,), of either side.

        By numpy, on one thread: torch would set all of its own on it, in each of the threads.
        """
        center = center.astype(np.float32)
        rays = center[:, None] - self._places
        rays *= rays
        distances = np.sqrt(rays.sum(0)).clip(1e-9)
        return np.abs((center[:, None] * self._normals).sum(0) - self._offsets) / distances
