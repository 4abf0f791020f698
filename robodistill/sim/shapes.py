"""Solids that objects are made of: a closed triangle mesh to look at, and convex pieces to touch.

Everything is in metres. A solid that is not convex brings its own split into convex pieces, because the split is known
where the shape is made (the sectors of a bowl's wall, the links of a bent handle) and is hard to find afterwards.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import trimesh
from scipy.spatial import ConvexHull

SEGMENTS = 28
"""Sides of a round solid: smooth to the eye at the distances a table is scanned from."""
_SECTORS = 10  # convex pieces around a hollow vessel
_HULL_SIDES = 16  # sides of a round convex piece: contact needs fewer than the eye


@dataclass(frozen=True, eq=False)
class Solid:
    """A closed mesh and a convex decomposition of it."""

    mesh: trimesh.Trimesh
    hulls: tuple[np.ndarray, ...]
    """Convex pieces, each the (n, 3) points whose hull it is."""
    wrap: Literal["box", "round"] = "box"
    """How a texture is laid on: from the six sides, or around the z axis of the solid as it was made."""
    T_here_made: np.ndarray | None = None
    """(4, 4) where the solid has been moved since it was made; None = not at all."""

    def moved(self, T: np.ndarray) -> "Solid":
        """The solid under a rigid or affine (4, 4) map."""
        hulls = tuple(trimesh.transform_points(points, T) for points in self.hulls)
        before = np.eye(4) if self.T_here_made is None else self.T_here_made
        mesh = self.mesh.copy()
        mesh.apply_transform(T)
        return replace(self, mesh=mesh, hulls=hulls, T_here_made=T @ before)

    def at(self, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> "Solid":
        """The solid shifted."""
        return self.moved(trimesh.transformations.translation_matrix([x, y, z]))

    def turned(self, axis: str, angle: float) -> "Solid":
        """The solid rotated about the origin: `axis` is "x", "y" or "z"; rad."""
        direction = {"x": [1, 0, 0], "y": [0, 1, 0], "z": [0, 0, 1]}[axis]
        return self.moved(trimesh.transformations.rotation_matrix(angle, direction))

    def scaled(self, x: float, y: float, z: float) -> "Solid":
        """The solid stretched along the axes."""
        return self.moved(np.diag([x, y, z, 1.0]))


def join(*solids: Solid) -> Solid:
    """Several solids as one piece; the texture of the first one's kind."""
    mesh = trimesh.util.concatenate([solid.mesh for solid in solids])
    return Solid(mesh, tuple(points for solid in solids for points in solid.hulls), solids[0].wrap)


def hull(points: np.ndarray) -> Solid:
    """The convex hull of (n, 3) points."""
    points = np.asarray(points, dtype=float)
    found = ConvexHull(points)
    faces = found.simplices
    a, b, c = (points[faces[:, k]] for k in range(3))
    inward = (np.cross(b - a, c - a) * found.equations[:, :3]).sum(1) < 0
    mesh = trimesh.Trimesh(points, np.where(inward[:, None], faces[:, ::-1], faces), process=False)
    mesh.remove_unreferenced_vertices()
    return Solid(mesh, (points[found.vertices],))


def box(x: float, y: float, z: float, round_edge: float = 0.0) -> Solid:
    """A box of these full lengths about the origin, its edges rounded with this radius."""
    signs = np.array(np.meshgrid([-1, 1], [-1, 1], [-1, 1])).reshape(3, -1).T
    inner = signs * (np.array([x, y, z]) / 2 - round_edge)
    if round_edge == 0:
        return hull(inner)
    corner = trimesh.creation.icosphere(subdivisions=1).vertices * round_edge
    solid = hull((inner[:, None] + corner).reshape(-1, 3))
    coarse = signs[:, None] * (np.array([x, y, z]) / 2 - round_edge * (1 - np.eye(3)))
    return replace(solid, hulls=(coarse.reshape(-1, 3),))


def revolve(profile: list[tuple[float, float]], segments: int = SEGMENTS) -> Solid:
    """A full solid of revolution about z.

    Args:
        profile: (r, z) points from bottom to top; the ends are joined to the axis.
    """
    points = _to_axis(profile)
    return Solid(trimesh.creation.revolve(points, sections=segments), _frusta(points), "round")


def shell(outer: list[tuple[float, float]], wall: float, solid: bool = False) -> Solid:
    """A vessel: the (r, z) profile of its outside from the middle of the foot to the rim, hollowed to this wall.

    Args:
        solid: Touch it as if it were full; for narrow necks that nothing can enter.
    """
    points = _to_axis(outer, top=False)
    inner = _offset(points, wall)
    inside = _without_steps_below(5e-4, inner)[::-1]  # an inner edge may shrink to nothing; trimesh drops slivers
    mesh = trimesh.creation.revolve(np.concatenate([points, inside]), sections=SEGMENTS)
    if solid:
        return Solid(mesh, _frusta(points), "round")
    hulls = []
    for a, b in _convex_bands(points, max_turn=0.6):
        quad = np.concatenate([points[a : b + 1], inner[a : b + 1]])
        if np.ptp(quad[:, 1]) <= 2 * wall:  # the floor of the vessel
            hulls.append(_ring_points(quad, _HULL_SIDES))
            continue
        hulls += [_spin(quad, angles) for angles in _sectors()]
    return Solid(mesh, tuple(hulls), "round")


def hoop(section: list[tuple[float, float]]) -> Solid:
    """A ring about z of this convex (r, z) section; touched as ten blocks, so that its hole stays open."""
    outline = np.array([*section, section[0]], dtype=float)
    mesh = trimesh.creation.revolve(outline, sections=40)
    if mesh.volume < 0:
        mesh.invert()
    return Solid(mesh, tuple(_spin(outline[:-1], angles) for angles in _sectors()), "round")


def cylinder(radius: float, height: float, round_edge: float = 0.0, segments: int = SEGMENTS) -> Solid:
    """An upright cylinder about the origin."""
    e, h = round_edge, height / 2
    side = [(radius, -h), (radius, h)]
    if e:
        side = [(radius - e, -h), (radius - 0.3 * e, -h + 0.3 * e), (radius, -h + e)]
        side += [(r, -z) for r, z in reversed(side)]
    return revolve(side, segments)


def ellipsoid(x: float, y: float, z: float) -> Solid:
    """An ellipsoid of these radii about the origin; a small one has fewer faces."""
    fine = 1.0 if max(x, y, z) > 0.025 else 0.5
    angles = np.linspace(-np.pi / 2, np.pi / 2, int(14 * fine) + 1)
    ball = revolve([(float(np.cos(a)), float(np.sin(a))) for a in angles], int(24 * fine))
    return ball.scaled(x, y, z)


def tube(
    path: np.ndarray,
    radius: float | np.ndarray,
    flat: float = 1.0,
    closed: bool = False,
    up: tuple[float, float, float] = (0, 0, 1),
    sides: int = 12,
    stride: int = 3,
) -> Solid:
    """A round bar along a path.

    Args:
        path: (m, 3) points.
        radius: Of the bar; one number or (m,).
        flat: Radius along `up` relative to the radius across it.
        closed: Whether the end joins the start.
        up: A direction that the path never runs along; it fixes how the section stands.
        stride: Links of the path that one convex piece spans.
    """
    path = np.asarray(path, dtype=float)
    m = len(path)
    ahead = np.roll(path, -1, 0) - np.roll(path, 1, 0) if closed else np.gradient(path, axis=0)
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    across = np.cross(ahead, np.asarray(up, dtype=float))
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    over = np.cross(across, ahead)
    angles = 2 * np.pi * np.arange(sides) / sides
    r = np.broadcast_to(radius, (m,))[:, None, None]
    rings = path[:, None] + r * (
        np.cos(angles)[None, :, None] * across[:, None] + flat * np.sin(angles)[None, :, None] * over[:, None]
    )
    return loft(rings, closed, stride)


def loft(rings: np.ndarray, closed: bool = False, stride: int | None = None) -> Solid:
    """A skin over a stack of (m, n, 3) rings, each star-shaped about its mean, capped unless it closes on itself.

    Args:
        stride: Rings that one convex piece spans; None = the whole is convex.
    """
    m, n, _ = rings.shape
    vertices = rings.reshape(-1, 3)
    i, j = np.meshgrid(np.arange(m if closed else m - 1), np.arange(n), indexing="ij")
    a, b = i * n + j, i * n + (j + 1) % n
    c, d = (i + 1) % m * n + j, (i + 1) % m * n + (j + 1) % n
    faces = [np.stack([a, b, d], -1).reshape(-1, 3), np.stack([a, d, c], -1).reshape(-1, 3)]
    if not closed:
        ring = np.arange(n)
        vertices = np.concatenate([vertices, rings[[0, -1]].mean(1)])
        faces.append(np.stack([(ring + 1) % n, ring, np.full(n, m * n)], -1))
        faces.append(np.stack([(m - 1) * n + ring, (m - 1) * n + (ring + 1) % n, np.full(n, m * n + 1)], -1))
    mesh = trimesh.Trimesh(vertices, np.concatenate(faces), process=False)
    if mesh.volume < 0:
        mesh.invert()
    starts = range(0, m if closed else m - 1, stride or m)
    spans = [np.arange(s, min(s + (stride or m), m if closed else m - 1) + 1) % m for s in starts]
    return Solid(mesh, tuple(rings[span].reshape(-1, 3) for span in spans))


def prism(outline: np.ndarray, height: float, round_edge: float = 0.0) -> Solid:
    """A star-shaped (n, 2) outline pulled up along z from the origin, its top and bottom edges chamfered."""
    outline = np.asarray(outline, dtype=float)
    middle = outline.mean(0)
    reach = np.linalg.norm(outline - middle, axis=1, keepdims=True)
    inset = outline - (outline - middle) / reach * round_edge
    levels = [(outline, 0.0), (outline, height)]
    if round_edge:
        levels = [(inset, 0.0), (outline, round_edge), (outline, height - round_edge), (inset, height)]
    return loft(np.stack([np.column_stack([ring, np.full(len(ring), z)]) for ring, z in levels]))


def arc(start: float, end: float, count: int, rx: float, ry: float | None = None) -> np.ndarray:
    """(count, 2) points of an elliptic arc about the origin between two angles, rad."""
    angles = np.linspace(start, end, count)
    return np.column_stack([rx * np.cos(angles), (rx if ry is None else ry) * np.sin(angles)])


def _to_axis(profile: list[tuple[float, float]], top: bool = True) -> np.ndarray:
    """The profile as an array, its ends joined to the axis."""
    points = np.array([(0.0, profile[0][1]), *profile] + ([(0.0, profile[-1][1])] if top else []), dtype=float)
    points[np.abs(points[:, 0]) < 1e-9, 0] = 0.0
    return _without_steps_below(1e-6, points)


def _without_steps_below(least: float, points: np.ndarray) -> np.ndarray:
    far = np.linalg.norm(np.diff(points, axis=0), axis=1) > least
    return points[np.concatenate([[True], far])]


def _offset(points: np.ndarray, wall: float) -> np.ndarray:
    """The profile moved inwards by the wall, vertex by vertex, and cut at the height of the rim."""
    edges = np.diff(points, axis=0)
    normals = np.column_stack([-edges[:, 1], edges[:, 0]]) / np.linalg.norm(edges, axis=1, keepdims=True)
    corner = np.concatenate([normals[:1], normals[:-1] + normals[1:], normals[-1:]])
    corner /= np.maximum((corner * np.concatenate([normals[:1], normals])).sum(1, keepdims=True), 0.3)
    inner = points + wall * corner
    inner[:, 0] = np.maximum(inner[:, 0], 0)
    inner[0, 0] = 0.0
    inner[-1, 1] = points[-1, 1]
    return inner


def _convex_bands(points: np.ndarray, max_turn: float = np.inf) -> list[tuple[int, int]]:
    """Index ranges of an upward profile that each bulge outwards only, turning by at most `max_turn`, rad."""
    angles = np.unwrap(np.arctan2(*np.diff(points, axis=0).T[::-1]))
    bands, start = [], 0
    for k in range(1, len(angles)):
        if angles[k] < angles[k - 1] - 1e-6 or angles[k] - angles[start] > max_turn:
            bands.append((start, k))
            start = k
    return [*bands, (start, len(points) - 1)]


def _sectors() -> list[np.ndarray]:
    """Angles at the start, middle and end of each convex piece around a hollow thing."""
    return [2 * np.pi * (k + np.array([0, 0.5, 1])) / _SECTORS for k in range(_SECTORS)]


def _frusta(points: np.ndarray) -> tuple[np.ndarray, ...]:
    bands = (points[a : b + 1] for a, b in _convex_bands(points))
    return tuple(
        _ring_points(band, _HULL_SIDES) for band in bands if np.ptp(band[:, 1]) > 1e-4
    )  # a flat lid is no body


def _spin(profile: np.ndarray, angles: np.ndarray) -> np.ndarray:
    r, z = profile[:, 0, None], profile[:, 1, None]
    return np.stack([r * np.cos(angles), r * np.sin(angles), z + 0 * angles], -1).reshape(-1, 3)


def _ring_points(profile: np.ndarray, sides: int) -> np.ndarray:
    return _spin(profile, 2 * np.pi * np.arange(sides) / sides)
