"""Language-guided edits of field folders."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from robodistill.config import QueryConfig
from robodistill.edit.edit import Edited, delete, extract, move, recolor
from robodistill.errors import BadInput
from robodistill.field.gaussians import GaussianField
from robodistill.language.query import Querier
from robodistill.language.selection import Selection
from robodistill.pipeline.language import Answer, not_found, open_language

CHANGES = ("delete", "extract", "color", "move")


@dataclass(frozen=True)
class EditResult:
    """What an edit gave."""

    gaussians: int
    selected: int
    """Gaussians that the phrase named."""
    note: str
    """What became of the hole."""


def edit_field(
    path: Path,
    phrase: str,
    out: Path,
    change: str,
    values: Sequence[float] = (),
    teacher: str | None = None,
    overwrite: bool = False,
) -> EditResult:
    """Change what a phrase names and save the field as `out`.

    Args:
        change: One of `CHANGES`.
        values: Of "color" r, g, b in [0, 1]; of "move" x, y, z in metres and, if wanted, a rotation vector in degrees
            about the thing's centre.

    Raises:
        BadInput: An argument is not valid, or `out` exists.
        HonestNo: The phrase names nothing in the field.
    """
    if change not in CHANGES:
        raise BadInput(f"edit {change!r}: one of {', '.join(CHANGES)} is needed")
    if Path(out).exists() and not overwrite:
        raise BadInput(f"{out} exists; give another name or --overwrite")
    field, layer, text = open_language(path, teacher)
    found = Querier(field, layer, text, QueryConfig())(phrase)
    if not found.found:
        raise not_found(Answer(found, 0.0))
    edited = apply_edit(field, found, change, values)
    edited.field.save(out, overwrite)
    return EditResult(len(edited.field), len(found.gaussians), edited.note)


def apply_edit(field: GaussianField, found: Selection, change: str, values: Sequence[float] = ()) -> Edited:
    """One change of what was found, in memory."""
    mask = found.mask(len(field))
    if change == "delete":
        return delete(field, mask)
    if change == "extract":
        return extract(field, mask)
    if change == "color":
        return recolor(field, mask, values)
    center, T = np.array(found.center), np.eye(4)
    T[:3, :3] = Rotation.from_rotvec(np.radians(values[3:]) if len(values) > 3 else np.zeros(3)).as_matrix()
    T[:3, 3] = center - T[:3, :3] @ center + values[:3]
    return move(field, mask, torch.from_numpy(T))
