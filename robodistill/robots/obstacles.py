"""What a robot must not touch: points of a field's surface as an octree of cells, and convex shapes."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from robodistill.errors import MissingPart
from robodistill.robots.description import HINT
from robodistill.robots.urdf import Shape


def load_coal() -> ModuleType:
    """`coal`.

    Raises:
        MissingPart: It is not installed.
    """
    try:
        import coal
    except (ImportError, OSError) as error:
        raise MissingPart(f"{HINT}; loading it failed: {error}") from None
    return coal


@dataclass(frozen=True, eq=False)
class Obstacle:
    """One body in the world."""

    name: str
    geometry: object
    """Of coal."""
    T_world_obstacle: np.ndarray
    """(4, 4)."""
    center: np.ndarray
    """(3,) of the sphere that holds it, obstacle frame."""
    radius: float
    """Metres."""

    def moved(self, T_world_obstacle: np.ndarray) -> "Obstacle":
        """The same body elsewhere; its geometry is shared."""
        return Obstacle(self.name, self.geometry, np.asarray(T_world_obstacle, float), self.center, self.radius)


def points_obstacle(name: str, points: np.ndarray, cell: float = 0.005, T: np.ndarray | None = None) -> Obstacle:
    """Points (n, 3) as cells of an octree.

    Args:
        cell: Length of a cell's side, metres.
        T: (4, 4) T_world_obstacle, if the points are not in the world frame.
    """
    assert len(points), "no points"
    points = np.unique(np.floor(np.asarray(points, float) / cell).astype(np.int64), axis=0) * cell + cell / 2
    middle = (points.min(0) + points.max(0)) / 2
    tree = load_coal().makeOctree(points, cell)
    radius = float(np.linalg.norm(points - middle, axis=1).max()) + cell
    return Obstacle(name, tree, np.eye(4) if T is None else np.asarray(T, float), middle, radius)


def shape_obstacle(name: str, shape: Shape) -> Obstacle:
    """A convex shape; its `T_link_shape` is read as T_world_shape."""
    return Obstacle(name, shape_geometry(shape), shape.T_link_shape, np.zeros(3), shape.radius)


def shape_geometry(shape: Shape) -> object:
    """coal's geometry of a shape, in the shape's frame."""
    coal = load_coal()
    if shape.kind == "box":
        return coal.Box(*shape.size)
    if shape.kind == "sphere":
        return coal.Sphere(shape.size[0])
    if shape.kind == "capsule":
        return coal.Capsule(*shape.size)
    if shape.kind == "cylinder":
        return coal.Cylinder(*shape.size)
    points = coal.StdVec_Vec3s()
    for point in shape.points:
        points.append(point)
    return coal.Convex.convexHull(points, True, "Qt")


def table_obstacle(name: str = "table", height: float = 0.0, size: Sequence[float] = (3.0, 3.0, 0.4)) -> Obstacle:
    """A slab whose top is at a height, metres."""
    T = np.eye(4)
    T[2, 3] = height - size[2] / 2
    return shape_obstacle(name, Shape("box", T, tuple(size)))
