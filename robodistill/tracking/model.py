"""`PartModel`: the scanned object as rigid parts of Gaussians, and a layered picture of it at given part poses."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from robodistill.errors import BadInput
from robodistill.field.gaussians import GaussianField
from robodistill.field.render import shortest_axes, turned_to
from robodistill.geometry.camera import Camera
from robodistill.raster.rasterize import rasterize, view_colors


@dataclass(frozen=True, eq=False)
class Window:
    """A rectangle of a camera's picture; unlike a `Camera` its axis may pass far outside it."""

    camera: Camera
    left: int
    top: int
    width: int
    height: int

    @property
    def K_corner(self) -> np.ndarray:
        """(3, 3) with the origin at the corner of the window's first pixel."""
        return self.camera.K_corner - np.array([[0, 0, self.left], [0, 0, self.top], [0, 0, 0]])

    @property
    def pixels(self) -> tuple[slice, slice]:
        """Rows and columns of the camera's picture."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)

    def rays(self, mask: np.ndarray) -> np.ndarray:
        """(n, 2) float32 slopes x / z, y / z of the pixels that a mask (H, W) names."""
        v, u = np.nonzero(mask)
        K = self.camera.K
        x, y = (u + self.left - K[0, 2]) / K[0, 0], (v + self.top - K[1, 2]) / K[1, 1]
        return np.stack([x, y], 1).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Layers:
    """What a camera sees of each part alone, nothing hiding it; all but alpha times alpha."""

    color: np.ndarray
    """(P, H, W, 3)."""
    alpha: np.ndarray
    """(P, H, W) in [0, 1]."""
    depth: np.ndarray
    """(P, H, W) metres."""
    normal: np.ndarray
    """(P, H, W, 3) towards the camera, in the field's coordinates at rest."""

    @cached_property
    def _order(self) -> np.ndarray:
        """(P, H, W) parts from near to far. Off its own edge a part has no depth: there it is as far as can be."""
        z = np.where(self.alpha > 0.02, self.depth / np.maximum(self.alpha, 1e-3), np.inf)
        return np.argsort(z, axis=0, kind="stable")

    @cached_property
    def _through(self) -> np.ndarray:
        """(P + 1, H, W) share of each pixel that the nearest k parts leave free."""
        through = np.ones((len(self.alpha) + 1, *self.alpha.shape[1:]), self.alpha.dtype)
        np.cumprod(1 - self._sorted(self.alpha), axis=0, out=through[1:])
        return through

    @cached_property
    def in_sight(self) -> np.ndarray:
        """(P, H, W) share of each pixel of a part that no nearer part hides."""
        share = np.empty_like(self.alpha)
        np.put_along_axis(share, self._order, self._through[:-1], axis=0)
        return share

    def over(self, colors: np.ndarray, behind: np.ndarray) -> np.ndarray:
        """(H, W, 3) the parts over a background (H, W, 3), colours (P, H, W, 3) times alpha."""
        return self._through[-1][..., None] * behind + np.einsum("phw,phwc->hwc", self.in_sight, colors)

    def without_each(self, colors: np.ndarray, behind: np.ndarray) -> np.ndarray:
        """(P, H, W, 3) the same P times, each with one part left out: what is before it and what is behind it."""
        alpha, colors = self._sorted(self.alpha), self._sorted(colors)
        farther, found = behind, np.empty_like(colors)
        for k in range(len(alpha) - 1, -1, -1):
            found[k] = self._through[k][..., None] * farther
            farther = colors[k] + (1 - alpha[k])[..., None] * farther
        nearer = np.zeros_like(behind)
        for k in range(len(alpha)):
            found[k] += nearer
            nearer = nearer + self._through[k][..., None] * colors[k]
        rest = np.empty_like(found)
        np.put_along_axis(rest, self._order[..., None], found, axis=0)
        return rest

    def _sorted(self, array: np.ndarray) -> np.ndarray:
        order = self._order if array.ndim == 3 else self._order[..., None]
        return np.take_along_axis(array, order, axis=0)

    def redrawn(self, model: "PartModel", Ts_camera_part: np.ndarray, part: int, window: Window) -> "Layers":
        """The same with one part where poses (P, 4, 4) now have it."""
        one = model.draw(Ts_camera_part, window, [part])
        arrays = []
        for name in ("color", "alpha", "depth", "normal"):
            array = getattr(self, name).copy()
            array[part] = getattr(one, name)[0]
            arrays.append(array)
        return Layers(*arrays)


@dataclass(frozen=True, eq=False)
class PartModel:
    """Gaussians of P parts, at rest in the field's coordinates."""

    field: GaussianField
    """Of the object alone."""
    labels: np.ndarray
    """(N,) int, the part of each Gaussian, 0 to P - 1."""

    def __post_init__(self) -> None:
        if len(self.labels) != len(self.field) or len(self.field) == 0:
            raise BadInput(f"a model needs a label for each of its Gaussians: {len(self.labels)} for {len(self.field)}")

    @cached_property
    def parts(self) -> int:
        """How many."""
        return int(self.labels.max()) + 1

    @cached_property
    def points(self) -> np.ndarray:
        """(N, 3) float64 centres at rest."""
        return self.field.means.double().numpy()

    @cached_property
    def centers(self) -> np.ndarray:
        """(P, 3) middles of the parts at rest."""
        return np.stack([self.points[self.labels == p].mean(0) for p in range(self.parts)])

    @cached_property
    def radii(self) -> np.ndarray:
        """(P,) root mean square distance of a part's points from its middle, metres."""
        return np.array(
            [np.linalg.norm(self.points[self.labels == p] - c, axis=1).mean() for p, c in enumerate(self.centers)]
        )

    @cached_property
    def size(self) -> float:
        """Diagonal of the object's box at rest, without its outermost hundredths, metres."""
        low, high = np.percentile(self.points, [1, 99], axis=0)
        return float(np.linalg.norm(high - low))

    @cached_property
    def axes(self) -> np.ndarray:
        """(P, 3, 3) at rest, rows: directions of the edges of each part's tightest box."""
        return np.stack([_box_edges(self.points[self.labels == p]) for p in range(self.parts)])

    def contacts(self, reach: float, most: int = 200) -> list[tuple[int, int, np.ndarray]]:
        """(a, b, (n, 3) points of part b that lie within `reach` of part a at rest) of each pair that touches."""
        found = []
        for b in range(self.parts):
            of_b = self.points[self.labels == b]
            for a in range(b):
                near = of_b[cKDTree(self.points[self.labels == a]).query(of_b, distance_upper_bound=reach)[0] < reach]
                if len(near) >= 8:
                    found.append((a, b, near[np.linspace(0, len(near) - 1, min(most, len(near))).astype(int)]))
        return found

    def posed_points(self, Ts_camera_part: np.ndarray) -> np.ndarray:
        """(N, 3) centres in the camera frame at part poses (P, 4, 4)."""
        T = Ts_camera_part[self.labels]
        return np.einsum("nij,nj->ni", T[:, :3, :3], self.points) + T[:, :3, 3]

    def draw(self, Ts_camera_part: np.ndarray, window: Window, parts: Sequence[int] | None = None) -> Layers:
        """Render each part alone at its pose, (P, 4, 4) in all; `parts` only, where given."""
        view = (torch.from_numpy(window.K_corner).float()[None], window.width, window.height)
        layers = []
        for p in range(self.parts) if parts is None else parts:
            own = self._indices[p]
            T = torch.from_numpy(Ts_camera_part[p]).float()
            means, axes = self.field.means[own], self._axes[own]
            color = view_colors(means, self.field.sh[own], T[None], self.field.sh_degree)[0]
            depth = means @ T[2, :3] + T[2, 3]
            columns = torch.cat([color, torch.ones_like(color[:, :1]), depth[:, None], turned_to(axes, means, T)], 1)
            gaussians = (self.field.quats_wxyz[own], self.field.scales[own], self.field.opacities[own])
            layers.append(rasterize(means, *gaussians, columns, T[None], *view)[0][0])
        stack = torch.stack(layers).numpy()
        return Layers(stack[..., :3], stack[..., 3], stack[..., 4], stack[..., 5:])

    @cached_property
    def _axes(self) -> Tensor:
        return shortest_axes(self.field.quats_wxyz, self.field.scales)

    @cached_property
    def _indices(self) -> list[Tensor]:
        return [torch.from_numpy(np.flatnonzero(self.labels == p)) for p in range(self.parts)]


def _box_edges(points: np.ndarray) -> np.ndarray:
    """(3, 3) rows: edges of the tightest box about (n, 3) points; of a handful of points their principal axes."""
    import trimesh

    if len(points) < 8:
        return np.linalg.svd(points - points.mean(0), full_matrices=True)[2]
    return trimesh.bounds.oriented_bounds(points)[0][:3, :3]
