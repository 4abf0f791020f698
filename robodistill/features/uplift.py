"""Uplift: a Gaussian's feature is the mean of what the views saw of it, weighted by how much of each pixel it made.

Nothing is trained. After Marrie et al., "LUDVIG", ICCV 2025, and Cheng et al., "Occam's LGS", BMVC 2025, who found the
rasteriser's own weights to do as well as training; written from their descriptions. Here, besides, views count by the
cosine between surface and ray; weights are summed over the teacher's cells inside the rasteriser, so that a pixel x
Gaussian array never exists; cells of which a Gaussian made next to nothing, three quarters of all, are left out: they
are of what it shines through or past; only patches of Gaussians are lifted in all dimensions, for the codec, and
single Gaussians in the codec's few.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from robodistill.config import UpliftConfig
from robodistill.errors import BadInput
from robodistill.features.codec import encode, identity_decoder, quantised, scene_decoder
from robodistill.features.patches import Patches
from robodistill.features.products import add_product, by_onednn
from robodistill.features.smooth import smooth
from robodistill.features.view_weights import ViewWeights
from robodistill.field.features import FeatureLayer
from robodistill.field.gaussians import FieldView, GaussianField
from robodistill.progress import Progress, silent


@by_onednn()
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
        maps: (h, w, D) for each view, cells evenly over the image; each is asked for twice and sixteen are held at
            once, so a lazy sequence should keep what is dear. Zero cells say nothing.
        config: `dims` = 0 keeps all D.
        teacher: Spec that is written into the layer.

    Raises:
        BadInput: No view, or not one map a view.
    """
    if not len(views) or len(views) != len(maps):
        raise BadInput(f"{len(views)} views, {len(maps)} feature maps: as many of each, and at least one, are needed")
    patches = Patches(field, config.patch)
    order = torch.from_numpy(patches.order)
    field = replace(field, features={}, groups=None).select(order.to(field.means.device))
    weights, dim = [], maps[0].shape[-1]
    support, total, pooled = torch.zeros(len(field)), torch.zeros(patches.count, dim), torch.zeros(patches.count)
    few = min(len(views), config.codec_views if config.dims else 0)
    looked_at = set(np.linspace(0, len(views) - 1, few).round().astype(int).tolist())
    for k, (seen, found, sums) in enumerate(ViewWeights(field, config).of(zip(views, maps, strict=True))):
        weights.append(found)
        support += torch.from_numpy(sums)
        if k in looked_at:
            add_product(total, patches.rows(found), _rows(seen))
            pooled += torch.from_numpy(patches.sums(sums))
        progress("uplift", k + 1, 2 * len(views))
    decoder = identity_decoder(dim)
    if config.dims:
        decoder = scene_decoder(patches, total.div_(pooled.clamp_min(1e-6)[:, None]), pooled, config.dims)
    codes = torch.zeros(len(field), decoder.weights[0].shape[1])
    for k, matrix in enumerate(weights):
        seen = _rows(maps[k])
        add_product(codes, matrix, encode(decoder, seen) if config.dims else seen)
        progress("uplift", len(views) + k + 1, 2 * len(views))
    codes /= support.clamp_min(1e-6)[:, None]
    lifted = smooth(field, codes, support, config)
    decoder, kept = quantised(decoder, lifted) if config.dims else (decoder, lifted.half())
    return FeatureLayer(teacher, "uplift", kept[order.argsort()], decoder).to(field.means.device)


def _rows(seen: Tensor) -> Tensor:
    return seen.detach().cpu().float().reshape(-1, seen.shape[-1])
