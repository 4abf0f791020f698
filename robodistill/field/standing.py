"""What stands on the surface that a scan was made of: the thing that was scanned, without its table."""

import numpy as np
import torch
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from torch import Tensor

from robodistill.errors import HonestNo
from robodistill.field.gaussians import GaussianField
from robodistill.field.graph import neighbour_graph
from robodistill.geometry.planes import largest_plane
from robodistill.raster.sh import sh0_to_rgb

_NEAR = 0.006  # metres from the support that count as on it
_REACH = 0.6  # metres around where the views look, in which the support is found
_HIGHEST = 0.6  # metres above the support within which something stands on it
_CLEAR, _LEAST = 2.0, 0.005  # spreads of the support's own heights, and metres, above which nothing is support
_SOLID = 0.3  # opacity of Gaussians that tell what is connected
_GAP = 0.012  # metres bridged between neighbours of one thing
_NEIGHBOURS = 8
_PIECE = 0.08  # size of a piece that counts, relative to the largest
_SKIRT, _RAISED = 0.004, 1.0  # metres beside what stands; spreads above the support's middle
_FOOT = 0.25  # spreads below the support's middle down to which a thing's foot is looked for


def support_plane(field: GaussianField, reach: float = _REACH) -> np.ndarray | None:
    """(4,) n, d with n . x + d = 0: the plane that most Gaussians lie on around where the views look, up toward them.

    None where the field has no views, or no plane holds an eighth of what is within `reach` metres.
    """
    if not field.views:
        return None
    eyes, focus = np.stack([view.T_world_camera[:3, 3] for view in field.views]), focus_point(field)
    means = field.means.cpu().numpy()
    return largest_plane(means[np.linalg.norm(means - focus, axis=1) < reach], _NEAR, eyes.mean(0))


def focus_point(field: GaussianField) -> np.ndarray:
    """(3,) the point nearest to the optical axes of the field's views, metres."""
    eyes = np.stack([view.T_world_camera[:3, 3] for view in field.views])
    axes = np.stack([view.T_world_camera[:3, 2] for view in field.views])
    across = np.eye(3) - axes[:, :, None] * axes[:, None]
    return np.linalg.lstsq(across.sum(0), (across @ eyes[..., None]).sum(0)[:, 0], rcond=None)[0]


def standing_object(field: GaussianField, reach: float = 0.35) -> Tensor:
    """(N,) bool: what stands alone on its support, with its foot, as far as `reach` metres from where the views look.

    What rises clearly above the support's own noise is the thing; what is lower belongs to it where it is connected to
    it and its colour is nearer to the thing's than to the support's.

    Raises:
        HonestNo: There is no support, or nothing stands on it.
    """
    plane = support_plane(field)
    if plane is None:
        raise HonestNo("no surface was found that a thing could stand on: name the thing instead")
    means = field.means.cpu().numpy()
    offset = means - focus_point(field)
    heights = means @ plane[:3] + plane[3]
    within = np.linalg.norm(offset - np.outer(offset @ plane[:3], plane[:3]), axis=1) < reach
    on = within & (np.abs(heights) < 2 * _NEAR)
    middle = float(np.median(heights[on]))
    spread = 1.4826 * float(np.median(np.abs(heights[on] - middle)))
    solid = within & (field.opacities.cpu().numpy() > _SOLID) & (heights < _HIGHEST)
    clear = solid & (heights - middle > max(_CLEAR * spread, _LEAST))
    pieces = [piece for piece in _pieces(field, np.flatnonzero(clear)) if len(piece) >= 20]
    if not pieces:
        raise HonestNo("nothing stands where the views look")
    kept = np.zeros(len(field), bool)
    kept[np.concatenate([piece for piece in pieces if len(piece) >= _PIECE * len(pieces[0])])] = True
    low = solid & ~clear & (heights - middle > -_FOOT * spread)
    # a shadow may be coloured like a dark thing: what lies as the support does belongs to what stands right there only
    flat = means - np.outer(heights, plane[:3])
    right_there = cKDTree(flat[kept]).query(flat[low])[0] < _SKIRT
    low[low] = right_there | (heights[low] - middle > _RAISED * spread)
    return torch.from_numpy(_with_foot(field, kept, low, solid & ~clear))


def _pieces(field: GaussianField, ids: np.ndarray) -> list[np.ndarray]:
    """Connected pieces of some Gaussians, the largest first."""
    if len(ids) <= _NEIGHBOURS:
        return []
    graph = neighbour_graph(field.means[ids], _NEIGHBOURS)
    linked = graph.distances < max(_GAP, 2 * float(np.median(graph.distances[:, 0])))
    rows = np.broadcast_to(np.arange(len(ids))[:, None], linked.shape)[linked]
    edges = coo_matrix((np.ones(len(rows), bool), (rows, graph.neighbours[linked])), shape=(len(ids),) * 2)
    labels = connected_components(edges, directed=False)[1]
    return [ids[labels == label] for label in np.argsort(-np.bincount(labels))]


def _with_foot(field: GaussianField, kept: np.ndarray, low: np.ndarray, around: np.ndarray) -> np.ndarray:
    """The mask with what is low, near it, and coloured like it rather than like the support around."""
    means, colors = field.means.cpu().numpy(), sh0_to_rgb(field.sh[:, 0]).cpu().numpy()
    low, around = np.flatnonzero(low), np.flatnonzero(around)
    away = cKDTree(means[kept]).query(means[around])[0]
    support = around[(away > 2 * _GAP) & (away < 10 * _GAP)]
    if not len(support) or not len(low):
        return kept
    to_thing, to_support = (cKDTree(colors[which]).query(colors[low])[0] for which in (kept, support))
    alike = low[to_thing < 0.5 * to_support]
    grown = kept.copy()
    while len(alike):
        near = cKDTree(means[grown]).query(means[alike])[0] < _GAP
        if not near.any():
            break
        grown[alike[near]] = True
        alike = alike[~near]
    return grown
