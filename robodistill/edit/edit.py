"""Edits of a field by a selection: delete, extract, recolour, move. Each gives a field again, so they chain.

Deletion, extraction and change of colour are those of Zhou et al., "Feature 3DGS: Supercharging 3D Gaussian Splatting
to Enable Distilled Feature Fields", CVPR 2024. Differs from it in: what was hidden behind or under the thing is filled
and its shadow is taken off; colours keep their shading; things can be moved. A moved thing casts no new shadow.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from robodistill.edit.fill import joined, remove_and_fill
from robodistill.errors import BadInput, BadPose
from robodistill.field.gaussians import GaussianField
from robodistill.geometry import se3
from robodistill.raster.rotate_sh import rotate_sh
from robodistill.raster.sh import rgb_to_sh0, sh0_to_rgb

_LUMA = (0.299, 0.587, 0.114)
_FLOOR = 0.08  # added to luminances before their ratio is taken: that of black things is noise
_BRIGHTEST = 2.0  # times the thing's own median luminance


@dataclass(frozen=True, eq=False)
class Edited:
    """The outcome of an edit."""

    field: GaussianField
    selection: Tensor
    """(M,) bool over `field`: the selected Gaussians where they are now, so that edits chain; none after deletion."""
    filled: int
    """Gaussians that were added to close a hole."""
    note: str
    """What was done to the hole, or why it was not filled; empty where none was left."""


def delete(field: GaussianField, selection: Tensor, fill: bool = True) -> Edited:
    """Take the selected Gaussians (N,) bool away.

    Args:
        fill: Close the hole in what they stood on, and take off their shadow. A thing in the air leaves no hole.

    Raises:
        BadInput: Nothing or everything is selected.
    """
    _check(field, selection)
    if selection.all():
        raise BadInput(f"all {len(field)} Gaussians are selected; to delete them would leave no field")
    if not fill:
        rest = field.select(~selection)
        return Edited(rest, selection.new_zeros(len(rest)), 0, "the hole was left open, as asked")
    done = remove_and_fill(field, selection)
    return Edited(done.field, selection.new_zeros(len(done.field)), done.filled, done.note)


def extract(field: GaussianField, selection: Tensor) -> Edited:
    """Keep the selected Gaussians (N,) bool only, before black.

    Raises:
        BadInput: Nothing is selected.
    """
    _check(field, selection)
    taken = replace(field.select(selection), background=(0.0, 0.0, 0.0))
    return Edited(taken, selection.new_ones(len(taken)), 0, "")


def recolor(field: GaussianField, selection: Tensor, rgb: Sequence[float]) -> Edited:
    """Paint the selected Gaussians (N,) bool; what is lighter or darker than the thing's median stays so.

    The new colour is multiplied with each Gaussian's luminance relative to the selection's median. What depends on the
    view is kept as grey, for it is gloss.

    Args:
        rgb: Three numbers in [0, 1].

    Raises:
        BadInput: Nothing is selected, or the colour is not one.
    """
    _check(field, selection)
    color = torch.as_tensor(rgb, dtype=field.sh.dtype)
    if color.shape != (3,) or not ((color >= 0) & (color <= 1)).all():
        raise BadInput(f"colour is {tuple(rgb)}; three numbers from 0 to 1 are needed, red, green, blue")
    color, luma = color.to(field.sh), field.sh.new_tensor(_LUMA)
    sh = field.sh[selection]
    light = (sh0_to_rgb(sh[:, 0]).clamp(0, 1) @ luma) + _FLOOR
    shading = (light / light.median()).clamp_max(_BRIGHTEST)
    painted = sh.new_zeros(sh.shape)
    painted[:, 0] = rgb_to_sh0(color * shading[:, None])
    painted[:, 1:] = (sh[:, 1:] @ luma)[..., None]
    every = field.sh.clone()
    every[selection] = painted
    return Edited(replace(field, sh=every), selection.clone(), 0, "")


def move(field: GaussianField, selection: Tensor, T_world_world: Tensor, fill: bool = True) -> Edited:
    """Move the selected Gaussians (N,) bool; their gloss turns with them.

    Args:
        T_world_world: (4, 4) rigid: maps where a point was to where it shall be.
        fill: Close the hole that is left behind.

    Raises:
        BadInput: Nothing is selected, or the transform is not rigid.
    """
    _check(field, selection)
    T = torch.as_tensor(T_world_world).to(field.means.dtype)
    if T.shape != (4, 4):
        raise BadInput(f"a move is a rigid (4, 4) matrix, got one of shape {tuple(T.shape)}")
    if (T[3] - T.new_tensor([0, 0, 0, 1])).abs().max() > 1e-6:
        raise BadInput(f"the last row of a move is 0 0 0 1, got {T[3].tolist()}")
    try:
        pose = se3.from_matrix(T).to(field.means)
    except BadPose as error:
        raise BadInput(f"a move must be rigid: {error}") from None
    taken = field.select(selection)
    there = se3.compose(pose, torch.cat([taken.quats_wxyz, taken.means], -1))
    placed = replace(taken, quats_wxyz=there[:, :4], means=there[:, 4:], sh=rotate_sh(taken.sh, T[:3, :3]))
    if fill and not selection.all():
        done = remove_and_fill(field, selection)
        rest, filled, note = done.field, done.filled, done.note
    else:
        rest, filled, note = field.select(~selection), 0, "the hole was left open"
    both = joined(rest, placed)
    return Edited(both, torch.arange(len(both), device=selection.device) >= len(rest), filled, note)


def _check(field: GaussianField, selection: Tensor) -> None:
    assert selection.shape == (len(field),) and selection.dtype == torch.bool, (selection.shape, selection.dtype)
    if not selection.any():
        raise BadInput(f"none of {len(field)} Gaussians is selected; an edit needs at least one")
