"""Coloured point clouds of simulated things as a field shows them: what can be reached by light, partly seen, noisy.

Points are drawn from the meshes, without rendering. What lies inside (a closed drawer) is found on a grid of voxels: a
point stays where it borders empty space that is connected with the outside.
"""

from dataclasses import dataclass

import numpy as np
import trimesh
from scipy import ndimage
from scipy.spatial.transform import Rotation

from robodistill.sim.layout import rest_rotation
from robodistill.sim.objects import CATEGORIES
from robodistill.sim.paint import draw_paint
from robodistill.sim.spec import ObjectSpec
from robodistill.training.clutter import make_unknown
from robodistill.training.labels import piece_labels, trained_colors, unknown_labels
from robodistill.training.scenes import opened

_STREAM = 0xC10D
_DRAWN = 20_000  # points on a mesh, hidden ones included
_VOXEL = 0.004
_STRANGE = 0.08  # share of things without a name
POOL = 1536
"""Points kept of a thing, from which a sample is drawn each time it is shown."""


@dataclass(frozen=True, eq=False)
class Cloud:
    """The outside of one thing as it rests on a table, z up from the table."""

    points: np.ndarray
    """(1536, 3) float32 metres."""
    normals: np.ndarray
    """(1536, 3) float32."""
    colors: np.ndarray
    """(1536, 3) float32 in [0, 1]."""
    labels: np.ndarray
    """(1536, 6) uint8 in the order of `labels.ROLES`."""


def draw_cloud(seed: int) -> Cloud:
    """One thing of random kind, shape, colour and pose."""
    rng = np.random.default_rng((_STREAM, seed))
    strange = rng.random() < _STRANGE
    name = "unknown" if strange else str(rng.choice(sorted(CATEGORIES)))
    spec = make_unknown(rng) if strange else opened(CATEGORIES[name](rng), rng)
    paint = draw_paint(str(rng.choice(trained_colors(name))), spec.finishes, rng)
    turn = Rotation.from_euler("z", rng.uniform(0, 2 * np.pi)) * rest_rotation(spec, rng)
    points, normals, pieces = _surface(spec, rng)
    points, normals = turn.apply(points), turn.apply(normals)
    points[:, 2] -= points[:, 2].min()
    outside = np.flatnonzero(_reached(points + 0.5 * _VOXEL * normals, points))
    chosen = rng.choice(outside, POOL, replace=len(outside) < POOL)
    coats = [paint[piece.tint] for piece in spec.pieces]
    rows = [
        unknown_labels(coat) if strange else piece_labels(spec, piece, paint)
        for piece, coat in zip(spec.pieces, coats, strict=True)
    ]
    which = pieces[chosen]
    colors = np.array([coat.rgb for coat in coats])[which]
    return Cloud(
        points[chosen].astype(np.float32),
        normals[chosen].astype(np.float32),
        colors.astype(np.float32),
        np.stack(rows)[which],
    )


def _surface(spec: ObjectSpec, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points, normals and piece numbers, evenly over all meshes."""
    areas = np.array([piece.solid.mesh.area for piece in spec.pieces])
    counts = np.maximum(40, _DRAWN * areas / areas.sum()).astype(int)
    points, normals = [], []
    for piece, count in zip(spec.pieces, counts, strict=True):
        found, faces = trimesh.sample.sample_surface(piece.solid.mesh, count, seed=int(rng.integers(1 << 31)))
        points.append(found)
        normals.append(piece.solid.mesh.face_normals[faces])
    return np.concatenate(points), np.concatenate(normals), np.repeat(np.arange(len(counts)), counts)


def _reached(probes: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(n,) whether the voxel in front of each point, or one near it, is joined to the outside by empty voxels."""
    low = points.min(0) - 3 * _VOXEL
    cells = np.floor((points - low) / _VOXEL).astype(int)
    full = np.zeros(cells.max(0) + 4, bool)
    full[tuple(cells.T)] = True
    regions = ndimage.label(~ndimage.binary_dilation(full))[0]  # thickened, or the flood would run between the points
    outside = ndimage.binary_dilation(regions == regions[0, 0, -1], iterations=2)
    at = np.clip(np.floor((probes - low) / _VOXEL).astype(int), 0, np.array(full.shape) - 1)
    return outside[tuple(at.T)]


def show(cloud: Cloud, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """What some views of it give: (count, 7) points, colours, |normal . up|, and (count, 6) labels.

    Seen from one side or all around, thinned unevenly, shaded, with noise and without what lies on the table.
    """
    angle = rng.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    if rng.random() < 0.5:
        turn = turn @ np.diag([-1.0, 1.0, 1.0])
    points, normals = cloud.points @ turn.T, cloud.normals @ turn.T
    eyes = rng.normal(size=(1 if rng.random() < 0.3 else int(rng.integers(2, 12)), 3))
    eyes[:, 2] = np.abs(eyes[:, 2]) + 0.3
    eyes /= np.linalg.norm(eyes, axis=1, keepdims=True)
    chance = np.clip((normals @ eyes.T).max(1) + 0.15, 0, 1) * (points[:, 2] > rng.uniform(0.002, 0.008))
    chance *= 0.2 + np.clip(np.sin(points @ rng.normal(size=3) * 40 + rng.uniform(0, 6)), 0, 1)
    if (chance > 0).sum() < 24:
        chance = np.ones(len(points))
    # a field may hold few Gaussians of a thing, each drawn more than once
    seen = min(int(count * np.exp(rng.uniform(np.log(0.12), np.log(2)))), int((chance > 0).sum()))
    few = rng.choice(len(points), seen, p=chance / chance.sum(), replace=False)
    chosen = rng.choice(few, count)
    spread = rng.uniform(0.0, 1.0) * np.sqrt(np.ptp(points, 0).prod() ** (2 / 3) / seen)
    across = rng.normal(size=(count, 3)).clip(-1.5, 1.5) * spread
    across -= (across * normals[chosen]).sum(1, keepdims=True) * normals[chosen]
    places = points[chosen] + across + rng.normal(size=(count, 3)) * rng.uniform(0.0003, 0.002)
    dark = rng.uniform(0.4, 0.9)
    light = dark + (1 - dark) * np.clip(normals[chosen] @ eyes[0], 0, 1)
    noise = rng.normal(size=(len(points), 3))[chosen] * 0.03
    colors = cloud.colors[chosen] * light[:, None] * rng.uniform(0.85, 1.2) + noise
    up = np.abs(normals[:, 2] + rng.normal(size=len(points)) * 0.2)[chosen].clip(0, 1)
    return np.column_stack([places, colors.clip(0, 1), up]).astype(np.float32), cloud.labels[chosen]
