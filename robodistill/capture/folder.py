"""The nerfstudio-style folder: `transforms.json`, `images/`, `depth/`; reader and writer.

The format (docs.nerf.studio, "Data conventions") keeps OpenGL camera-to-world matrices and a principal point with the
origin at the corner of the first pixel; both are converted here and nowhere else. Images with lens distortion are
undistorted when they are read. Besides the format's keys, `depth_unit_scale_factor` (metres per count) and a frame's
`stamp` (seconds) are read and written. Fisheye models are left out.
"""

import json
import math
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from robodistill.capture.decode import read_depth, read_rgb
from robodistill.capture.frame import Capture, Frame
from robodistill.capture.pose import as_numbers, rigid
from robodistill.capture.read import inside, read_json
from robodistill.capture.undistort import undistort
from robodistill.capture.write import make_output, write_png, write_whole
from robodistill.errors import BadDepth, BadInput, BadIntrinsics, BadMetadata, EmptyCapture, WrongSize
from robodistill.geometry.camera import FLIP_YZ, Camera

INDEX = "transforms.json"
_LENS = ("k1", "k2", "p1", "p2", "k3")  # the order OpenCV wants
_PINHOLE_MODELS = ("PINHOLE", "SIMPLE_PINHOLE", "OPENCV", "SIMPLE_RADIAL", "RADIAL")


class FolderCapture(Capture):
    """A folder with `transforms.json`, or that file's path. Only the JSON is read on opening."""

    def __init__(self, path: Path):
        """Open.

        Raises:
            BadMetadata: The JSON cannot be parsed or lacks `frames`, or its model is not a pinhole with OpenCV's lens.
            EmptyCapture: `frames` is empty.
        """
        index = Path(path) / INDEX if Path(path).is_dir() else Path(path)
        self.name, self._root = str(path), index.parent
        self._meta = read_json(index)
        self._frames = self._meta.get("frames")
        if not isinstance(self._frames, list):
            raise BadMetadata(f"{index} has no list 'frames'; it has {sorted(self._meta)}")
        if not self._frames:
            raise EmptyCapture(f"{index}: 'frames' is empty")
        model = self._meta.get("camera_model", "OPENCV")
        if model not in _PINHOLE_MODELS or self._meta.get("is_fisheye"):
            raise BadMetadata(f"{index}: camera_model {model!r}; one of {', '.join(_PINHOLE_MODELS)} can be read")
        self._unit = self._number(self._meta, "depth_unit_scale_factor", 0.001)
        if self._unit <= 0:
            raise BadMetadata(f"{index}: depth_unit_scale_factor is {self._unit:g}; metres per count > 0 are needed")
        if {"fl_x", "camera_angle_x"} & set(self._meta) and {"w", "h"} <= set(self._meta):
            self._intrinsics({})  # a fault in the intrinsics of all frames is told now, not once per frame

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: int) -> Frame:
        entry = self._frames[index]
        if not isinstance(entry, dict) or not isinstance(entry.get("file_path"), str):
            raise BadMetadata(f"{self.name}: frame {index} must be an object with the text 'file_path'")
        name = entry["file_path"]
        if self._first_use.get(name) != index % len(self):
            raise BadMetadata(f"{self.name}: frame {index} names {name!r}, which an earlier frame has; kept once")
        if "transform_matrix" not in entry:
            raise BadMetadata(f"{self.name}: frame {name!r} has no 'transform_matrix'; it has {sorted(entry)}")
        matrix = as_numbers(entry["transform_matrix"], (4, 4), f"{self.name}: transform_matrix of {name!r}")
        T_world_camera = rigid(matrix, f"{self.name}: transform_matrix of {name!r}") @ FLIP_YZ
        rgb = read_rgb(self._image(name))
        depth = None
        if entry.get("depth_file_path") is not None:
            depth = read_depth(self._image(entry["depth_file_path"]), self._unit)
            if depth.shape != rgb.shape[:2]:
                raise WrongSize(f"{self.name}: {name!r} is {rgb.shape[:2]} but its depth is {depth.shape}")
        camera, lens = self._intrinsics(entry, rgb.shape[:2])
        if rgb.shape[:2] != (camera.height, camera.width):
            raise WrongSize(
                f"{self.name}: {name!r} is {rgb.shape[1]}x{rgb.shape[0]} "
                f"but {INDEX} says {camera.width}x{camera.height}"
            )
        if lens.any():
            rgb, depth = undistort(rgb, depth, camera.K, lens)
        stamp = self._number(entry, "stamp", math.nan) if "stamp" in entry else None
        return Frame(rgb, depth, camera, T_world_camera, Path(name).stem, stamp)

    @cached_property
    def _first_use(self) -> dict[str, int]:
        first: dict[str, int] = {}
        for index, entry in enumerate(self._frames):
            if isinstance(entry, dict) and isinstance(entry.get("file_path"), str):
                first.setdefault(entry["file_path"], index)
        return first

    def _number(self, entry: dict, key: str, default: float | None = None) -> float:
        value = entry.get(key, self._meta.get(key, default))
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise BadMetadata(f"{self.name}: {key!r} must be a finite number, got {value!r}")
        return float(value)

    def _intrinsics(self, entry: dict, size: tuple[int, int] | None = None) -> tuple[Camera, np.ndarray]:
        """Camera and (5,) lens coefficients from the frame's keys, else the file's; (H, W) `size` where neither has."""
        width = int(self._number(entry, "w", size[1] if size else None))
        height = int(self._number(entry, "h", size[0] if size else None))
        keys = entry.keys() | self._meta.keys()
        if "fl_x" in keys:
            fx = self._number(entry, "fl_x")
        elif "camera_angle_x" in keys:
            angle = self._number(entry, "camera_angle_x")
            if not 0 < angle < math.pi:
                raise BadIntrinsics(f"{self.name}: camera_angle_x is {angle:g}; 0 to pi radians is valid")
            fx = 0.5 * width / math.tan(0.5 * angle)
        else:
            raise BadIntrinsics(f"{self.name}: neither 'fl_x' nor 'camera_angle_x' is given")
        fy = self._number(entry, "fl_y", fx)
        cx, cy = self._number(entry, "cx", width / 2), self._number(entry, "cy", height / 2)
        camera = Camera.from_corner([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], width, height)
        if self._number(entry, "k4", 0.0):
            raise BadMetadata(f"{self.name}: 'k4' belongs to a fisheye lens; only {', '.join(_LENS)} can be read")
        return camera, np.array([self._number(entry, key, 0.0) for key in _LENS])

    def _image(self, name: object) -> Path:
        """Path of a file that the JSON names; without a suffix it is a PNG, as in Blender's synthetic scenes."""
        path = inside(self._root, name)
        return path if path.suffix else path.with_suffix(".png")


class CaptureWriter:
    """Writes frames as a nerfstudio-style folder; `transforms.json` comes last, so a folder that has it is whole.

    A context manager: leaving it through an exception removes what was written.
    """

    def __init__(self, out: Path, depth_unit: float = 0.001):
        """Start a folder.

        Args:
            depth_unit: Metres per count of the 16-bit depth; rounding is half of it, and 65534 counts are the furthest.

        Raises:
            BadInput: `out` exists and is not an empty folder, or the unit is not positive.
        """
        if not depth_unit > 0:
            raise BadInput(f"depth_unit must be metres per count > 0, got {depth_unit}")
        self._out, self._unit = make_output(out), depth_unit
        self._entries: list[dict] = []
        self._cameras: list[dict] = []
        self._names: set[str] = set()
        self._written: list[Path] = []

    def add(self, frame: Frame) -> str:
        """Write one frame and return its name: the frame's own, or one by number.

        Raises:
            BadInput: No pose, a skewed K, a name that is not a plain file name or was written before.
            BadDepth: Depth beyond what 16 bits of `depth_unit` hold.
        """
        name = frame.name or f"frame_{len(self._entries):05d}"
        if name in self._names or Path(name).name != name or name.startswith("."):
            raise BadInput(f"frame name {name!r} must be a plain file name, each used once")
        if frame.T_world_camera is None:
            raise BadInput(f"frame {name!r} has no pose; a nerfstudio-style folder needs one for each frame")
        K = frame.camera.K_corner
        if K[0, 1]:
            raise BadInput(f"frame {name!r}: K has the skew {K[0, 1]:g}, which the format cannot hold")
        matrix = rigid(frame.T_world_camera, f"pose of frame {name!r}") @ FLIP_YZ
        entry = {"file_path": f"images/{name}.png", "transform_matrix": matrix.tolist()}
        if frame.stamp is not None:
            entry["stamp"] = float(frame.stamp)
        counts = None
        if frame.depth is not None:
            counts = np.rint(frame.depth / np.float64(self._unit))
            if counts.max(initial=0) > 65534:
                raise BadDepth(
                    f"frame {name!r}: {frame.depth.max():g} m is beyond 16 bits of {self._unit:g} m; "
                    "use a larger depth_unit"
                )
            entry["depth_file_path"] = f"depth/{name}.png"
            self._write(entry["depth_file_path"], counts.astype(np.uint16))
        self._write(entry["file_path"], cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2BGR))
        self._names.add(name)
        self._entries.append(entry)
        self._cameras.append(
            {"fl_x": K[0, 0], "fl_y": K[1, 1], "cx": K[0, 2], "cy": K[1, 2]}
            | {"w": frame.camera.width, "h": frame.camera.height}
        )
        return name

    def close(self) -> None:
        """Write `transforms.json`.

        Raises:
            EmptyCapture: No frame was added.
        """
        if not self._entries:
            raise EmptyCapture(f"{self._out}: no frame was added, so there is nothing to write")
        meta: dict = {"camera_model": "PINHOLE", "depth_unit_scale_factor": self._unit}
        if all(camera == self._cameras[0] for camera in self._cameras):
            meta |= self._cameras[0]
        else:
            self._entries = [camera | entry for camera, entry in zip(self._cameras, self._entries, strict=True)]
        write_whole(self._out / INDEX, json.dumps(meta | {"frames": self._entries}, indent=1).encode())

    def __enter__(self) -> "CaptureWriter":
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        if kind is None:
            self.close()
            return
        for path in self._written:
            path.unlink(missing_ok=True)
        for folder in (self._out / "images", self._out / "depth", self._out):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()

    def _write(self, name: str, image: np.ndarray) -> None:
        write_png(self._out / name, image)
        self._written.append(self._out / name)
