"""`PartModel`: the scanned object as rigid parts of Gaussians, drawn one by one at given part poses."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from robodistill.errors import BadInput
from robodistill.field.gaussians import GaussianField
from robodistill.field.render import low_pass, shortest_axes
from robodistill.field.standing import support_plane
from robodistill.geometry.camera import Camera
from robodistill.raster.rasterize import rasterize
from robodistill.tracking.edges import box_edges, principal_axes, standing_edges
from robodistill.tracking.layers import Layers, Window
from robodistill.tracking.part_columns import part_columns

_COVERS = 0.03  # of a pixel


@dataclass(frozen=True, eq=False)
class PartModel:
    """Gaussians of P parts, at rest in the field's coordinates."""

    field: GaussianField
    """Of the object alone."""
    labels: np.ndarray
    """(N,) int, the part of each Gaussian, 0 to P - 1."""
    up: np.ndarray | None = None
    """(3,) unit, away from what it stood on when it was scanned; None where nobody knows."""
    rim: float = 0.0
    """By how much thinner than its Gaussians it is drawn, see `drawn_thinner`."""

    @classmethod
    def of(cls, field: GaussianField, labels: np.ndarray) -> "PartModel":
        """Of those Gaussians of a field that have a part, labels (N,) of -1 and parts."""
        keep, plane = labels >= 0, support_plane(field)
        return cls(field.select(torch.from_numpy(keep)), labels[keep], None if plane is None else plane[:3])

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
        """(P, 3, 3) at rest, rows: directions that each part is made along, see `edges`; up first, if it is known."""
        if self.up is None:
            return np.stack([box_edges(self.points[self.labels == p]) for p in range(self.parts)])
        return np.stack([edges for edges, _ in self._standing])

    @cached_property
    def sharpness(self) -> np.ndarray:
        """(P,) of the footprints that `axes` are of, see `edges.standing_edges`."""
        return np.array([sharpness for _, sharpness in self._standing])

    @cached_property
    def _standing(self) -> list[tuple[np.ndarray, float]]:
        return [standing_edges(self.points[self.labels == p], self.up) for p in range(self.parts)]

    @cached_property
    def principal(self) -> np.ndarray:
        """(P, 3, 3) at rest, rows: principal axes of each part."""
        return np.stack([principal_axes(self.points[self.labels == p]) for p in range(self.parts)])

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
        planes = []
        for p in range(self.parts) if parts is None else parts:
            own, axes = self._pieces[p]
            T = torch.from_numpy(Ts_camera_part[p]).float()
            columns = part_columns(own, axes, T)
            gaussians = (own.means, own.quats_wxyz, own.scales, own.opacities)
            eps2d = self._low_pass(p, Ts_camera_part[p], window.camera)
            plane = rasterize(*gaussians, columns, T[None], *view, eps2d=eps2d)[0][0].numpy()
            planes.append(drawn_thinner(plane, self.rim))
        return Layers(tuple(planes))

    def redrawn(self, layers: Layers, Ts_camera_part: np.ndarray, parts: Sequence[int], window: Window) -> Layers:
        """Layers with some parts where poses (P, 4, 4) now have them."""
        return layers.with_parts(parts, self.draw(Ts_camera_part, window, parts))

    def covered(self, Ts_camera_part: np.ndarray, camera: Camera) -> np.ndarray:
        """(H, W) bool: where a camera sees any of the parts at poses (P, 4, 4)."""
        window = Window(camera, 0, 0, camera.width, camera.height)
        return self.draw(Ts_camera_part, window).alpha.max(0) > _COVERS

    def _low_pass(self, part: int, T: np.ndarray, camera: Camera) -> float:
        """Square pixels that a part at a pose (4, 4) is blurred with."""
        return low_pass(self.field, camera, float(T[2, :3] @ self.centers[part] + T[2, 3]))

    @cached_property
    def _pieces(self) -> list[tuple[GaussianField, Tensor]]:
        """Each part's Gaussians, and their normals."""
        pieces = [self.field.select(torch.from_numpy(self.labels == p)) for p in range(self.parts)]
        return [(piece, shortest_axes(piece.quats_wxyz, piece.scales)) for piece in pieces]


def drawn_thinner(plane: np.ndarray, rim: float) -> np.ndarray:
    """A plane of `Layers` (H, W, 8) with its edge moved inwards: the logarithm of alpha's odds less `rim`.

    Edges are soft as a logistic curve is: one is nearly half a pixel.
    """
    if rim == 0:
        return plane
    alpha = plane[..., 3:4]
    return plane / (alpha + np.float32(np.exp(rim)) * (1 - alpha))
