"""From a `Solid` to the arrays that MuJoCo draws: corners with their own normals and texture coordinates."""

import numpy as np
from scipy import sparse

from robodistill.sim.shapes import Solid
from robodistill.sim.textures import lay_texture

_CREASE = np.cos(np.radians(38))
"""Faces that meet at a sharper angle than this are shaded apart."""


def corner_arrays(solid: Solid, tile: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(F, 3, 3) points, (F, 3, 3) unit normals and (F, 3, 2) texture coordinates of the faces' corners.

    The normal of a corner is the area-weighted mean over the faces at its vertex that lie on the same side of a crease;
    the weights keep large flat faces flat beside their rounded edges.

    Args:
        tile: Metres that one repeat of the texture covers.
    """
    points = np.asarray(solid.mesh.vertices)
    faces = np.asarray(solid.mesh.faces)
    corners = points[faces]
    area_normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(area_normals, axis=1)
    kept = length > 1e-12  # m^2; slivers at poles
    faces, corners, area_normals = faces[kept], corners[kept], area_normals[kept]
    normals = area_normals / length[kept, None]

    _, place = np.unique(np.rint(points * 1e7).astype(np.int64), axis=0, return_inverse=True)
    vertex = place.reshape(-1)[faces].reshape(-1)
    count = len(vertex)
    holds = sparse.csr_array((np.ones(count), (np.arange(count), vertex)), shape=(count, vertex.max() + 1))
    meet = (holds @ holds.T).tocoo()  # pairs of corners at one vertex
    smooth = (normals[meet.row // 3] * normals[meet.col // 3]).sum(1) > _CREASE
    near = sparse.csr_array((np.ones(smooth.sum()), (meet.row[smooth], meet.col[smooth])), shape=(count, count))
    mean = near @ np.repeat(area_normals, 3, axis=0)
    mean /= np.linalg.norm(mean, axis=1, keepdims=True)
    return corners, mean.reshape(-1, 3, 3), lay_texture(solid, corners, normals, tile)
