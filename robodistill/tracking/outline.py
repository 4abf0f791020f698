"""How wide a scanned thing is drawn: what of its foot is none of it, and where its edges are, as a film tells.

A thin thing's distance is told by its width: drawn too wide it is found too far, and tilted to fit. Edges of a field
lie up to half a pixel further out, or in, than the thing's: Gaussians on them are mixed with shadows, or were blended
with what is behind. One number moves them all. Where a thing leaves its place and its shadow, what is drawn as wide as
it is is nearest to the film.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch

from robodistill.config import TrackingConfig
from robodistill.field.gaussians import GaussianField
from robodistill.geometry.camera import Camera
from robodistill.parallel import side_by_side
from robodistill.tracking.articulation import FreeParts
from robodistill.tracking.foot import FEET
from robodistill.tracking.model import PartModel
from robodistill.tracking.photometric import misfit
from robodistill.tracking.tracker import Followed, Follower, picture_of

_ASKED = 12  # frames
_JUMP = 0.01  # metres: with another outline a thing is elsewhere
_BETTER = 0.01  # of the cost, that another foot than the likeliest must bring
_STEP, _FURTHEST = 0.6, 1.5  # between rims that are tried, and the most
_LIKE = 0.3  # between rims that are as good as one


@dataclass(frozen=True)
class Outline:
    """What of a thing is drawn."""

    foot: float = FEET[0]
    """Share of its height that is left out, of `foot.FEET`."""
    rim: float = 0.0
    """As `PartModel.rim`."""

    def model(self, fields: Mapping[float, GaussianField], labels: np.ndarray) -> PartModel:
        """Of parts (N,), -1 for what is not the thing; `fields` as `without_feet` has them."""
        return replace(PartModel.of(fields[self.foot], labels), rim=self.rim)

    def like(self, other: "Outline") -> bool:
        """Whether a thing is found where the other has it."""
        return self.foot == other.foot and abs(self.rim - other.rim) < _LIKE


def best_outline(
    fields: Mapping[float, GaussianField],
    labels: np.ndarray,
    outline: Outline,
    followed: Followed,
    frames: Sequence[np.ndarray],
    camera: Camera,
    config: TrackingConfig,
) -> Outline:
    """That which is nearest to the frames, the parts solved for near where they were followed to.

    The likeliest foot, where no other is clearly nearer, then the rim; what it was where no frame shows the thing.

    Args:
        labels: (N,) parts, -1 for what is not the thing.
        outline: With which they were followed.
    """
    tries = _Tries(fields, labels, followed, frames, camera, config)
    if not all(torch.equal(field.opacities, fields[FEET[0]].opacities) for field in fields.values()):
        feet = [replace(outline, foot=share) for share in fields]
        costs = dict(zip(fields, tries.costs(feet), strict=True))
        best = min(costs, key=lambda share: costs[share])
        outline = replace(outline, foot=best if costs[best] < (1 + _BETTER) * costs[FEET[0]] else FEET[0])
    rims = outline.rim + _STEP * np.array([-1, 0, 1])
    while True:
        costs = tries.costs([replace(outline, rim=float(rim)) for rim in rims])
        if not any(costs):
            return outline
        k = int(np.argmin(costs))
        if 0 < k < len(rims) - 1:
            bend, slope = costs[k - 1] - 2 * costs[k] + costs[k + 1], costs[k + 1] - costs[k - 1]
            return replace(outline, rim=float(rims[k] - 0.5 * _STEP * slope / bend))  # the parabola's middle
        beyond = rims[k] + _STEP * (1 if k else -1)
        if abs(beyond) > _FURTHEST:
            return replace(outline, rim=float(rims[k]))
        rims = np.append(rims, beyond) if k else np.append(beyond, rims)


class _Tries:
    """Outlines in some frames."""

    def __init__(
        self,
        fields: Mapping[float, GaussianField],
        labels: np.ndarray,
        followed: Followed,
        frames: Sequence[np.ndarray],
        camera: Camera,
        config: TrackingConfig,
    ) -> None:
        """The arguments are those of `best_outline`."""
        self._fields, self._labels, self._config = fields, labels, config
        chosen = np.linspace(0, len(frames) - 1, min(_ASKED, len(frames))).astype(int)
        self._starts = [(followed.Ts_camera_part[k], followed.quadratics[k].sure_lights) for k in chosen]
        self._pictures = [picture_of(frames[k], camera, followed.background) for k in chosen]
        self._found: dict[Outline, list[tuple[np.ndarray, np.ndarray]]] = {}

    def costs(self, outlines: Sequence[Outline]) -> list[float]:
        """In the mean frame, of each outline, the parts wherever they are nearest of all places that were found with
        any: else what a solve happens to miss would tell more than outlines do."""
        models = {outline: outline.model(self._fields, self._labels) for outline in outlines}
        for outline in outlines:
            if outline not in self._found:
                self._found[outline] = self._solved(models[outline])

        def nearest(model: PartModel, k: int) -> float:
            config, places = self._config, (found[k] for found in self._found.values())
            return min(0.0, *(misfit(model, Ts, self._pictures[k], config.spread, light, 0.0) for Ts, light in places))

        def cost(outline: Outline) -> float:
            return float(np.mean(side_by_side(partial(nearest, models[outline]), range(len(self._starts)))))

        return [cost(outline) for outline in outlines]

    def _solved(self, model: PartModel) -> list[tuple[np.ndarray, np.ndarray]]:
        """Poses (P, 4, 4) and lights (P, 4) in each frame."""
        follower = Follower(model, replace(self._config, jump=_JUMP), FreeParts(model.centers))

        def solved(k: int) -> tuple[np.ndarray, np.ndarray]:
            Ts, lights = self._starts[k]
            Ts, q = follower.solve(self._pictures[k], Ts, Ts, lights, wide=False)
            return Ts, q.lights

        return side_by_side(solved, range(len(self._starts)))
