"""An object's pose, refined in a picture: Gauss-Newton on its outline and on its colours together.

The outline is compared as a soft mask with the chance that a pixel is of the object (region-based, compare Prisacariu &
Reid, "PWP3D", IJCV 2012; Stoiber et al., "SRT3D", IJCV 2022), which is what tells the pose of plain things; colours
inside it tell what the outline leaves open. Both move as the rendered surface does, beyond its edge as the nearest
point of it, so that one rendering a step is enough. Robust weights forgive what hides the object.
"""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import torch

from robodistill.field.gaussians import GaussianField
from robodistill.field.render import low_pass, render
from robodistill.geometry.camera import Camera
from robodistill.inversion.foreground import color_space
from robodistill.inversion.twist import moved, pixel_motion, skew
from robodistill.inversion.verify import exposure

_OUTLINE = 0.1  # error of the outline that is usual
_COLOR = 0.02  # of colours, at least
_COLOR_SHARE = 1.0  # weight of a pixel's colours beside its outline
_ALIKE = (0.1, 0.04, 0.04)  # differences of lightness and colour that are still alike
_CONTRARY = 0.16  # difference of colour that no light explains
_PLAIN = 1e-4  # variance of brightness that correlates with nothing
_LONGEST = 0.25  # step, in radii and rad


@dataclass(frozen=True, eq=False)
class Sight:
    """A picture and where in it the object may be."""

    camera: Camera
    rgb: np.ndarray
    """(H, W, 3) float32 in [0, 1]."""
    chance: np.ndarray
    """(H, W) float32 that a pixel is of the object."""

    def resized(self, scale: float) -> "Sight":
        """The same, smaller."""
        camera = self.camera.resized(round(self.camera.width * scale), round(self.camera.height * scale))
        size = camera.width, camera.height
        if size == (self.camera.width, self.camera.height):
            return self
        return Sight(camera, *(cv2.resize(x, size, interpolation=cv2.INTER_AREA) for x in (self.rgb, self.chance)))


@dataclass(frozen=True, eq=False)
class Drawn:
    """An object as a pose shows it."""

    rgb: np.ndarray
    """(H, W, 3) its own colour, whatever is behind it."""
    alpha: np.ndarray
    depth: np.ndarray
    """(H, W) metres, 0 outside of it."""


@torch.no_grad()
def draw_object(field: GaussianField, camera: Camera, T_object_camera: np.ndarray) -> Drawn:
    """Render an object alone."""
    middle = field.means.mean(0).cpu().numpy() - T_object_camera[:3, 3]
    seen = render(field, camera, T_object_camera, eps2d=low_pass(field, camera, middle @ T_object_camera[:3, 2]))
    alpha = seen.alpha.cpu().numpy()
    behind = (1 - alpha[..., None]) * np.float32(field.background)
    own = (seen.rgb.cpu().numpy() - behind) / np.maximum(alpha[..., None], 1e-3)
    return Drawn(np.clip(own, 0, 1), alpha, seen.depth.cpu().numpy())


@dataclass(frozen=True, eq=False)
class Fit:
    """Where a few steps led."""

    T_object_camera: np.ndarray
    information: np.ndarray
    """(6, 6) inverse covariance of the camera's twist on the right."""


def fit_pose(
    field: GaussianField,
    sight: Sight,
    T_object_camera: np.ndarray,
    center: np.ndarray,
    radius: float,
    steps: int,
    blur: float,
    forgiving: float,
    color_share: float = _COLOR_SHARE,
) -> Fit:
    """The pose near the given one at which outline and colours fit best.

    Args:
        field: The object alone.
        sight: Of the size to work at.
        center, radius: Of the object, in its own frame, metres.
        steps: At most.
        blur: Sigma, pixels, of both pictures.
        forgiving: Error of the outline from which a place counts as hidden: 1 for never, 0.3 at the end.
        color_share: Weight of colours.
    """
    T, information = T_object_camera, np.zeros((6, 6))
    sure = np.abs(2 * sight.chance - 1) + 0.05
    wanted = cv2.GaussianBlur(sight.chance * sure, (0, 0), blur) / cv2.GaussianBlur(sure, (0, 0), blur)
    sure = cv2.GaussianBlur(sure, (0, 0), blur)
    image = cv2.GaussianBlur(sight.rgb, (0, 0), max(0.6, 0.5 * blur))
    for _ in range(steps):
        drawn = draw_object(field, sight.camera, T)
        solid = drawn.depth > 0
        if solid.sum() < 12:
            break
        box = _around(solid, int(3 * blur) + 2)
        points = _carried_on(sight.camera, drawn.depth, solid, box)
        flow = pixel_motion(points.reshape(-1, 3), sight.camera.K)
        middle = np.linalg.inv(T)[:3, :3] @ center + np.linalg.inv(T)[:3, 3]
        # twists of the object about its own middle, translations in radii: nearly independent of each other
        turn = np.block([[-radius * np.eye(3), -skew(middle)], [np.zeros((3, 3)), -np.eye(3)]])
        A, b = _outline(drawn.alpha, wanted, sure, flow @ turn, box, blur, forgiving)
        if color_share:
            more_A, more_b = _colors(drawn, image, sight.chance, flow @ turn, box, blur)
            A, b = A + color_share * more_A, b + color_share * more_b
        step = -np.linalg.solve(A + np.diag(1e-2 * np.diag(A) + 1e-6 * np.trace(A) + 1e-9), b)
        step *= min(1.0, _LONGEST / max(np.abs(step).max(), 1e-12))
        back = np.linalg.inv(turn)
        information = back.T @ A @ back
        T = moved(T, turn @ step)
        if np.abs(step).max() < 1e-3:
            break
    return Fit(T, information)


def _outline(alpha, wanted, sure, flow, box, blur, forgiving):
    """Normal equations of the soft mask."""
    soft = cv2.GaussianBlur(alpha, (0, 0), blur)
    dx, dy = (cv2.Scharr(soft, cv2.CV_32F, *axis, scale=1 / 32)[box].ravel() for axis in ((1, 0), (0, 1)))
    residual = (soft - wanted)[box].ravel()
    steep = np.hypot(dx, dy) > 1e-3
    J = -(dx[steep, None] * flow[steep, 0] + dy[steep, None] * flow[steep, 1])
    r = residual[steep]
    # the object may be hidden where it should be seen; seen where it should not be is an error of the pose
    bound = np.where(r > 0, forgiving, 2 * forgiving)
    weight = np.square(1 / (1 + np.square(r / bound))) * sure[box].ravel()[steep] / _OUTLINE**2 / blur
    return J.T @ (J * weight[:, None]), J.T @ (weight * r)


def _colors(drawn, image, chance, flow, box, blur):
    """Normal equations of the colours inside."""
    inner = cv2.erode((drawn.alpha > 0.9).astype(np.uint8), np.ones((3, 3), np.uint8))[box].ravel() > 0
    inner &= chance[box].ravel() > 0.3
    if inner.sum() < 30:
        return np.zeros((6, 6)), np.zeros(6)
    whole = drawn.rgb * drawn.alpha[..., None] + image * (1 - drawn.alpha[..., None])
    rendered = cv2.GaussianBlur(whole, (0, 0), max(0.6, 0.5 * blur))
    gain, offset = exposure(rendered[box].reshape(-1, 3)[inner], image[box].reshape(-1, 3)[inner])
    rendered = gain * rendered + offset
    A, b = np.zeros((6, 6)), np.zeros(6)
    for c in range(3):
        mean = np.ascontiguousarray(0.5 * (rendered[..., c] + image[..., c]), np.float32)
        dx, dy = (cv2.Scharr(mean, cv2.CV_32F, *axis, scale=1 / 32)[box].ravel()[inner] for axis in ((1, 0), (0, 1)))
        r = (rendered[..., c] - image[..., c])[box].ravel()[inner]
        J = -(dx[:, None] * flow[inner, 0] + dy[:, None] * flow[inner, 1])
        sigma = max(1.4826 * float(np.median(np.abs(r))), _COLOR)
        weight = np.square(np.maximum(1 - np.square(r / (4 * sigma)), 0)) / sigma**2
        A += J.T @ (J * weight[:, None])
        b += J.T @ (weight * r)
    return A, b


def _around(solid: np.ndarray, margin: int) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(solid.any(1)), np.flatnonzero(solid.any(0))
    h, w = solid.shape
    return (
        slice(max(rows[0] - margin, 0), min(rows[-1] + margin + 1, h)),
        slice(max(columns[0] - margin, 0), min(columns[-1] + margin + 1, w)),
    )


def _carried_on(camera: Camera, depth: np.ndarray, solid: np.ndarray, box: tuple[slice, slice]) -> np.ndarray:
    """(h, w, 3) camera points of a box; where there is no surface, at the depth of the nearest that there is."""
    inside = solid[box]
    labels = cv2.distanceTransformWithLabels(
        (~inside).astype(np.uint8), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )[1]
    z = np.zeros(labels.max() + 1, np.float32)
    z[labels[inside]] = depth[box][inside]
    return _rays(camera.width, camera.height, camera.K.tobytes())[box] * z[labels][..., None]


@lru_cache(8)
def _rays(width: int, height: int, K: bytes) -> np.ndarray:
    return Camera(np.frombuffer(K).reshape(3, 3), width, height).rays()


def agreement(drawn: Drawn, sight: Sight) -> dict[str, float]:
    """How well an object drawn at a pose fits what is seen: `overlap`, `color`, `structure`, at most 1; and `contrary`,
    the share of it with marks of clearly another colour."""
    a, p = drawn.alpha, sight.chance
    reach = max(int(np.sqrt(a.sum()) / 3), 2)
    near = cv2.dilate((a > 0.5).astype(np.uint8), np.ones((3, 3), np.uint8), iterations=reach) > 0
    either = max(float(a.sum() + (p * (1 - a))[near].sum()), 1e-6)
    overlap = float((a * p).sum()) / either
    inside = (a > 0.9) & (p > 0.3)
    if inside.sum() < 30:
        return {"overlap": overlap, "color": 0.0, "structure": 0.0, "contrary": 0.0}
    gain, offset = exposure(drawn.rgb[inside], sight.rgb[inside])
    exposed = np.clip(gain * drawn.rgb + offset, 0, 1).astype(np.float32)
    off = color_space(exposed) - color_space(sight.rgb)
    color = float((a * p * np.exp(-np.square(off / np.float32(_ALIKE)).sum(-1) / 2)).sum()) / either
    marks = ((np.linalg.norm(off[..., 1:], axis=-1) > _CONTRARY) & inside).astype(np.uint8)
    contrary = float(cv2.morphologyEx(marks, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)).sum() / inside.sum())
    rendered, seen = (x.mean(-1)[inside] for x in (exposed, sight.rgb))
    rendered, seen = rendered - rendered.mean(), seen - seen.mean()
    spread = np.sqrt((np.square(rendered).mean() + _PLAIN) * (np.square(seen).mean() + _PLAIN))
    structure = float((rendered * seen).mean() / spread)
    return {"overlap": overlap, "color": color, "structure": structure, "contrary": contrary}


def likeness(evidence: dict[str, float]) -> float:
    """What of `agreement` speaks for a pose, as one number."""
    return evidence["color"] + 0.5 * evidence["overlap"] + 0.3 * evidence["structure"]
