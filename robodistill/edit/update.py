"""A field after something was moved: its Gaussians go along, new views fill what became visible.

After Zheng et al., "GaussianGrasper", RA-L 2024, which moves the Gaussians of the held object and then fine-tunes for
hundreds of steps around both places. Differs from it: what was hidden is seeded from the new depth, the light that
changed (the thing's shadow) is corrected in closed form, by each Gaussian's mean residual, and then a few steps on the
pieces of the views that show what changed are enough. Of a thing whose motion is told only the colours are fitted: 40
views of before know its shape better than five new ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from robodistill.capture.frame import Frame
from robodistill.config import SeedConfig
from robodistill.edit.changes import find_changes, gone_gaussians
from robodistill.edit.edit import move
from robodistill.edit.fill import joined
from robodistill.edit.motion import Cloud, find_motion
from robodistill.edit.refine import refined
from robodistill.errors import BadInput
from robodistill.field.gaussians import GaussianField
from robodistill.field.render import shortest_axes, view_tensors
from robodistill.field.seed import seed_field
from robodistill.field.standing import support_plane
from robodistill.raster.rasterize import rasterize, view_colors
from robodistill.raster.sh import rgb_to_sh0, sh0_to_rgb

_LIT = 0.5  # pixels that a Gaussian must make in the new views before its colour is corrected
_FAR = 0.8  # metres that a thing may have gone
_SPACING = 0.7  # of the field's own, at which new surface is seeded
_COLOR = 0.02  # metres that a full difference of colour is worth when features are taken over


@dataclass(frozen=True, eq=False)
class Updated:
    """The outcome."""

    field: GaussianField
    T_world_world: np.ndarray | None
    """(4, 4) by which the thing moved, as told or as found; None where nothing was said to have moved."""
    moved: int
    """Gaussians that went along."""
    gone: int
    """That were taken out, because the new views look through them."""
    added: int
    """That new surface became."""


def update_scene(
    field: GaussianField,
    frames: Sequence[Frame] = (),
    selection: Tensor | None = None,
    T_world_world: np.ndarray | None = None,
) -> Updated:
    """Bring a field up to date.

    Args:
        frames: New views with poses and depth.
        selection: (N,) bool: the thing that moved.
        T_world_world: (4, 4) how; found in the new views where it is not given.

    Raises:
        BadInput: Neither views nor a motion are given, views lack pose or depth, or a motion lacks its thing.
        HonestNo: No motion explains the new views.
    """
    frames = list(frames)
    if any(frame.depth is None or frame.T_world_camera is None for frame in frames):
        raise BadInput("new views need depth and poses, and some have not both")
    if T_world_world is None and not frames:
        raise BadInput("an update needs a transform, new views, or both")
    if T_world_world is not None and selection is None:
        raise BadInput("a transform needs the thing that it moved")
    told = T_world_world is not None
    if selection is not None and not told:
        T_world_world = _found_motion(field, frames, selection)
    moved, changed, placed = 0, [], None
    if selection is not None:
        moved = int(selection.sum())
        T, here = torch.from_numpy(np.asarray(T_world_world, float)), field.means[selection]
        changed += [here, here @ T[:3, :3].mT.to(here) + T[:3, 3].to(here)]
        edited = move(field, selection, T, fill=not frames)
        field, placed = edited.field, edited.selection
    if not frames:
        return Updated(field, T_world_world, moved, 0, 0)
    changes = find_changes(field, frames)
    changed.append(field.means[changes.gone])
    before, field = field, field.select(~changes.gone)
    added = _seeded(field, frames, changes.new)
    count = 0 if added is None else len(added)
    # what stands exactly where it was put needs new light only; a motion that was found may be millimetres off
    rigid = field.opacities.new_zeros(len(field) + count, dtype=torch.bool)
    if told:
        rigid[: len(field)] = placed[~changes.gone]
    if added is not None:
        field = joined(field, _with_features(added, before))
        changed.append(added.means)
    field = refined(_relit(field, frames), frames, torch.cat(changed).cpu().numpy(), rigid)
    return Updated(field, T_world_world, moved, int(changes.gone.sum()), count)


def _found_motion(field: GaussianField, frames: list[Frame], selection: Tensor) -> np.ndarray:
    """How the selected thing moved, from what the views show that the field without it does not."""
    rest = field.select(~selection)
    rest = rest.select(~gone_gaussians(rest, frames))
    points, colors = [], []
    for frame, new in zip(frames, find_changes(rest, frames).new, strict=True):
        T = frame.T_world_camera
        points.append(frame.camera.unproject(frame.depth)[new] @ T[:3, :3].T + T[:3, 3])
        colors.append(frame.rgb[new] / 255)
    before = Cloud(
        field.means[selection].cpu().numpy().astype(float),
        sh0_to_rgb(field.sh[selection, 0]).clamp(0, 1).cpu().numpy().astype(float),
        shortest_axes(field.quats_wxyz[selection], field.scales[selection]).cpu().numpy().astype(float),
    )
    plane = support_plane(field)
    up = np.array([0.0, 0, 1]) if plane is None else plane[:3]
    after, shades = np.concatenate(points), np.concatenate(colors)
    if plane is not None:  # what was under the thing is new too
        above = after @ up + plane[3] > 0.008
        after, shades = after[above], shades[above]
    near = np.linalg.norm(after - before.points.mean(0), axis=1) < _FAR  # further off is room that was never scanned
    after, shades = after[near], shades[near]
    return find_motion(before, Cloud(after, shades), up)


def _seeded(field: GaussianField, frames: list[Frame], new: Sequence[np.ndarray]) -> GaussianField | None:
    """Gaussians on new surface; None where there is none."""
    if not any(mask.any() for mask in new):
        return None
    masked = [
        replace(frame, depth=np.where(mask, frame.depth, 0).astype(np.float32))
        for frame, mask in zip(frames, new, strict=True)
    ]
    views = sum(mask.any() for mask in new)
    area = sum(float(((f.depth / f.camera.K[0, 0]) ** 2).sum()) for f in masked) / views
    spacing = _SPACING * float(field.scales.amax(-1).median()) / SeedConfig().overlap
    count = max(20, int(area / spacing**2))
    made = seed_field([f for f in masked if f.depth.any()], replace(SeedConfig(), gaussians=count))
    sh = field.sh.new_zeros(len(made), field.sh.shape[1], 3)
    sh[:, 0] = made.sh[:, 0].to(sh)
    return replace(made.to(field.means.device), sh=sh)


def _with_features(added: GaussianField, known: GaussianField) -> GaussianField:
    """New Gaussians with the layers of what was there before: of the nearest in place and colour."""
    places = [
        np.hstack([f.means.cpu().numpy(), _COLOR * sh0_to_rgb(f.sh[:, 0]).clamp(0, 1).cpu().numpy()])
        for f in (known, added)
    ]
    nearest = torch.from_numpy(cKDTree(places[0]).query(places[1], workers=-1)[1]).to(known.means.device)
    features = {name: layer.select(nearest) for name, layer in known.features.items()}
    groups = None if known.groups is None else known.groups[nearest]
    return replace(added, features=features, groups=groups)


@torch.no_grad()
def _relit(field: GaussianField, frames: list[Frame]) -> GaussianField:
    """Colours corrected by the mean residual that each Gaussian has in the new views, weighted as it is blended.

    The gradient of an image is this sum of blending weights, times what comes in: the residual, and one.
    """
    total, weight = torch.zeros_like(field.means), torch.zeros_like(field.opacities)
    shape = (field.means, field.quats_wxyz, field.scales, field.opacities)
    for frame in frames:
        camera, rgb = frame.camera, torch.from_numpy(frame.rgb) / 255
        viewmats, Ks = view_tensors(field.means, camera, frame.T_world_camera)
        colors = view_colors(field.means, field.sh, viewmats, field.sh_degree)[0]
        with torch.enable_grad():
            columns = torch.nn.functional.pad(colors, (0, 1)).requires_grad_()
            image, alphas, _ = rasterize(*shape, columns, viewmats, Ks, camera.width, camera.height)
        residual = rgb.to(image) - image[0, ..., :3] - (1 - alphas[0]) * image.new_tensor(field.background)
        (pulled,) = torch.autograd.grad(image, columns, torch.nn.functional.pad(residual, (0, 1), value=1.0)[None])
        total += pulled[:, :3]
        weight += pulled[:, 3]
    sure = weight / (weight + _LIT)
    shift = total / weight.clamp_min(1e-6)[:, None] * sure[:, None]
    sh = field.sh.clone()
    sh[:, 0] += shift * (rgb_to_sh0(shift.new_ones(1)) - rgb_to_sh0(shift.new_zeros(1)))
    return replace(field, sh=sh)
