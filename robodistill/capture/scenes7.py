"""The 7-Scenes form: `frame-*.color.{png,jpg}`, `.depth.png`, `.pose.txt`, and `camera-intrinsics.txt`.

Shotton, Glocker, Zach, Izadi, Criminisi, Fitzgibbon, "Scene Coordinate Regression Forests for Camera Relocalization in
RGB-D Images", CVPR 2013. Depth is in millimetres, 0 and 65535 are invalid. The recordings are raw: depth is not
registered to colour, the colour camera is not calibrated, and `camera-intrinsics.txt` is of the depth camera. Poses are
the depth camera's, camera to world. Depth is registered to colour when a frame is read, and the pose is made colour's.

The defaults below were measured by us on 24 of the 71 frames 470-540 of the red kitchen:

- Mean distance from the depth images' occluding contours, projected into colour, to the nearest colour edge (capped
  at 5 px, 60,000 points): 2.47 px taking both cameras for one (f = 585), 2.16 with f = 525 and no extrinsics, 1.27 with
  the best baseline along x (principal point fitted), 1.10 with a rotation too (0.7 degrees); a baseline along y and z
  or radial distortion gains less than 0.01 more. f = 525 was confirmed; the baseline came out as 2.1 cm.
- Poses belong to depth: depth of one frame agrees best with depth of another (10.3 mm) with poses at their own frames,
  not between. They do not fit colour as well: photometric agreement between frames, 22.9 dB, rises to 23.2 dB when
  colour is taken to be exposed 0.2 to 0.4 of a frame later, and contours agree best at 0.15 (1.08 px). The camera turns
  0.4 degrees in a frame, so this is about a pixel. What is left, 1 to 2 px at features matched between frames, is
  mostly noise of the poses (drift, perhaps a rolling shutter); no reader can remove it, a fit that refines poses can.
"""

import re
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from robodistill.capture.decode import read_depth, read_rgb
from robodistill.capture.frame import Capture, Frame
from robodistill.capture.pose import as_numbers, rigid
from robodistill.capture.read import read_lines
from robodistill.capture.register import register_depth
from robodistill.capture.stamps import PoseTrack
from robodistill.errors import CaptureError, EmptyCapture, MissingImage
from robodistill.geometry.camera import Camera

DEPTH_INTRINSICS = (585.0, 585.0, 320.0, 240.0)
"""fx, fy, cx, cy of the depth camera where the folder does not say them: the data set's."""
COLOR_INTRINSICS = (524.9, 524.9, 314.7, 239.5)
T_COLOR_DEPTH = np.eye(4)
T_COLOR_DEPTH[:3, :3] = Rotation.from_rotvec([0.0030, 0.0073, 0.0092]).as_matrix()
T_COLOR_DEPTH[:3, 3] = [-0.0206, 0, 0]
COLOR_DELAY = 0.25
POSE = re.compile(r"(frame-(\d+))\.pose\.txt")


class SevenScenesCapture(Capture):
    """A folder of `frame-*` triples. Only the names and the intrinsics are read on opening."""

    def __init__(
        self,
        path: Path,
        color_intrinsics: tuple[float, float, float, float] = COLOR_INTRINSICS,
        depth_intrinsics: tuple[float, float, float, float] | None = None,
        T_color_depth: np.ndarray | None = None,
        color_delay: float = COLOR_DELAY,
        depth_unit: float = 0.001,
    ):
        """Open.

        Args:
            color_intrinsics: fx, fy, cx, cy in pixels.
            depth_intrinsics: The same of the depth camera; by default what `camera-intrinsics.txt` says, else Kinect's.
            T_color_depth: (4, 4) depth-camera to colour-camera coordinates.
            color_delay: How much later than depth colour is exposed, in frame intervals.
            depth_unit: Metres per count.

        Raises:
            EmptyCapture: No `frame-*.pose.txt`.
            BadMetadata, BadIntrinsics: `camera-intrinsics.txt` or an argument is not valid.
            BadPose: `T_color_depth` is not rigid.
        """
        self._root, self.name, self._unit = Path(path), str(path), depth_unit
        found = sorted(match.groups() for entry in self._root.iterdir() if (match := POSE.fullmatch(entry.name)))
        if not found:
            raise EmptyCapture(f"{path} has no frame-*.pose.txt")
        self._frames = [(name, int(number)) for name, number in found]
        self._Ts_world_depth = [self._read_pose(name) for name, _ in self._frames]
        self._track, self._delay = self._make_track(), color_delay
        self._color = as_numbers(color_intrinsics, (4,), "color_intrinsics (fx, fy, cx, cy)")
        self._depth = self._find_depth_intrinsics(depth_intrinsics)
        for intrinsics in (self._color, self._depth):
            Camera.from_focal(*intrinsics, 640, 480)  # a fault of all frames is told now
        T = T_COLOR_DEPTH if T_color_depth is None else T_color_depth
        self._T_color_depth = rigid(as_numbers(T, (4, 4), "T_color_depth"), "T_color_depth")

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: int) -> Frame:
        name, number = self._frames[index]
        T_world_depth = self._Ts_world_depth[index]
        if isinstance(T_world_depth, CaptureError):
            raise T_world_depth
        T_depth_color = np.linalg.inv(self._T_color_depth)
        T_world_color = self._track.at(number + self._delay, np.inf) @ T_depth_color
        colors = [p for suffix in ("png", "jpg", "jpeg") if (p := self._root / f"{name}.color.{suffix}").exists()]
        if not colors:
            raise MissingImage(f"{self._root / name}.color.png or .jpg does not exist")
        rgb = read_rgb(colors[0])
        raw = read_depth(self._root / f"{name}.depth.png", self._unit)
        color_camera = Camera.from_focal(*self._color, rgb.shape[1], rgb.shape[0])
        depth_camera = Camera.from_focal(*self._depth, raw.shape[1], raw.shape[0])
        # Not `T_color_depth`: the cameras also moved between the two exposures.
        depth = register_depth(raw, depth_camera, color_camera, np.linalg.inv(T_world_color) @ T_world_depth)
        return Frame(rgb, depth, color_camera, T_world_color, name)

    def _read_pose(self, name: str) -> np.ndarray | CaptureError:
        """T_world_depth, or what is wrong with it, which is raised when the frame is asked for."""
        path = self._root / f"{name}.pose.txt"
        try:
            return rigid(as_numbers([line.split() for _, line in read_lines(path)], (4, 4), str(path)), str(path))
        except CaptureError as error:
            return error

    def _make_track(self) -> PoseTrack:
        """Poses over the frame number, which is this form's clock."""
        pairs = zip(self._frames, self._Ts_world_depth, strict=True)
        good = [(number, T) for (_, number), T in pairs if not isinstance(T, CaptureError)]
        return PoseTrack(np.array([number for number, _ in good]), np.reshape([T for _, T in good], (-1, 4, 4)))

    def _find_depth_intrinsics(self, given: tuple[float, ...] | None) -> np.ndarray:
        path = self._root / "camera-intrinsics.txt"
        if given is not None:
            return as_numbers(given, (4,), "depth_intrinsics (fx, fy, cx, cy)")
        if not path.exists():
            return np.array(DEPTH_INTRINSICS)
        K = as_numbers([line.split() for _, line in read_lines(path)], (3, 3), str(path))
        return K[[0, 1, 0, 1], [0, 1, 2, 2]]
