"""A simulated table's own surface, as a perfect scan would show it: what can be held at all is judged on it."""

import numpy as np
import trimesh

from robodistill.grasp.surface import Surface
from robodistill.sim.scene import Scene

_DENSITY = 60_000  # points per square metre
_TABLE = 0.01  # metres between points of the table top
_OFF = 0.0005  # metres before a face where it is asked whether another piece is there
_CHUNK = 128  # points looked at together


def true_surface(scene: Scene, seed: int = 0) -> tuple[Surface, np.ndarray]:
    """Points of a settled scene with exact normals, and (n,) the object each is of, 0 = none. `ids` are 0 to n - 1.

    Faces of a piece that are inside of another one are left out: no scan shows them, and no finger reaches them.
    """
    points, normals, owners = [], [], []
    for it in scene.objects:
        meshes = [piece.solid.mesh for piece in it.spec.pieces if piece.touches]
        mesh = trimesh.util.concatenate(meshes)
        count = max(400, int(mesh.area * _DENSITY))
        found, faces = trimesh.sample.sample_surface(mesh, count, seed=seed)
        before = found + _OFF * mesh.face_normals[faces]
        seen = ~np.any([winding_number(one, before) > 0.5 for one in meshes], axis=0)
        found, faces = found[seen], faces[seen]
        T = it.T_world_object
        points.append(found @ T[:3, :3].T + T[:3, 3])
        normals.append(mesh.face_normals[faces] @ T[:3, :3].T)
        owners.append(np.full(len(found), it.id))
    half = np.array([scene.table.x, scene.table.y]) / 2
    grid = np.stack(np.meshgrid(*(np.arange(-h, h, _TABLE) for h in half)), -1).reshape(-1, 2)
    points.append(np.column_stack([grid, np.zeros(len(grid))]))
    normals.append(np.tile([0.0, 0, 1], (len(grid), 1)))
    owners.append(np.zeros(len(grid), int))
    points, owners = np.concatenate(points), np.concatenate(owners)
    plane = np.array([0.0, 0.0, 1.0, 0.0])
    return Surface(points, np.concatenate(normals), np.arange(len(points)), plane), owners


def winding_number(mesh: trimesh.Trimesh, points: np.ndarray) -> np.ndarray:
    """(n,) times that a closed mesh goes around points (n, 3): 1 inside, 0 outside.

    The sum of the faces' solid angles (van Oosterom and Strackee, "The Solid Angle of a Plane Triangle", 1983).
    """
    total = np.zeros(len(points))
    for k in range(0, len(points), _CHUNK):
        a, b, c = np.moveaxis(mesh.triangles[None] - points[k : k + _CHUNK, None, None], 2, 0)
        la, lb, lc = (np.linalg.norm(side, axis=-1) for side in (a, b, c))
        dot = np.einsum
        volume = dot("nfk,nfk->nf", a, np.cross(b, c))
        rest = la * lb * lc + dot("nfk,nfk->nf", a, b) * lc + dot("nfk,nfk->nf", b, c) * la
        rest += dot("nfk,nfk->nf", c, a) * lb
        total[k : k + _CHUNK] = 2 * np.arctan2(volume, rest).sum(1)
    return total / (4 * np.pi)
