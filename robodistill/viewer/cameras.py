"""Between a browser's camera and ours; where to look from at first."""

import numpy as np
from scipy.spatial.transform import Rotation

from robodistill.field.gaussians import GaussianField
from robodistill.geometry.camera import Camera


def browser_camera(state: object, max_side: int) -> tuple[Camera, np.ndarray]:
    """Camera, at most `max_side` pixels wide and high, and T_world_camera of what a browser shows (viser's handle).

    viser's cameras have our axes: x right, y down, z forward.
    """
    width, height = max(state.image_width, 16), max(state.image_height, 16)
    shrink = min(1.0, max_side / max(width, height))
    size = max(round(width * shrink), 1), max(round(height * shrink), 1)
    T = np.eye(4)
    T[:3, :3] = Rotation.from_quat(np.asarray(state.wxyz), scalar_first=True).as_matrix()
    T[:3, 3] = state.position
    return Camera.from_fov(state.fov, *size), T


def look_through(state: object, camera: Camera, T_world_camera: np.ndarray, target: np.ndarray) -> None:
    """Set a browser's camera to one of ours; it turns about the point of its axis that is nearest to `target` (3,).

    The horizon stays level: who wants the camera's roll sets `up_direction` too.
    """
    forward = T_world_camera[:3, 2]
    distance = max(float((target - T_world_camera[:3, 3]) @ forward), 0.05)
    state.position = T_world_camera[:3, 3]
    state.look_at = T_world_camera[:3, 3] + distance * forward
    state.fov = 2 * float(np.arctan(camera.height / 2 / camera.K[1, 1]))


def first_look(field: GaussianField) -> tuple[Camera, np.ndarray, np.ndarray]:
    """Camera, T_world_camera and the point (3,) it looks at: the field's view that is nearest to all others.

    Of a field without views, from obliquely above.
    """
    middle = field.means.median(0).values.cpu().numpy().astype(float)
    if field.views:
        places = np.array([view.T_world_camera[:3, 3] for view in field.views])
        best = field.views[int(np.linalg.norm(places[:, None] - places, axis=-1).sum(1).argmin())]
        return best.camera, best.T_world_camera, middle
    reach = float((field.means - field.means.median(0).values).abs().quantile(0.9)) + 0.05
    return Camera.from_fov(1.0, 640, 480), looking_at(middle + reach * np.array([0.0, -2.5, 2.0]), middle), middle


def world_up(field: GaussianField) -> np.ndarray:
    """(3,) up: against the mean of what is down in the views, or the axis within 40 degrees of that."""
    if not field.views:
        return np.array([0.0, 0.0, 1.0])
    up = -np.mean([view.T_world_camera[:3, 1] for view in field.views], axis=0)
    up /= max(float(np.linalg.norm(up)), 1e-9)
    axis = int(np.abs(up).argmax())
    return np.eye(3)[axis] * np.sign(up[axis]) if abs(up[axis]) > np.cos(np.radians(40)) else up


def looking_at(position: np.ndarray, target: np.ndarray, up: np.ndarray | None = None) -> np.ndarray:
    """(4, 4) T_world_camera at a position, towards a target, (3,) each."""
    forward = (target - position) / np.linalg.norm(target - position)
    right = np.cross(forward, np.array([0.0, 0.0, 1.0]) if up is None else up)
    right /= max(float(np.linalg.norm(right)), 1e-9)
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = np.stack([right, np.cross(forward, right), forward], 1), position
    return T


def wxyz_xyz(T: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Quaternion (4,) and position (3,) of a rigid (4, 4)."""
    return Rotation.from_matrix(T[:3, :3]).as_quat(scalar_first=True), T[:3, 3]
