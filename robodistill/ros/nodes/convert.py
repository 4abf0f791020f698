"""Messages to and from the package's own types; the only file that knows that ROS writes quaternions xyzw."""

import array
from collections.abc import Sequence
from typing import Any

import numpy as np
from geometry_msgs.msg import (
    Point,
    Pose,
    PoseStamped,
    PoseWithCovariance,
    Quaternion,
    Transform,
    TransformStamped,
    Vector3,
)
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import CameraInfo, Image, PointCloud2, PointField
from std_msgs.msg import Header

from robodistill.capture.pose import from_quaternion
from robodistill.capture.ros_image import depth_of, rgb_of
from robodistill.capture.undistort import undistort
from robodistill.errors import BadIntrinsics, WrongSize
from robodistill.geometry.camera import Camera

LENSES = ("plumb_bob", "rational_polynomial", "")


def header(frame_id: str, stamp: Any = None) -> Header:
    """A header; without a stamp it is zero, "the latest"."""
    made = Header(frame_id=frame_id)
    if stamp is not None:
        made.stamp = stamp
    return made


def seconds(stamp: Any) -> float:
    """Of builtin_interfaces/msg/Time."""
    return stamp.sec + stamp.nanosec / 1e9


def as_pose(T: np.ndarray) -> Pose:
    """geometry_msgs/msg/Pose of a (4, 4) transform."""
    x, y, z, w = Rotation.from_matrix(T[:3, :3]).as_quat()
    px, py, pz = (float(v) for v in T[:3, 3])
    return Pose(
        position=Point(x=px, y=py, z=pz), orientation=Quaternion(x=float(x), y=float(y), z=float(z), w=float(w))
    )


def as_pose_stamped(T: np.ndarray, at: Header) -> PoseStamped:
    """With a header."""
    return PoseStamped(header=at, pose=as_pose(T))


def as_transform(T: np.ndarray, at: Header, child: str) -> TransformStamped:
    """geometry_msgs/msg/TransformStamped of T_parent_child."""
    pose = as_pose(T)
    made = Transform(
        translation=Vector3(x=pose.position.x, y=pose.position.y, z=pose.position.z), rotation=pose.orientation
    )
    return TransformStamped(header=at, child_frame_id=child, transform=made)


def from_pose(pose: Any, what: str) -> np.ndarray:
    """(4, 4) of geometry_msgs/msg/Pose, or of a Transform.

    Raises:
        BadPose: Not finite, or no unit quaternion.
    """
    p = pose.position if hasattr(pose, "position") else pose.translation
    q = pose.orientation if hasattr(pose, "orientation") else pose.rotation
    return from_quaternion(np.array([p.x, p.y, p.z]), np.array([q.x, q.y, q.z, q.w]), what)


def as_covariance(T_world_camera: np.ndarray, covariance: np.ndarray | None) -> PoseWithCovariance:
    """Pose and covariance about the axes of its header's frame.

    Args:
        covariance: (6, 6) of the twist (v, omega) in the camera's own axes; None leaves zeros, "unknown".
    """
    made = PoseWithCovariance(pose=as_pose(T_world_camera))
    if covariance is not None:
        turn = np.zeros((6, 6))
        turn[:3, :3] = turn[3:, 3:] = T_world_camera[:3, :3]
        made.covariance = np.ascontiguousarray((turn @ covariance @ turn.T).reshape(36))
    return made


def as_camera(info: Any, width: int, height: int) -> tuple[Camera, np.ndarray]:
    """Camera and OpenCV's lens coefficients of sensor_msgs/msg/CameraInfo.

    Raises:
        BadIntrinsics: Not calibrated, or a lens of another model.
        WrongSize: Of another size than the image.
    """
    if (info.width, info.height) != (width, height):
        raise WrongSize(f"the image is {width}x{height}, its CameraInfo says {info.width}x{info.height}")
    lens = np.asarray(info.d, np.float64)
    if lens.any() and info.distortion_model not in LENSES:
        raise BadIntrinsics(f"distortion model {info.distortion_model!r}; plumb_bob or rational_polynomial")
    return Camera(np.reshape(np.asarray(info.k, np.float64), (3, 3)), width, height), lens


def as_rgbd(image: Any, depth: Any | None, info: Any) -> tuple[np.ndarray, np.ndarray | None, Camera]:
    """(H, W, 3) uint8, (H, W) float32 metres or None, and the camera, without lens distortion.

    Raises:
        CaptureError: Of whichever kind fits what is wrong with them.
    """
    rgb = rgb_of(image, "colour image")
    measured = None
    if depth is not None:
        measured = depth_of(depth, "depth image")
        if measured.shape != rgb.shape[:2]:
            raise WrongSize(
                f"colour is {rgb.shape[1]}x{rgb.shape[0]}, depth {measured.shape[1]}x{measured.shape[0]}: depth is "
                "needed as the colour camera sees it (depth_image_proc/register)"
            )
    camera, lens = as_camera(info, rgb.shape[1], rgb.shape[0])
    if lens.any():
        rgb, measured = undistort(rgb, measured, camera.K, lens)
    return rgb, measured, camera


def as_info(camera: Camera, at: Header) -> CameraInfo:
    """sensor_msgs/msg/CameraInfo of a pinhole."""
    K = camera.K
    made = CameraInfo(header=at, height=camera.height, width=camera.width, distortion_model="plumb_bob")
    made.d = array.array("d", [0.0] * 5)
    made.k = np.ascontiguousarray(K.reshape(9))
    made.r = np.eye(3).reshape(9)
    made.p = np.concatenate([K, np.zeros((3, 1))], 1).reshape(12)
    return made


def as_image(pixels: np.ndarray, at: Header, encoding: str) -> Image:
    """sensor_msgs/msg/Image of rgb8, mono8, 16UC1 (millimetres) or 32FC1 (metres)."""
    pixels = np.ascontiguousarray(pixels)
    made = Image(header=at, height=pixels.shape[0], width=pixels.shape[1], encoding=encoding)
    made.step = pixels.strides[0]
    made.data = array.array("B", pixels.tobytes())
    return made


def as_depth_image(depth: np.ndarray, at: Header) -> Image:
    """16UC1, millimetres, of (H, W) metres."""
    return as_image(np.clip(np.round(depth * 1000), 0, 65535).astype(np.uint16), at, "16UC1")


def as_cloud(points: np.ndarray, rgb: np.ndarray, at: Header) -> PointCloud2:
    """PointCloud2 with x y z and rgb as RViz reads it; points that are not finite are left out.

    Args:
        points: (N, 3) metres.
        rgb: (N, 3) uint8.
    """
    good = np.isfinite(points).all(1)
    points, rgb = points[good], rgb[good].astype(np.uint32)
    data = np.zeros((len(points), 4), np.float32)
    data[:, :3] = points
    data[:, 3] = (rgb[:, 0] << 16 | rgb[:, 1] << 8 | rgb[:, 2]).view(np.float32)
    fields = [PointField(name=n, offset=4 * k, datatype=7, count=1) for k, n in enumerate(("x", "y", "z", "rgb"))]
    made = PointCloud2(header=at, height=1, width=len(points), fields=fields, is_dense=True)
    made.point_step, made.row_step = 16, 16 * len(points)
    made.data = array.array("B", data.tobytes())
    return made


def points_of(cloud: Any, step: int = 1) -> np.ndarray:
    """(N, 3) finite points of a PointCloud2 with float32 x y z; NaN ones are left out."""
    offsets = {f.name: f.offset for f in cloud.fields if f.datatype == 7}
    if not {"x", "y", "z"} <= set(offsets):
        raise WrongSize(f"the cloud has no float32 x y z, but {', '.join(f.name for f in cloud.fields)}")
    order = ">" if cloud.is_bigendian else "<"
    kind = np.dtype(
        {
            "names": list("xyz"),
            "formats": [order + "f4"] * 3,
            "offsets": [offsets[n] for n in "xyz"],
            "itemsize": cloud.point_step,
        }
    )
    found = np.frombuffer(bytes(cloud.data), kind)[::step]
    points = np.stack([found[n] for n in "xyz"], 1).astype(np.float64)
    return points[np.isfinite(points).all(1)]


def as_vector(values: Sequence[float]) -> Vector3:
    """geometry_msgs/msg/Vector3."""
    x, y, z = (float(v) for v in values)
    return Vector3(x=x, y=y, z=z)
