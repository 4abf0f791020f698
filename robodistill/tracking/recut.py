"""Borders of parts that were found, cut once more where the joint pass has the parts.

The search for parts knows poses of free parts in few steps of a solve; on their joints they are right to a millimetre,
and what lies beside a border is told by that.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from robodistill.config import TrackingConfig
from robodistill.geometry.camera import Camera
from robodistill.parallel import side_by_side
from robodistill.tracking.background import Background
from robodistill.tracking.borders import LINK, alike, cut
from robodistill.tracking.model import PartModel
from robodistill.tracking.part_errors import errors_by_part
from robodistill.tracking.part_proposals import LEAST
from robodistill.tracking.photometric import Quadratic, misfit
from robodistill.tracking.tracker import picture_of

_FRAMES = 16  # that are asked
_NEARER = 0.002  # of the cost, that other borders must bring


def recut(
    model: PartModel,
    frames: Sequence[np.ndarray],
    camera: Camera,
    background: Background,
    Ts_camera_part: np.ndarray,
    quadratics: Sequence[Quadratic],
    config: TrackingConfig,
) -> PartModel:
    """The model with its parts' borders where the frames say at poses (T, P, 4, 4); as it was if that is no nearer."""
    chosen = np.linspace(0, len(frames) - 1, min(_FRAMES, len(frames))).astype(int)
    chosen = [t for t in chosen if np.isfinite(quadratics[t].cost)]
    pictures = {t: picture_of(frames[t], camera, background) for t in chosen}
    each = list(range(model.parts))

    def errors(t: int) -> np.ndarray:
        return errors_by_part(model, pictures[t], Ts_camera_part[t], quadratics[t].sure_lights, each)

    def cost(some: PartModel) -> float:
        of = [(Ts_camera_part[t], pictures[t], config.spread, quadratics[t].sure_lights, 0.0) for t in chosen]
        return float(np.mean(side_by_side(lambda it: misfit(some, *it), of)))

    if not chosen:
        return model
    labels = cut(np.mean(side_by_side(errors, chosen), 0).T, LINK * alike(model.field), model.labels)
    if (np.bincount(labels, minlength=model.parts) < LEAST * len(labels)).any():
        return model
    other, before = replace(model, labels=labels), cost(model)
    return other if cost(other) < before - _NEARER * abs(before) else model
