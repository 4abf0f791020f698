"""A simulated table's own surface, as a perfect scan would show it: what can be held at all is judged on it."""

import numpy as np
import trimesh

from robodistill.grasp.surface import Surface
from robodistill.sim.scene import Scene

_DENSITY = 60_000  # points per square metre
_TABLE = 0.01  # metres between points of the table top


def true_surface(scene: Scene, seed: int = 0) -> tuple[Surface, np.ndarray]:
    """Points of a settled scene with exact normals, and (n,) the object each is of, 0 = none. `ids` are 0 to n - 1.

    Inner faces of pieces that stick in one another are on it too: they are inside of something and touch nothing.
    """
    points, normals, owners = [], [], []
    for it in scene.objects:
        mesh = trimesh.util.concatenate([piece.solid.mesh for piece in it.spec.pieces if piece.touches])
        mesh.apply_transform(it.T_world_object)
        count = max(400, int(mesh.area * _DENSITY))
        found, faces = trimesh.sample.sample_surface(mesh, count, seed=seed)
        points.append(found)
        normals.append(mesh.face_normals[faces])
        owners.append(np.full(len(found), it.id))
    half = np.array([scene.table.x, scene.table.y]) / 2
    grid = np.stack(np.meshgrid(*(np.arange(-h, h, _TABLE) for h in half)), -1).reshape(-1, 2)
    points.append(np.column_stack([grid, np.zeros(len(grid))]))
    normals.append(np.tile([0.0, 0, 1], (len(grid), 1)))
    owners.append(np.zeros(len(grid), int))
    points, owners = np.concatenate(points), np.concatenate(owners)
    plane = np.array([0.0, 0.0, 1.0, 0.0])
    return Surface(points, np.concatenate(normals), np.arange(len(points)), plane), owners
