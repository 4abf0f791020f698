"""bimanual_node: plans and replays by request, refusals, and that nothing is sent unless the robot stands there."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rosbags", reason="needs rosbags")
pytest.importorskip("cyclonedds", reason="needs cyclonedds")

from robodistill.ros.use import use_ros  # noqa: E402

use_ros()

import ros_tools  # noqa: E402
from box_field import scanned  # noqa: E402
from geometry_msgs.msg import PoseStamped  # noqa: E402
from nav_msgs.msg import Path as PathMessage  # noqa: E402
from planned_objects import lidded, placed  # noqa: E402
from rclpy.action import ActionClient  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile  # noqa: E402
from robodistill_interfaces.action import ReplayDemo  # noqa: E402
from robodistill_interfaces.srv import PlanMotion  # noqa: E402
from ros_tools import Bench, result, until  # noqa: E402
from sensor_msgs.msg import JointState  # noqa: E402
from std_srvs.srv import Trigger  # noqa: E402
from tf2_ros import StaticTransformBroadcaster  # noqa: E402
from trajectory_msgs.msg import JointTrajectory  # noqa: E402

from robodistill.errors import HonestNo  # noqa: E402
from robodistill.pipeline.replay import ReplayResult  # noqa: E402
from robodistill.pipeline.stages import Stage  # noqa: E402
from robodistill.planning.trajectory import BimanualTrajectory, PartHold  # noqa: E402
from robodistill.robots.robot import load_robot  # noqa: E402
from robodistill.robots.trajectory import RobotTrajectory  # noqa: E402
from robodistill.ros.nodes import bimanual_node as module  # noqa: E402
from robodistill.ros.nodes import convert  # noqa: E402
from robodistill.ros.nodes.bimanual_node import BimanualNode  # noqa: E402

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


@pytest.fixture(scope="module")
def plan():
    """Both arms go a short way; the left closes on a lid meanwhile. Not planned: the planner has its own tests."""
    robot = load_robot("yumi")
    times = np.linspace(0.0, 2.0, 21)
    speed = np.linspace(0.05, -0.1, len(robot.joints))
    positions = robot.home + times[:, None] * speed
    openings = np.stack([np.interp(times, [0.5, 1.0], [0.05, 0.02]), np.full(21, 0.05)], 1)
    arms = {name: arm.joints for name, arm in robot.arms.items()}
    motion = RobotTrajectory("yumi", arms, times, positions, np.tile(speed, (21, 1)), openings)
    checks = {"clearance_mm": 4.2, "tracking": {"lid": {"mm": 0.6, "deg": 0.1}}}
    hold = PartHold("left", 1, np.eye(4), 0.02, 1.0, 2.0)
    return BimanualTrajectory(motion, (hold,), np.zeros(21), ("base", "lid"), np.eye(4), "stays", checks)


@pytest.fixture
def bench(monkeypatch):
    """Nodes of a domain of their own."""
    ros_tools.enter(monkeypatch, ros_tools.new_domain())
    made = Bench()
    with ros_tools.spinning(made.executor):
        yield made
        made.close()


@pytest.fixture
def asked(monkeypatch, plan):
    """What the library's verb was asked; its answer is the plan."""
    calls = []

    def plan_motion(motion, field, out, options, progress=None):
        pose = None if options.pose is None else np.array(json.loads(options.pose.read_text())["T_world_object"])
        calls.append((motion, field, out, options, pose))
        plan.save(out, options.overwrite)
        return plan

    monkeypatch.setattr(module, "plan_motion", plan_motion)
    return calls


def read(message):
    """(N, J) positions and seconds of a JointTrajectory."""
    seconds = [p.time_from_start.sec + 1e-9 * p.time_from_start.nanosec for p in message.points]
    return np.array([list(p.positions) for p in message.points]), np.array(seconds)


def test_a_plan_is_answered_and_not_sent(bench, plan, asked, tmp_path):
    """Arms, joints, fingers and checks in the answer; no topic to the arms is there at all."""
    node = bench.start(BimanualNode, motion="m.json", field="f.field", x=0.1, yaw=0.5, output=str(tmp_path / "p.json"))
    answer = bench.ask(PlanMotion, "/bimanual_node/plan")
    assert answer.success and np.isclose(answer.duration, plan.duration), answer.message
    assert list(answer.arms) == list(plan.motion.arms) and len(answer.trajectories) == len(answer.grippers) == 2
    robot, first = load_robot("yumi"), 0
    for k, (arm, joints) in enumerate(plan.motion.arms.items()):
        positions, seconds = read(answer.trajectories[k])
        assert list(answer.trajectories[k].joint_names) == list(joints)
        assert np.allclose(positions, plan.motion.positions[:, first : first + len(joints)])
        assert np.allclose(seconds, plan.motion.times - plan.motion.times[0], atol=1e-8)
        first += len(joints)
        fingers = robot.finger_values(arm, plan.motion.openings[:, k])
        assert list(answer.grippers[k].joint_names) == list(fingers)
        assert np.allclose(read(answer.grippers[k])[0], np.stack(list(fingers.values()), 1))
    assert any(check.startswith("clearance_mm=") for check in answer.checks)
    assert any(check.startswith("tracking.lid.mm=") for check in answer.checks)
    ((motion, field, out, options, pose),) = asked
    assert (motion, field, options.robot, options.place) == (Path("m.json"), Path("f.field"), "yumi", (0.1, 0.0, 0.5))
    assert pose is None and BimanualTrajectory.load(out).arms == plan.arms
    assert not [topic for topic, _ in node.get_topic_names_and_types() if "trajectory" in topic]


def test_an_objects_pose_goes_with_the_request(bench, asked, tmp_path):
    """In the robot's world, or in a frame that tf knows; a file that a request names is never replaced."""
    bench.start(BimanualNode, motion="m", field="f", pose_wait=0.3)
    T = placed(0.1, -0.2, 0.7)
    at = PoseStamped(header=convert.header("world"), pose=convert.as_pose(T))
    out = str(tmp_path / "a.json")
    assert bench.ask(PlanMotion, "/bimanual_node/plan", object=at, output=out).success
    assert np.allclose(asked[0][4], T)
    assert "exists" in bench.ask(PlanMotion, "/bimanual_node/plan", object=at, output=out).message
    at.header.frame_id = "camera"
    assert "'camera'" in bench.ask(PlanMotion, "/bimanual_node/plan", object=at, output=str(tmp_path / "b")).message
    assert len(asked) == 2
    T_world_camera = placed(0.4, 0.1, -0.3)
    tf = StaticTransformBroadcaster(bench.asker)
    tf.sendTransform(convert.as_transform(T_world_camera, convert.header("world"), "camera"))
    until(lambda: bench.ask(PlanMotion, "/bimanual_node/plan", object=at, output=str(tmp_path / "c.json")).success)
    assert np.allclose(asked[2][4], T_world_camera @ T)


def test_nothing_is_sent_unless_the_robot_stands_at_the_start(bench, plan, asked, tmp_path):
    """Without joint states, or elsewhere, a request to send is refused in one line; at the start it is sent, once."""
    bench.start(BimanualNode, motion="m", field="f", output=str(tmp_path / "p.json"))
    assert "no plan" in bench.ask(Trigger, "/bimanual_node/send").message
    refused = bench.ask(PlanMotion, "/bimanual_node/plan", publish=True)
    assert not refused.success and "no joint_states" in refused.message
    names = [name for joints in plan.motion.arms.values() for name in joints]
    states = bench.asker.create_publisher(JointState, "joint_states", 10)
    until(states.get_subscription_count)
    heard = {arm: bench.hear(JointTrajectory, f"/bimanual_node/{arm}/joint_trajectory", 1) for arm in plan.motion.arms}
    fingers = bench.hear(JointTrajectory, "/bimanual_node/left/gripper_trajectory", 1)
    ways = bench.hear(PathMessage, "/bimanual_node/left/path", LATCHED)

    def ask(off):
        at = plan.motion.positions[0] + off
        states.publish(JointState(name=names, position=[float(v) for v in at]))
        return bench.ask(Trigger, "/bimanual_node/send")

    until(lambda: "0.30 rad" in ask(0.3).message)
    assert not any(heard.values()) and not ways
    until(lambda: ask(0.01).success)
    until(lambda: ways, what="the gripper's way")
    until(lambda: ask(0.01).success and all(heard.values()) and fingers)  # the first may have gone before we listened
    positions, _ = read(heard["left"][0])
    assert np.allclose(positions, plan.motion.positions[:, : positions.shape[1]])
    robot = load_robot("yumi")
    start = robot.tool_poses("left", plan.motion.positions[0, robot.arm("left").columns])
    assert np.allclose(convert.from_pose(ways[0].poses[0].pose, "way"), start, atol=1e-6)
    assert ways[0].header.frame_id == "world"


def test_a_replay_tells_its_stages_and_can_be_cancelled(bench, plan, monkeypatch, tmp_path):
    """Feedback, result, report; a stage that says no; a goal that is cancelled in the middle; a goal without a film."""
    node = bench.start(BimanualNode, replay_output=str(tmp_path / "out"))
    plays, wait = [], []

    def replay(scan, film, out, options, progress):
        plays.append((scan, film, out, options))
        out.mkdir(exist_ok=True)
        progress("fit", 1, 1)
        while wait:
            progress("track", 2, 5, "slowly")
            ros_tools.time.sleep(0.02)
        plan.save(out / "plan.json", overwrite=True)
        bad = film.name == "bad.mp4"
        stages = (Stage("field", "done"), Stage("plan", "failed" if bad else "done", "no grasp is left" if bad else ""))
        return ReplayResult(not bad, stages, out / "report.html")

    monkeypatch.setattr(module, "replay", replay)
    monkeypatch.setattr(module, "PLAN", "plan.json")
    action = ActionClient(bench.asker, ReplayDemo, "/bimanual_node/replay_demo")
    assert action.wait_for_server(60)

    def go(told=None, **goal):
        def heard(message):
            if told is not None:
                told.append(message.feedback)

        return result(action.send_goal_async(ReplayDemo.Goal(**goal), feedback_callback=heard))

    told = []
    answer = result(go(told, scan="scan", video="good.mp4").get_result_async())
    assert answer.status == 4 and answer.result.success, answer.result.message
    assert list(answer.result.stages) == ["field=done", "plan=done"] and answer.result.report.endswith("report.html")
    assert len(answer.result.trajectories) == 2 and answer.result.seconds > 0
    until(lambda: any(it.stage == "fit" and it.done == 1 for it in told))
    assert plays[0][:3] == (Path("scan"), Path("good.mp4"), tmp_path / "out") and plays[0][3].overwrite
    refused = result(go(scan="scan", video="bad.mp4").get_result_async())
    assert refused.status == 6 and refused.result.message == "plan: no grasp is left"
    assert list(refused.result.stages) == ["field=done", "plan=failed"] and refused.result.report
    nothing = result(go(scan="scan").get_result_async())
    assert nothing.status == 6 and "no video" in nothing.result.message
    wait.append(True)
    handle = go(told, scan="scan", video="long.mp4")
    until(lambda: any(it.stage == "track" for it in told))
    result(handle.cancel_goal_async())
    cancelled = result(handle.get_result_async())
    assert cancelled.status == 5 and "cancelled at track" in cancelled.result.message
    assert node.counts["plans sent"] == 0


def test_what_cannot_be_is_told_why(bench, monkeypatch):
    """No motion; files that are not there; the planner's honest no."""
    bench.start(BimanualNode)
    assert "no motion" in bench.ask(PlanMotion, "/bimanual_node/plan").message
    assert "no field" in bench.ask(PlanMotion, "/bimanual_node/plan", motion="m.json").message
    gone = bench.ask(PlanMotion, "/bimanual_node/plan", motion="/no/m.json", field="/no/f", output="/no/such/plan")
    assert not gone.success and "/no/m.json" in gone.message

    def refuse(*_):
        raise HonestNo("no grasp is left on lid")

    monkeypatch.setattr(module, "plan_motion", refuse)
    refused = bench.ask(PlanMotion, "/bimanual_node/plan", motion="m", field="f")
    assert not refused.success and refused.message == "no grasp is left on lid" and not refused.trajectories


def test_only_moving_plans_have_velocities(plan):
    """A trajectory's points carry velocities, its fingers' do not; equal times would be no trajectory."""
    at = convert.header("world")
    arm = module.arm_trajectories(plan, at)[0]
    fingers = module.gripper_trajectories(plan, load_robot("yumi"), at)[0]
    assert np.allclose(arm.points[3].velocities, plan.motion.velocities[3, :7]) and not len(
        fingers.points[3].velocities
    )
    assert (np.diff(read(arm)[1]) > 0).all()
    still = replace(plan.motion, times=plan.motion.times + 5.0)
    assert read(module.arm_trajectories(replace(plan, motion=still), at)[0])[1][0] == 0


def test_a_motion_on_disk_is_planned(bench, tmp_path):
    """The whole way: a field and a motion, the planner, a plan on disk and in the answer, at the pose asked for."""
    for name in ("roboticstoolbox", "coal", "ompl", "toppra"):
        pytest.importorskip(name, reason=f"planning needs {name}: pip install robodistill[robot]")
    scan = scanned(lidded())
    field = scan.field.save(tmp_path / "box.field")
    motion = replace(lidded().motion, labels=scan.labels.astype(np.int32))
    motion.save(tmp_path / "motion.json")
    bench.start(BimanualNode)
    T = placed(0.02, 0.03, 0.2)
    at = PoseStamped(header=convert.header("world"), pose=convert.as_pose(T))
    files = {"motion": str(tmp_path / "motion.json"), "field": str(field), "output": str(tmp_path / "plan.json")}
    answer = bench.ask(PlanMotion, "/bimanual_node/plan", object=at, **files)
    assert answer.success, answer.message
    made = BimanualTrajectory.load(tmp_path / "plan.json")
    assert np.allclose(made.T_world_object, T, atol=1e-6) and list(made.arms.values()) == ["lid"]
    positions = np.concatenate([read(it)[0] for it in answer.trajectories], 1)
    assert np.allclose(positions, made.motion.positions, atol=1e-5) and np.isclose(answer.duration, made.duration)
