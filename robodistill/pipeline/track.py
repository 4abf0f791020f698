"""The verb `track` on files: a field and a film; the motion, a film of it over the original, a URDF."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from robodistill.capture.video import Video, read_video, write_video
from robodistill.config import TrackingConfig
from robodistill.errors import BadInput
from robodistill.field.gaussians import GaussianField
from robodistill.geometry.camera import Camera
from robodistill.pipeline.locate import read_intrinsics
from robodistill.progress import Progress, silent
from robodistill.report.pictures import label_colors
from robodistill.tracking.layers import Window
from robodistill.tracking.model import PartModel
from robodistill.tracking.motion import PartMotion
from robodistill.tracking.segments import grouped
from robodistill.tracking.track import Method, track_parts


@dataclass(frozen=True)
class TrackOptions:
    """What `track` can be told beside its files."""

    scale: int | None = None
    """Scale of the field's groups whose parts are followed as they are; None finds parts by their motion."""
    every: int = 1
    """Take every n-th frame."""
    longest: int = 480
    """Reduce frames whose longer side has more pixels."""
    urdf: Path | None = None
    """Folder for the articulated object."""
    film: Path | None = None
    """MP4 of the motion over the film, and from another side."""
    overwrite: bool = False
    method: Method = "ours"
    """`rsrd` follows as Kerr et al. (CoRL 2024) do, see `tracking.rsrd`."""


def read_film_camera(path: Path) -> Camera:
    """The camera of a film: `demo_camera.json` of the simulator (fl_x ...), or JSON with K, width, height.

    Raises:
        BadInput: Neither.
    """
    try:
        values = json.loads(Path(path).read_text())
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BadInput(f"{path} cannot be read as intrinsics: {error}") from None
    if "fl_x" not in values:
        return read_intrinsics(path)
    try:
        fx, fy, cx, cy = (float(values[key]) for key in ("fl_x", "fl_y", "cx", "cy"))
        K = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
        return Camera.from_corner(K, int(values["w"]), int(values["h"]))
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f"{path}: fl_x, fl_y, cx, cy, w, h are needed; {error!r}") from None


def track_film(
    field_path: Path,
    film: Path,
    intrinsics: Path,
    out: Path,
    options: TrackOptions | None = None,
    config: TrackingConfig | None = None,
    progress: Progress = silent,
) -> PartMotion:
    """Follow a scanned object's parts through a film and write the motion.

    Raises:
        BadInput: A file is not there or not what it should be, or `out` exists.
        HonestNo: The object is not in the film.
    """
    options = options or TrackOptions()
    if Path(out).exists() and not options.overwrite:
        raise BadInput(f"{out} exists; give another name or --overwrite")
    field = GaussianField.load(field_path)
    if options.scale is not None:
        scales = 0 if field.groups is None else field.groups.shape[1]
        if not 0 <= options.scale < scales:
            raise BadInput(f"--scale {options.scale}: this field has {scales} scales of parts (robodistill parts)")
    camera, video = read_film_camera(intrinsics), read_video(film, options.every, options.longest)
    height, width = video.frames[0].shape[:2]
    if abs(width / height - camera.width / camera.height) > 0.02:
        raise BadInput(f"{film} is {width}x{height}, its camera {camera.width}x{camera.height}: other shapes")
    camera = camera.resized(width, height)
    labels = None if options.scale is None else grouped(field, options.scale)
    motion = track_parts(
        *(field, labels, None, video.frames, video.times, camera),
        config=config,
        method=options.method,
        progress=progress,
    )
    motion.save(out, options.overwrite)
    if options.film is not None:
        write_film(options.film, field, motion, video)
    if options.urdf is not None:
        from robodistill.tracking.urdf import export_urdf

        export_urdf(field, motion, options.urdf)
    return motion


def overlay(model: PartModel, motion: PartMotion, frame: np.ndarray, k: int) -> np.ndarray:
    """(H, W, 3) uint8: a frame with the outline of each part, in its colour, and a hold as a filled one."""
    import cv2

    window = Window(motion.camera, 0, 0, motion.camera.width, motion.camera.height)
    layers = model.draw(motion.Ts_camera_part[k], window)
    sight, colors = layers.in_sight * layers.alpha, label_colors(np.arange(1, model.parts + 1))
    image = frame.copy()
    for p in range(model.parts):
        mask = (sight[p] > 0.5).astype(np.uint8)
        color = tuple(int(c) for c in colors[p])
        if motion.held[k, p]:
            image[mask > 0] = (0.6 * image[mask > 0] + 0.4 * np.array(color)).astype(np.uint8)
        contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(image, contours, -1, color, 1)
    return image


def write_film(path: Path, field: GaussianField, motion: PartMotion, video: Video) -> None:
    """MP4: left the film with the parts' outlines, right the moved field alone from a side."""
    model = PartModel.of(field, motion.labels)
    side = _from_the_side(model, motion)
    frames = []
    for k, frame in enumerate(video.frames):
        layers = model.draw(
            side @ motion.Ts_camera_part[k], Window(motion.camera, 0, 0, frame.shape[1], frame.shape[0])
        )
        alone = np.clip(layers.over(layers.color, np.ones((*frame.shape[:2], 3), np.float32)) * 255, 0, 255)
        pair = np.hstack([overlay(model, motion, frame, k), alone.astype(np.uint8)])
        frames.append(pair[: pair.shape[0] // 2 * 2, : pair.shape[1] // 2 * 2])
    fps = max(1, round((len(motion) - 1) / max(motion.times[-1] - motion.times[0], 1e-3)))
    write_video(path, frames, fps)


def _from_the_side(model: PartModel, motion: PartMotion) -> np.ndarray:
    """(4, 4) T_side_camera: half a right angle around the object, about the film's up."""
    from scipy.spatial.transform import Rotation

    points = model.posed_points(motion.Ts_camera_part[len(motion) // 2])
    middle = points.mean(0)
    T = np.eye(4)
    T[:3, :3] = Rotation.from_rotvec([0, np.pi / 4, 0]).as_matrix()
    T[:3, 3] = middle - T[:3, :3] @ middle
    return T
