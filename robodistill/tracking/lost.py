"""Parts that were lost are found again: wherever they may be on their neighbours, small pictures are compared.

What turned quickly behind a hand comes out of it far from where it was last seen, and no slope of the picture leads
there. But it is still on its neighbour, turned or shifted: likely joints (`joint_guesses.py`) say where to look. The
nearest of these places are solved for; where a hand or nothing is, little of the part agrees, and it stays lost.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from robodistill.config import TrackingConfig
from robodistill.tracking.articulation import joint_motion
from robodistill.tracking.joint_guesses import likely_joints, trial_values
from robodistill.tracking.look import Look
from robodistill.tracking.model import PartModel
from robodistill.tracking.photometric import Quadratic
from robodistill.tracking.picture import Picture

_LOST, _FOUND = 0.2, 0.5  # shares of a part that the frame agrees with
_GAIN = 0.2  # robust error of the part's pixels by which another place must be nearer to be solved for
_TRIED = 4  # places that are

Solve = Callable[[Picture, np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, Quadratic]]


@dataclass(frozen=True)
class Lost:
    """Looks for the free parts of a model."""

    model: PartModel
    config: TrackingConfig
    solve: Solve
    """Picture, poses to start from, poses to stay near, lights: `Follower.solve` of free parts."""
    _motions: dict[tuple[int, int], list[np.ndarray]] = field(default_factory=dict)

    def found(self, picture: Picture, Ts: np.ndarray, q: Quadratic) -> tuple[np.ndarray, Quadratic]:
        """Poses (P, 4, 4) and their quadratic, those of lost parts replaced where the picture shows them elsewhere."""
        if not np.isfinite(q.cost):
            return Ts, q
        for part in np.flatnonzero((q.visible < _LOST) & (q.area > 0)):
            look = Look.at(self.model, picture, Ts, q, self.config)
            if look is None:
                break
            others = [p for p in np.flatnonzero(q.visible > _FOUND) if p != part]
            now, starts = look.cost(Ts, [part]), []
            for other in others:
                for motion in self._places(int(other), int(part)):
                    moved = Ts.copy()
                    moved[part] = Ts[other] @ motion
                    starts.append((look.cost(moved, [part]), len(starts), moved))
            enough = now - _GAIN * q.area[part] / 4000  # costs are of half size, in thousands of pixels
            for cost, _, moved in sorted(starts)[:_TRIED]:
                if cost > enough:
                    break
                again = self.solve(picture, moved, moved, q.sure_lights)
                if again[1].cost < q.cost and again[1].visible[part] > _FOUND:
                    Ts, q = again
        return Ts, q

    def _places(self, parent: int, child: int) -> list[np.ndarray]:
        """(4, 4) motions of a child against its parent at likely joints' values."""
        if (parent, child) not in self._motions:
            joints = likely_joints(self.model, parent, child)
            self._motions[parent, child] = [joint_motion(j, v) for j in joints for v in trial_values(self.model, j)]
        return self._motions[parent, child]
