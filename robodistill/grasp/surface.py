"""The surface of a field as a gripper meets it: points with outward normals, and the plane that things stand on.

Gaussians are drawn with a low-pass of about half a pixel. With it outlines and colours are right, so that a fit leaves
centres inside of things by as much, 2 mm for a camera of 320 pixels that is 0.9 m away: the surface lies outside.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.spatial import cKDTree

from robodistill.errors import HonestNo
from robodistill.field.gaussians import GaussianField
from robodistill.field.render import shortest_axes, view_tensors
from robodistill.field.standing import focus_point, support_plane
from robodistill.raster.projection import quats_to_matrices
from robodistill.raster.rasterize import cell_weights
from robodistill.raster.sh import sh0_to_rgb

_NEIGHBOURS = 9  # whose normals are averaged
_ALIKE = 0.5  # cosine between normals below which neighbours are of different sides
_RIM = 0.8  # of a standard deviation, where points stand for a Gaussian's disc
_WIDEST = 0.006  # metres, standard deviation from which a Gaussian is no small piece of surface
_SOLID = 0.3  # opacity from which a Gaussian is surface
_VIEWS = 12  # that tell on which side of a Gaussian the free space is
_LONG_SIDE = 200  # pixels of these
_SEEN = 1.0  # pixels that a Gaussian must make in all of them, or it is inside of something
_LOW_PASS = 0.3**0.5  # pixels, standard deviation with which Gaussians are drawn
_LEAN = 0.3  # rad, in fields of small things: sides that are seen from above lean, and edges are round
_ON = 0.006  # metres from the support that count as on it
_AROUND = 0.7  # metres around where the views look that are kept


@dataclass(frozen=True, eq=False)
class Surface:
    """n points."""

    points: np.ndarray
    """(n, 3) world frame, metres."""
    normals: np.ndarray
    """(n, 3) unit, towards free space."""
    ids: np.ndarray
    """(n,) the Gaussians that they are of: several points stand for each."""
    plane: np.ndarray
    """(4,) n, d with n . x + d = 0 of the support, n up."""
    lean: float = 0.0
    """By how much angles between contacts and normals come out too large, rad; 0 where the normals are exact."""
    colors: np.ndarray | None = None
    """(n, 3) in [0, 1]; None where they are not known."""

    @property
    def up(self) -> np.ndarray:
        """(3,) unit."""
        return self.plane[:3]

    def heights(self, points: np.ndarray) -> np.ndarray:
        """(...) metres above the support of (..., 3) points."""
        return points @ self.plane[:3] + self.plane[3]

    def select(self, keep: np.ndarray) -> "Surface":
        """The points of a mask or of indices."""
        known = {name: getattr(self, name) for name in ("points", "normals", "ids", "colors")}
        return replace(self, **{name: values[keep] for name, values in known.items() if values is not None})


@torch.no_grad()
def field_surface(field: GaussianField) -> Surface:
    """The solid, seen Gaussians of a field around what its views look at.

    Raises:
        HonestNo: The field has no views, or nothing in it is a support.
    """
    plane = support_plane(field)
    if plane is None:
        raise HonestNo("no support was found: the field needs views, and a table or floor that they look at")
    field = field.to("cpu")
    towards, footprints = _seen_from(field)
    means = field.means.numpy().astype(np.float64)
    keep = (field.opacities.numpy() > _SOLID) & (np.linalg.norm(towards, axis=1) > _SEEN)
    keep &= np.linalg.norm(means - focus_point(field), axis=1) < _AROUND
    ids = np.flatnonzero(keep)
    normals = shortest_axes(field.quats_wxyz[ids], field.scales[ids]).numpy().astype(np.float64)
    normals *= np.where((normals * towards[ids]).sum(1) < 0, -1.0, 1.0)[:, None]
    normals = _smoothed(means[ids], normals)
    outside = _LOW_PASS * footprints[ids, None] * normals
    on = np.abs(means[ids] @ plane[:3] + plane[3]) < _ON
    plane = plane - np.array([0, 0, 0, np.median(((means[ids] + outside)[on] @ plane[:3]) + plane[3])])
    spread = _discs(field, ids)
    points = ((means[ids] + outside)[:, None] + spread).reshape(-1, 3)
    copies = spread.shape[1]
    colors = sh0_to_rgb(field.sh[ids, 0]).clamp(0, 1).numpy().astype(np.float64)
    normals, ids, colors = (values.repeat(copies, 0) for values in (normals, ids, colors))
    return Surface(points, normals, ids, plane, _LEAN, colors)


def _smoothed(points: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """(n, 3) normals averaged over neighbours on the same side of the same surface."""
    near = cKDTree(points).query(points, k=min(_NEIGHBOURS, len(points)), workers=-1)[1]
    alike = ((normals[near] * normals[:, None]).sum(-1) - _ALIKE).clip(min=0)
    mean = (alike[..., None] * normals[near]).sum(1)
    return mean / np.linalg.norm(mean, axis=1, keepdims=True)


def _discs(field: GaussianField, ids: np.ndarray) -> np.ndarray:
    """(n, 5, 3) offsets from a Gaussian's centre to points that stand for its disc."""
    R = quats_to_matrices(field.quats_wxyz[ids]).numpy().astype(np.float64)
    scales = field.scales[ids].numpy().astype(np.float64)
    order = np.argsort(scales, axis=1)
    long, middle = (
        np.take_along_axis(R, order[:, None, k : k + 1].repeat(3, 1), 2)[..., 0]
        * np.minimum(np.take_along_axis(scales, order[:, k : k + 1], 1), _WIDEST)
        for k in (2, 1)
    )
    return _RIM * np.stack([0 * long, long, -long, middle, -middle], 1)


def _seen_from(field: GaussianField) -> tuple[np.ndarray, np.ndarray]:
    """How some views see each Gaussian.

    Returns:
        (N, 3) unit directions to the cameras, each weighted with the share of the Gaussian that came through, summed;
        (N,) mean length of the views' own pixels there, metres, with the same weights.
    """
    total, lengths, seen = (field.means.new_zeros(len(field), k) for k in (3, 1, 1))
    picks = np.unique(np.linspace(0, len(field.views) - 1, _VIEWS).round().astype(int))
    for view in (field.views[k] for k in picks):
        camera = view.camera
        scale = min(1.0, _LONG_SIDE / max(camera.width, camera.height))
        camera = camera.resized(max(1, round(scale * camera.width)), max(1, round(scale * camera.height)))
        viewmats, Ks = view_tensors(field.means, camera, view.T_world_camera)
        shape = (field.means, field.quats_wxyz, field.scales, field.opacities)
        starts, _, pieces = cell_weights(*shape, viewmats[0], Ks[0], camera.width, camera.height, 1, 1)
        weights = torch.zeros_like(field.opacities)
        weights.scatter_add_(0, torch.arange(len(field)).repeat_interleave(starts.diff()), pieces)
        away = torch.as_tensor(view.T_world_camera[:3, 3]).to(field.means) - field.means
        depths = -(away @ torch.as_tensor(view.T_world_camera[:3, 2]).to(away))
        total += weights[:, None] * torch.nn.functional.normalize(away, dim=-1)
        lengths += (weights * depths / float(view.camera.K[0, 0]))[:, None]
        seen += weights[:, None]
    lengths = lengths[:, 0] / seen[:, 0].clamp_min(1e-6)
    return total.numpy().astype(np.float64), lengths.numpy().astype(np.float64)
