"""More candidates: low things, such as a fork or a wrench, held across their outline on the support.

Their sides are a pixel or two high, and a field shows no normals there; but what lies flat ends where its outline ends.
The outline of its points on the support is taken for upright walls, unless what was seen there is a slope, and contacts
are drawn on these like on any other surface. Smith et al., "Computing parallel-jaw grips", ICRA 1999, choose grips on
polygons seen from above; here they are one more surface for our sampler, and what it draws is cleared of the field as
it is.
"""

from dataclasses import replace

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import cKDTree

from robodistill.config import GraspConfig
from robodistill.grasp.candidates import Candidates, Pads, antipodal, none_made
from robodistill.grasp.surface import Surface

_LOW = 0.03  # metres above the support up to which a thing is low
_CELL = 0.001  # metres
_GAP = 4  # cells between points of one surface
_SMOOTH = 3  # cells along an outline over which it is smoothed
_EVERY = 2  # cells between its points
_LEVELS = (0.3, 0.6, 0.9)  # of its height
_AROUND = 0.006  # metres within which the height at an outline is that of the points
_ALIKE, _SHARE = 0.6, 0.25  # rad, and share of the normals there that are a top's or a wall's: else it is a slope


def outlines(thing: Surface, place: Surface, opening: float, config: GraspConfig, pads: Pads) -> Candidates:
    """Candidates across the outline of a low thing; none where it is high."""
    if not is_low(thing):
        return none_made()
    made = antipodal(walls_of(thing), place, opening, config, pads)
    return replace(made, angles=made.angles + place.lean)  # an outline is no surer of its direction than a surface


def is_low(thing: Surface) -> bool:
    """Whether a thing lies so flat that its sides are not to be seen."""
    return bool(np.quantile(thing.heights(thing.points), 0.95) <= _LOW)


def walls_of(thing: Surface) -> Surface:
    """Upright walls along the outline of a thing's points on the support, as high as the thing is there."""
    across = np.linalg.svd(thing.up[None])[2][1:]  # (2, 3) along the support
    flat, heights = thing.points @ across.T, thing.heights(thing.points)
    low = flat.min(0) - 10 * _CELL
    cells = np.round((flat - low) / _CELL).astype(int)
    mask = np.zeros(cells.max(0)[::-1] + 11, np.uint8)
    mask[cells[:, 1], cells[:, 0]] = 255
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * _GAP + 1,) * 2)
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, disk)
    places, normals = [np.zeros((0, 2))], [np.zeros((0, 2))]  # a crumb has no outline
    for line in cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)[0]:
        if len(line) < 4 * _SMOOTH:
            continue
        smooth = gaussian_filter1d(line[:, 0].astype(float), _SMOOTH, axis=0, mode="wrap")
        along = np.roll(smooth, -1, 0) - np.roll(smooth, 1, 0)
        # OpenCV goes around so that what is inside lies to one side, for holes as well
        out = along[:, ::-1] * [-1.0, 1.0]
        places.append(low + _CELL * smooth[::_EVERY])
        normals.append(out[::_EVERY])
    places, normals = np.concatenate(places), np.concatenate(normals)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True).clip(1e-9)
    normals = normals @ across
    near = [np.array(rows, int) for rows in cKDTree(flat).query_ball_point(places, _AROUND)]
    top = np.array([heights[rows].max(initial=0.0) for rows in near])
    edges = np.array([_is_edge(thing.select(rows), out) for rows, out in zip(near, normals, strict=True)], bool)
    places, normals, top = places[edges], normals[edges], top[edges]
    levels = np.repeat(_LEVELS, len(places))
    up = (np.tile(top, len(_LEVELS)) * levels)[:, None] * thing.up - thing.plane[3] * thing.up
    points = np.tile(places @ across, (len(_LEVELS), 1)) + up
    ids = np.full(len(points), -1)
    return Surface(points, np.tile(normals, (len(_LEVELS), 1)), ids, thing.plane)


def _is_edge(seen: Surface, out: np.ndarray) -> bool:
    """Whether normals at an outline that faces `out` (3,) are those of an edge, and not of a slope; leaning allowed."""
    least = np.cos(_ALIKE + seen.lean)
    alike = (seen.normals @ seen.up > least) | (seen.normals @ out > least)
    return bool(alike.sum() > _SHARE * len(alike))
