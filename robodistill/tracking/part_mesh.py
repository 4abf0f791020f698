"""A part's Gaussians as meshes: a closed surface to look at, convex pieces to touch, and what it weighs."""

from dataclasses import dataclass
from itertools import combinations
from types import ModuleType

import numpy as np
import trimesh
from scipy.cluster.vq import kmeans2
from scipy.spatial import ConvexHull, QhullError, cKDTree

from robodistill.errors import BadInput, MissingPart
from robodistill.field.gaussians import GaussianField
from robodistill.field.render import shortest_axes

_SOLID = 0.3  # opacity of a Gaussian that counts as surface
_LEAST = 40  # Gaussians that make a surface
_DEPTH = 7  # of Poisson's octree: cells of a hundredth of the part
_FACES = 4000
_POINTS = 900  # of a part, for its convex pieces
_MARGIN = 0.003  # metres that a surface may bulge out of its points' box
_THINNEST = 0.002  # metres, of a convex piece
_PATCHES = 20  # of a part, before they are joined
_BEFORE = (0.004, 0.03)  # how far before the surface space is known to be free: metres, and in sizes of the part
_INSIDE = 0.01  # sizes of the part, that free space must be in a hull to count
_TAKEN = 0.01  # free points that a hull may hold, relative to its own
_SH0 = 0.28209479177387814  # of the constant spherical harmonic


@dataclass(frozen=True, eq=False)
class PartMesh:
    """In the field's coordinates, metres."""

    surface: trimesh.Trimesh
    """Closed, with a colour at each vertex."""
    pieces: tuple[trimesh.Trimesh, ...]
    """Convex; together they cover the part's surface."""
    color: tuple[float, float, float]
    """Mean, sRGB in [0, 1]."""

    def inertia(self, density: float) -> tuple[float, np.ndarray, np.ndarray]:
        """Mass (kg), centre (3,) and (3, 3) inertia about it of the convex pieces, filled; kg/m^3."""
        solid = trimesh.util.concatenate(self.pieces)
        solid.density = density
        return float(solid.mass), np.asarray(solid.center_mass), np.asarray(solid.moment_inertia)


def load_open3d() -> ModuleType:
    """Open3D.

    Raises:
        MissingPart: It, or a library of the system that it needs, is missing.
    """
    try:
        import open3d
    except (ImportError, OSError) as error:
        raise MissingPart(
            f"surfaces are made with Open3D: pip install robodistill[geometry]; on Debian or Ubuntu also "
            f"apt install libusb-1.0-0 libgl1 libgomp1; loading it failed: {error}"
        ) from None
    return open3d


def part_mesh(field: GaussianField, keep: np.ndarray) -> PartMesh:
    """Meshes of some Gaussians of a field.

    The surface is Poisson's (Kazhdan et al., SGP 2006) through Open3D, with normals turned to the views that see them;
    what no view saw it closes smoothly, cut off at the box of the points.

    Args:
        keep: (N,) bool.

    Raises:
        BadInput: Too few Gaussians.
        MissingPart: Open3D cannot be loaded.
    """
    o3d = load_open3d()
    part = field.to("cpu").select(np.flatnonzero(keep & (field.opacities.cpu().numpy() > _SOLID)))
    if len(part) < _LEAST:
        raise BadInput(f"a part has {len(part)} solid Gaussians; a surface needs {_LEAST}")
    colors = np.clip(0.5 + _SH0 * part.sh[:, 0].numpy(), 0, 1).astype(float)
    cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(part.means.numpy().astype(float)))
    cloud.normals = o3d.utility.Vector3dVector(shortest_axes(part.quats_wxyz, part.scales).numpy().astype(float))
    cloud.colors = o3d.utility.Vector3dVector(colors)
    cloud, _ = cloud.remove_statistical_outlier(12, 3.0)
    _turn_outwards(o3d, cloud, [view.T_world_camera[:3, 3] for view in part.views])
    points = np.asarray(cloud.points)
    surface = _surface(o3d, cloud)
    nearest = cKDTree(points).query(surface.vertices)[1]
    surface.visual.vertex_colors = np.rint(255 * np.asarray(cloud.colors)[nearest]).astype(np.uint8)
    pieces = convex_pieces(points, np.asarray(cloud.normals))
    return PartMesh(surface, pieces, tuple(np.asarray(cloud.colors).mean(0).tolist()))


def _turn_outwards(o3d: ModuleType, cloud: object, eyes: list[np.ndarray]) -> None:
    """Turn normals to the cameras that see their points; without cameras, consistently with their neighbours."""
    points, normals = np.asarray(cloud.points), np.asarray(cloud.normals)
    if not eyes:
        cloud.orient_normals_consistent_tangent_plane(12)
        return
    size = float(np.linalg.norm(np.ptp(points, axis=0)))
    towards = np.zeros_like(points)
    for eye in eyes[:: max(1, len(eyes) // 24)]:
        _, seen = cloud.hidden_point_removal(eye, 100 * size + 100 * float(np.linalg.norm(eye - points.mean(0))))
        away = eye - points[seen]
        towards[seen] += away / np.linalg.norm(away, axis=1, keepdims=True)
    unseen = ~towards.any(1)
    if unseen.any() and not unseen.all():
        towards[unseen] = towards[~unseen][cKDTree(points[~unseen]).query(points[unseen])[1]]
    wrong = (normals * towards).sum(1) < 0
    cloud.normals = o3d.utility.Vector3dVector(np.where(wrong[:, None], -normals, normals))


def _surface(o3d: ModuleType, cloud: object) -> trimesh.Trimesh:
    o3d.utility.set_verbosity_level(o3d.utility.VerbosityLevel.Error)
    mesh, _ = o3d.geometry.TriangleMesh.create_from_point_cloud_poisson(cloud, depth=_DEPTH, n_threads=1)
    points = np.asarray(cloud.points)
    inside = np.clip(np.asarray(mesh.vertices), points.min(0) - _MARGIN, points.max(0) + _MARGIN)
    mesh.vertices = o3d.utility.Vector3dVector(inside)
    if len(mesh.triangles) > _FACES:
        mesh = mesh.simplify_quadric_decimation(_FACES)
    return trimesh.Trimesh(np.asarray(mesh.vertices), np.asarray(mesh.triangles), process=False)


def convex_pieces(points: np.ndarray, normals: np.ndarray) -> tuple[trimesh.Trimesh, ...]:
    """Convex hulls that hold (N, 3) surface points but not the space before them.

    Patches of like place and normal are joined, smallest first, while the hull of both holds no free space: no point a
    little before the surface. So a bar becomes one piece and an open box its walls. Approximate convex decompositions
    (Lien and Amato, SPM 2007) cut a closed mesh instead; here the inside is not known, but what is outside is.
    """
    chosen = np.random.default_rng(0).permutation(len(points))[:_POINTS]
    points, normals = points[chosen], normals[chosen]
    size = float(np.linalg.norm(np.ptp(points, axis=0)))
    before = points + max(_BEFORE[0], _BEFORE[1] * size) * normals
    patches = _patches(points / size, normals)
    joined: dict[tuple[int, int], float] = {}

    def volume(i: int, j: int) -> float:
        """Of the hull of two patches; infinite if it holds free space."""
        both = np.concatenate([patches[i], patches[j]])
        planes = _planes(points[both])
        if planes is None:
            return 0.0
        inside = (before @ planes[:, :3].T + planes[:, 3] < -_INSIDE * size).all(1).sum()
        return np.inf if inside > _TAKEN * len(both) else float(ConvexHull(points[both]).volume)

    while len(patches) > 1:
        for pair in combinations(sorted(patches), 2):
            if pair not in joined:
                joined[pair] = volume(*pair)
        i, j = min(joined, key=joined.__getitem__)
        if joined[i, j] == np.inf:
            break
        patches[i] = np.concatenate([patches[i], patches.pop(j)])
        joined = {pair: value for pair, value in joined.items() if i not in pair and j not in pair}
    return tuple(_hull(points[patch]) for patch in patches.values())


def _patches(places: np.ndarray, normals: np.ndarray) -> dict[int, np.ndarray]:
    """Indices of points of like place (in sizes of the part) and normal, by number."""
    described = np.concatenate([1.5 * places, normals], axis=1)
    _, labels = kmeans2(described, min(_PATCHES, len(places) // 8), seed=0, minit="++")
    found = (np.flatnonzero(labels == k) for k in np.unique(labels))
    return dict(enumerate(patch for patch in found if len(patch) >= 4))


def _planes(points: np.ndarray) -> np.ndarray | None:
    """(F, 4) outward planes of a convex hull; None if the points lie in a plane."""
    try:
        return ConvexHull(points).equations
    except QhullError:
        return None


def _hull(points: np.ndarray) -> trimesh.Trimesh:
    """The convex hull, thickened where the points lie in a plane."""
    middle = points.mean(0)
    size, axes = np.linalg.eigh(np.cov((points - middle).T))
    if np.ptp((points - middle) @ axes[:, 0]) < _THINNEST:
        shift = _THINNEST / 2 * axes[:, 0]
        points = np.concatenate([points - shift, points + shift])
    return trimesh.convex.convex_hull(points)
