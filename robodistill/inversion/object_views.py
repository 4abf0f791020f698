"""An object as small coloured masks from all around, and where in a picture one of them fits: pose hypotheses.

Template matching over the viewing sphere (compare LINE-MOD, Hinterstoisser et al., TPAMI 2012), for a field of one
object: every view, turned in the image, is a vector of soft colour classes over a small grid; every window of a
pyramid of the picture's foreground is one too; all pairs are compared at once by a matrix product. The measure is
Tanimoto's, so that what a template leaves unexplained near it speaks against it as much as what it lacks.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch

from robodistill.field.gaussians import GaussianField
from robodistill.field.render import low_pass, render
from robodistill.geometry.camera import Camera
from robodistill.inversion.foreground import color_space
from robodistill.inversion.minimal import Hypothesis
from robodistill.inversion.views import sphere, turned_to

_GRID = 28  # cells across a window
_FILLED = 18  # of them are the object's diameter
_FAR = 5.0  # distance of virtual cameras, in radii
_CLASSES = 6
_SHARP = 0.05  # spread of a colour class, as `color_space` measures
_LIGHT = 0.4  # of lightness beside colour in telling classes apart
_LEAST_PIXELS, _LEVELS = 16, 1.17  # smallest diameter looked for; ratio from one size to the next
_LARGEST = 1.1  # diameter relative to the shorter side of the picture
_WINDOWS = 4000  # that are compared at most


@dataclass(frozen=True, eq=False)
class ObjectViews:
    """V views, R rolls: (V R) templates."""

    center: np.ndarray
    """(3,) middle of the object, its own frame, metres."""
    radius: float
    """Of the sphere about it that holds it, metres."""
    rotations: np.ndarray
    """(V R, 3, 3) R_camera_object for an object on the optical axis."""
    templates: torch.Tensor
    """(V R, classes, G, G) float32."""
    classes: np.ndarray
    """(classes, 3) middles in the colour space, lightness already scaled."""
    colors: np.ndarray
    """(n, 3) RGB in [0, 1]: all that was seen of it."""


@torch.no_grad()
def make_object_views(field: GaussianField, views: int, rolls: int) -> ObjectViews:
    """Draw an object from all around.

    Args:
        field: The object alone.
        views: Directions, evenly over the sphere.
        rolls: Turns in the image.
    """
    points = field.means.cpu().numpy().astype(np.float64)
    center = 0.5 * (np.quantile(points, 0.01, 0) + np.quantile(points, 0.99, 0))
    radius = float(np.quantile(np.linalg.norm(points - center, axis=1), 0.99)) * 1.03
    side = 3 * _GRID
    focal = _FAR * _FILLED / 2 * 3
    camera = Camera.from_focal(focal, focal, (side - 1) / 2, (side - 1) / 2, side, side)
    pictures, alphas, turns = [], [], []
    for away in sphere(views):
        T = turned_to(center + _FAR * radius * away, center, np.eye(3))
        seen = render(field, camera, T, eps2d=low_pass(field, camera, _FAR * radius))
        pictures.append(_unblended(seen.rgb, seen.alpha, field.background))
        alphas.append(seen.alpha.numpy())
        turns.append(T[:3, :3].T)
    colors = np.concatenate([p[a > 0.9] for p, a in zip(pictures, alphas, strict=True)])
    classes = _color_classes(color_space(colors))
    templates, rotations = [], []
    for picture, alpha, R in zip(pictures, alphas, turns, strict=True):
        soft = _classed(color_space(picture), classes) * alpha[..., None]
        for angle in np.arange(rolls) * 2 * np.pi / rolls:
            c, s = np.cos(angle), np.sin(angle)
            spin = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
            middle = (side - 1) / 2
            to = np.array([[c, -s, middle - c * middle + s * middle], [s, c, middle - s * middle - c * middle]])
            turned = cv2.warpAffine(soft, to, (side, side), flags=cv2.INTER_LINEAR)
            templates.append(_resized(turned, (_GRID, _GRID)))
            rotations.append(spin @ R)
    stack = torch.from_numpy(np.stack(templates).astype(np.float32)).permute(0, 3, 1, 2).contiguous()
    return ObjectViews(center, radius, np.stack(rotations), stack, classes, colors)


def find_windows(
    views: ObjectViews, picture: np.ndarray, chance: np.ndarray, camera: Camera, most: int
) -> list[Hypothesis]:
    """The best fitting templates, no two nearly alike; poses are T_object_camera.

    Args:
        picture: (H, W, 3) of `color_space`.
        chance: (H, W) of the foreground.
        camera: Of the picture.
    """
    image = _classed(picture, views.classes) * chance[..., None]
    diameters = [_LEAST_PIXELS * _LEVELS**k for k in range(40)]
    diameters = [d for d in diameters if d < _LARGEST * min(chance.shape)]
    windows, places = [], []
    for diameter in diameters:
        windows_here, places_here = _windows(image, diameter)
        windows.append(windows_here)
        places.append(places_here)
    windows, places = torch.cat(windows), np.concatenate(places)
    flat = views.templates.flatten(1)
    own = flat.square().sum(1)
    energy = windows.square().sum(1)
    # a window with next to nothing in it, or far more than any view has, holds no good fit
    good = (energy > 0.15 * own.quantile(0.1)) & (energy < 3 * own.max())
    keep = torch.nonzero(good)[:, 0]
    if len(keep) > _WINDOWS:
        bound = torch.minimum(energy[keep], own.median()) / torch.maximum(energy[keep], own.median())
        keep = keep[bound.topk(_WINDOWS).indices]
    if not len(keep):
        return []
    both = windows[keep] @ flat.mT
    score = both / (energy[keep, None] + own[None] - both)
    top = score.flatten().topk(min(40 * most, score.numel()))
    kept: list[Hypothesis] = []
    for value, k in zip(top.values.tolist(), top.indices.tolist(), strict=True):
        u, v, diameter = places[keep[k // len(flat)]]
        T = _pose(views, k % len(flat), u, v, diameter, camera)
        if all(is_apart(T, h.T_world_camera, views) for h in kept):
            kept.append(Hypothesis(T, value, "templates"))
            if len(kept) == most:
                break
    return kept


def _windows(image: np.ndarray, diameter: float) -> tuple[torch.Tensor, np.ndarray]:
    """(n, classes G G) windows of an image in which an object of that diameter fills a template, and (n, 3) places."""
    h, w = image.shape[:2]
    scale = _FILLED / diameter
    size = max(round(w * scale), 1), max(round(h * scale), 1)
    small = _resized(image, size)
    half = _GRID // 2
    padded = cv2.copyMakeBorder(small, half, half, half, half, cv2.BORDER_CONSTANT, value=0)
    mass = cv2.boxFilter(padded.sum(-1), -1, (_FILLED, _FILLED), borderType=cv2.BORDER_CONSTANT)
    vs, us = np.meshgrid(np.arange(0, size[1], 2), np.arange(0, size[0], 2), indexing="ij")
    vs, us = vs.ravel(), us.ravel()
    enough = mass[vs + half, us + half] > 0.05
    vs, us = vs[enough], us[enough]
    view = np.lib.stride_tricks.sliding_window_view(padded, (_GRID, _GRID), axis=(0, 1))
    made = np.ascontiguousarray(view[vs, us]).reshape(len(vs), image.shape[-1] * _GRID**2).astype(np.float32)
    # a window's middle lies between cells
    places = np.stack([(us - 0.5 + 0.5) * w / size[0] - 0.5, (vs - 0.5 + 0.5) * h / size[1] - 0.5], 1)
    return torch.from_numpy(made), np.concatenate([places, np.full((len(places), 1), diameter)], 1)


def _resized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """An image of any number of channels at another size, averaged where it is made smaller."""
    how = cv2.INTER_AREA if size[0] < image.shape[1] else cv2.INTER_LINEAR
    return np.dstack([cv2.resize(image[..., c], size, interpolation=how) for c in range(image.shape[-1])])


def _pose(views: ObjectViews, k: int, u: float, v: float, diameter: float, camera: Camera) -> np.ndarray:
    """(4, 4) T_object_camera of template k seen with that diameter about the pixel (u, v)."""
    fx, fy = camera.K[0, 0], camera.K[1, 1]
    ray = np.array([(u - camera.K[0, 2]) / fx, (v - camera.K[1, 2]) / fy, 1.0])
    z = 2 * views.radius * np.sqrt(fx * fy) / diameter
    axis = np.cross([0, 0, 1.0], ray)
    angle = np.arctan2(np.linalg.norm(axis), ray[2])
    turn = cv2.Rodrigues(axis / max(np.linalg.norm(axis), 1e-12) * angle)[0]
    T = np.eye(4)
    T[:3, :3] = turn @ views.rotations[k]
    T[:3, 3] = z * ray - T[:3, :3] @ views.center
    return np.linalg.inv(T)


def is_apart(T_a: np.ndarray, T_b: np.ndarray, views: ObjectViews) -> bool:
    """Whether two poses T_object_camera differ by more than about what refining them bridges."""
    a, b = (np.linalg.inv(T) for T in (T_a, T_b))
    angle = np.arccos(np.clip((np.trace(a[:3, :3] @ b[:3, :3].T) - 1) / 2, -1, 1))
    off = (a - b)[:3, :3] @ views.center + (a - b)[:3, 3]
    depth = abs(off[2]) / (a[2, :3] @ views.center + a[2, 3])
    return bool(angle > 0.3 or np.linalg.norm(off[:2]) > 0.25 * views.radius or depth > 0.15)


def _color_classes(colors: np.ndarray) -> np.ndarray:
    """(classes, 3) typical colours, lightness scaled."""
    points = _scaled(colors).reshape(-1, 3)
    points = np.ascontiguousarray(points[:: max(1, len(points) // 4000)], np.float32)
    cv2.setRNGSeed(0)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_MAX_ITER, 20, 1e-4)
    return cv2.kmeans(points, min(_CLASSES, len(points)), None, criteria, 3, cv2.KMEANS_PP_CENTERS)[2]


def _classed(picture: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """(H, W, classes) soft membership of unit length."""
    away = np.square(_scaled(picture)[..., None, :] - classes).sum(-1)
    soft = np.exp(-(away - away.min(-1, keepdims=True)) / (2 * _SHARP**2))
    return (soft / np.linalg.norm(soft, axis=-1, keepdims=True)).astype(np.float32)


def _scaled(colors: np.ndarray) -> np.ndarray:
    return colors * np.float32([_LIGHT, 1, 1])


def _unblended(rgb: torch.Tensor, alpha: torch.Tensor, background: tuple[float, float, float]) -> np.ndarray:
    """(H, W, 3) the object's colour where it is thin too."""
    a = alpha[..., None]
    own = (rgb - (1 - a) * rgb.new_tensor(background)) / a.clamp_min(1e-3)
    return own.clamp(0, 1).cpu().numpy()
