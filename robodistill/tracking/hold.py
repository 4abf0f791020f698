"""Which part a hand has hold of, from what hides the parts and from how they move."""

import numpy as np
from scipy.ndimage import median_filter

from robodistill.tracking.model import PartModel
from robodistill.tracking.photometric import Quadratic

_COVERED = 0.08  # share of a part's drawn pixels that show something else
_MOVES = 0.002  # of the object's size a frame
_WINDOW = 7  # frames


def find_held(model: PartModel, Ts_camera_part: np.ndarray, quadratics: list[Quadratic]) -> np.ndarray:
    """(T, P) bool.

    A part is held where something covers it and it moves, or it stays while something covers another part that moves
    against it. What moves with nothing in front of it must still be held by something: the part most covered then.
    """
    covered = np.array([np.where(q.area > 0, 1 - q.visible, 0) for q in quadratics])
    covered -= np.quantile(covered, 0.1, axis=0)  # where the scan itself is wrong nothing covers it
    covered = median_filter(covered, (_WINDOW, 1))
    middles = np.einsum("tpij,pj->tpi", Ts_camera_part[..., :3, :3], model.centers) + Ts_camera_part[..., :3, 3]
    ends = middles + Ts_camera_part[..., :3, 0] * model.radii[:, None]
    speed = np.zeros(covered.shape)
    for points in (middles, ends):
        speed[1:] = np.maximum(speed[1:], np.linalg.norm(np.diff(points, axis=0), axis=2))
    moving = median_filter(speed, (_WINDOW, 1)) > _MOVES * model.size
    held = (covered > _COVERED) & moving
    alone = moving.any(1) & ~held.any(1)
    held[alone, covered[alone].argmax(1)] = True
    return median_filter(held, (_WINDOW, 1))
