"""rosbag2 recordings, written here by rosbags' own writer, read as frames."""

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from capture_samples import CAMERA, BagMaker, frames, make_bag, poses, scene
from scipy.spatial.transform import Rotation

from robodistill.capture.bag import BagCapture
from robodistill.capture.open import open_capture
from robodistill.errors import BadDepth, BadMetadata, BadPose
from robodistill.geometry.camera import Camera

pytest.importorskip("rosbags", reason="needs rosbags (extra ros)")
CAMERA_FRAME = "camera_optical_frame"


@pytest.mark.parametrize("storage", ["sqlite3", "mcap"])
@pytest.mark.parametrize("single_file", [False, True])
def test_bag_gives_the_same_frames(tmp_path: Path, storage: str, single_file: bool) -> None:
    """Colour, aligned depth and the pose over tf and tf_static, from both storages, folder or bare file."""
    path = make_bag(tmp_path / "bag", storage=storage)
    if single_file:
        path = path / f"bag.{'mcap' if storage == 'mcap' else 'db3'}"
    for got, wanted in zip(open_capture(path).frames(), frames(), strict=True):
        np.testing.assert_array_equal(got.rgb, wanted.rgb)
        np.testing.assert_allclose(got.depth, wanted.depth, atol=1e-6)
        np.testing.assert_array_equal(got.camera.K, CAMERA.K)
        np.testing.assert_allclose(got.T_world_camera, wanted.T_world_camera, atol=1e-12)
        assert got.stamp == pytest.approx(wanted.stamp, abs=1e-9)


def one_frame(bag: BagMaker, T: np.ndarray | None = None, depth: bool = True) -> None:
    """Colour, depth and their CameraInfo of `scene`, without pose unless `T` is given."""
    rgb, z = scene()
    bag.info("/rgb/camera_info", CAMERA, 9.9, CAMERA_FRAME)
    bag.image("/rgb/image", rgb, "rgb8", 10.0, CAMERA_FRAME)
    if depth:
        bag.info("/depth/camera_info", CAMERA, 9.9, CAMERA_FRAME)
        bag.image("/depth/image", z, "32FC1", 10.0, CAMERA_FRAME)
    if T is not None:
        bag.pose("/pose", T, 10.0)


@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "rgba8", "bgra8"])
def test_color_encodings(tmp_path: Path, encoding: str) -> None:
    """Every encoding of one image is the same image."""
    rgb, _ = scene()
    alpha = np.full((48, 64, 1), 7, np.uint8)
    stored = np.concatenate([rgb if encoding.startswith("rgb") else rgb[..., ::-1], alpha], -1)
    stored = np.ascontiguousarray(stored[..., : 4 if "a" in encoding else 3])
    with BagMaker(tmp_path / "bag") as bag:
        bag.info("/rgb/camera_info", CAMERA, 9.9, CAMERA_FRAME)
        bag.image("/rgb/image", stored, encoding, 10.0, CAMERA_FRAME)
    np.testing.assert_array_equal(open_capture(tmp_path / "bag")[0].rgb, rgb)


def test_grey_is_three_equal_channels(tmp_path: Path) -> None:
    """mono8 becomes RGB."""
    grey = scene()[0][..., 0].copy()
    with BagMaker(tmp_path / "bag") as bag:
        bag.info("/grey/camera_info", CAMERA, 9.9, CAMERA_FRAME)
        bag.image("/grey/image", grey, "mono8", 10.0, CAMERA_FRAME)
    np.testing.assert_array_equal(open_capture(tmp_path / "bag")[0].rgb, np.repeat(grey[..., None], 3, -1))


def depth_messages(bag: BagMaker, kind: str, depth: np.ndarray) -> None:
    counts = np.rint(depth * 1000).astype(np.uint16)
    if kind == "16UC1":
        bag.image("/depth/image", counts, kind, 10.0, CAMERA_FRAME)
    elif kind == "16UC1 big-endian":
        bag.image("/depth/image", counts.astype(">u2"), "16UC1", 10.0, CAMERA_FRAME)
    elif kind == "32FC1":
        bag.image("/depth/image", np.where(depth > 0, depth, np.nan).astype(np.float32), kind, 10.0, CAMERA_FRAME)
    elif kind == "rows padded":
        padded = np.pad(counts, ((0, 0), (0, 5)))
        bag.image("/depth/image", padded, "16UC1", 10.0, CAMERA_FRAME, width=64)
    elif kind == "compressedDepth":
        data = bytes(12) + cv2.imencode(".png", counts)[1].tobytes()
        bag.compressed("/depth/image/compressedDepth", data, "16UC1; compressedDepth png", 10.0, CAMERA_FRAME)
    else:  # inverse depth in 16 bits, as the transport's quantisation for floats
        a, b = 100.0 * (100.0 + 1), 1 - 100.0 * (100.0 + 1) / 10.0
        inverse = np.where(depth > 0, np.rint(a / np.maximum(depth, 1e-3) + b), 0).astype(np.uint16)
        data = struct.pack("<iff", 0, a, b) + cv2.imencode(".png", inverse)[1].tobytes()
        bag.compressed("/depth/image/compressedDepth", data, "32FC1; compressedDepth png", 10.0, CAMERA_FRAME)


@pytest.mark.parametrize(
    "kind", ["16UC1", "16UC1 big-endian", "32FC1", "rows padded", "compressedDepth", "compressedDepth 32FC1"]
)
def test_depth_encodings(tmp_path: Path, kind: str) -> None:
    """Every encoding of one depth image is the same depth image, with NaN and 0 as no measurement."""
    rgb, depth = scene()
    with BagMaker(tmp_path / "bag") as bag:
        bag.info("/rgb/camera_info", CAMERA, 9.9, CAMERA_FRAME)
        bag.info("/depth/camera_info", CAMERA, 9.9, CAMERA_FRAME)
        bag.image("/rgb/image", rgb, "rgb8", 10.0, CAMERA_FRAME)
        depth_messages(bag, kind, depth)
    # The quantisation of 1/z: z^2 / (2 A) = 0.2 mm at 2 m.
    np.testing.assert_allclose(open_capture(tmp_path / "bag")[0].depth, depth, atol=2.5e-4)


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_compressed_color(tmp_path: Path, suffix: str) -> None:
    """JPEG and PNG messages are colour, whose CameraInfo stands one level up."""
    rgb = np.full((48, 64, 3), (200, 100, 50), np.uint8)
    with BagMaker(tmp_path / "bag") as bag:
        bag.info("/rgb/camera_info", CAMERA, 9.9, CAMERA_FRAME)
        data = cv2.imencode(suffix, rgb[..., ::-1])[1].tobytes()
        bag.compressed("/rgb/image/compressed", data, f"rgb8; {suffix[1:]} compressed bgr8", 10.0, CAMERA_FRAME)
    got = open_capture(tmp_path / "bag")[0].rgb
    assert np.abs(got.astype(int) - rgb).max() <= 3  # JPEG's loss on a constant colour


def test_aligned_depth_is_preferred(tmp_path: Path) -> None:
    """Of raw and registered depth, the one in the colour camera's frame is taken; the other can be named."""
    rgb, depth = scene()
    with BagMaker(tmp_path / "bag") as bag:
        bag.tf("/tf_static", CAMERA_FRAME, "depth_frame", np.eye(4), 9.0)
        for topic, frame, value in (("/a/depth", "depth_frame", depth * 2), ("/z/depth", CAMERA_FRAME, depth)):
            bag.info(f"{topic}/camera_info", CAMERA, 9.9, frame)
            bag.image(f"{topic}/image", value, "32FC1", 10.0, frame)
        bag.info("/rgb/camera_info", CAMERA, 9.9, CAMERA_FRAME)
        bag.image("/rgb/image", rgb, "rgb8", 10.0, CAMERA_FRAME)
    np.testing.assert_array_equal(open_capture(tmp_path / "bag")[0].depth, depth)
    other = open_capture(tmp_path / "bag", depth_topic="/a/depth/image")[0].depth
    assert other.max() == pytest.approx(4.0)
    with pytest.raises(BadMetadata, match="/z/depth/image"):
        open_capture(tmp_path / "bag", depth_topic="/no/such")


def test_raw_depth_is_registered_over_tf_static(tmp_path: Path) -> None:
    """Depth of another camera is seen from the colour camera: a wall at 2 m stays, shifted by the baseline ahead."""
    rgb, _ = scene()
    T_color_depth = np.eye(4)
    T_color_depth[:3, 3] = [0.05, 0, 0.25]
    small = Camera.from_focal(40, 40, 20, 15, 40, 30)
    with BagMaker(tmp_path / "bag") as bag:
        bag.tf("/tf_static", "depth_frame", CAMERA_FRAME, np.linalg.inv(T_color_depth), 9.0)
        bag.info("/depth/camera_info", small, 9.9, "depth_frame")
        bag.image("/depth/image", np.full((30, 40), 2, np.float32), "32FC1", 10.0, "depth_frame")
        bag.info("/rgb/camera_info", CAMERA, 9.9, CAMERA_FRAME)
        bag.image("/rgb/image", rgb, "rgb8", 10.0, CAMERA_FRAME)
    frame = open_capture(tmp_path / "bag")[0]
    assert frame.depth.shape == (48, 64)
    assert frame.valid.mean() > 0.5
    np.testing.assert_allclose(frame.depth[frame.valid], 2.25, atol=1e-5)


def test_pose_topic_is_the_cameras(tmp_path: Path) -> None:
    """Without transforms the only pose topic is taken, and interpolated at the image's stamp."""
    a, b = np.eye(4), np.eye(4)
    b[:3, 3] = [0.4, 0, 0]
    b[:3, :3] = Rotation.from_rotvec([0, 0, 0.4]).as_matrix()
    with BagMaker(tmp_path / "bag") as bag:
        one_frame(bag)
        bag.pose("/pose", a, 9.99)
        bag.pose("/pose", b, 10.03)
    T = open_capture(tmp_path / "bag")[0].T_world_camera
    np.testing.assert_allclose(T[:3, 3], [0.1, 0, 0], atol=1e-6)  # stamps are float seconds
    np.testing.assert_allclose(Rotation.from_matrix(T[:3, :3]).as_rotvec(), [0, 0, 0.1], atol=1e-6)


def test_odometry_goes_over_its_child_frame(tmp_path: Path) -> None:
    """Odometry is of its child frame; the camera's place on it comes from tf_static."""
    T_odom_base, T_base_camera = poses(3)[1:]
    with BagMaker(tmp_path / "bag") as bag:
        one_frame(bag)
        bag.tf("/tf_static", "base", CAMERA_FRAME, T_base_camera, 9.0)
        bag.odometry("/odom", T_odom_base, 10.0, "odom", "base")
    T = open_capture(tmp_path / "bag")[0].T_world_camera
    np.testing.assert_allclose(T, T_odom_base @ T_base_camera, atol=1e-12)


def test_map_is_preferred_and_can_be_overridden(tmp_path: Path) -> None:
    """Of map -> odom -> base -> camera, poses are in map; world_frame names another."""
    A, B, C = poses(4)[1:]
    with BagMaker(tmp_path / "bag") as bag:
        one_frame(bag)
        bag.tf("/tf_static", "base", CAMERA_FRAME, C, 9.0)
        bag.tf("/tf_static", "earth", "map", np.eye(4), 9.0)
        for shift in (-0.01, 0.01):
            bag.tf("/tf", "map", "odom", A, 10 + shift)
            bag.tf("/tf", "odom", "base", B, 10 + shift)
    np.testing.assert_allclose(open_capture(tmp_path / "bag")[0].T_world_camera, A @ B @ C, atol=1e-12)
    odom = open_capture(tmp_path / "bag", world_frame="odom")[0]
    np.testing.assert_allclose(odom.T_world_camera, B @ C, atol=1e-12)
    with pytest.raises(BadMetadata, match="base"):
        open_capture(tmp_path / "bag", world_frame="moon")


def test_missing_transform_is_never_the_identity(tmp_path: Path) -> None:
    """An image without a transform near its stamp is an error; a recording without any pose says so by None."""
    with BagMaker(tmp_path / "late") as bag:
        one_frame(bag)
        bag.tf("/tf", "map", CAMERA_FRAME, np.eye(4), 12.0)
    with pytest.raises(BadPose):
        open_capture(tmp_path / "late")[0]
    with BagMaker(tmp_path / "none") as bag:
        one_frame(bag)
    assert open_capture(tmp_path / "none")[0].T_world_camera is None


def test_zero_stamps_count_as_received(tmp_path: Path) -> None:
    """Drivers that leave the stamp zero are matched by when their images were received."""
    rgb, depth = scene()
    with BagMaker(tmp_path / "bag") as bag:
        bag.info("/rgb/camera_info", CAMERA, 9.9, CAMERA_FRAME)
        for topic, array, encoding in (("/rgb/image", rgb, "rgb8"), ("/depth/image", depth, "32FC1")):
            kind = "sensor_msgs/msg/Image"
            message = bag.make(
                kind, header=bag.header(0.0, CAMERA_FRAME), height=48, width=64, encoding=encoding, is_bigendian=0,
                step=array.strides[0], data=np.frombuffer(array.tobytes(), np.uint8),
            )  # fmt: skip
            bag.write(topic, kind, message, 10.0)
    frame = open_capture(tmp_path / "bag")[0]
    assert frame.stamp == 10.0
    np.testing.assert_array_equal(frame.depth, depth)


def test_opening_decodes_no_image(tmp_path: Path) -> None:
    """Opening looks at the first message of a topic and at stamps; a broken third image costs only itself."""
    with BagMaker(tmp_path / "bag") as bag:
        bag.info("/rgb/camera_info", CAMERA, 9.9, CAMERA_FRAME)
        for i in range(3):
            rgb, depth = scene(i)
            bag.image("/rgb/image", rgb, "rgb8", 10.0 + i, CAMERA_FRAME)
            bag.image("/depth/image", depth * (i < 2), "32FC1", 10.0 + i, CAMERA_FRAME)
    capture = BagCapture(tmp_path / "bag")
    assert len(capture) == 3
    with pytest.raises(BadDepth):
        capture[2]
    assert len(list(capture.frames())) == 2


def test_distorted_bag_images_are_undistorted(tmp_path: Path) -> None:
    """plumb_bob coefficients in CameraInfo change the picture, unless the topic says it is rectified."""
    rgb, _ = scene()
    with BagMaker(tmp_path / "bag") as bag:
        for topic in ("/a/image_raw", "/b/image_rect"):
            bag.info(f"{topic[:2]}/camera_info", CAMERA, 9.9, CAMERA_FRAME, d=(-0.3, 0.1, 0.0, 0.0, 0.0))
            bag.image(topic, rgb, "rgb8", 10.0, CAMERA_FRAME)
    raw = open_capture(tmp_path / "bag", color_topic="/a/image_raw")[0].rgb
    rectified = open_capture(tmp_path / "bag", color_topic="/b/image_rect")[0].rgb
    assert (rectified == rgb).all() and (raw != rgb).any()
