"""More candidates: the hand comes along a surface normal and closes across it, turned all around.

What is thin, a wire handle or a rim, shows a scan its front only: no two contacts with normals towards each other are
there to be found. The hand that comes from where the surface was seen closes on its width all the same; ten Pas et al.,
"Grasp Pose Detection in Point Clouds", IJRR 2017, draw candidates this way.
"""

import numpy as np

from robodistill.config import GraspConfig
from robodistill.grasp.candidates import Candidates, Pads, pressed
from robodistill.grasp.surface import Surface

_TURNS = 12  # about the normal, over half a turn
_TILTS = (-0.5, 0.0, 0.5)  # rad about the line that the fingers close along
_DEPTHS = (-0.0085, -0.004, 0.002)  # metres that the grasp frame goes past the point
_UNSEEN = 0.3  # score of what closes on sides that were not seen
_THIN = 0.012  # metres between the pads up to which sides need not have been seen


def pinches(thing: Surface, opening: float, config: GraspConfig, pads: Pads) -> Candidates:
    """Candidates at some points of a thing; contact angles are NaN where its sides were not seen."""
    rng = np.random.default_rng(config.seed)
    picks = rng.permutation(len(thing.points))[: config.contacts]
    z = -thing.normals[picks]
    side = np.cross(z, np.eye(3)[np.abs(z).argmin(1)])
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    other = np.cross(z, side)
    turns = (np.pi * np.arange(_TURNS) / _TURNS)[:, None, None]
    x = np.cos(turns) * side + np.sin(turns) * other  # (turns, m, 3)
    y = np.cross(z, x)
    tilts = np.array(_TILTS)[:, None, None, None]
    z = np.cos(tilts) * z + np.sin(tilts) * y  # (tilts, turns, m, 3)
    x, p = np.broadcast_to(x, z.shape).reshape(-1, 3), np.broadcast_to(thing.points[picks], z.shape).reshape(-1, 3)
    z = z.reshape(-1, 3)
    down = -(z @ thing.up) >= config.least_down - 1e-9
    x, z, p = x[down], z[down], p[down]
    Ts = np.tile(np.eye(4), (len(_DEPTHS), len(x), 1, 1))
    Ts[..., :3, 0], Ts[..., :3, 1], Ts[..., :3, 2] = x, np.cross(z, x), z
    for k, depth in enumerate(_DEPTHS):
        Ts[k, :, :3, 3] = p + depth * z
    Ts = Ts.reshape(-1, 4, 4)
    tips = thing.heights(Ts[:, :3, 3] + pads.beyond * Ts[:, :3, 2])
    return pressed_thin(Ts[tips > 0], thing, opening - config.spare, pads)


def pressed_thin(Ts: np.ndarray, thing: Surface, widest: float, pads: Pads) -> Candidates:
    """As `candidates.pressed`; of thin things whose sides were not seen, angles are NaN, which no filter refuses."""
    found = pressed(Ts, thing, widest, pads)
    hidden = (found.widths < _THIN) & (found.angles >= np.pi / 2).all(1)
    found.angles[hidden] = np.nan
    found.scores[hidden] = _UNSEEN
    return found
