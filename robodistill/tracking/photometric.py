"""How the picture's error changes with the parts' poses: the quadratic that a frame contributes to any solve.

Direct alignment of layers (compare Lucas & Kanade, 1981; Newcombe et al., "DTAM", ICCV 2011): the model is drawn once,
part by part, over the static background; a part's layer moves with the part, and its slope along that motion is the
derivative of the picture, at silhouettes, too. RSRD descends the same error by fifty steps of Adam through the
rasteriser; Gauss-Newton needs a handful of drawings, and its curvature says how sure each direction is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from robodistill.raster.rasterize import kernel_is_there
from robodistill.tracking import alignment, alignment_kernel
from robodistill.tracking.alignment import Compared, Scene
from robodistill.tracking.layers import Layers, Window
from robodistill.tracking.model import PartModel
from robodistill.tracking.picture import MARGIN, Picture, window_of

_LIGHT_STD = (0.03, 0.01, 0.01, 0.01)  # by which a part's light changes from frame to frame
_LIGHTS = [0.4, -0.6, -0.6, -0.6], [2.0, 0.6, 0.6, 0.6]  # that a part may be in
_IN_SIGHT = 0.15  # share of a part that a frame must agree with to tell its light


@dataclass(frozen=True, eq=False)
class Quadratic:
    """The error about given poses: `cost + g . x + x . H x / 2`, x (6 P,) the twists (v, omega) of all parts, on the
    left in the camera frame about the part's middle: see
    `articulation.moved_parts`. Units: squared standard deviations."""

    H: np.ndarray
    """(6 P, 6 P)."""
    g: np.ndarray
    """(6 P,)."""
    cost: float
    """Robust, of all the picture, less that of the background alone, in thousands of pixels: the poses of one frame
    compare by it. What covers the object costs the same wherever the object is thought to be behind it."""
    misfit: float
    """Robust, in [0, 1], mean over the pixels of the object: frames compare by it."""
    visible: np.ndarray
    """(P,) share of a part's drawn pixels that the frame agrees with."""
    area: np.ndarray
    """(P,) pixels."""
    lights: np.ndarray
    """(P, 4) brightness against the scan: `l0 + <l, normal>`, the normal in the field's coordinates at rest."""

    @property
    def sure_lights(self) -> np.ndarray:
        """(P, 4) the same; as in the scan for parts out of sight, as what is taken for them has another colour."""
        return np.where(self.visible[:, None] > _IN_SIGHT, self.lights, unlit(len(self.lights)))


def linearize(
    model: PartModel,
    Ts: np.ndarray,
    picture: Picture,
    spread: float,
    lights: np.ndarray | None = None,
    blur: float = 0.0,
) -> Quadratic:
    """The quadratic of one frame at part poses (P, 4, 4).

    Args:
        spread: Standard deviation of a right pixel's error, brightness in [0, 1].
        lights: (P, 4) brightness to start from; None for that of the scan.
        blur: Of picture and drawing, pixels: more is felt from further away. Such pictures are `Picture.half`.
    """
    parts = model.parts
    lights = unlit(parts) if lights is None else lights
    scene = _scene(model, Ts, picture, spread, lights, blur)
    if scene is None:
        nothing = np.zeros(parts)
        return Quadratic(np.zeros((6 * parts,) * 2), np.zeros(6 * parts), np.inf, 1.0, nothing, nothing, lights)
    middles = np.einsum("pij,pj->pi", Ts[:, :3, :3], model.centers) + Ts[:, :3, 3]
    compared, sums = _way().normal_equations(scene, middles)
    # light: near what it was, then solved for and out
    A, b, poses, light = sums.A, sums.b, slice(6 * parts), slice(6 * parts, None)
    A[light, light] += np.diag(np.tile(np.array(_LIGHT_STD) ** -2.0, parts))
    solved = np.linalg.solve(A[light, light], np.column_stack([A[light, poses], b[light]]))
    return Quadratic(
        H=A[poses, poses] - A[poses, light] @ solved[:, :-1],
        g=b[poses] - A[poses, light] @ solved[:, -1],
        cost=compared.cost,
        misfit=compared.misfit,
        visible=sums.visible,
        area=sums.area,
        lights=np.clip(lights - solved[:, -1].reshape(parts, 4), *_LIGHTS),
    )


def misfit(
    model: PartModel,
    Ts: np.ndarray,
    picture: Picture,
    spread: float,
    lights: np.ndarray | None,
    blur: float,
) -> float:
    """`linearize(...).cost` alone, which is several times cheaper."""
    scene = _scene(model, Ts, picture, spread, unlit(model.parts) if lights is None else lights, blur)
    return np.inf if scene is None else _way().compare(scene).cost


def compared(
    layers: Layers, window: Window, picture: Picture, spread: float, lights: np.ndarray, blur: float
) -> Compared:
    """`misfit` of what is drawn already, and what of it is hidden."""
    return _way().compare(Scene(layers, window, picture, lights, spread, blur))


def agreed(model: PartModel, Ts: np.ndarray, picture: Picture, spread: float, lights: np.ndarray) -> np.ndarray:
    """(H, W) of the picture, in [0, 1]: by how much each pixel agrees with parts at poses (P, 4, 4)."""
    scene, found = _scene(model, Ts, picture, spread, lights, 0.0), np.zeros(picture.rgb.shape[:2], np.float32)
    if scene is not None:
        found[scene.window.pixels] = alignment.agreement(scene)
    return found


def frame_costs(quadratics: Sequence[Quadratic]) -> np.ndarray:
    """(T,) of frames; nought where the object is not in one."""
    return np.array([q.cost if np.isfinite(q.cost) else 0.0 for q in quadratics])


def mean_cost(quadratics: Sequence[Quadratic]) -> float:
    """Mean of `frame_costs`."""
    return float(frame_costs(quadratics).mean())


def unlit(parts: int) -> np.ndarray:
    """(P, 4) lights of `Quadratic` as in the scan."""
    return np.tile([1.0, 0, 0, 0], (parts, 1))


def _scene(
    model: PartModel, Ts: np.ndarray, picture: Picture, spread: float, lights: np.ndarray, blur: float
) -> Scene | None:
    """The model at poses, if it is in the picture."""
    window = window_of(model, Ts, picture.camera, MARGIN // 2 if blur > 0 else MARGIN)  # blurred: of half the size
    return None if window is None else Scene(model.draw(Ts, window), window, picture, lights, spread, blur)


def _way():
    return alignment_kernel if kernel_is_there() else alignment
