"""The physics judge: a sound grasp succeeds, controls fail, the robot in MuJoCo is the robot of the kinematics."""

import json

import numpy as np
import pytest

pytest.importorskip("mujoco", reason="the judge needs MuJoCo: pip install robodistill[sim]")
pytest.importorskip("roboticstoolbox", reason="robots need roboticstoolbox: pip install robodistill[robot]")
pytest.importorskip("coal", reason="robots need coal: pip install robodistill[robot]")

from robodistill.bench.true_surface import true_surface  # noqa: E402
from robodistill.capture.write import write_whole  # noqa: E402
from robodistill.cli import main  # noqa: E402
from robodistill.grasp.motion import lift_trajectory  # noqa: E402
from robodistill.grasp.planner import GraspPlanner  # noqa: E402
from robodistill.robots.robot import load_robot  # noqa: E402
from robodistill.robots.trajectory import RobotTrajectory  # noqa: E402
from robodistill.sim.arena import Arena  # noqa: E402
from robodistill.sim.judge import judge_lift  # noqa: E402
from robodistill.sim.moved import scene_moved  # noqa: E402
from robodistill.sim.mujoco_gl import load_mujoco  # noqa: E402
from robodistill.sim.robot_body import PREFIX, add_robot, commands  # noqa: E402
from robodistill.sim.scene import make_scene  # noqa: E402
from robodistill.sim.truth import describe  # noqa: E402

pytestmark = pytest.mark.sim
SEED, THINGS = 7, ["tape", "carrot", "mushroom"]


@pytest.fixture(scope="module")
def scene():
    return make_scene(SEED, THINGS)


@pytest.fixture(scope="module")
def lift(scene):
    """A robot before the scene, and a motion that lifts the carrot."""
    robot = load_robot("yumi")
    surface, owners = true_surface(scene)
    grasp = GraspPlanner(robot, surface)("carrot", np.flatnonzero(owners == 2)).grasps[0]
    return robot, Arena.of_scene(scene, robot), grasp


@pytest.mark.parametrize("name", ["yumi", "two_pandas"])
def test_the_robot_in_physics_is_the_robot_of_the_kinematics(name):
    """Every link's body stands where forward kinematics says; servos reach what they are told and stay there."""
    mj, robot = load_mujoco(), load_robot(name)
    spec = mj.MjSpec()
    add_robot(spec, robot)
    model = spec.compile()
    data = mj.MjData(model)
    q = robot.home + np.random.default_rng(0).uniform(-0.2, 0.2, len(robot.joints))
    openings = np.array([0.6 * arm.opening for arm in robot.arms.values()])
    for servo, value in commands(robot, q, openings).items():
        data.joint(servo).qpos[:] = value
        data.actuator(servo).ctrl[:] = value
    mj.mj_forward(model, data)
    poses = robot.link_poses(q, dict(zip(robot.arms, openings, strict=True)))
    for link in robot.model.links:
        np.testing.assert_allclose(data.body(PREFIX + link).xpos, poses[link][:3, 3], atol=1e-6)
        np.testing.assert_allclose(data.body(PREFIX + link).xmat.reshape(3, 3), poses[link][:3, :3], atol=1e-6)
    for servo, value in commands(robot, robot.home, openings).items():
        data.actuator(servo).ctrl[:] = value
    mj.mj_step(model, data, nstep=1500)
    reached = [data.joint(PREFIX + joint).qpos[0] for joint in robot.joints]
    np.testing.assert_allclose(reached, robot.home, atol=0.01)


def test_a_sound_grasp_lifts_and_holds(lift):
    """10 cm, 3 s, nothing else moved or touched."""
    robot, arena, grasp = lift
    verdict = judge_lift(arena.run(lift_trajectory(robot, "yumi", grasp, {})), "2", robot, grasp.arm)
    assert verdict.success, verdict
    assert verdict.rise > 0.12 and verdict.held > 3 and verdict.moved < 0.002 and not verdict.touched


def test_the_same_with_an_open_gripper_fails(lift):
    """Control: what is not held is not lifted."""
    robot, arena, grasp = lift
    verdict = judge_lift(arena.run(lift_trajectory(robot, "yumi", grasp, {}, close=False)), "2", robot, grasp.arm)
    assert not verdict.success and verdict.reason == "it was not lifted" and verdict.held == 0


def test_the_same_for_another_thing_fails(lift):
    """Control: lifting the carrot when the tape was asked for is a wrong object."""
    robot, arena, grasp = lift
    verdict = judge_lift(arena.run(lift_trajectory(robot, "yumi", grasp, {})), "1", robot, grasp.arm)
    assert not verdict.success and verdict.reason == "another object was lifted" and verdict.wrong == ("2",)
    assert verdict.touched


def test_touching_the_table_is_seen(lift):
    """A hand that goes 2 cm too deep presses on the table: the contact is named."""
    robot, arena, grasp = lift
    motion = lift_trajectory(robot, "yumi", grasp, {})
    arm = robot.arms[grasp.arm]
    from robodistill.robots.ik import InverseKinematics

    deep = grasp.T_world_grasp.copy()
    deep[:3, 3] += 0.15 * np.array([0, 0.3, 0]) - [0, 0, grasp.T_world_grasp[2, 3] + 0.02]
    q = InverseKinematics(robot, grasp.arm)(deep, near=grasp.reach[-1], most=1)
    assert len(q)
    positions = np.tile(robot.home, (2, 1))
    positions[1, arm.columns] = q[0]
    pressed = RobotTrajectory(
        "yumi", motion.arms, np.array([0.0, 3.0]), positions, 0 * positions, motion.openings[:2], motion.task
    )
    recording = arena.run(pressed, rest=0.5)
    assert any(b == "table" for _, b in recording.contacts)
    assert recording.lag > 0.01


def test_a_moved_scene_is_the_same_with_one_thing_elsewhere(scene):
    """Only the asked thing's pose changes, by the motion that is told, and it stands clear."""
    moved, T = scene_moved(scene, 2)
    for before, after in zip(scene.objects, moved.objects, strict=True):
        expected = T @ before.T_world_object if before.id == 2 else before.T_world_object
        np.testing.assert_allclose(after.T_world_object, expected, atol=1e-9)
    assert np.linalg.norm(T[:2, 3]) > 0 and abs(T[2, 3]) < 1e-9


def test_simulate_on_the_command_line(scene, lift, tmp_path, capsys):
    """Exit 0 with measures for the asked thing, 3 for another one, 2 for what is no scene."""
    robot, _, grasp = lift
    truth = describe(scene.objects, [], np.zeros((0, len(scene.objects))), THINGS, seed=SEED, noise="none")
    write_whole(tmp_path / "scan" / "truth.json", json.dumps(truth).encode())
    path = lift_trajectory(robot, "yumi", grasp, {"phrase": "carrot"}).save(tmp_path / "t.json")
    assert main(["simulate", str(path), "--scene", str(tmp_path / "scan"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["success"] and told["target"] == "carrot" and told["measures"]["held"] > 3
    other = ["simulate", str(path), "--scene", str(tmp_path / "scan"), "--target", "tape", "--json"]
    assert main(other) == 3
    told = json.loads(capsys.readouterr().out)
    assert told["success"] is False and told["measures"]["wrong"] == ["2"]
    assert main(["simulate", str(path), "--scene", str(tmp_path)]) == 2
    assert "not a simulated capture" in capsys.readouterr().err
