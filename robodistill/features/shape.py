"""What the shape of a field's segments tells, added to what its views told: a mug seen whole is more surely a mug.

Segments are connected pieces of what stands on the largest plane, cut where the features on either side are of
different things; each is described by a teacher's shape encoder in the space of its features.
"""

from dataclasses import replace

import numpy as np
import torch
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from robodistill.config import ShapeConfig
from robodistill.features.codec import identity_decoder, quantised
from robodistill.field.features import FeatureLayer
from robodistill.field.gaussians import GaussianField
from robodistill.field.graph import neighbour_graph
from robodistill.field.render import shortest_axes
from robodistill.geometry.planes import largest_plane
from robodistill.raster.projection import quats_to_matrices
from robodistill.raster.sh import sh0_to_rgb
from robodistill.teachers.teacher import ShapeTeacher, shape_inputs

_NEAR = 0.006  # metres from the support that count as on it
_POINTS = 384  # of a segment that are looked at
_SPREAD = 0.7  # of points about a Gaussian's centre, relative to its scales
_BATCH = 16  # segments at a time


def add_shape(field: GaussianField, layer: FeatureLayer, teacher: ShapeTeacher, config: ShapeConfig) -> FeatureLayer:
    """The layer with what the shape of each segment tells of its kind mixed in; parts are left to the views.

    Unchanged where nothing stands on a plane.

    Args:
        field: N Gaussians with the views that they were made from, which tell where the scene is.
        layer: Features of the same teacher.
    """
    support = _support(field, config.reach) if config.weight else None
    if support is None:
        return layer
    features = layer.features()
    heights = field.means.cpu().numpy() @ support[:3] + support[3]
    segments = _segments(field, features[:, teacher.kind], heights, config)
    random = torch.Generator().manual_seed(0)
    per_unit = 1 / features[:, teacher.kind].norm(dim=1).quantile(0.95).clamp_min(1e-6)
    for start in range(0, len(segments), _BATCH):
        batch = segments[start : start + _BATCH]
        owners, points = zip(*(_sampled(field, segment, support, random) for segment in batch), strict=True)
        told = teacher.describe(torch.stack(points)).to(features)
        for segment, ids, of_points in zip(batch, owners, told, strict=True):
            nearest = torch.cdist(field.means[segment], field.means[ids]).argmin(1)
            # where the views agree on what it is, shape has little to add
            agreement = per_unit * features[segment][:, teacher.kind].mean(0).norm()
            weight = config.weight * (1 - agreement).clamp_min(0)
            kinds = (features[segment, teacher.kind] + weight * of_points[nearest, teacher.kind]) / (1 + weight)
            features[segment, teacher.kind] = kinds
    decoder, codes = quantised(identity_decoder(layer.dim), torch.nn.functional.normalize(features, dim=-1))
    return replace(layer, codes=codes, decoder=decoder.to(codes.device))


def _sampled(
    field: GaussianField, segment: Tensor, support: np.ndarray, random: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Which Gaussians (points,) were sampled, evenly over the surface, and (points, 7) as `describe` takes them."""
    areas = field.scales[segment].sort(-1).values[:, 1:].prod(-1) * field.opacities[segment]
    ids = segment[torch.multinomial(areas.cpu(), _POINTS, replacement=True, generator=random)]
    within = _SPREAD * torch.randn(_POINTS, 3, generator=random).clamp(-1.5, 1.5).to(field.means)
    turns = quats_to_matrices(field.quats_wxyz[ids])
    places = field.means[ids] + (turns @ (field.scales[ids] * within)[..., None])[..., 0]
    normal = torch.from_numpy(support[:3]).to(places)
    upright = torch.from_numpy(_upright(support[:3])).to(places)
    places = torch.cat([(places @ upright.mT)[:, :2], (places @ normal + float(support[3]))[:, None]], 1)
    colors = sh0_to_rgb(field.sh[ids, 0]).clamp(0, 1)
    up = (shortest_axes(field.quats_wxyz[ids], field.scales[ids]) @ normal).abs()
    return ids, shape_inputs(places, colors, up)


def _support(field: GaussianField, reach: float) -> np.ndarray | None:
    """(4,) the plane that most Gaussians lie on around where the views look, up toward them."""
    if not field.views:
        return None
    eyes = np.stack([view.T_world_camera[:3, 3] for view in field.views])
    axes = np.stack([view.T_world_camera[:3, 2] for view in field.views])
    across = np.eye(3) - axes[:, :, None] * axes[:, None]
    focus = np.linalg.lstsq(across.sum(0), (across @ eyes[..., None]).sum(0)[:, 0], rcond=None)[0]
    means = field.means.cpu().numpy()
    return largest_plane(means[np.linalg.norm(means - focus, axis=1) < reach], _NEAR, eyes.mean(0))


def _upright(normal: np.ndarray) -> np.ndarray:
    """(3, 3) rotation whose third row is the normal."""
    x = np.cross(normal, [0.0, 1.0, 0.0] if abs(normal[1]) < 0.9 else [1.0, 0.0, 0.0])
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(normal, x), normal])


def _segments(field: GaussianField, kinds: Tensor, heights: np.ndarray, config: ShapeConfig) -> list[Tensor]:
    """Indices of the Gaussians of each piece of the size of a thing."""
    standing = (heights > config.lowest) & (heights < config.highest) & (field.opacities.cpu().numpy() > 0.1)
    ids = np.flatnonzero(standing)
    if len(ids) < config.least:
        return []
    means = field.means[ids]
    graph = neighbour_graph(means, config.neighbours)
    unit = torch.nn.functional.normalize(kinds[ids].cpu(), dim=-1)
    near = torch.from_numpy(graph.neighbours.astype(np.int64))
    alike = (unit[near] * unit[:, None]).sum(-1).numpy()
    linked = (graph.distances < config.gap) & (alike > config.alike)
    rows = np.broadcast_to(np.arange(len(ids))[:, None], linked.shape)[linked]
    edges = coo_matrix((np.ones(len(rows), bool), (rows, graph.neighbours[linked])), shape=(len(ids),) * 2)
    labels = connected_components(edges, directed=False)[1]
    found = []
    for label in np.flatnonzero(np.bincount(labels) >= config.least):
        members = np.flatnonzero(labels == label)
        if float((means[members].amax(0) - means[members].amin(0)).norm()) < config.largest:
            found.append(torch.from_numpy(ids[members]))
    return found
