"""Uplift: a Gaussian's feature is the mean of what the views saw of it, weighted by how much of each pixel it made.

Nothing is trained. After Marrie et al., "LUDVIG", ICCV 2025, and Cheng et al., "Occam's LGS", BMVC 2025, who found the
rasteriser's own weights to do as well as training; written from their descriptions. Here, besides, views count by the
cosine between surface and ray; weights are summed over the teacher's cells inside the rasteriser, so that a pixel x
Gaussian array never exists; cells of which a Gaussian made next to nothing, three quarters of all, are left out: they
are of what it shines through or past; only patches of Gaussians are lifted in all dimensions, for the codec, and
single Gaussians in the codec's few.
"""

from collections.abc import Sequence

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from robodistill.config import UpliftConfig
from robodistill.errors import BadInput
from robodistill.features.codec import encode, identity_decoder, quantised, scene_decoder
from robodistill.features.patches import Patches
from robodistill.features.products import product
from robodistill.features.smooth import smooth
from robodistill.field.features import FeatureLayer
from robodistill.field.gaussians import FieldView, GaussianField
from robodistill.field.render import shortest_axes, view_tensors
from robodistill.progress import Progress, silent
from robodistill.raster.rasterize import cell_weights


def uplift(
    field: GaussianField,
    views: Sequence[FieldView],
    maps: Sequence[Tensor],
    config: UpliftConfig,
    teacher: str = "",
    progress: Progress = silent,
) -> FeatureLayer:
    """Features of each Gaussian from feature maps.

    Args:
        field: N Gaussians.
        views: Where the maps were seen from.
        maps: (h, w, D) for each view, cells evenly over the image; each is asked for twice, so a lazy sequence should
            keep what is dear. Zero cells say nothing.
        config: `dims` = 0 keeps all D.
        teacher: Spec that is written into the layer.

    Raises:
        BadInput: No view, or not one map a view.
    """
    if not len(views) or len(views) != len(maps):
        raise BadInput(f"{len(views)} views, {len(maps)} feature maps: as many of each, and at least one, are needed")
    weights, normals = [], shortest_axes(field.quats_wxyz, field.scales)
    patches = Patches(field, config.patch) if config.dims else None
    support, total, pooled = np.zeros(len(field), np.float32), 0.0, 0.0
    looked_at = set(np.linspace(0, len(views) - 1, min(len(views), config.codec_views)).round().astype(int).tolist())
    for k, view in enumerate(views):
        seen = maps[k]
        weights.append(_weights(field, normals, view, seen.shape[:2], config))
        sums = weights[-1] @ np.ones(weights[-1].shape[1], np.float32)
        support += sums
        if patches is not None and k in looked_at:
            total += product(patches.sums @ weights[-1], _rows(seen))
            pooled += patches.sums @ sums
        progress("uplift", k + 1, 2 * len(views))
    decoder = identity_decoder(maps[0].shape[-1])
    if patches is not None:
        mean = total / np.maximum(pooled, 1e-6)[:, None]
        decoder = scene_decoder(patches, mean, pooled, config.dims)
    codes = np.zeros((len(field), decoder.weights[0].shape[1]), np.float32)
    for k, matrix in enumerate(weights):
        rows, seen = np.flatnonzero(np.diff(matrix.indptr)), maps[k].cpu()
        starts = matrix.indptr[np.append(rows, len(field))]
        lit = csr_matrix((matrix.data, matrix.indices, starts), shape=(len(rows), matrix.shape[1]))
        codes[rows] += product(lit, _rows(encode(decoder, seen) if config.dims else seen))
        progress("uplift", len(views) + k + 1, 2 * len(views))
    codes /= np.maximum(support, 1e-6)[:, None]
    lifted = smooth(field, torch.from_numpy(codes), torch.from_numpy(support), config)
    decoder, kept = quantised(decoder, lifted) if config.dims else (decoder, lifted.half())
    return FeatureLayer(teacher, "uplift", kept, decoder).to(field.means.device)


def _rows(seen: Tensor) -> np.ndarray:
    return seen.detach().cpu().float().reshape(-1, seen.shape[-1]).numpy()


def _weights(
    field: GaussianField, normals: Tensor, view: FieldView, grid: Sequence[int], config: UpliftConfig
) -> csr_matrix:
    """(N, cells) weights of one view, times a power of the cosine between each Gaussian's normal and its ray."""
    camera = view.camera
    viewmats, Ks = view_tensors(field.means, camera, view.T_world_camera)
    gaussians = (field.means, field.quats_wxyz, field.scales, field.opacities)
    size = camera.width, camera.height, grid[1], grid[0]
    found = cell_weights(*gaussians, viewmats[0], Ks[0], *size, config.faint)
    starts, cells, weights = (t.cpu().numpy() for t in found)
    if config.view_power:
        center = torch.as_tensor(view.T_world_camera[:3, 3]).to(field.means)
        rays = torch.nn.functional.normalize(center - field.means, dim=-1)
        facing = (rays * normals).sum(-1).abs() ** config.view_power
        weights = weights * np.repeat(facing.cpu().numpy(), np.diff(starts))
    return csr_matrix((weights, cells, starts.astype(np.int32)), shape=(len(field), grid[0] * grid[1]))
