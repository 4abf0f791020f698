"""rosbag2 recordings (sqlite3 or MCAP), read without ROS through `rosbags` (extra `ros`).

Topics are found by what their first message holds, not by their names; every choice can be named instead. On opening,
the stamps of the images and all poses are read; images are decoded when asked for.
"""

from pathlib import Path

import numpy as np

from robodistill.capture.bag_log import BagLog
from robodistill.capture.bag_pose import find_poses, read_transforms
from robodistill.capture.bag_topics import Stream, find_streams
from robodistill.capture.frame import Capture, Frame
from robodistill.capture.register import register_depth
from robodistill.capture.ros_image import depth_of, rgb_of
from robodistill.capture.stamps import associate
from robodistill.capture.undistort import undistort
from robodistill.errors import EmptyCapture, MissingImage, WrongSize


class BagCapture(Capture):
    """A rosbag2 folder, or an .mcap or .db3 file."""

    def __init__(
        self,
        path: Path,
        color_topic: str | None = None,
        depth_topic: str | None = None,
        color_info_topic: str | None = None,
        depth_info_topic: str | None = None,
        pose_topic: str | None = None,
        world_frame: str | None = None,
        tolerance: float = 0.02,
        pose_tolerance: float = 0.1,
    ):
        """Open.

        Args:
            pose_topic: Odometry, PoseStamped or PoseWithCovarianceStamped; the latter two are taken for poses of the
                colour camera's optical frame. See `find_poses` for the default.
            world_frame: Coordinate frame of the poses, where they come from transforms.
            tolerance: Largest difference of stamps of colour and depth, seconds.
            pose_tolerance: Largest distance from an image's stamp to the nearest pose, seconds; between poses is
                interpolated.

        Raises:
            MissingPart: `rosbags` is not installed.
            BadMetadata: Damaged, or a topic or transform that is needed is not there; the message lists what there is.
            BadIntrinsics: A CameraInfo is not calibrated.
            EmptyCapture: No colour image.
        """
        self.name, self._tolerance = str(path), tolerance
        self._bag = BagLog(Path(path))
        self._color, self._depth = find_streams(self._bag, color_topic, depth_topic, color_info_topic, depth_info_topic)
        tree = read_transforms(self._bag, pose_tolerance)
        self._T_color_depth = None
        if self._depth and self._depth.frame != self._color.frame:
            self._T_color_depth = tree.lookup(self._color.frame, self._depth.frame)
        self._pose_at = find_poses(self._bag, tree, self._color.frame, pose_topic, world_frame, pose_tolerance)
        self._colors = self._bag.index(self._color.topic)
        if not self._colors:
            raise EmptyCapture(f"{self.name}: {self._color.topic} holds no image")
        self._depths = self._bag.index(self._depth.topic) if self._depth else []
        stamps = (np.array([stamp for stamp, _ in rows]) for rows in (self._colors, self._depths))
        self._partner = associate(*stamps, tolerance)

    def __len__(self) -> int:
        return len(self._colors)

    def __getitem__(self, index: int) -> Frame:
        stamp, received = self._colors[index]
        T_world_camera = self._pose_at(stamp)
        where = f"{self.name}: {self._color.topic} at {stamp:.6f} s"
        rgb = rgb_of(self._bag.at(self._color.topic, stamp, received), where)
        _check_size(rgb, self._color, where)
        depth = None
        if self._depth is not None:
            if self._partner[index] < 0:
                raise MissingImage(f"{where}: no depth within {self._tolerance:g} s")
            depth = self._read_depth(self._depth, *self._depths[self._partner[index]])
        if self._color.lens.any():
            rgb, _ = undistort(rgb, None, self._color.camera.K, self._color.lens)
        return Frame(rgb, depth, self._color.camera, T_world_camera, f"{index:06d}", stamp)

    def _read_depth(self, stream: Stream, stamp: float, received: int) -> np.ndarray:
        """Depth of the colour camera."""
        where = f"{self.name}: {stream.topic} at {stamp:.6f} s"
        depth = depth_of(self._bag.at(stream.topic, stamp, received), where)
        _check_size(depth, stream, where)
        if stream.lens.any():
            _, depth = undistort(None, depth, stream.camera.K, stream.lens)
        camera = self._color.camera
        same = depth.shape == (camera.height, camera.width) and np.allclose(stream.camera.K, camera.K, atol=1e-3)
        if same and self._T_color_depth is None:
            return depth
        return register_depth(depth, stream.camera, camera, self._T_color_depth)


def _check_size(image: np.ndarray, stream: Stream, where: str) -> None:
    if image.shape[:2] != (stream.camera.height, stream.camera.width):
        raise WrongSize(
            f"{where} is {image.shape[1]}x{image.shape[0]} but its CameraInfo says "
            f"{stream.camera.width}x{stream.camera.height}"
        )
