"""More candidates: thin walls of which a scan shows one side, such as a rim, a handle or a sheet.

No two contacts with normals towards each other are there to be found: the camera did not see the far side, or depth
noise has merged both. A wall's far side is taken to be parallel to the near one; that the fingers have room on both
sides is asked of the field like for any other candidate. Bohg et al., "Mind the Gap", ICRA 2011, complete the unseen
side of whole objects by symmetry; ours is of walls only, for no more can be told from one side.
"""

import numpy as np

from robodistill.config import GraspConfig
from robodistill.grasp.candidates import FULL, Candidates, Pads, at_depths, pressed_sides, swept
from robodistill.grasp.surface import Surface

_WALLS = (0.003, 0.008)  # metres that a wall may be thick
_THIN = 0.013  # metres between the pads up to which a far side need not have been seen
_LEAST = 8  # points of the near side that its pad must press: fewer held 2 times of 3 in physics, these 19 of 20


def walls(thing: Surface, place: Surface, opening: float, config: GraspConfig, pads: Pads) -> Candidates:
    """Candidates that close across the surface at some points of a thing; scores are support by what was seen."""
    rng = np.random.default_rng(config.seed)
    picks = rng.permutation(len(thing.points))[: config.contacts]
    line = np.concatenate([-thing.normals[picks]] * len(_WALLS))
    middle = np.concatenate([thing.points[picks] - thick / 2 * thing.normals[picks] for thick in _WALLS])
    thick = np.repeat(_WALLS, len(picks))
    Ts, lines = swept(middle, line, thing.up, config)
    Ts = at_depths(Ts, thick[lines] + config.extra, thing, pads)
    Ts, widths, angles, counts = pressed_sides(Ts, thing, opening - config.spare, pads)
    one = (widths < _THIN) & ((angles < np.pi / 2).sum(1) == 1) & (counts.max(1) >= _LEAST)
    parallel = angles[one].min(1, keepdims=True).repeat(2, 1)
    return Candidates(Ts[one], widths[one], parallel, np.minimum(1.0, counts[one].max(1) / FULL))
