"""Broken captures: each gives one named error, or drops frames and counts them; none changes a file."""

import hashlib
import json
import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from capture_samples import (
    CAMERA,
    SEVEN_OPTIONS,
    BagMaker,
    edit_frame,
    edit_json,
    make_7scenes,
    make_bag,
    make_folder,
    make_tum,
    poses,
    scene,
)

from robodistill.capture.open import open_capture
from robodistill.errors import (
    BadDepth,
    BadIntrinsics,
    BadMetadata,
    BadPose,
    EmptyCapture,
    MissingImage,
    UnknownCaptureFormat,
    UnreadableImage,
    WrongSize,
)


@dataclass
class Case:
    name: str
    make: Callable[[Path], Path] | None
    breaks: Callable[[Path], None]
    error: type[Exception]
    dropped: int = 0
    """Frames of three that are dropped; 0: opening, or reading as a whole, raises `error`."""


def put(name: str, content: bytes | str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        (path / name).write_bytes(content.encode() if isinstance(content, str) else content)

    return change


def cut(name: str, share: float) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        data = (path / name).read_bytes()
        (path / name).write_bytes(data[: int(len(data) * share)])

    return change


def flip(name: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        data = bytearray((path / name).read_bytes())
        data[len(data) // 2] ^= 0x55
        (path / name).write_bytes(bytes(data))

    return change


def image(name: str, array: np.ndarray) -> Callable[[Path], None]:
    return lambda path: cv2.imwrite(str(path / name), array) or pytest.fail(name)


def remove(name: str) -> Callable[[Path], None]:
    return lambda path: (path / name).unlink()


def as_directory(name: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        (path / name).unlink()
        (path / name).mkdir()

    return change


def jpeg_cut(path: Path) -> None:
    _, data = cv2.imencode(".jpg", scene()[0])
    (path / "images/shot_1.jpg").write_bytes(data.tobytes()[:-300])
    edit_frame(path, 1, file_path="images/shot_1.jpg")


def frame(index: int, **changes: object) -> Callable[[Path], None]:
    return lambda path: edit_frame(path, index, **changes)


def meta(**changes: object) -> Callable[[Path], None]:
    return lambda path: edit_json(path, **changes)


def matrix(change: Callable[[np.ndarray], object]) -> list:
    T = poses(3)[1].copy()
    change(T)
    return T.tolist()


def set_at(row: int, column: int, value: float) -> Callable[[np.ndarray], None]:
    def change(T: np.ndarray) -> None:
        T[row, column] = value

    return change


def scale_rotation(factor: float) -> Callable[[np.ndarray], None]:
    def change(T: np.ndarray) -> None:
        T[:3, :3] *= factor

    return change


def mirror(T: np.ndarray) -> None:
    T[:3, 0] *= -1


def line(name: str, index: int, text: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        lines = (path / name).read_text().splitlines()
        lines[index] = text
        (path / name).write_text("\n".join(lines))

    return change


def shift_depth_stamps(path: Path) -> None:
    lines = [row.split() for row in (path / "depth.txt").read_text().splitlines()]
    (path / "depth.txt").write_text("\n".join(f"{float(stamp) + 5} {name}" for stamp, name in lines))


def nothing(path: Path) -> None:
    path.mkdir()


def bag(*parts: str, **image_changes: object) -> Callable[[Path], None]:
    """A recording of three frames that has only `parts`; the second colour image is changed."""

    def make(path: Path) -> None:
        frame_id = "camera"
        with BagMaker(path) as out:
            out.tf("/unused", "a", "b", np.eye(4), 1.0)
            for i, T in enumerate(poses(3)):
                rgb, depth = scene(i)
                stamp = 10 + i / 30
                if "info" in parts:
                    out.info("/color/camera_info", CAMERA, stamp, frame_id)
                if "bad info" in parts:
                    out.info("/color/camera_info", _uncalibrated(), stamp, frame_id)
                if "info elsewhere" in parts:
                    out.info("/left/camera_info", CAMERA, stamp, frame_id)
                if "color" in parts:
                    out.image("/color/image", rgb, "rgb8", stamp, frame_id, **(image_changes if i == 1 else {}))
                if "depth" in parts:
                    counts = (depth * 1000).astype(np.uint16)
                    out.image("/depth/image", counts, "16UC1", stamp, frame_id)
                if "depth elsewhere" in parts:
                    out.info("/depth/camera_info", CAMERA, stamp, "depth_camera")
                    out.image("/depth/image", (depth * 1000).astype(np.uint16), "16UC1", stamp, "depth_camera")
                if "metres in mm" in parts:
                    values = depth * (1000 if i == 1 else 1)
                    out.image("/depth/image", values, "32FC1", stamp, frame_id)
                if "late depth" in parts:
                    out.image("/depth/image", (depth * 1000).astype(np.uint16), "16UC1", stamp + 5, frame_id)
                if "pose" in parts:
                    out.pose("/pose", T, stamp)
                if "two poses" in parts:
                    out.pose("/pose_a", T, stamp)
                    out.pose("/pose_b", T, stamp)
                if "late pose" in parts:
                    out.pose("/pose", T, stamp + 5)
                if "odometry elsewhere" in parts:
                    out.odometry("/odom", T, stamp, "odom", "base_nobody_knows")
                if "ring" in parts:
                    out.tf("/tf", "a", "camera", T, stamp)
                    out.tf("/tf", "camera", "a", T, stamp)

    return make


def _uncalibrated() -> object:
    from types import SimpleNamespace

    return SimpleNamespace(K=np.zeros((3, 3)), width=64, height=48)


def damaged_bag(path: Path) -> None:
    data = (path / f"{path.name}.db3").read_bytes()
    (path / f"{path.name}.db3").write_bytes(data[:5000])


RGB, DEPTH = scene()
MM = (DEPTH * 1000).astype(np.uint16)
FOLDER_CASES = [
    Case("no such path", None, lambda path: None, UnknownCaptureFormat),
    Case("empty folder", None, nothing, UnknownCaptureFormat),
    Case("a plain file", None, lambda path: path.write_bytes(b"text") and None, UnknownCaptureFormat),
    Case("transforms.json is a directory", make_folder, as_directory("transforms.json"), UnknownCaptureFormat),
    Case("json empty", make_folder, put("transforms.json", ""), BadMetadata),
    Case("json cut", make_folder, cut("transforms.json", 0.7), BadMetadata),
    Case("json is a list", make_folder, put("transforms.json", "[]"), BadMetadata),
    Case("json not UTF-8", make_folder, put("transforms.json", b'{"frames": "\xff\xfe"}'), BadMetadata),
    Case("json too deep", make_folder, put("transforms.json", "[" * 100000), BadMetadata),
    Case("no frames key", make_folder, meta(frames=None), BadMetadata),
    Case("frames is text", make_folder, meta(frames="all"), BadMetadata),
    Case("frames empty", make_folder, meta(frames=[]), EmptyCapture),
    Case("fisheye", make_folder, meta(camera_model="OPENCV_FISHEYE"), BadMetadata),
    Case("fisheye coefficient", make_folder, meta(k4=0.1), BadMetadata),
    Case("zero focal length", make_folder, meta(fl_x=0), BadIntrinsics),
    Case("negative focal length", make_folder, meta(fl_y=-60.0), BadIntrinsics),
    Case("focal length NaN", make_folder, meta(fl_x=float("nan")), BadMetadata),
    Case("focal length text", make_folder, meta(fl_x="60"), BadMetadata),
    Case("principal point far out", make_folder, meta(cx=5000.0), BadIntrinsics),
    Case("no focal length", make_folder, meta(fl_x=None, fl_y=None), EmptyCapture),
    Case("field of view too wide", make_folder, meta(fl_x=None, camera_angle_x=4.0), BadIntrinsics),
    Case("depth unit zero", make_folder, meta(depth_unit_scale_factor=0), BadMetadata),
    Case("depth unit wrong by 1000", make_folder, meta(depth_unit_scale_factor=1.0), EmptyCapture),
    Case("size of another camera", make_folder, meta(w=640, h=480), EmptyCapture),
    Case("all images gone", make_folder, lambda path: shutil.rmtree(path / "images"), EmptyCapture),
    Case("frame is a number", make_folder, lambda p: _replace_frame(p, 7), BadMetadata, 1),
    Case("frame without file", make_folder, frame(1, file_path=None), BadMetadata, 1),
    Case("frame without pose", make_folder, frame(1, transform_matrix=None), BadMetadata, 1),
    Case("frame twice", make_folder, frame(1, file_path="images/shot_0.png"), BadMetadata, 1),
    Case("path escapes", make_folder, frame(1, file_path="../../etc/passwd"), BadMetadata, 1),
    Case("path absolute", make_folder, frame(1, file_path="/etc/passwd"), BadMetadata, 1),
    Case("depth path escapes", make_folder, frame(1, depth_file_path="images/../../x.png"), BadMetadata, 1),
    Case("depth path a number", make_folder, frame(1, depth_file_path=5), BadMetadata, 1),
    Case("path with null byte", make_folder, frame(1, file_path="images/a\0.png"), UnreadableImage, 1),
    Case("stamp NaN", make_folder, frame(1, stamp=float("nan")), BadMetadata, 1),
    Case("pose NaN", make_folder, frame(1, transform_matrix=matrix(set_at(0, 3, np.nan))), BadPose, 1),
    Case("pose infinite", make_folder, frame(1, transform_matrix=matrix(set_at(2, 1, np.inf))), BadPose, 1),
    Case("pose scaled", make_folder, frame(1, transform_matrix=matrix(scale_rotation(1.01))), BadPose, 1),
    Case("pose mirrored", make_folder, frame(1, transform_matrix=matrix(mirror)), BadPose, 1),
    Case("pose last row", make_folder, frame(1, transform_matrix=matrix(set_at(3, 0, 0.5))), BadPose, 1),
    Case("pose of zeros", make_folder, frame(1, transform_matrix=np.zeros((4, 4)).tolist()), BadPose, 1),
    Case("pose 3x3", make_folder, frame(1, transform_matrix=np.eye(3).tolist()), BadMetadata, 1),
    Case("pose ragged", make_folder, frame(1, transform_matrix=[[1, 0], [0]]), BadMetadata, 1),
    Case("pose of text", make_folder, frame(1, transform_matrix="identity"), BadMetadata, 1),
    Case("colour missing", make_folder, remove("images/shot_1.png"), MissingImage, 1),
    Case("colour a directory", make_folder, as_directory("images/shot_1.png"), UnreadableImage, 1),
    Case("colour empty", make_folder, put("images/shot_1.png", b""), UnreadableImage, 1),
    Case("colour not an image", make_folder, put("images/shot_1.png", b"GIF89a or so"), UnreadableImage, 1),
    Case("colour PNG cut", make_folder, cut("images/shot_1.png", 0.6), UnreadableImage, 1),
    Case("colour PNG end missing", make_folder, cut("images/shot_1.png", 0.995), UnreadableImage, 1),
    Case("colour PNG damaged", make_folder, flip("images/shot_1.png"), UnreadableImage, 1),
    Case("colour JPEG cut", make_folder, jpeg_cut, UnreadableImage, 1),
    Case("colour smaller", make_folder, image("images/shot_1.png", RGB[:20]), WrongSize, 1),
    Case("colour 16 bits", make_folder, image("images/shot_1.png", RGB.astype(np.uint16)), UnreadableImage, 1),
    Case("depth missing", make_folder, remove("depth/shot_1.png"), MissingImage, 1),
    Case("depth PNG cut", make_folder, cut("depth/shot_1.png", 0.5), UnreadableImage, 1),
    Case("depth 8 bits", make_folder, image("depth/shot_1.png", np.full((48, 64), 9, np.uint8)), BadDepth, 1),
    Case("depth three channels", make_folder, image("depth/shot_1.png", RGB.astype(np.uint16)), BadDepth, 1),
    Case("depth other size", make_folder, image("depth/shot_1.png", MM[:, :32]), WrongSize, 1),
    Case("depth all zero", make_folder, image("depth/shot_1.png", MM * 0), BadDepth, 1),
    Case("depth all 65535", make_folder, image("depth/shot_1.png", MM * 0 + 65535), BadDepth, 1),
    Case("depth in metres as 16 bits", make_folder, image("depth/shot_1.png", MM // 1000), BadDepth, 1),
]
OTHER_CASES = [
    Case("tum: no depth.txt", make_tum, remove("depth.txt"), BadMetadata),
    Case("tum: no groundtruth.txt", make_tum, remove("groundtruth.txt"), BadMetadata),
    Case("tum: rgb.txt empty", make_tum, put("rgb.txt", "# nothing\n"), EmptyCapture),
    Case("tum: list not UTF-8", make_tum, put("rgb.txt", b"\xff\xfe\x00"), BadMetadata),
    Case("tum: stamp NaN", make_tum, line("rgb.txt", 2, "nan rgb/a.png"), BadMetadata),
    Case("tum: stamp text", make_tum, line("depth.txt", 1, "soon depth/a.png"), BadMetadata),
    Case("tum: file name missing", make_tum, line("rgb.txt", 2, "100.5"), BadMetadata),
    Case("tum: pose of 7 numbers", make_tum, line("groundtruth.txt", 1, "1 2 3 4 5 6 7"), BadMetadata),
    Case("tum: only bad poses", make_tum, put("groundtruth.txt", "100 0 0 nan 0 0 0 1\n"), EmptyCapture),
    Case("tum: zero quaternion", make_tum, put("groundtruth.txt", "100 0 0 0 0 0 0 0\n"), EmptyCapture),
    Case("tum: zero focal length", make_tum, put("intrinsics.json", '{"fx":0,"fy":1,"cx":1,"cy":1}'), BadIntrinsics),
    Case("tum: intrinsics lack a key", make_tum, put("intrinsics.json", '{"fx":60}'), BadMetadata),
    Case("tum: no depth near in time", make_tum, shift_depth_stamps, EmptyCapture),
    Case("tum: path escapes", make_tum, line("rgb.txt", 2, "100.033333 ../../a.png"), BadMetadata, 1),
    Case("tum: colour listed twice", make_tum, line("rgb.txt", 2, "100.033333 rgb/100.000000.png"), BadMetadata, 1),
    Case("tum: no pose near in time", make_tum, put("groundtruth.txt", "100 0 0 0 0 0 0 1\n"), BadPose, 2),
    Case("7scenes: colour missing", make_7scenes, remove("frame-000001.color.png"), MissingImage, 1),
    Case("7scenes: depth missing", make_7scenes, remove("frame-000001.depth.png"), MissingImage, 1),
    Case("7scenes: pose empty", make_7scenes, put("frame-000001.pose.txt", ""), BadMetadata, 1),
    Case("7scenes: pose NaN", make_7scenes, put("frame-000001.pose.txt", "nan 0 0 0\n" * 4), BadPose, 1),
    Case("7scenes: pose a directory", make_7scenes, as_directory("frame-000001.pose.txt"), BadMetadata, 1),
    Case("7scenes: K of text", make_7scenes, put("camera-intrinsics.txt", "focal 585"), BadMetadata),
    Case("7scenes: K zero", make_7scenes, put("camera-intrinsics.txt", "0 0 0\n0 0 0\n0 0 1"), BadIntrinsics),
    Case("bag: metadata not YAML", make_bag, put("metadata.yaml", "{"), BadMetadata),
    Case("bag: metadata of something else", make_bag, put("metadata.yaml", "a: 1"), BadMetadata),
    Case("bag: database gone", make_bag, lambda path: (path / f"{path.name}.db3").unlink(), BadMetadata),
    Case("bag: database cut", make_bag, damaged_bag, BadMetadata),
    Case("bag: no images", None, bag("info", "pose"), BadMetadata),
    Case("bag: no CameraInfo", None, bag("color", "depth", "pose"), BadMetadata),
    Case("bag: CameraInfo of another camera", None, bag("color", "info elsewhere", "pose"), BadMetadata),
    Case("bag: K zero", None, bag("color", "bad info", "pose"), BadIntrinsics),
    Case("bag: depth camera not linked", None, bag("color", "info", "depth elsewhere", "pose"), BadMetadata),
    Case("bag: two pose topics", None, bag("color", "info", "depth", "two poses"), BadMetadata),
    Case("bag: odometry not linked", None, bag("color", "info", "depth", "odometry elsewhere"), BadMetadata),
    Case("bag: frames form a ring", None, bag("color", "info", "depth", "ring"), BadMetadata),
    Case("bag: poses too late", None, bag("color", "info", "depth", "late pose"), EmptyCapture),
    Case("bag: depth too late", None, bag("color", "info", "late depth", "pose"), EmptyCapture),
    Case("bag: data short", None, bag("color", "info", "depth", "pose", data=np.zeros(9, np.uint8)), WrongSize, 1),
    Case("bag: unknown encoding", None, bag("color", "info", "pose", encoding="yuv422"), UnreadableImage, 1),
    Case("bag: depth in colour", None, bag("color", "info", "pose", encoding="16UC1"), UnreadableImage, 1),
    Case("bag: other size", None, bag("color", "info", "pose", height=24), WrongSize, 1),
    Case("bag: float millimetres", None, bag("color", "info", "metres in mm", "pose"), BadDepth, 1),
]


def _replace_frame(path: Path, value: object) -> None:
    entries = json.loads((path / "transforms.json").read_text())["frames"]
    edit_json(path, frames=[entries[0], value, entries[2]])


def digest(path: Path) -> str:
    """Of all names and contents below `path`."""
    total = hashlib.sha256()
    for entry in sorted(path.rglob("*")):
        total.update(str(entry.relative_to(path)).encode() + (entry.read_bytes() if entry.is_file() else b"/"))
    return total.hexdigest()


@pytest.mark.parametrize("case", FOLDER_CASES + OTHER_CASES, ids=lambda case: case.name)
def test_broken_capture_is_named_or_counted(case: Case, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A fault raises its error, or costs its frames and one warning that counts them by error; no file changes."""
    if case.name.startswith("bag"):
        pytest.importorskip("rosbags")
    path = tmp_path / "capture"
    if case.make:
        case.make(path)
    case.breaks(path)
    before = digest(tmp_path)
    options = SEVEN_OPTIONS if case.name.startswith("7scenes") else {}
    with caplog.at_level(logging.WARNING):
        if case.dropped:
            assert len(list(open_capture(path, **options).frames())) == 3 - case.dropped
            counted = [r.message for r in caplog.records if f"dropped {case.dropped} broken frame(s)" in r.message]
            assert len(counted) == 1 and case.error.__name__ in counted[0], caplog.messages
        else:
            with pytest.raises(case.error) as caught:
                list(open_capture(path, **options).frames())
            assert type(caught.value) is case.error and len(str(caught.value).splitlines()) == 1
    assert digest(tmp_path) == before


def test_case_names_are_distinct() -> None:
    """There are at least forty different faults."""
    assert len({case.name for case in FOLDER_CASES + OTHER_CASES}) == len(FOLDER_CASES + OTHER_CASES) >= 40
