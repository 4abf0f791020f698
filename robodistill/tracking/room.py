"""How far a part may turn: not into its neighbour.

Where a hand of a thing's own colour is taken for the thing, what covers more of it is nearer to the picture, and a lid
is drawn right through its box. What lies between a part's surfaces, along two of three axes at least, is inside of it.
"""

from collections.abc import Callable

import numpy as np
from scipy.ndimage import binary_dilation

from robodistill.tracking.articulation import joint_motion
from robodistill.tracking.model import PartModel
from robodistill.tracking.motion import Joint

_CELL = 0.025  # of the object's size
_STEPS = 40  # of a range that is looked at, on either side of rest
_INSIDE = 0.35  # share of a part, more than at rest, that may be inside the other
# by true motions of lids and temples up to 0.28 is, and of lids 0.3 to 0.97 by 0.4 rad more; drawers are at home inside


def free_range(model: PartModel, joint: Joint) -> tuple[float, float]:
    """The joint's range, as far from rest as its child does not turn into its parent."""
    if joint.kind not in ("revolute", "screw"):
        return joint.range
    inside = _inside_of(model, joint.parent)
    points = model.points[model.labels == joint.child]

    def share(value: float) -> float:
        T = joint_motion(joint, value)
        return float(inside(points @ T[:3, :3].T + T[:3, 3]).mean())

    rest, ends = share(0.0), []
    for end in joint.range:
        free = 0.0
        for value in np.linspace(0.0, end, _STEPS):
            if share(value) > rest + _INSIDE:
                break
            free = float(value)
        ends.append(free)
    return ends[0], ends[1]


def _inside_of(model: PartModel, part: int) -> Callable[[np.ndarray], np.ndarray]:
    """Which of points (n, 3) are between surfaces of a part, along two of its axes at least."""
    points, axes, cell = model.points[model.labels == part], model.axes[part], _CELL * model.size
    low = (points @ axes.T).min(0) - 3 * cell
    cells = np.floor((points @ axes.T - low) / cell).astype(int)
    solid = np.zeros(cells.max(0) + 4, bool)
    solid[tuple(cells.T)] = True
    solid = binary_dilation(solid)
    between = [
        np.logical_or.accumulate(solid, axis) & np.flip(np.logical_or.accumulate(np.flip(solid, axis), axis), axis)
        for axis in range(3)
    ]
    enclosed = np.sum(between, 0) >= 2

    def inside(points: np.ndarray) -> np.ndarray:
        at = np.floor((points @ axes.T - low) / cell).astype(int)
        known = ((at >= 0) & (at < enclosed.shape)).all(1)
        found = np.zeros(len(points), bool)
        found[known] = enclosed[tuple(at[known].T)]
        return found

    return inside
