"""Correspondence between views of a table: surface points of things, found again by the nearest feature."""

import numpy as np
import torch
from torch import Tensor

from robodistill.bench.figures import Figures
from robodistill.bench.scans import Scan
from robodistill.capture.frame import Frame
from robodistill.geometry.covisible import DepthView, seen_in
from robodistill.teachers.teacher import ImageTeacher

_APART = np.radians([25, 35])  # directions of views that are matched
_PAIRS = 6  # of views a scene
_NEAR = 5.0  # pixels that a match may be off
_ROUND = ("apple", "ball", "bottle", "bowl", "can", "donut", "jar", "mushroom", "pear", "plate", "tape", "vase")
"""Of revolution, or nearly: from any side they look alike."""


def add_matches(figures: Figures, scan: Scan, visual: ImageTeacher) -> None:
    """Surface points of things, found again from another side by the nearest feature."""
    round_things = np.zeros(len(scan.truth["objects"]) + 1, bool)
    round_things[[it["id"] for it in scan.truth["objects"] if it["category"] in _ROUND]] = True
    directions = np.stack([frame.T_world_camera[:3, 2] for frame in scan.frames])
    angles = np.arccos(np.clip(directions @ directions.T, -1, 1))
    pairs = np.argwhere((angles > _APART[0]) & (angles < _APART[1]))
    seen: dict[int, Tensor] = {}
    for a, b in pairs[np.linspace(0, len(pairs) - 1, min(_PAIRS, len(pairs))).astype(int)]:
        for k in (a, b):
            if k not in seen:
                seen[k] = visual.encode(scan.frames[k])
        objects, found = _match(scan, scan.frames[a], scan.frames[b], seen[a], seen[b])
        figures.add("pairs 30 degrees apart", "image", "correspondence", found)
        figures.add("pairs 30 degrees apart, round things", "image", "correspondence", found[round_things[objects]])
        figures.add("pairs 30 degrees apart, others", "image", "correspondence", found[~round_things[objects]])


def _match(scan: Scan, first: Frame, second: Frame, a: Tensor, b: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Of which thing each cell of the first view is, and whether (1 or 0) it finds its place in the second."""
    h, w, _ = a.shape
    height, width = first.depth.shape
    at = np.stack(np.meshgrid((np.arange(w) + 0.5) * width / w, (np.arange(h) + 0.5) * height / h), -1) - 0.5
    pixels = np.rint(at).astype(int)
    objects = scan.mask("masks", first.name)[pixels[..., 1], pixels[..., 0]]
    things = objects > 0
    views = (DepthView(frame.depth, frame.camera.K, frame.T_world_camera) for frame in (first, second))
    places, visible = seen_in(*views, pixels[things])
    features = a[torch.from_numpy(things)][torch.from_numpy(visible)]
    best = (features @ b.flatten(0, 1).mT).argmax(1).numpy()
    found = np.column_stack([(best % w + 0.5) * width / w, (best // w + 0.5) * height / h]) - 0.5
    return objects[things][visible], (np.linalg.norm(found - places[visible], axis=1) < _NEAR).astype(float)
