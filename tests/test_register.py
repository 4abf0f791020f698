"""Registration on a robot's table: places and turns that are proposed, the pose that is found, and what is refused."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from box_field import looking, pictured, scanned
from planned_objects import lidded, placed
from scipy.spatial.transform import Rotation

from robodistill.cli import main
from robodistill.errors import BadInput, HonestNo
from robodistill.field.standing import standing_object
from robodistill.geometry.camera import Camera
from robodistill.grasp.surface import field_surface
from robodistill.inversion.object_pose import ObjectFinder
from robodistill.inversion.table_finder import TableFinder
from robodistill.inversion.twist import pose_error
from robodistill.inversion.upright import Standing, find_seats, measured_chance, upright_hypotheses
from robodistill.pipeline.plan import read_pose
from robodistill.pipeline.register import CameraPlace, register_object
from robodistill.robots.hand_eye import HandEye
from robodistill.robots.robot import load_robot

CAMERA = Camera.from_fov(0.8, 240, 180)
EYE = looking([0.5, -0.3, 0.5], [0.05, 0, 0.03])
TRUE = placed(0.1, 0.05, 2.0)


@pytest.fixture(scope="module")
def scan():
    return scanned(lidded())


@pytest.fixture(scope="module")
def standing(scan):
    return Standing.of_field(scan.field.select(standing_object(scan.field)), field_surface(scan.field).plane)


def test_how_a_thing_stands(standing):
    """Its frame, size, tilt and lift; a pose is split into what a table allows and what it does not."""
    T = standing.placed(0.3, -0.1, 0.7, 0.05)
    assert np.allclose(standing.seat(T), (0.3, -0.1, 0.7)) and abs(standing.tilt(T)) < 1e-6
    assert abs(standing.lift(T, 0.05)) < 1e-9
    assert 0.06 < standing.height < 0.075 and 0.06 < standing.radius < 0.1
    about = T @ np.linalg.inv(standing.level) @ [0, 0, standing.height / 2, 1]
    leant = np.eye(4)
    leant[:3, :3] = Rotation.from_rotvec([0.2, 0.1, 0]).as_matrix()
    leant[:3, 3] = about[:3] - leant[:3, :3] @ about[:3] + [0, 0, 0.02]
    assert np.isclose(standing.tilt(leant @ T), np.hypot(0.2, 0.1), atol=1e-6)
    assert np.isclose(standing.lift(leant @ T, 0.05), 0.02)
    assert np.allclose(standing.seat(leant @ T)[:2], (0.3, -0.1))


@pytest.mark.parametrize("with_depth", [True, False])
def test_the_first_proposal_is_near(scan, standing, with_depth):
    """Where the thing is on the table, and how it is turned, from votes and drawings alone."""
    frame = pictured(scan, TRUE, EYE, CAMERA)
    if not with_depth:
        frame = type(frame)(frame.rgb, None, CAMERA, None)
    sight = ObjectFinder(standing.field, 1).sight([frame.rgb], CAMERA)
    seats = find_seats(standing, frame, sight.chance, EYE, 0.0)
    assert np.linalg.norm(seats[0] - standing.seat(TRUE)[:2]) < 0.04
    found = upright_hypotheses(standing, frame, sight, EYE, 0.0, 3)
    assert len(found) == 3
    metres, turn = pose_error(EYE @ found[0], TRUE)
    assert metres < 0.04 and turn < 0.4


def test_an_object_is_registered(scan, tmp_path, capsys):
    """By the command line, to a few mm and a degree; its file is what `plan --pose` reads, and it is not replaced."""
    frame = pictured(scan, TRUE, EYE, CAMERA)
    cv2.imwrite(str(tmp_path / "rgb.png"), frame.rgb[:, :, ::-1])
    cv2.imwrite(str(tmp_path / "depth.png"), np.rint(frame.depth * 1000).astype(np.uint16))
    scan.field.save(tmp_path / "box.field")
    K = {"K": CAMERA.K.tolist(), "width": CAMERA.width, "height": CAMERA.height}
    (tmp_path / "K.json").write_text(json.dumps(K))
    HandEye("world", EYE).save(tmp_path / "eye.json")
    words = [str(tmp_path / name) for name in ("box.field", "rgb.png")]
    words += ["--depth", str(tmp_path / "depth.png"), "--intrinsics", str(tmp_path / "K.json")]
    out, picture = tmp_path / "pose.json", tmp_path / "found.png"
    eye = ["--hand-eye", str(tmp_path / "eye.json")]
    assert main(["register", *words, *eye, "-o", str(out), "--picture", str(picture), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    metres, turn = pose_error(read_pose(out), TRUE)
    assert metres < 0.005 and np.degrees(turn) < 1.5
    assert np.array_equal(told["T_world_object"], read_pose(out)) and told["confidence"] > 0.5
    assert told["tilt_deg"] < 5 and abs(told["lift_mm"]) < 10 and told["reason"] == "" and told["seconds"] > 0
    shown = cv2.imread(str(picture))
    assert shown.shape == frame.rgb.shape and (shown != frame.rgb[:, :, ::-1]).any(-1).sum() > 50
    assert main(["register", *words, *eye, "-o", str(out)]) == 2
    assert main(["register", *words, "-o", str(tmp_path / "other.json")]) == 2
    assert "one of them" in capsys.readouterr().err


def test_a_thing_that_looks_like_the_table_is_found_by_what_rises(scan, standing):
    """Of hardly another colour than the table, it is told from it by depth, and registered as exactly."""
    empty, frame = (pictured(scan, T, EYE, CAMERA) for T in (None, TRUE))
    pale = np.rint(0.85 * np.median(empty.rgb.reshape(-1, 3), 0) + 0.15 * frame.rgb).astype(np.uint8)
    frame = type(frame)(pale, frame.depth, CAMERA, None)
    by_color = ObjectFinder(standing.field, 1).sight([frame.rgb], CAMERA).chance
    chance = measured_chance(standing, frame, by_color, EYE, 0.0)
    there = np.abs(empty.depth - frame.depth) > 0.02
    assert there.sum() > 500 and chance[there].mean() > 0.9 and chance[~there].mean() < 0.05
    assert by_color[there].mean() < 0.5
    found = register_object(scan.field, frame, EYE)
    metres, turn = pose_error(found.T_world_object, TRUE)
    assert not found.reason and metres < 0.005 and np.degrees(turn) < 1.5


def test_what_does_not_stand_is_refused(scan, tmp_path):
    """An object that has fallen over is found and not believed; nothing is written."""
    fallen = TRUE @ np.array([[1, 0, 0, 0], [0, 0, -1, 0.06], [0, 1, 0, 0.06], [0, 0, 0, 1.0]])
    found = register_object(scan.field, pictured(scan, fallen, EYE, CAMERA), EYE)
    assert "lean by" in found.reason and np.degrees(found.tilt) > 45
    with pytest.raises(HonestNo, match="lean by") as told:
        found.save(tmp_path / "pose.json")
    assert told.value.answer["tilt_deg"] > 45 and not (tmp_path / "pose.json").exists()


def test_what_may_stand_the_other_way_round_is_refused(scan, monkeypatch):
    """A pose found with some confidence only is not acted upon."""
    found = TableFinder.find_standing

    def unsure(self, *args):
        return replace(found(self, *args), confidence=0.7)

    monkeypatch.setattr(TableFinder, "find_standing", unsure)
    it = register_object(scan.field, pictured(scan, TRUE, EYE, CAMERA), EYE)
    assert it.estimate.converged and "another side" in it.reason


def test_an_empty_table_is_refused(scan):
    """Nothing is there: an honest no."""
    assert register_object(scan.field, pictured(scan, None, EYE, CAMERA), EYE).reason


def test_where_the_camera_is_from_files(scan, tmp_path):
    """A pose, or a calibration on a link with joint values; neither, both or missing joints are refused."""
    robot = load_robot("yumi")
    (tmp_path / "pose.json").write_text(json.dumps({"T_world_camera": EYE.tolist()}))
    assert np.allclose(CameraPlace(tmp_path / "pose.json").T_world_camera(scan.field), EYE)
    mount = placed(0.01, 0.02, 0.3)
    HandEye("left_tool", mount).save(tmp_path / "eye.json")
    (tmp_path / "q.json").write_text(json.dumps({robot.joints[1]: -1.0}))
    q = robot.home.copy()
    q[1] = -1.0
    place = CameraPlace(hand_eye=tmp_path / "eye.json", joints=tmp_path / "q.json")
    assert np.allclose(place.T_world_camera(scan.field), robot.link_poses(q)["left_tool"] @ mount)
    for given, wanted in (
        (CameraPlace(), "one of them"),
        (CameraPlace(tmp_path / "pose.json", tmp_path / "eye.json"), "one of them"),
        (CameraPlace(hand_eye=tmp_path / "eye.json"), "joint values"),
        (CameraPlace(hand_eye=tmp_path / "eye.json", joints=tmp_path / "pose.json"), "joint"),
    ):
        with pytest.raises(BadInput, match=wanted):
            given.T_world_camera(scan.field)
