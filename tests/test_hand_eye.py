"""Hand-eye calibration: on a hand and before it, with noise, its residuals, and when it must refuse."""

import json

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from robodistill.cli import main
from robodistill.errors import BadInput, HonestNo, UnsupportedVersion
from robodistill.robots.calibrate import calibrate, check, second_turn
from robodistill.robots.hand_eye import HandEye, Samples, joint_values
from robodistill.robots.robot import load_robot

HAND = "left_link_6"


@pytest.fixture(scope="module")
def robot():
    return load_robot("yumi")


def pose(x, y, z, *rotvec):
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = Rotation.from_rotvec(rotvec).as_matrix(), (x, y, z)
    return T


CAMERA, TARGET = pose(0.02, -0.05, 0.06, 0.3, -0.1, 1.2), pose(0.1, 0.05, 0.02, 3.0, 0.2, 0.1)
BEFORE, HELD = pose(0.1, 0.9, 0.7, 1.8, 0.4, -0.3), pose(0.01, 0.02, 0.08, 0.2, 0.7, 0.1)


def seen(robot, on_hand, count=12, mm=0.0, deg=0.0, joints=None, seed=0):
    """Samples with noise of a camera on the hand, or of one before it that sees a target in the hand."""
    rng = np.random.default_rng(seed)
    if joints is None:
        joints = robot.home + rng.uniform(-0.5, 0.5, (count, len(robot.joints)))
    hands = robot.link_poses(joints)[HAND]
    world_camera, world_target = (hands @ CAMERA, TARGET) if on_hand else (BEFORE, hands @ HELD)
    Ts = np.linalg.inv(world_camera) @ world_target
    twist = [pose(*rng.normal(0, mm / 1000, 3), *rng.normal(0, np.radians(deg), 3)) for _ in joints]
    frames = (HAND, "world") if on_hand else ("world", HAND)
    return Samples(*frames, joints, Ts @ np.array(twist))


def apart(a, b):
    """Metres, degrees."""
    turn = Rotation.from_matrix(a[:3, :3].T @ b[:3, :3]).magnitude()
    return np.linalg.norm(a[:3, 3] - b[:3, 3]), np.degrees(turn)


@pytest.mark.parametrize("on_hand", [True, False])
def test_exact_samples_give_the_exact_pose(robot, on_hand):
    """Camera on the hand, and before it: both unknown poses; residuals vanish, also of samples left out."""
    found = calibrate(robot, seen(robot, on_hand, 6))
    metres, degrees = apart(found.hand_eye.T_frame_camera, CAMERA if on_hand else BEFORE)
    assert metres < 1e-7 and degrees < 1e-5
    assert apart(found.T_frame_target, TARGET if on_hand else HELD)[0] < 1e-7
    assert found.residuals.max() < 1e-7 and found.left_out.max() < 1e-6
    assert found.hand_eye.frame == (HAND if on_hand else "world")


@pytest.mark.parametrize("on_hand", [True, False])
def test_noise_is_told_and_averaged(robot, on_hand):
    """The pose is better than a sample; left-out residuals are the larger ones, and both are of the noise's size."""
    found = calibrate(robot, seen(robot, on_hand, 20, mm=1.0, deg=0.2))
    metres, degrees = apart(found.hand_eye.T_frame_camera, CAMERA if on_hand else BEFORE)
    assert metres < 0.003 and degrees < 0.3
    values = found.as_values()
    assert 0.5 < values["residual"]["mm"] < values["leave_one_out"]["mm"] < 5
    assert 0.1 < values["residual"]["deg"] < values["leave_one_out"]["deg"] < 1
    assert len(values["samples"]) == 20 and values["samples"][3]["left_out"]["mm"] > 0


def test_a_known_calibration_is_checked(robot):
    """The true one explains the samples; one that is 8 mm and 2 degrees off does not, and by about that much."""
    samples = seen(robot, True)
    assert check(robot, samples, HandEye(HAND, CAMERA)).residuals.max() < 1e-6
    off = check(robot, samples, HandEye(HAND, CAMERA @ pose(0.008, 0, 0, 0, np.radians(2), 0))).as_values()
    assert 2 < off["residual"]["mm"] < 60 and 0.3 < off["residual"]["deg"] < 4
    with pytest.raises(BadInput, match="on 'world'"):
        check(robot, samples, HandEye("world", CAMERA))


def test_motions_that_do_not_determine_it_are_refused(robot):
    """Too few samples; turns about one axis only."""
    with pytest.raises(HonestNo, match="3 samples"):
        calibrate(robot, seen(robot, True, 3))
    last = robot.joints.index("left_joint_7") if "left_joint_7" in robot.joints else robot.arm("left").columns.stop - 1
    joints = np.tile(robot.home, (8, 1))
    joints[:, last] += np.linspace(-1, 1, 8)
    assert second_turn(seen(robot, True, joints=joints).Ts_world_hand(robot)) < 1e-6
    with pytest.raises(HonestNo, match="one axis") as told:
        calibrate(robot, seen(robot, True, joints=joints))
    assert told.value.answer["turn_deg"] < 0.1


def test_where_the_camera_is(robot):
    """On a link it moves with it; before the robot it stays; a link needs joint values and must be there."""
    q = robot.home + 0.1
    np.testing.assert_allclose(HandEye(HAND, CAMERA).T_world_camera(robot, q), robot.link_poses(q)[HAND] @ CAMERA)
    np.testing.assert_array_equal(HandEye("world", BEFORE).T_world_camera(robot), BEFORE)
    with pytest.raises(BadInput, match="joint values"):
        HandEye(HAND, CAMERA).T_world_camera(robot)
    with pytest.raises(BadInput, match="'nose'"):
        HandEye("nose", CAMERA).T_world_camera(robot, q)


def test_files(robot, tmp_path):
    """What is written is read; broken files are told by what is wrong with them."""
    path = HandEye(HAND, CAMERA).save(tmp_path / "eye.json")
    again = HandEye.load(path)
    assert again.frame == HAND and np.allclose(again.T_frame_camera, CAMERA)
    with pytest.raises(BadInput, match="exists"):
        HandEye(HAND, CAMERA).save(path)
    for text, kind, wanted in (
        ("{", BadInput, "cannot be read"),
        (json.dumps({"frame": "world", "T_frame_camera": [[1, 2], [3, 4]]}), BadInput, "rigid"),
        (json.dumps({"frame": "world", "T_frame_camera": (2 * np.eye(4)).tolist()}), BadInput, "rigid"),
        (json.dumps({"frame": "world"}), UnsupportedVersion, "T_frame_camera"),
        (json.dumps({"schema": 9, "frame": "world", "T_frame_camera": np.eye(4).tolist()}), UnsupportedVersion, "9"),
    ):
        path.write_text(text)
        with pytest.raises(kind, match=wanted):
            HandEye.load(path)
    with pytest.raises(BadInput, match="one of them"):
        Samples(HAND, HAND, np.zeros((1, 14)), np.eye(4)[None])
    with pytest.raises(BadInput, match="no joint 'elbow'"):
        joint_values(robot, {"elbow": 1.0}, "here")
    with pytest.raises(BadInput, match="3 joint values"):
        joint_values(robot, [0.0] * 3, "here")
    named = joint_values(robot, {robot.joints[2]: 0.5}, "here")
    assert named[2] == 0.5 and named[3] == robot.home[3]


def test_verb(robot, tmp_path, capsys):
    """Calibrates, writes, checks what it wrote; exit codes 0, 2, 3 and the keys of --json."""
    samples = seen(robot, False, 8, mm=0.5, deg=0.05)

    def write(name, ids):
        rows = [{"joints": dict(zip(robot.joints, samples.joints[k], strict=True)),
                 "T_camera_target": samples.Ts_camera_target[k].tolist()} for k in ids]  # fmt: skip
        (tmp_path / name).write_text(json.dumps({"camera_frame": "world", "target_frame": HAND, "samples": rows}))
        return str(tmp_path / name)

    whole, eye = write("all.json", range(8)), str(tmp_path / "eye.json")
    assert main(["hand-eye", whole, "--robot", "yumi", "-o", eye, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["residual"]["mm"] < 2 and told["leave_one_out"]["deg"] < 0.5 and told["path"] == eye
    assert apart(HandEye.load(eye).T_frame_camera, BEFORE)[0] < 0.003
    assert main(["hand-eye", whole, "--check", eye]) == 0
    assert "all: " in capsys.readouterr().out
    assert main(["hand-eye", write("few.json", range(2))]) == 3
    HandEye("world", BEFORE @ pose(0.05, 0, 0, 0, 0.2, 0)).save(eye, overwrite=True)
    assert main(["hand-eye", whole, "--check", eye, "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["residual"]["mm"] > 5
    assert main(["hand-eye", str(tmp_path / "none.json")]) == 2
    assert main(["hand-eye", whole, "--check", eye, "-o", eye]) == 2
