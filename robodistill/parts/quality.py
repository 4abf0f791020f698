"""How well found parts fit the true ones."""

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from robodistill.field.gaussians import GaussianField
from robodistill.field.render import view_tensors
from robodistill.geometry.camera import Camera
from robodistill.raster.rasterize import blending_weights


def part_iou(labels: Tensor, truth: Tensor, least: int = 30) -> Tensor:
    """Mean over the true parts of the best IoU that any group of a scale has with it, for each scale.

    Args:
        labels: (N, S) found; 0 is no group.
        truth: (N,) true; 0 is background, which is no part but counts in the union of a group that swallows it.
        least: Gaussians; smaller true parts are not asked for.

    Returns:
        (S,) float64 in [0, 1]; NaN where no true part is large enough.
    """
    truth, columns = truth.long().cpu(), labels.long().cpu()
    sizes = torch.bincount(truth)
    wanted = [part for part in range(1, len(sizes)) if sizes[part] >= least]
    means = []
    for found in columns.T:
        groups = torch.bincount(found).double()
        best = []
        for part in wanted:
            common = torch.bincount(found[truth == part], minlength=len(groups)).double()
            iou = common / (groups + sizes[part] - common)
            best.append(float(iou[1:].max()) if len(iou) > 1 else 0.0)
        means.append(sum(best) / len(best) if best else float("nan"))
    return torch.tensor(means, dtype=torch.float64)


def majority_labels(field: GaussianField, views: Iterable[tuple[Camera, np.ndarray, np.ndarray]]) -> Tensor:
    """The label that made most of each Gaussian's pixels, by blending weight over all views.

    Args:
        field: N Gaussians.
        views: Camera, T_world_camera (4, 4) and (H, W) label map >= 0 of each.

    Returns:
        (N,) int32; 0 where no view sees it.
    """
    votes = np.zeros((len(field), 1))
    for camera, T_world_camera, labels in views:
        viewmats, Ks = view_tensors(field.means, camera, T_world_camera)
        gaussians = (field.means, field.quats_wxyz, field.scales, field.opacities)
        starts, ids, weights = (
            t.cpu().numpy() for t in blending_weights(*gaussians, viewmats[0], Ks[0], camera.width, camera.height)
        )
        seen = np.repeat(labels.ravel().astype(np.int64), np.diff(starts))
        width = max(votes.shape[1], int(labels.max()) + 1)
        votes = np.pad(votes, ((0, 0), (0, width - votes.shape[1])))
        votes += np.bincount(ids * width + seen, weights, votes.size).reshape(votes.shape)
    return torch.from_numpy(votes.argmax(1).astype(np.int32)).to(field.means.device)
