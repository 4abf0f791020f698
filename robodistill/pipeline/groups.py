"""Parts of a field folder."""

from dataclasses import replace
from pathlib import Path

from robodistill.config import PartsConfig
from robodistill.errors import BadInput
from robodistill.field.gaussians import GaussianField
from robodistill.parts.parts import find_parts, name_parts
from robodistill.teachers.registry import load_text_teacher


def group_field(
    path: Path, out: Path, words: list[str], teacher: str | None = None, overwrite: bool = False
) -> list[dict]:
    """Save the field as `out` with parts at several scales.

    Returns:
        For each scale, fine to coarse: its number, how many parts it has, and (part, name, share) for those that one
        of the words names best.

    Raises:
        BadInput: An argument is not valid, or `out` exists.
    """
    if Path(out).exists() and not overwrite:
        raise BadInput(f"{out} exists; give another name or --overwrite")
    field = GaussianField.load(path)
    if words and not field.features:
        raise BadInput(f"{path} has no features to name parts by; leave --words out, or build with a teacher")
    layer = field.layer(teacher) if teacher or field.features else None
    text = load_text_teacher(layer.teacher) if words else None
    groups = find_parts(field, PartsConfig(), layer)
    told = []
    for scale in range(groups.shape[1]):
        labels = groups[:, scale]
        names = name_parts(field, labels, layer, text, words) if words else {}
        count = int((labels.unique() > 0).sum())
        best = [(part, name, round(share, 3)) for part, (name, share) in sorted(names.items()) if share >= 0.5]
        told.append({"scale": scale, "count": count, "names": best})
    replace(field, groups=groups).save(out, overwrite)
    return told
