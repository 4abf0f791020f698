"""How far a hand opens on its way in: as wide as gives it most room, for a field is millimetres off.

A finger that is to pass a rim by 6 mm meets it where the scan shows it 5 mm thinner or to the side, and then pushes the
thing over before it closes. Where nothing is near, a wider hand costs nothing.
"""

from dataclasses import dataclass

import numpy as np

from robodistill.config import GraspConfig
from robodistill.grasp.candidates import TIPS, Pads
from robodistill.grasp.clearance import Hand, clearances, heights_above

_TIMES = (1, 2, 3)  # of `GraspConfig.extra`
_FAR = 0.03  # metres from anything else to which distances are told
_BESIDE = 0.003  # metres beside the pads: a field is as far off
AMPLE = 0.006
"""Metres of room that are enough: more is not looked for."""


@dataclass(frozen=True, eq=False)
class Opened:
    """Of m hands, in the same order."""

    openings: np.ndarray
    """(m,) metres."""
    free: np.ndarray
    """(m,) metres between the open hand and anything but the thing, on its way in; negative where it touches, at most
    30 mm."""
    room: np.ndarray
    """(m,) metres between the open hand and anything at all, at most `AMPLE`; negative where it touches."""


def opened(
    hand: Hand,
    Ts_world_grasp: np.ndarray,
    widths: np.ndarray,
    plane: np.ndarray,
    others: np.ndarray,
    own: np.ndarray,
    config: GraspConfig,
) -> Opened:
    """Choose openings.

    Args:
        widths: (m,) of the thing between the pads, metres.
        plane: (4,) of the support.
        others: (n, 3) points that are not to be touched, world frame.
        own: (k, 3) points of the thing itself.
    """
    count, widths = len(widths), np.asarray(widths, float)
    best = Opened(np.minimum(widths + config.extra, hand.opening), *np.full((2, count), -np.inf))
    for times in _TIMES:
        rows = np.flatnonzero(best.room < AMPLE)
        openings = np.minimum(widths[rows] + times * config.extra, hand.opening)
        stands = heights_above(hand, Ts_world_grasp[rows], openings, plane) > TIPS
        rows, openings = rows[stands], openings[stands]
        free = clearances(hand, Ts_world_grasp[rows], openings, others, _FAR)
        clear = free >= config.clearance
        inside = clearances(hand, Ts_world_grasp[rows[clear]], openings[clear], own, AMPLE)
        room = np.full(len(rows), -np.inf)
        room[clear] = np.minimum(free[clear], inside)
        better = room > best.room[rows]
        for values, new in ((best.openings, openings), (best.free, free), (best.room, room)):
            values[rows[better]] = new[better]
    return best


def widths_beside(pads: Pads, Ts_world_grasp: np.ndarray, openings: np.ndarray, own: np.ndarray) -> np.ndarray:
    """(m,) metres that a hand must open for a thing's points (k, 3) a little beside its pads, too.

    A can or a box that is wider than the hand is held by a chord, beside which it soon is too wide: a finger that comes
    down a few millimetres off meets it. What is further out than an open finger's back is not in its way.
    """
    found = np.zeros(len(Ts_world_grasp))
    for k, (T, opening) in enumerate(zip(Ts_world_grasp, openings, strict=True)):
        x, y, z = ((own - T[:3, 3]) @ T[:3, :3]).T
        near = (np.abs(y) < pads.half_width + _BESIDE) & (z < pads.beyond) & (z > -pads.behind)
        out = np.sort(np.abs(x[near & (np.abs(x) < opening / 2 + pads.thick)]))
        found[k] = 2 * out[-2] if len(out) > 1 else 0.0  # the outermost may be a stray
    return found
