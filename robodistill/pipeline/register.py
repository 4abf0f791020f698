"""Where does the object of a field stand on a robot's table? From one view of the robot's camera.

It is looked for in six degrees of freedom, from hypotheses that stand (`inversion.table_finder`); that what is found
stands upright on the table is then evidence, and at last taken for granted.
"""

import json
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from robodistill.capture.frame import Frame
from robodistill.capture.resize import limit_size
from robodistill.capture.write import write_png, write_whole
from robodistill.errors import BadInput, HonestNo
from robodistill.field.gaussians import GaussianField
from robodistill.field.standing import standing_object
from robodistill.grasp.surface import field_surface
from robodistill.inversion.estimate import PoseEstimate
from robodistill.inversion.object_fit import draw_object
from robodistill.inversion.table_finder import TableFinder
from robodistill.inversion.upright import Standing
from robodistill.pipeline.locate import read_frame
from robodistill.pipeline.picture import read_pose
from robodistill.progress import Progress, silent
from robodistill.robots.hand_eye import WORLD, HandEye, read_joints
from robodistill.robots.robot import load_robot
from robodistill.tracking.foot import FEET, without_feet

TILT = np.radians(12)
"""An object that seems to lean further than this is not believed, rad."""
LIFT = 0.03
"""Nor one that seems to float or to be sunk further than this, metres."""
SURE = 0.78
"""Confidence from which an answer is believed; what looks nearly the same from behind had up to 0.74 the wrong way."""
_LONGEST = 480  # pixels of a side that are used


@dataclass(frozen=True, eq=False)
class Registration:
    """Where an object stands; to be acted upon only where `reason` is empty."""

    T_world_object: np.ndarray | None
    """(4, 4) the field's coordinates to the robot's world, upright on the table; None where nothing was found."""
    estimate: PoseEstimate
    """Before it was set upright; `T_camera_world` is T_camera_object."""
    tilt: float
    """How far the estimate leaned, rad."""
    lift: float
    """How far it was above the table, metres."""
    reason: str
    """Why it is not believed; empty where it is."""
    seconds: float

    def as_values(self) -> dict:
        """Plain numbers and lists."""
        return {
            "T_world_object": None if self.T_world_object is None else self.T_world_object.tolist(),
            "confidence": self.estimate.confidence,
            "tilt_deg": float(np.degrees(self.tilt)),
            "lift_mm": 1000 * self.lift,
            "reason": self.reason,
            "seconds": self.seconds,
        }

    def save(self, path: Path, overwrite: bool = False) -> Path:
        """Write JSON that `plan --pose` reads.

        Raises:
            BadInput: The file exists and `overwrite` is not given.
            HonestNo: It is not believed.
        """
        if self.reason:
            raise HonestNo(self.reason, self.as_values())
        path = Path(path)
        if path.exists() and not overwrite:
            raise BadInput(f"{path} exists; give another name or --overwrite")
        write_whole(path, json.dumps(self.as_values(), indent=1).encode())
        return path


def register_object(
    field: GaussianField,
    frame: Frame,
    T_world_camera: np.ndarray,
    table: float = 0.0,
    progress: Progress = silent,
) -> Registration:
    """Find the object that a field was scanned of on a robot's table.

    Args:
        field: Of an object that stands on a surface (`field.standing`).
        frame: Of the robot's camera; with depth the answer is exacter and faster.
        T_world_camera: (4, 4) where the camera is in the robot's world, see `robots.hand_eye`; z is up.
        table: Height of the table, world frame, metres.

    Raises:
        HonestNo: The field shows nothing that stands on a surface.
    """
    start = time.perf_counter()
    frame = limit_size(frame, _LONGEST)
    keep = standing_object(field)
    thing = without_feet(field, keep.numpy())[FEET[0]].select(keep)  # a foot is mixed with the shadow it was scanned in
    it = Standing.of_field(thing, field_surface(field).plane)
    found = TableFinder(it).find_standing(frame, T_world_camera, table, progress)
    if found.T_camera_world is None:
        return Registration(None, found, 0.0, 0.0, found.reason, time.perf_counter() - start)
    T = T_world_camera @ found.T_camera_world
    tilt, lift = it.tilt(T), it.lift(T, table)
    reasons = [found.reason] if found.reason else []
    if found.converged and found.confidence < SURE:
        reasons.append(f"its confidence is {found.confidence:.2f}, below {SURE}: it may look alike from another side")
    if tilt > TILT:
        reasons.append(f"it seems to lean by {np.degrees(tilt):.0f} degrees, and it should stand")
    elif abs(lift) > LIFT:
        reasons.append(f"it seems to be {abs(100 * lift):.1f} cm {'above' if lift > 0 else 'below'} the table")
    set_upright = _upright(it, found, T_world_camera, table)
    return Registration(set_upright, found, tilt, lift, "; ".join(reasons), time.perf_counter() - start)


def _upright(it: Standing, found: PoseEstimate, T_world_camera: np.ndarray, table: float) -> np.ndarray:
    """(4, 4) T_world_object of the thing on the table that is likeliest, given an estimate and its covariance."""
    T_camera_object = found.T_camera_world
    information = np.linalg.pinv(found.covariance, hermitian=True)
    root = np.linalg.cholesky(information + 1e-9 * max(np.trace(information), 1e-6) * np.eye(6)).T

    def off(seat: np.ndarray) -> np.ndarray:
        T = T_camera_object @ np.linalg.inv(it.placed(*seat, table)) @ T_world_camera
        return root @ np.concatenate([T[:3, 3], Rotation.from_matrix(T[:3, :3]).as_rotvec()])

    start = np.array(it.seat(T_world_camera @ T_camera_object))
    return it.placed(*least_squares(off, start, x_scale=[0.01, 0.01, 0.05]).x, table)


@dataclass(frozen=True)
class CameraPlace:
    """Where `register` has the camera's pose from: a file with it, or a calibration and the robot's joint values."""

    pose: Path | None = None
    """JSON with `T_world_camera` (4x4)."""
    hand_eye: Path | None = None
    """JSON of `robots.hand_eye`."""
    robot: str = "yumi"
    joints: Path | None = None
    """JSON, a list in the order of the robot's joints or values by name, rad; needed where the camera is on a link."""

    def T_world_camera(self, field: GaussianField) -> np.ndarray:
        """(4, 4).

        Raises:
            BadInput: Neither or both are given, or a file is not what it should be.
        """
        if (self.pose is None) == (self.hand_eye is None):
            raise BadInput("where is the camera? give its pose or a hand-eye calibration, one of them")
        if self.pose is not None:
            return read_pose(self.pose, field)[1]
        known = HandEye.load(self.hand_eye)
        if known.frame == WORLD:
            return known.T_world_camera()
        robot = load_robot(self.robot)
        return known.T_world_camera(robot, None if self.joints is None else read_joints(self.joints, robot))


def register_image(
    field_path: Path,
    image: Path,
    intrinsics: Path,
    place: CameraPlace,
    *,
    depth: Path | None = None,
    depth_unit: float = 0.001,
    table: float = 0.0,
    out: Path | None = None,
    picture: Path | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Registration:
    """`register_object` on files.

    Args:
        intrinsics: JSON with K (3x3), width, height.
        depth: 16-bit PNG along the optical axis, as the colour camera sees it.
        depth_unit: Metres per count of it.
        out: JSON for `plan --pose`.
        picture: PNG to draw what was found into, also where it is not believed.

    Raises:
        BadInput: A file is not there or not what it should be, or one to be written exists.
        HonestNo: It was not found, or what was found is not believed; `answer` is what is known.
    """
    for file in (out, picture):
        if file is not None and Path(file).exists() and not overwrite:
            raise BadInput(f"{file} exists; give another name or --overwrite")
    field = GaussianField.load(field_path)
    frame = read_frame(image, depth, intrinsics, field, depth_unit)
    T_world_camera = place.T_world_camera(field)
    found = register_object(field, frame, T_world_camera, table, progress)
    if picture is not None:
        write_png(Path(picture), registered_picture(field, frame, T_world_camera, found)[:, :, ::-1])
    if found.reason:
        raise HonestNo(f"{image}: {found.reason}", found.as_values())
    if out is not None:
        found.save(out, overwrite)
    return found


@torch.no_grad()
def registered_picture(
    field: GaussianField, frame: Frame, T_world_camera: np.ndarray, found: Registration
) -> np.ndarray:
    """(H, W, 3) uint8: the frame with the outline of the object where it was found."""
    shown = frame.rgb.copy()
    if found.T_world_object is not None:
        T = np.linalg.inv(found.T_world_object) @ T_world_camera
        inside = draw_object(field.select(standing_object(field)), frame.camera, T).alpha > 0.5
        outlines = cv2.findContours(inside.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)[0]
        cv2.drawContours(shown, outlines, -1, (255, 0, 255), 1)
    return shown
