"""Every recorded form gives the same frames; writing and reading is the identity."""

import json
import logging
import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest
from capture_samples import (
    CAMERA,
    SEVEN_OPTIONS,
    edit_frame,
    edit_json,
    frames,
    make_7scenes,
    make_folder,
    make_tum,
    poses,
    scene,
)
from scipy.spatial.transform import Rotation

from robodistill.capture.folder import CaptureWriter
from robodistill.capture.frame import Frame
from robodistill.capture.open import FORMS, open_capture
from robodistill.errors import BadDepth, BadInput, BadMetadata, EmptyCapture, UnknownCaptureFormat
from robodistill.geometry.camera import Camera


def assert_same(got: Frame, wanted: Frame, depth_unit: float = 0.001, pose_digits: float = 0) -> None:
    np.testing.assert_array_equal(got.rgb, wanted.rgb)
    assert np.abs(got.depth - wanted.depth).max() <= depth_unit / 2 * 1.001  # float32 beside exact half steps
    np.testing.assert_allclose(got.camera.K, wanted.camera.K, rtol=1e-15)
    np.testing.assert_allclose(got.T_world_camera, wanted.T_world_camera, atol=pose_digits, rtol=0)


def test_write_then_read_is_the_identity(tmp_path: Path) -> None:
    """Colour, K, pose, name and stamp come back exactly, depth to half a unit."""
    rng = np.random.default_rng(0)
    noisy = [
        Frame(f.rgb, (f.depth * rng.uniform(0.9, 1.1, f.depth.shape)).astype(np.float32), *rest(f)) for f in frames()
    ]
    with CaptureWriter(tmp_path / "out", depth_unit=0.0005) as writer:
        names = [writer.add(frame) for frame in noisy]
    got = list(open_capture(tmp_path / "out").frames())
    assert names == [frame.name for frame in got] == [frame.name for frame in noisy]
    assert [frame.stamp for frame in got] == [frame.stamp for frame in noisy]
    for a, b in zip(got, noisy, strict=True):
        assert_same(a, b, 0.0005)


def rest(frame: Frame) -> tuple:
    return frame.camera, frame.T_world_camera, frame.name, frame.stamp


def test_written_poses_are_opengl(tmp_path: Path) -> None:
    """transforms.json holds camera-to-world with y up and z backward, and the corner's principal point."""
    make_folder(tmp_path / "out", 1)
    content = json.loads((tmp_path / "out/transforms.json").read_text())
    T = np.array(content["frames"][0]["transform_matrix"])
    np.testing.assert_array_equal(T[:3, 3], poses(1)[0][:3, 3])
    np.testing.assert_array_equal(T[:3, :3], poses(1)[0][:3, :3] * [1, -1, -1])
    assert content["cx"] == CAMERA.K[0, 2] + 0.5 and content["cy"] == CAMERA.K[1, 2] + 0.5
    assert content["depth_unit_scale_factor"] == 0.001


def test_cameras_may_differ(tmp_path: Path) -> None:
    """Frames of different sizes and focal lengths keep their own."""
    other = Camera.from_focal(33.0, 34.0, 15.1, 11.9, 32, 24)
    with CaptureWriter(tmp_path / "out") as writer:
        for camera, T in zip((CAMERA, other), poses(2), strict=True):
            writer.add(Frame(*scene(0, camera), camera, T))
    got = list(open_capture(tmp_path / "out").frames())
    for frame, camera in zip(got, (CAMERA, other), strict=True):
        np.testing.assert_allclose(frame.camera.K, camera.K, rtol=1e-15)
        assert frame.rgb.shape == (camera.height, camera.width, 3)


def test_frames_without_depth_stay_without(tmp_path: Path) -> None:
    """A frame that has no depth is read as one that has none."""
    frame = frames(1)[0]
    with CaptureWriter(tmp_path / "out") as writer:
        writer.add(Frame(frame.rgb, None, *rest(frame)))
    assert open_capture(tmp_path / "out")[0].depth is None


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """A folder with anything in it is refused and left as it is; an empty one is taken."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine.txt").write_text("mine")
    with pytest.raises(BadInput, match="not empty"):
        CaptureWriter(tmp_path / "full")
    with pytest.raises(BadInput):
        CaptureWriter(tmp_path / "full/mine.txt")
    assert [entry.name for entry in (tmp_path / "full").iterdir()] == ["mine.txt"]
    (tmp_path / "empty").mkdir()
    make_folder(tmp_path / "empty")


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    """An exception between frames takes away what was written; without close there is no transforms.json."""
    with pytest.raises(RuntimeError), CaptureWriter(tmp_path / "out") as writer:
        writer.add(frames(1)[0])
        assert not (tmp_path / "out/transforms.json").exists()
        raise RuntimeError
    assert not (tmp_path / "out").exists()


def test_whole_files_only(tmp_path: Path) -> None:
    """No temporary name stays behind."""
    make_folder(tmp_path / "out")
    files = {str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*") if p.is_file()}
    images = {f"{kind}/shot_{i}.png" for kind in ("images", "depth") for i in range(3)}
    assert files == images | {"transforms.json"}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"T_world_camera": None}, BadInput),
        ({"name": "../up"}, BadInput),
        ({"name": ".hidden"}, BadInput),
        ({"name": "shot_0"}, BadInput),
        ({"camera": Camera(CAMERA.K + [[0, 1, 0], [0, 0, 0], [0, 0, 0]], 64, 48)}, BadInput),
        ({"depth": np.full((48, 64), 70, np.float32)}, BadDepth),
    ],
    ids=["no pose", "path", "hidden", "twice", "skew", "too far"],
)
def test_writer_refuses_what_the_format_cannot_hold(tmp_path: Path, change: dict, error: type) -> None:
    """No pose, unusable or repeated names, skew, and depth beyond 16 bits are named errors, and write nothing."""
    first, second = frames(2)
    with CaptureWriter(tmp_path / "out") as writer:
        writer.add(first)
        with pytest.raises(error):
            writer.add(Frame(**(vars(second) | change)))
    assert len(open_capture(tmp_path / "out")) == 1
    assert len(list((tmp_path / "out").rglob("*.png"))) == 2


def test_empty_writer_is_an_error(tmp_path: Path) -> None:
    """A capture of no frames is not written."""
    with pytest.raises(EmptyCapture), CaptureWriter(tmp_path / "out"):
        pass


def test_tum_gives_the_same_frames(tmp_path: Path) -> None:
    """Lists are matched by time; poses are interpolated at the colour stamp (9 digits in the file)."""
    for got, wanted in zip(open_capture(make_tum(tmp_path / "tum")).frames(), frames(), strict=True):
        assert_same(got, wanted, 0.0002, 1e-8)


def test_tum_interpolates_by_slerp(tmp_path: Path) -> None:
    """A quarter of the way between two poses is a quarter of the angle and of the path."""
    path = make_tum(tmp_path / "tum", 1)
    end = Rotation.from_rotvec([0, 0, 0.4]).as_quat()
    lines = ["99.99 0 0 0 0 0 0 1", f"100.03 0.4 0 0 {' '.join(map(str, end))}"]
    (path / "groundtruth.txt").write_text("\n".join(lines))
    T = open_capture(path)[0].T_world_camera
    np.testing.assert_allclose(Rotation.from_matrix(T[:3, :3]).as_rotvec(), [0, 0, 0.1], atol=1e-9)
    np.testing.assert_allclose(T[:3, 3], [0.1, 0, 0], atol=1e-9)


def test_tum_logs_default_intrinsics(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Without intrinsics the benchmark's default is taken, and said; given ones win."""
    path = make_tum(tmp_path / "tum", 1)
    (path / "intrinsics.json").unlink()
    with caplog.at_level(logging.WARNING):
        capture = open_capture(path)
    assert "525" in caplog.text
    with pytest.raises(EmptyCapture):  # (319.5, 239.5) is not inside these 64x48 images
        list(capture.frames())
    given = (60.0, 61.0, 31.0, 23.0)
    np.testing.assert_array_equal(open_capture(path, intrinsics=given)[0].camera.K[[0, 1], [2, 2]], given[2:])


def test_seven_scenes_gives_the_same_frames(tmp_path: Path) -> None:
    """With one camera for both images and no delay, 65535 is 0 and everything else as it was."""
    capture = open_capture(make_7scenes(tmp_path / "seven"), **SEVEN_OPTIONS)
    for got, wanted in zip(capture.frames(), frames(), strict=True):
        assert_same(got, wanted, pose_digits=1e-12)  # poses pass through interpolation


def test_seven_scenes_registers_depth_to_color(tmp_path: Path) -> None:
    """World points of a pixel are the same by the depth camera and, moved and zoomed, by the colour camera."""
    path = make_7scenes(tmp_path / "seven", 1)
    T = np.eye(4)
    T[:3, 3] = [-0.05, 0.02, 0]
    options = {"color_intrinsics": (52.0, 53.0, 30.0, 25.0), "T_color_depth": T, "color_delay": 0.0}
    frame = open_capture(path, **options)[0]
    np.testing.assert_allclose(frame.T_world_camera @ T, poses(1)[0], atol=1e-12)
    values = frame.depth[frame.valid]
    assert frame.valid.mean() > 0.7  # (52 / 60) (53 / 61) = 0.75 of the image lies in the depth camera's view
    assert (np.minimum(abs(values - 1), abs(values - 2)) < 1e-3).all()
    # The box's left border is pixel column 20 at 1 m: u = 52 ((20 - cx) / fx - 0.05) + 30.
    row = 25 + round(53 * ((20 - CAMERA.K[1, 2]) / CAMERA.K[1, 1] + 0.02))
    left = np.flatnonzero(abs(frame.depth[row] - 1) < 1e-3)[0]
    assert left == round(52 * ((20 - CAMERA.K[0, 2]) / CAMERA.K[0, 0] - 0.05) + 30)


def test_seven_scenes_delay_moves_the_color_camera(tmp_path: Path) -> None:
    """Colour exposed half an interval late has the pose halfway to the next frame; the last has no next."""
    capture = open_capture(make_7scenes(tmp_path / "seven"), **(SEVEN_OPTIONS | {"color_delay": 0.5}))
    Ts = poses(3)
    np.testing.assert_allclose(capture[0].T_world_camera[:3, 3], (Ts[0] + Ts[1])[:3, 3] / 2, atol=1e-12)
    np.testing.assert_allclose(capture[2].T_world_camera, Ts[2], atol=1e-12)


def test_blender_style_is_read(tmp_path: Path) -> None:
    """A field of view instead of a focal length, no size, no principal point, no suffix, no depth."""
    path = make_folder(tmp_path / "out", 1)
    edit_json(path, fl_x=None, fl_y=None, cx=None, cy=None, w=None, h=None, camera_angle_x=1.0)
    edit_frame(path, 0, file_path="./images/shot_0", depth_file_path=None)
    camera = open_capture(path)[0].camera
    assert camera.K[0, 0] == camera.K[1, 1] == pytest.approx(32 / np.tan(0.5))
    np.testing.assert_array_equal(camera.K[:2, 2], [31.5, 23.5])


def test_distorted_images_are_undistorted(tmp_path: Path) -> None:
    """Straight lines that a lens has bent are straight again; depth keeps only values that were measured."""
    camera = Camera.from_focal(300.0, 300.0, 159.5, 119.5, 320, 240)
    k1 = -0.2
    x, y = np.moveaxis(camera.rays()[..., :2], -1, 0)
    # What the lens records at a pixel comes from the undistorted direction there, found by fixed-point iteration.
    ux, uy = x, y
    for _ in range(50):
        factor = 1 + k1 * (ux**2 + uy**2)
        ux, uy = x / factor, y / factor
    rgb = np.repeat((127 + 100 * np.sin(40 * ux))[..., None], 3, -1).astype(np.uint8)
    depth = np.where(uy < 0.1, 1.0, 2.0).astype(np.float32)
    with CaptureWriter(tmp_path / "out") as writer:
        writer.add(Frame(rgb, depth, camera, np.eye(4)))
    edit_json(tmp_path / "out", k1=k1, camera_model="OPENCV")
    frame = open_capture(tmp_path / "out")[0]
    expected = 127 + 100 * np.sin(40 * x)
    # Rounding, and linear interpolation of a wave of 47 px: 100 (2 pi / 47)^2 / 8 = 0.2 grey levels.
    assert np.abs(frame.rgb[20:-20, 20:-20, 0] - expected[20:-20, 20:-20]).max() < 2.5
    assert set(np.unique(frame.depth)) <= {0.0, 1.0, 2.0}
    border = np.abs(y - 0.1) < 1.0 / 300  # nearest neighbour is right to one pixel
    assert (frame.depth == np.where(y < 0.1, 1.0, 2.0))[20:-20, 20:-20][~border[20:-20, 20:-20]].all()


def test_small_deviations_are_repaired(tmp_path: Path) -> None:
    """A rotation rounded to 4 digits is made orthonormal again."""
    path = make_folder(tmp_path / "out", 1)
    T = json.loads((path / "transforms.json").read_text())["frames"][0]["transform_matrix"]
    edit_frame(path, 0, transform_matrix=np.round(T, 4).tolist())
    R = open_capture(path)[0].T_world_camera[:3, :3]
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-14)
    np.testing.assert_allclose(R, poses(1)[0][:3, :3], atol=1e-4)


@pytest.mark.parametrize("make", [make_folder, make_tum, make_7scenes])
def test_opening_reads_no_image(tmp_path: Path, make: object) -> None:
    """A capture opens with every image unreadable; only asking for a frame shows it."""
    path = make(tmp_path / "capture")
    for image in path.rglob("*.png"):
        image.write_bytes(b"no image")
    capture = open_capture(path)
    assert len(capture) == 3
    with pytest.raises(EmptyCapture):
        list(capture.frames())


def test_memory_stays_flat(tmp_path: Path) -> None:
    """Twenty frames, read one after another, never take the memory of four."""
    camera = Camera.from_focal(300, 300, 160, 120, 320, 240)
    rgb, depth = scene(0, camera)
    with CaptureWriter(tmp_path / "out") as writer:
        for T in poses(20):
            writer.add(Frame(rgb, depth, camera, T))
    capture = open_capture(tmp_path / "out")
    tracemalloc.start()
    try:
        assert sum(1 for _ in capture.frames()) == 20
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # One frame being read beside the one held, each with a handful of temporaries of its depth.
    assert peak < 20 * (rgb.nbytes + depth.nbytes) / 3


def test_unknown_form_lists_the_known_ones(tmp_path: Path) -> None:
    """The error names what was given and every form that would be valid."""
    with pytest.raises(UnknownCaptureFormat) as caught:
        open_capture(tmp_path / "nowhere")
    assert "nowhere" in str(caught.value) and all(what in str(caught.value) for what, _ in FORMS.values())


def test_unknown_option_is_named(tmp_path: Path) -> None:
    """An option of another form is refused, with the options there are."""
    with pytest.raises(BadInput, match="tolerance") as caught:
        open_capture(make_folder(tmp_path / "out"), tolerance=0.1)
    assert not isinstance(caught.value, BadMetadata)


def test_index_file_opens_like_its_folder(tmp_path: Path) -> None:
    """The path of transforms.json stands for its folder."""
    path = make_folder(tmp_path / "out")
    assert_same(open_capture(path / "transforms.json")[1], open_capture(str(path))[1])


@pytest.mark.parametrize("suffix", ["jpg", "jpeg"])
def test_seven_scenes_reads_jpeg(tmp_path: Path, suffix: str) -> None:
    """Colour may be a JPEG."""
    path = make_7scenes(tmp_path / "seven", 1)
    rgb = np.full((48, 64, 3), (200, 100, 50), np.uint8)
    (path / "frame-000000.color.png").unlink()
    cv2.imwrite(str(path / f"frame-000000.color.{suffix}"), rgb[..., ::-1])
    got = open_capture(path, **SEVEN_OPTIONS)[0].rgb
    assert np.abs(got.astype(int) - rgb).max() <= 3  # JPEG's loss on a constant colour
