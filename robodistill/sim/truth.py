"""`truth.json` of a simulated capture: what is where, in which pixels, and which words name it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from robodistill.sim.paint import Paint
from robodistill.sim.phrases import Named, absent_phrases, unique_phrases
from robodistill.sim.spec import ObjectSpec

SCHEMA = 1


@dataclass(frozen=True, eq=False)
class Placed:
    """One labelled object of a finished scene."""

    id: int
    """Value in `masks/`."""
    spec: ObjectSpec
    paint: Paint
    part_ids: dict[str, int]
    """Value in `parts/` by part name."""
    T_world_object: np.ndarray
    """(4, 4)."""


def number(specs: Sequence[ObjectSpec]) -> list[dict[str, int]]:
    """Scene-wide part ids, from 1, by part name, for each object."""
    ids, last = [], 0
    for spec in specs:
        ids.append({part: last + k for k, part in enumerate(spec.parts, start=1)})
        last += len(spec.parts)
    return ids


def describe(
    objects: Sequence[Placed], names: Sequence[str], pixels: np.ndarray, categories: Sequence[str], **facts: object
) -> dict:
    """The content of `truth.json`.

    Args:
        names: Of the frames.
        pixels: (frames, objects) visible pixels.
        categories: All words that could have been there.
        facts: Further top-level entries.
    """
    named = [Named(it.id, it.spec.category, it.paint["main"].word, it.part_ids) for it in objects]
    phrases = unique_phrases(named)
    of_object = {it.id: [p.phrase for p in phrases if p.object == it.id and p.part is None] for it in objects}
    return {
        "schema": SCHEMA,
        "kind": "tabletop",
        "units": {"length": "metre", "angle": "radian"},
        **facts,
        "objects": [_object(it) | {"phrases": of_object[it.id]} for it in objects],
        "phrases": [{key: value for key, value in asdict(p).items() if value is not None} for p in phrases],
        "absent_phrases": absent_phrases(named, categories),
        "frames": [
            {"name": name, "visible_pixels": {str(it.id): int(n) for it, n in zip(objects, row, strict=True)}}
            for name, row in zip(names, pixels, strict=True)
        ],
    }


def _object(it: Placed) -> dict:
    coat = it.paint["main"]
    tints = {}
    for piece in it.spec.pieces:
        tints.setdefault(piece.part, piece.tint)
    return {
        "id": it.id,
        "category": it.spec.category,
        "color": coat.word,
        "rgb": [round(c, 4) for c in coat.rgb],
        "material": coat.finish,
        "pattern": coat.pattern,
        "size": it.spec.size.tolist(),
        "T_world_object": it.T_world_object.tolist(),
        "parts": [
            {"id": part_id, "name": part, "color": it.paint[tints[part]].word, "material": it.paint[tints[part]].finish}
            for part, part_id in it.part_ids.items()
        ],
        "joints": [
            {
                "name": j.name,
                "kind": j.kind,
                "parts": list(j.parts),
                "axis": np.asarray(j.axis, float).tolist(),
                "origin": np.asarray(j.origin, float).tolist(),
                "limits": list(j.limits),
                "value": j.value,
            }
            | ({"pitch": j.pitch} if j.kind == "screw" else {})
            for j in it.spec.joints
        ],
    }
