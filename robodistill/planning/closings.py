"""Where a gripper might close on a part: opposite points, and hands around the line between them.

Antipodal pairs as in `grasp.candidates`, but of a part among others: only points that fingers get to, pairs unlike one
another rather than many of the best, and nothing is told of how the pads sit, which `seat` finds on all points.
"""

import numpy as np

from robodistill.config import GraspConfig
from robodistill.grasp.candidates import Pads, swept
from robodistill.grasp.surface import Surface

_THINNEST = 0.0015  # metres between two contacts
_LOOSE = 0.25  # rad by which normals of single points may leave the friction cone
_APART, _TURNED = 0.008, 0.35  # metres, rad: pairs nearer to each other than both are one
_MOST = 160  # pairs; and with a finer grain as many more as they lie closer
_DEPTHS = (-0.008, -0.004, 0.003)  # metres by which the grasp frame reaches past the contacts
_LEAST_PAD, _DEEPER = 0.0015, 0.002  # metres of pad past the contacts, and between two depths
TIPS = 0.0015
"""Metres that the tips stay above the table: flat things leave no more."""


def closings(
    thing: Surface, widest: float, config: GraspConfig, pads: Pads, grain: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Hands (m, 4, 4) on a thing, those of opposite contacts first, and the (m,) metres between their contacts.

    Args:
        thing: Some points that fingers get to.
        widest: Metres between two contacts at most.
        grain: Below 1 for pairs that lie so much closer, and more of them.
    """
    rng, most = np.random.default_rng(config.seed), int(_MOST / grain)
    first = np.sort(rng.permutation(len(thing.points))[: int(config.contacts / grain)])
    away = thing.points[None] - thing.points[first, None]  # (m, n, 3)
    length = np.linalg.norm(away, axis=-1)
    away /= np.maximum(length, 1e-9)[..., None]
    cosines = np.stack(
        [-np.einsum("mnk,mk->mn", away, thing.normals[first]), np.einsum("mnk,nk->mn", away, thing.normals)]
    )
    fits = (length > _THINNEST) & (length < widest)
    if config.normal_filter:
        fits &= (cosines > np.cos(np.arctan(config.friction) + _LOOSE)).all(0)
    lean = np.arccos(np.clip(cosines, -1, 1)).sum(0)
    rows, columns = np.nonzero(fits)
    order = np.lexsort((rng.random(len(rows)), np.round(lean[rows, columns] / 0.2)))  # random among those alike
    rows, columns = rows[order], columns[order]
    middles, lines = (thing.points[first[rows]] + thing.points[columns]) / 2, away[rows, columns]
    left, chosen = np.arange(len(rows)), []
    while len(left) and len(chosen) < most:
        k = left[0]
        chosen.append(k)
        near = np.linalg.norm(middles[left] - middles[k], axis=1) < grain * _APART
        left = left[~near | (np.abs(lines[left] @ lines[k]) <= np.cos(_TURNED))]
    chosen = np.array(chosen, int)
    widths = length[rows[chosen], columns[chosen]]
    Ts, rows = swept(middles[chosen], lines[chosen], thing.up, config)
    order = np.argsort(rows, kind="stable")  # the best pairs first
    widths, Ts = widths[rows[order]], Ts[order]
    depths = _depths(Ts, widths + config.extra, thing, pads)
    hands, steps = np.nonzero(np.isfinite(depths))
    Ts = Ts[hands]
    Ts[:, :3, 3] += depths[hands, steps, None] * Ts[:, :3, 2]
    return Ts, widths[hands]


def _depths(Ts: np.ndarray, openings: np.ndarray, thing: Surface, pads: Pads) -> np.ndarray:
    """(m, 3) metres to go past the contacts, as deep as the support lets the tips; NaN for what is no new depth."""
    x, y, z = (np.abs(Ts[:, :3, axis] @ thing.up) for axis in range(3))
    corner = x * (openings / 2 + pads.thick) + y * pads.half_width  # how far it is below the middle of the tips
    deepest = (thing.heights(Ts[:, :3, 3]) - corner - TIPS) / np.maximum(z, 1e-3) - pads.beyond
    depths = np.minimum(_DEPTHS, deepest[:, None])
    depths[depths < _LEAST_PAD - pads.beyond] = np.nan
    depths[:, 1:][np.diff(depths) < _DEEPER] = np.nan
    return depths
