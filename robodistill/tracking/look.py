"""A frame at half size in which one part is tried in many places: the others are drawn once."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from robodistill.config import TrackingConfig
from robodistill.tracking.layers import Layers, Window
from robodistill.tracking.model import PartModel
from robodistill.tracking.photometric import Quadratic, compared
from robodistill.tracking.picture import Picture, window_of

_AROUND = 0.25  # of the object's size, drawn around it: where its part may go
_SEEN = 0.5  # share of a part that tells its light
_TINT, _SHADES = 0.08, (0.4, 1.6)  # brightness by which a colour may differ, and be lighter or darker
_SOME = 100  # points that tell how much of a part is drawn
_HIDDEN = 0.2  # robust error that a pixel behind another part counts as
_LEAST = 0.15  # of a part that others must not hide, for it to tell that they hide the rest
_ALIKE, _FEW = 0.2, 8  # share, and number, of a part's pixels that have its colour


@dataclass(frozen=True, eq=False)
class Look:
    """Costs of part poses that differ from given ones in some parts only."""

    model: PartModel
    picture: Picture
    Ts: np.ndarray
    """(P, 4, 4) that the others keep."""
    layers: Layers
    window: Window
    lights: np.ndarray
    """(P, 4) of `Quadratic`."""
    unsure: np.ndarray
    """(P,) bool: parts whose light is not known."""
    spread: float
    blur: float

    @staticmethod
    def at(
        model: PartModel, picture: Picture, Ts: np.ndarray, seen: Quadratic, config: TrackingConfig
    ) -> "Look | None":
        """At poses in a picture of full size, of which `seen` says the light; None where the object is not in it."""
        half = picture.half
        depth = float(np.median(model.posed_points(Ts)[:, 2]))
        window = window_of(model, Ts, half.camera, int(_AROUND * model.size * half.camera.K[0, 0] / max(depth, 0.05)))
        if window is None:
            return None
        light = seen.sure_lights, seen.visible < _SEEN
        return Look(model, half, Ts, model.draw(Ts, window), window, *light, 1.4 * config.spread, 0.5 * config.blur)

    def cost(self, Ts: np.ndarray, moved: Sequence[int], charged: Sequence[int] = ()) -> float:
        """`misfit` with some parts moved to where (P, 4, 4) has them.

        What is hidden by other parts, or outside of what is drawn, is charged for: nothing speaks against it, and
        inside or behind of something is not where a part goes that should be in sight. Of a part that was followed
        to where the picture shows it, half hidden, so much is not charged for: lids close over boxes.

        Args:
            charged: Parts of which that is so, if not those that are moved.
        """
        layers, lights = self.model.redrawn(self.layers, Ts, moved, self.window), self.lights.copy()
        for p in moved:
            if self.unsure[p]:
                lights[p, :] = self._light(layers, p)
        found = compared(layers, self.window, self.picture, self.spread, lights, self.blur)
        hidden = sum(max(found.hidden[p] + self._outside(Ts, p) - self._known_hidden[p], 0.0) for p in charged or moved)
        return found.cost + _HIDDEN * hidden / 1000

    def _outside(self, Ts: np.ndarray, p: int) -> float:
        """Pixels of a part that are not in what is drawn."""
        points = self._points[p] @ Ts[p, :3, :3].T + Ts[p, :3, 3]
        pixels = points @ self.window.K_corner.T
        at, end = pixels[:, :2] / np.maximum(pixels[:, 2:], 1e-3), [self.window.width, self.window.height]
        inside = ((at >= 0) & (at < end)).all(1) & (pixels[:, 2] > 0)
        return float((1 - inside.mean()) * self.layers.alpha[p].sum())

    @cached_property
    def _known_hidden(self) -> np.ndarray:
        """(P,) pixels of each part that others hide where it was followed to; 0 where the picture hardly shows it."""
        hidden = compared(self.layers, self.window, self.picture, self.spread, self.lights, self.blur).hidden
        drawn = self.layers.alpha.sum(axis=(1, 2))
        return np.where(self.unsure | (hidden > (1 - _LEAST) * drawn), 0.0, hidden)

    @cached_property
    def _points(self) -> list[np.ndarray]:
        """(n, 3) some of each part's at rest."""
        own = [self.model.points[self.model.labels == p] for p in range(self.model.parts)]
        return [points[:: max(1, len(points) // _SOME)] for points in own]

    def _light(self, layers: Layers, p: int) -> np.ndarray:
        """(4,) under which most of a part's pixels that have its colour are as bright as the picture; else its own."""
        mask = layers.alpha[p] * layers.in_sight[p] > 0.5
        color, seen = layers.color[p][mask], self.picture.rgb[self.window.pixels][mask]
        gain = (seen * color).sum(1) / np.maximum((color * color).sum(1), 1e-3)
        off = np.linalg.norm(seen - gain[:, None] * color, axis=1)
        alike = (off < _TINT) & (gain > _SHADES[0]) & (gain < _SHADES[1])
        if np.count_nonzero(alike) < max(_FEW, _ALIKE * len(alike)):
            return self.lights[p]
        return np.array([np.median(gain[alike]), 0, 0, 0])
