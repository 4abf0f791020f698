"""How much each Gaussian made of each cell of a view, times how squarely the view saw it: what uplift sums by."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from robodistill.config import UpliftConfig
from robodistill.field.gaussians import FieldView, GaussianField
from robodistill.field.render import shortest_axes, view_tensors
from robodistill.raster.rasterize import cell_weights


class ViewWeights:
    """The weights of a field's N Gaussians in views of it."""

    def __init__(self, field: GaussianField, config: UpliftConfig) -> None:
        """Keep what is the same for all views."""
        self._field, self._config = field, config
        normals = shortest_axes(field.quats_wxyz, field.scales)
        self._places, self._normals = field.means.mT.contiguous(), normals.mT.contiguous()
        self._offsets = (field.means * normals).sum(-1)

    def of(self, seen: Iterable[tuple[FieldView, Tensor]]) -> Iterator[tuple[Tensor, csr_matrix, np.ndarray]]:
        """Maps (h, w, D) of views, each with the view's weights (N, h w) and their sums (N,).

        Views are taken up in threads, one each, while those before are used: half of what the rasteriser does for one
        view runs on one core.
        """
        threads, begun = torch.get_num_threads(), deque()
        with ThreadPoolExecutor(threads) as pool:
            for view, features in seen:
                begun.append((features, pool.submit(self._one, view, features.shape[:2])))
                if len(begun) > threads:
                    features, found = begun.popleft()
                    yield features, *found.result()
            for features, found in begun:
                yield features, *found.result()

    def _one(self, view: FieldView, grid: Sequence[int]) -> tuple[csr_matrix, np.ndarray]:
        """(N, cells) weights, times a power of the cosine between each Gaussian's normal and its ray; (N,) sums."""
        field, camera = self._field, view.camera
        viewmats, Ks = view_tensors(field.means, camera, view.T_world_camera)
        gaussians = (field.means, field.quats_wxyz, field.scales, field.opacities)
        size = camera.width, camera.height, grid[1], grid[0]
        found = cell_weights(*gaussians, viewmats[0], Ks[0], *size, self._config.faint, threads=1)
        starts, cells, weights = (t.cpu().numpy() for t in found)
        if self._config.view_power:
            center = torch.as_tensor(view.T_world_camera[:3, 3]).to(field.means)
            counts = self._facing(center) ** self._config.view_power
            weights = weights * np.repeat(counts.cpu().numpy(), np.diff(starts))
        matrix = csr_matrix((weights, cells, starts.astype(np.int32)), shape=(len(field), grid[0] * grid[1]))
        return matrix, matrix @ np.ones(matrix.shape[1], np.float32)

    def _facing(self, center: Tensor) -> Tensor:
        """(N,) cosines between normals and the rays to a camera's centre (3,), of either side."""
        rays = center[:, None] - self._places
        return (center @ self._normals - self._offsets).abs_() / rays.square_().sum(0).sqrt_().clamp_min_(1e-9)
