"""What a camera sees of each part of a model alone, and these pictures laid over each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from robodistill.geometry.camera import Camera


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

    def inside(self, box: tuple[slice, slice]) -> "Window":
        """A part of it, given by rows and columns."""
        (top, bottom), (left, right) = ((s.start, s.stop) for s in box)
        return Window(self.camera, self.left + left, self.top + top, right - left, bottom - top)

    def rays(self, mask: np.ndarray) -> np.ndarray:
        """(n, 2) float32 slopes x / z, y / z of the pixels that a mask (H, W) names."""
        v, u = np.nonzero(mask)
        K = self.camera.K
        x, y = (u + self.left - K[0, 2]) / K[0, 0], (v + self.top - K[1, 2]) / K[1, 1]
        return np.stack([x, y], 1).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Layers:
    """What a camera sees of each part alone, nothing hiding it; all but alpha times alpha."""

    planes: tuple[np.ndarray, ...]
    """Of each of P parts (H, W, 8) float32: colour, alpha, depth in metres, and the normal towards the camera in the
    field's coordinates at rest."""

    @cached_property
    def color(self) -> np.ndarray:
        """(P, H, W, 3)."""
        return np.stack([plane[..., :3] for plane in self.planes])

    @cached_property
    def alpha(self) -> np.ndarray:
        """(P, H, W) in [0, 1]."""
        return np.stack([plane[..., 3] for plane in self.planes])

    @cached_property
    def depth(self) -> np.ndarray:
        """(P, H, W) metres."""
        return np.stack([plane[..., 4] for plane in self.planes])

    @cached_property
    def normal(self) -> np.ndarray:
        """(P, H, W, 3) unit."""
        return np.stack([plane[..., 5:] for plane in self.planes])

    @cached_property
    def in_sight(self) -> np.ndarray:
        """(P, H, W) share of each pixel of a part that no nearer part hides."""
        # off its own edge a part has no depth: there it is as far as can be
        z = np.where(self.alpha > 0.02, self.depth / np.maximum(self.alpha, 1e-3), np.inf)
        share = np.ones_like(self.alpha)
        for p in range(len(z)):
            for q in range(p):
                nearer = z[q] <= z[p]
                share[p] *= 1 - self.alpha[q] * nearer
                share[q] *= 1 - self.alpha[p] * ~nearer
        return share

    def added(self, colors: np.ndarray) -> np.ndarray:
        """(H, W, 3) the parts over black, colours (P, H, W, 3) times alpha."""
        sight = self.in_sight
        shown = sight[0][..., None] * colors[0]
        for share, color in zip(sight[1:], colors[1:], strict=True):
            shown += share[..., None] * color
        return shown

    @cached_property
    def through(self) -> np.ndarray:
        """(H, W) share of each pixel that is seen of what is behind."""
        return np.prod(1 - self.alpha, 0)

    def over(self, colors: np.ndarray, behind: np.ndarray) -> np.ndarray:
        """(H, W, 3) the parts over a background (H, W, 3), colours (P, H, W, 3) times alpha."""
        if not self.planes:
            return behind
        return self.through[..., None] * behind + self.added(colors)

    def without(self, part: int, colors: np.ndarray, behind: np.ndarray, box: tuple[slice, slice]) -> np.ndarray:
        """(h, w, 3) the same in a box, rows and columns, with one part left out."""
        others = [p for p in range(len(self.planes)) if p != part]
        layers = Layers(tuple(self.planes[p][box] for p in others))
        return layers.over(colors[(slice(None), *box)][others], behind[box])

    def box(self, part: int, margin: int) -> tuple[slice, slice]:
        """Rows and columns that a part covers, and a margin around them."""
        covers = self.alpha[part] > 1e-3
        return tuple(_span(covers.any(axis), margin) for axis in (1, 0))

    def with_parts(self, parts: Sequence[int], drawn: "Layers") -> "Layers":
        """The same with some parts as drawn elsewhere."""
        planes = list(self.planes)
        for part, plane in zip(parts, drawn.planes, strict=True):
            planes[part] = plane
        return Layers(tuple(planes))


def _span(covered: np.ndarray, margin: int) -> slice:
    """From the first to the last of (n,) bool, and a margin."""
    at = np.flatnonzero(covered)
    return slice(max(0, int(at[0]) - margin), min(len(covered), int(at[-1]) + margin + 1)) if len(at) else slice(0, 0)
