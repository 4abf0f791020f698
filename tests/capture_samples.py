"""Small true captures in every form, made anew for each test: an analytic wall with a box in front of it."""

import json
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from robodistill.capture.folder import CaptureWriter
from robodistill.capture.frame import Frame
from robodistill.geometry.camera import Camera

CAMERA = Camera.from_focal(60.0, 61.0, 31.2, 23.4, 64, 48)


def poses(count: int) -> list[np.ndarray]:
    """Distinct rigid T_world_camera, exactly orthonormal to float64."""
    rotations = Rotation.from_rotvec([[0.05 * i, 0.3 - 0.1 * i, 0.2] for i in range(count)]).as_matrix()
    Ts = np.tile(np.eye(4), (count, 1, 1))
    Ts[:, :3, :3] = rotations
    Ts[:, :3, 3] = [[0.1 * i, 0.5, 1.0 - 0.05 * i] for i in range(count)]
    return list(Ts)


def scene(index: int = 0, camera: Camera = CAMERA) -> tuple[np.ndarray, np.ndarray]:
    """Colour (a smooth pattern) and depth (wall at 2 m, box at 1 m, a hole without measurement)."""
    v, u = np.mgrid[: camera.height, : camera.width]
    rgb = np.stack([(4 * u) % 256, (5 * v) % 256, np.full_like(u, 40 + 30 * index)], -1).astype(np.uint8)
    depth = np.full((camera.height, camera.width), 2.0, np.float32)
    depth[10:30, 20:40] = 1.0
    depth[:4, :4] = 0
    return rgb, depth


def frames(count: int = 3) -> list[Frame]:
    """Frames of `scene` with `poses`, names and stamps."""
    return [
        Frame(*scene(i), CAMERA, T_world_camera, f"shot_{i}", 10.0 + i / 30)
        for i, T_world_camera in enumerate(poses(count))
    ]


def make_folder(path: Path, count: int = 3) -> Path:
    """nerfstudio-style."""
    with CaptureWriter(path) as writer:
        for frame in frames(count):
            writer.add(frame)
    return path


def edit_json(path: Path, **changes: object) -> None:
    """Change keys of transforms.json; a key set to None is taken out."""
    index = path / "transforms.json"
    content = {k: v for k, v in (json.loads(index.read_text()) | changes).items() if v is not None}
    index.write_text(json.dumps(content))


def edit_frame(path: Path, index: int, **changes: object) -> None:
    """Change keys of one frame of transforms.json; a key set to None is taken out."""
    entries = json.loads((path / "transforms.json").read_text())["frames"]
    entries[index] = {k: v for k, v in (entries[index] | changes).items() if v is not None}
    edit_json(path, frames=entries)


def make_tum(path: Path, count: int = 3) -> Path:
    """TUM RGB-D with intrinsics.json; depth 7 ms and poses 4 ms off the colour stamps."""
    (path / "rgb").mkdir(parents=True)
    (path / "depth").mkdir()
    lists: dict[str, list[str]] = {"rgb": ["# stamp file"], "depth": [], "groundtruth": ["# stamp tx ty tz qx qy qz"]}
    for i, (frame, T) in enumerate(zip(frames(count), poses(count), strict=True)):
        stamp = 100 + i / 30
        cv2.imwrite(str(path / f"rgb/{stamp:.6f}.png"), frame.rgb[..., ::-1])
        cv2.imwrite(str(path / f"depth/{stamp + 0.007:.6f}.png"), np.rint(frame.depth * 5000).astype(np.uint16))
        lists["rgb"].append(f"{stamp:.6f} rgb/{stamp:.6f}.png")
        lists["depth"].append(f"{stamp + 0.007:.6f} depth/{stamp + 0.007:.6f}.png")
        for shift in (-0.004, 0.004):  # constant around the colour stamp, so that interpolation gives T itself
            numbers = [stamp + shift, *T[:3, 3], *Rotation.from_matrix(T[:3, :3]).as_quat()]
            lists["groundtruth"].append(" ".join(f"{number:.9f}" for number in numbers))
    for name, lines in lists.items():
        (path / f"{name}.txt").write_text("\n".join(lines) + "\n")
    fx, fy, cx, cy = CAMERA.K[[0, 1, 0, 1], [0, 1, 2, 2]]
    (path / "intrinsics.json").write_text(json.dumps({"fx": fx, "fy": fy, "cx": cx, "cy": cy}))
    return path


def make_7scenes(path: Path, count: int = 3) -> Path:
    """7-Scenes with the depth camera's K in camera-intrinsics.txt; open with `SEVEN_OPTIONS`."""
    path.mkdir(parents=True)
    np.savetxt(path / "camera-intrinsics.txt", CAMERA.K)
    for i, frame in enumerate(frames(count)):
        cv2.imwrite(str(path / f"frame-{i:06d}.color.png"), frame.rgb[..., ::-1])
        counts = np.rint(frame.depth * 1000).astype(np.uint16)
        counts[counts == 0] = 65535
        cv2.imwrite(str(path / f"frame-{i:06d}.depth.png"), counts)
        np.savetxt(path / f"frame-{i:06d}.pose.txt", frame.T_world_camera)
    return path


SEVEN_OPTIONS = {
    "color_intrinsics": tuple(CAMERA.K[[0, 1, 0, 1], [0, 1, 2, 2]]),
    "T_color_depth": np.eye(4),
    "color_delay": 0.0,
}
"""Colour and depth camera are the same in `make_7scenes`."""


class BagMaker:
    """Writes a rosbag2 recording message by message."""

    def __init__(self, path: Path, storage: str = "sqlite3"):
        from rosbags.rosbag2 import StoragePlugin, Writer
        from rosbags.typesys import Stores, get_typestore

        self.store = get_typestore(Stores.ROS2_HUMBLE)
        self._writer = Writer(path, version=9, storage_plugin=StoragePlugin[storage.upper()])
        self._writer.open()
        self._connections: dict[str, object] = {}

    def __enter__(self) -> "BagMaker":
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

    def write(self, topic: str, kind: str, message: object, received: float) -> None:
        """Write one message, received at `received` seconds."""
        if topic not in self._connections:
            self._connections[topic] = self._writer.add_connection(topic, kind, typestore=self.store)
        data = self.store.serialize_cdr(message, kind)
        self._writer.write(self._connections[topic], round(received * 1e9), data)

    def make(self, kind: str, **fields: object) -> object:
        """A message object."""
        return self.store.types[kind](**fields)

    def header(self, stamp: float, frame: str) -> object:
        sec = int(stamp)
        time = self.make("builtin_interfaces/msg/Time", sec=sec, nanosec=round((stamp - sec) * 1e9))
        return self.make("std_msgs/msg/Header", stamp=time, frame_id=frame)

    def image(
        self, topic: str, array: np.ndarray, encoding: str, stamp: float, frame: str, /, **changes: object
    ) -> None:
        """sensor_msgs/Image of an array in the byte order of its dtype."""
        height, width = array.shape[:2]
        fields = {
            "height": height, "width": width, "encoding": encoding, "is_bigendian": int(array.dtype.byteorder == ">"),
            "step": array.strides[0], "data": np.frombuffer(array.tobytes(), np.uint8),
        }  # fmt: skip
        kind = "sensor_msgs/msg/Image"
        self.write(topic, kind, self.make(kind, header=self.header(stamp, frame), **(fields | changes)), stamp + 0.005)

    def compressed(self, topic: str, data: bytes, form: str, stamp: float, frame: str) -> None:
        kind = "sensor_msgs/msg/CompressedImage"
        fields = {"format": form, "data": np.frombuffer(data, np.uint8)}
        self.write(topic, kind, self.make(kind, header=self.header(stamp, frame), **fields), stamp + 0.005)

    def info(self, topic: str, camera: Camera, stamp: float, frame: str, d: tuple[float, ...] = (0.0,) * 5) -> None:
        kind = "sensor_msgs/msg/CameraInfo"
        roi = self.make("sensor_msgs/msg/RegionOfInterest", x_offset=0, y_offset=0, height=0, width=0, do_rectify=False)
        P = np.concatenate([camera.K, np.zeros((3, 1))], 1).ravel()
        message = self.make(
            kind, header=self.header(stamp, frame), height=camera.height, width=camera.width,
            distortion_model="plumb_bob", d=np.array(d), k=camera.K.ravel(), r=np.eye(3).ravel(), p=P,
            binning_x=0, binning_y=0, roi=roi,
        )  # fmt: skip
        self.write(topic, kind, message, stamp + 0.001)

    def tf(self, topic: str, parent: str, child: str, T: np.ndarray, stamp: float) -> None:
        kind = "tf2_msgs/msg/TFMessage"
        transform = self.make("geometry_msgs/msg/Transform", **self._parts(T, "translation", "rotation", "Vector3"))
        link = self.make(
            "geometry_msgs/msg/TransformStamped",
            header=self.header(stamp, parent), child_frame_id=child, transform=transform,
        )  # fmt: skip
        self.write(topic, kind, self.make(kind, transforms=[link]), stamp + 0.002)

    def pose(self, topic: str, T: np.ndarray, stamp: float, frame: str = "map") -> None:
        kind = "geometry_msgs/msg/PoseStamped"
        pose = self.make("geometry_msgs/msg/Pose", **self._parts(T, "position", "orientation", "Point"))
        self.write(topic, kind, self.make(kind, header=self.header(stamp, frame), pose=pose), stamp)

    def odometry(self, topic: str, T: np.ndarray, stamp: float, frame: str, child: str) -> None:
        kind = "nav_msgs/msg/Odometry"
        pose = self.make("geometry_msgs/msg/Pose", **self._parts(T, "position", "orientation", "Point"))
        zero = self.make("geometry_msgs/msg/Vector3", x=0.0, y=0.0, z=0.0)
        twist = self.make("geometry_msgs/msg/Twist", linear=zero, angular=zero)
        message = self.make(
            kind, header=self.header(stamp, frame), child_frame_id=child,
            pose=self.make("geometry_msgs/msg/PoseWithCovariance", pose=pose, covariance=np.zeros(36)),
            twist=self.make("geometry_msgs/msg/TwistWithCovariance", twist=twist, covariance=np.zeros(36)),
        )  # fmt: skip
        self.write(topic, kind, message, stamp)

    def _parts(self, T: np.ndarray, where: str, turn: str, vector: str) -> dict[str, object]:
        x, y, z = (float(value) for value in T[:3, 3])
        q = SimpleNamespace(**dict(zip("xyzw", Rotation.from_matrix(T[:3, :3]).as_quat().tolist(), strict=True)))
        return {
            where: self.make(f"geometry_msgs/msg/{vector}", x=x, y=y, z=z),
            turn: self.make("geometry_msgs/msg/Quaternion", x=q.x, y=q.y, z=q.z, w=q.w),
        }


def make_bag(path: Path, count: int = 3, storage: str = "sqlite3") -> Path:
    """A camera on a moving base: map -> base (tf), base -> camera (tf_static), aligned depth 4 ms later than colour."""
    T_base_camera = poses(4)[3]
    with BagMaker(path, storage) as bag:
        bag.tf("/tf_static", "base", "camera_optical_frame", T_base_camera, 9.9)
        bag.info("/camera/color/camera_info", CAMERA, 9.95, "camera_optical_frame")
        for frame in frames(count):
            bag.image("/camera/color/image_raw", frame.rgb, "rgb8", frame.stamp, "camera_optical_frame")
            counts = np.rint(frame.depth * 1000).astype(np.uint16)
            stamp = frame.stamp + 0.004
            bag.image("/camera/aligned_depth_to_color/image_raw", counts, "16UC1", stamp, "camera_optical_frame")
            T_map_base = frame.T_world_camera @ np.linalg.inv(T_base_camera)
            for shift in (-0.002, 0.002):  # constant around the colour stamp, so that interpolation gives T itself
                bag.tf("/tf", "map", "base", T_map_base, frame.stamp + shift)
    return path
