"""Candidates: antipodal contact pairs on a surface, swept around the line between them; a protocol for other samplers.

A pair is in force closure when the line between its contacts lies inside both friction cones (Nguyen, "Constructing
Force-Closure Grasps", IJRR 1988). Pairs are drawn from the field's own points and normals, as in GraspSplats (Ji et
al., CoRL 2024); the angles that decide are those of the patches which the pads will press, not of single points.
"""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from robodistill.config import GraspConfig
from robodistill.grasp.surface import Surface

_THINNEST = 0.0015  # metres between two contacts
_DEPTHS = (-0.007, 0.0, 0.010)  # metres by which the grasp frame reaches past the contacts, where the support lets it
_LEAST_PAD = 0.0015  # metres of pad past the contacts
_DEEPER = 0.002  # metres between two depths that are worth a look
TIPS = 0.002
"""Metres that the tips stay above the support: fields know it no better."""
_LOOSE = 0.25  # rad by which normals of single points may leave the friction cone
_LEAST = 6  # points between the pads
_PATCH = 3  # points that a pad presses
_FACING = 0.4  # cosine between a pad's normal and that of a point that it presses
FULL = 20
"""Points under a pad that support it fully."""
_CHUNK = 256  # poses looked at together
_TIGHT = 0.0025  # metres from an outermost point that belong to the patch a pad presses


@dataclass(frozen=True, eq=False)
class Candidates:
    """m hand poses, not yet checked against anything but the thing itself."""

    Ts_world_grasp: np.ndarray
    """(m, 4, 4)."""
    widths: np.ndarray
    """(m,) of the thing between the pads, metres."""
    angles: np.ndarray
    """(m, 2) between the line of the contacts and the normals there, rad; NaN where a sampler knows none."""
    scores: np.ndarray
    """(m,) in [0, 1]."""

    def __len__(self) -> int:
        return len(self.widths)

    def select(self, keep: np.ndarray) -> "Candidates":
        """Those of a mask or of indices."""
        return Candidates(*(getattr(self, name)[keep] for name in ("Ts_world_grasp", "widths", "angles", "scores")))


def none_made() -> Candidates:
    """No candidates."""
    return Candidates(np.zeros((0, 4, 4)), np.zeros(0), np.zeros((0, 2)), np.zeros(0))


def joined(*several: Candidates) -> Candidates:
    """All of several samplers' candidates."""
    names = ("Ts_world_grasp", "widths", "angles", "scores")
    return Candidates(*(np.concatenate([getattr(it, name) for it in several]) for name in names))


class Sampler(Protocol):
    """Proposes candidates, such as a network; what it proposes is filtered, reached and ranked like our own."""

    def __call__(self, thing: Surface, place: Surface, opening: float, config: GraspConfig) -> Candidates:
        """Candidates on a thing.

        Args:
            thing: Points that may be touched.
            place: All points around it, itself included.
            opening: Of the gripper, metres.
        """


class Scorer(Protocol):
    """Scores candidates of any sampler anew, such as a network trained on outcomes."""

    def __call__(self, candidates: Candidates, place: Surface) -> np.ndarray:
        """(m,) in [0, 1]."""


@dataclass(frozen=True)
class Pads:
    """The part of the fingers that touches: a rectangle around the grasp frame's origin."""

    half_width: float
    """Along y, metres."""
    beyond: float
    """From the origin to the tips along z, metres."""
    thick: float = 0.0
    """Of a finger along x, metres."""
    behind: float = 0.012
    """From the origin back that presses still, metres."""


def antipodal(thing: Surface, place: Surface, opening: float, config: GraspConfig, pads: Pads) -> Candidates:
    """Our own sampler."""
    rng = np.random.default_rng(config.seed)
    first = np.sort(rng.permutation(len(thing.points))[: config.contacts])
    i, j = _pairs(thing, first, opening - config.spare, config, rng)
    if not len(i):
        return none_made()
    middle = (thing.points[i] + thing.points[j]) / 2
    line = thing.points[j] - thing.points[i]
    length = np.linalg.norm(line, axis=1)
    Ts, lines = swept(middle, line / length[:, None], thing.up, config)
    return pressed(at_depths(Ts, length[lines] + config.extra, thing, pads), thing, opening - config.spare, pads)


def _pairs(
    thing: Surface, first: np.ndarray, widest: float, config: GraspConfig, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Indices of contacts whose line lies in both friction cones; of any contacts where normals are not looked at."""
    cone = np.cos(np.arctan(config.friction) + _LOOSE + thing.lean)
    away = thing.points[None] - thing.points[first, None]  # (m, n, 3)
    length = np.linalg.norm(away, axis=-1)
    fits = (length > _THINNEST) & (length < widest)
    if config.normal_filter:
        away /= np.maximum(length, 1e-9)[..., None]
        fits &= -np.einsum("mnk,mk->mn", away, thing.normals[first]) > cone
        fits &= np.einsum("mnk,nk->mn", away, thing.normals) > cone
    order = np.where(fits, rng.random(fits.shape), 2.0)
    chosen = np.argsort(order, axis=1)[:, : config.pairs]
    rows, columns = np.nonzero(np.take_along_axis(fits, chosen, 1))
    return first[rows], chosen[rows, columns]


def swept(middle: np.ndarray, line: np.ndarray, up: np.ndarray, config: GraspConfig) -> tuple[np.ndarray, np.ndarray]:
    """Hands that close along lines (k, 3), for all approaches that come enough from above.

    Returns:
        (m, 4, 4) poses with the origin in the middle of a line; (m,) the line of each.
    """
    side = np.cross(line, up)
    flat = np.linalg.norm(side, axis=1) < 1e-3
    side[flat] = np.cross(line[flat], [1.0, 0.0, 0.0])
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    over = np.cross(side, line)
    angles = 2 * np.pi * np.arange(config.approaches) / config.approaches
    z = np.cos(angles)[:, None, None] * over + np.sin(angles)[:, None, None] * side  # (a, k, 3)
    x = np.broadcast_to(line, z.shape)
    p = np.broadcast_to(middle, z.shape)
    down = -(z @ up) >= config.least_down - 1e-9
    lines = np.broadcast_to(np.arange(len(line)), down.shape)[down]
    x, z, p = x[down], z[down], p[down]
    Ts = np.tile(np.eye(4), (len(x), 1, 1))
    Ts[:, :3, 0], Ts[:, :3, 1], Ts[:, :3, 2], Ts[:, :3, 3] = x, np.cross(z, x), z, p
    return Ts, lines


def at_depths(Ts: np.ndarray, openings: np.ndarray, thing: Surface, pads: Pads) -> np.ndarray:
    """(m, 4, 4) hands (k, 4, 4) with openings (k,) moved along their approach to several depths past the contacts.

    What would end in the support goes as deep as that lets the tips: low things are held at the very ends of the pads.
    """
    x, y, z = (np.abs(Ts[:, :3, axis] @ thing.up) for axis in range(3))
    corner = x * (openings / 2 + pads.thick) + y * pads.half_width  # how far it is below the middle of the tips
    room = thing.heights(Ts[:, :3, 3]) - corner - TIPS - 1e-4
    deepest = room / np.maximum(z, 1e-3) - pads.beyond
    found, last = [], np.full(len(Ts), -pads.beyond + _LEAST_PAD - _DEEPER)
    for depth in _DEPTHS:
        at = np.minimum(depth, deepest)
        new = at >= last + _DEEPER
        moved = Ts[new].copy()
        moved[:, :3, 3] += at[new, None] * moved[:, :3, 2]
        found.append(moved)
        last = np.where(new, at, last)
    return np.concatenate(found)


def pressed(Ts: np.ndarray, thing: Surface, widest: float, pads: Pads) -> Candidates:
    """What lies between the pads: the hand is centred on it, and told its width, contact angles and support."""
    centred, widths, angles, counts = pressed_sides(Ts, thing, widest, pads)
    return Candidates(centred, widths, angles, np.minimum(1.0, counts.min(1) / FULL))


def pressed_sides(Ts: np.ndarray, thing: Surface, widest: float, pads: Pads) -> tuple[np.ndarray, ...]:
    """The same for each pad apart.

    Returns:
        (m, 4, 4) centred poses; (m,) widths; (m, 2) angles, a right one where too little faces that pad;
        (m, 2) how many points each pad presses.
    """
    found = [_pressed_chunk(Ts[k : k + _CHUNK], thing, widest, pads) for k in range(0, max(len(Ts), 1), _CHUNK)]
    return tuple(np.concatenate([part[k] for part in found]) for k in range(4))


def _pressed_chunk(Ts: np.ndarray, thing: Surface, widest: float, pads: Pads) -> tuple[np.ndarray, ...]:
    R, t = Ts[:, :3, :3].astype(np.float32), Ts[:, :3, 3].astype(np.float32)
    local = (thing.points.astype(np.float32)[None] - t[:, None]) @ R  # (m, n, 3)
    x, y, z = np.moveaxis(local, -1, 0)
    between = (np.abs(y) < pads.half_width) & (z < pads.beyond) & (z > -pads.behind) & (np.abs(x) < widest)
    # the outermost but one: one may be a stray
    low = np.partition(np.where(between, x, np.inf), 1, axis=1)[:, 1]
    high = np.partition(np.where(between, x, -np.inf), -2, axis=1)[:, -2]
    normals = thing.normals.astype(np.float32)[None] @ R  # (m, n, 3)
    # a pad presses what faces it: beside a box's edge its top is as far out as its side
    counts, angles = [], []
    for side, outer in ((-1, x < low[:, None] + _TIGHT), (1, x > high[:, None] - _TIGHT)):
        patch = between & outer & (side * normals[..., 0] > _FACING)
        mean = np.einsum("mn,mnk->mk", patch.astype(np.float32), normals)
        cosine = side * mean[:, 0] / np.maximum(np.linalg.norm(mean, axis=1), 1e-9)
        counts.append(patch.sum(1))
        angles.append(np.where(counts[-1] >= _PATCH, np.arccos(np.clip(cosine, -1, 1)), np.pi / 2))
    counts, angles = np.stack(counts, 1), np.stack(angles, 1)
    fits = (between.sum(1) >= _LEAST) & (high - low < widest) & (high - low > _THINNEST)
    centred = Ts.copy()
    centred[fits, :3, 3] += ((low[fits] + high[fits]) / 2)[:, None] * Ts[fits, :3, 0]
    return centred[fits], (high - low)[fits], angles[fits], counts[fits]


def filter_normals(candidates: Candidates, config: GraspConfig, lean: float = 0.0) -> np.ndarray:
    """(m,) bool: both contact angles within the friction cone and together below the threshold, `Surface.lean` allowed.

    The normal-guided filter of Zheng et al., "GaussianGrasper", RA-L 2024, which gives no threshold; ours was chosen on
    seeds below 1000. A sampler that knows no angles passes.
    """
    angles = candidates.angles - lean
    unknown = np.isnan(angles).any(1)
    return unknown | ((angles < np.arctan(config.friction)).all(1) & (angles.sum(1) < config.normal_sum))


def rescored(candidates: Candidates, scorer: Scorer, place: Surface) -> Candidates:
    """With the scores of another judge."""
    return replace(candidates, scores=np.asarray(scorer(candidates, place), float))
