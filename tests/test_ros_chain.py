"""The chain over ROS, by what ships in launch/: a camera to grasps; a scan and a film to what two arms are told."""

import contextlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

for needed in ("rosbags", "cyclonedds", "roboticstoolbox", "coal", "ompl", "toppra"):
    pytest.importorskip(needed, reason=f"needs {needed}")

from robodistill.ros.use import use_ros  # noqa: E402

use_ros()

import av  # noqa: E402
import ros_tools  # noqa: E402
from diagnostic_msgs.msg import DiagnosticArray  # noqa: E402
from rclpy.action import ActionClient  # noqa: E402
from robodistill_interfaces.action import BuildField, ReplayDemo  # noqa: E402
from robodistill_interfaces.srv import GraspQuery  # noqa: E402
from ros_tools import Bench, result, until  # noqa: E402
from sensor_msgs.msg import Image, JointState  # noqa: E402
from std_srvs.srv import Trigger  # noqa: E402
from trajectory_msgs.msg import JointTrajectory  # noqa: E402

from robodistill.capture.open import open_capture  # noqa: E402
from robodistill.planning.trajectory import BimanualTrajectory  # noqa: E402
from robodistill.ros.nodes import convert  # noqa: E402

ASSETS = Path(__file__).parent.parent / "assets" / "demo"


@pytest.fixture
def bench(monkeypatch):
    """A node that asks, in a domain that the launched processes see too."""
    ros_tools.enter(monkeypatch, ros_tools.new_domain())
    made = Bench()
    with ros_tools.spinning(made.executor):
        yield made
        made.close()


@contextlib.contextmanager
def launched(domain, name, *arguments):
    """`robodistill launch NAME`: processes of their own, ended as by Ctrl-C."""
    command = [sys.executable, "-m", "robodistill.cli", "launch", f"{name}.launch.py", *arguments]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    process = subprocess.Popen(command, env=ros_tools.environment(domain), **options)
    try:
        yield process
    finally:
        process.send_signal(2)
        said, _ = process.communicate(timeout=60)
    assert "Traceback" not in said, said


def told(health, node, what):
    """The newest count of a node, 0 where it has told none."""
    statuses = [it for message in health for it in message.status if it.name.endswith(f"/{node}")]
    return next((int(pair.value) for it in reversed(statuses) for pair in it.values if pair.key == what), 0)


def test_from_a_camera_to_grasps(bench, tmp_path):
    """camera_node, field_node and grasp_node as launched: frames, a field on disk, grasps on what was asked for."""
    field = tmp_path / "seen.field"
    perception = ("perception", f"capture:={ASSETS / 'tabletop'}", f"field:={field}", "teacher:=builtin")
    with launched(bench.context.get_domain_id(), *perception):
        rendered = bench.hear(Image, "/robodistill/field_node/rendered", 1)
        health = bench.hear(DiagnosticArray, "/diagnostics", 10)
        count = len(open_capture(ASSETS / "tabletop"))
        until(lambda: told(health, "camera_node", "frames sent") == count, 90, "the camera's frames")
        until(lambda: told(health, "field_node", "frames kept") > count // 2, 20, "the field's frames")
        build = ActionClient(bench.asker, BuildField, "/robodistill/field_node/build_field")
        assert build.wait_for_server(60)
        answer = result(result(build.send_goal_async(BuildField.Goal())).get_result_async(), 240)
        assert answer.status == 4 and answer.result.psnr > 24, answer.result.message
        until(lambda: rendered, 60, "a picture of the field")
    things = json.loads((ASSETS / "tabletop" / "truth.json").read_text())["objects"]
    things = [thing for thing in things if thing["phrases"]]
    held = 0
    with launched(bench.context.get_domain_id(), "grasp_service", f"field:={field}"):
        for thing in things:
            answer = bench.ask(GraspQuery, "/robodistill/grasp_node/grasp", text=thing["phrases"][0])
            assert answer.success or answer.message
            for grasp in answer.poses[:1]:
                T = convert.from_pose(grasp.pose, "grasp")
                held += np.linalg.norm(T[:2, 3] - np.array(thing["T_world_object"])[:2, 3]) < 0.1
    assert held >= 2


def shortened(film, out, every):
    """The film with one frame of `every`, at a rate at which it lasts as long; its camera beside it."""
    with av.open(str(film)) as source, av.open(str(out), "w") as made:
        stream = source.streams.video[0]
        target = made.add_stream("libx264", rate=stream.average_rate / every, options={"crf": "12"})
        target.width, target.height, target.pix_fmt = stream.width, stream.height, "yuv420p"
        for number, frame in enumerate(source.decode(stream)):
            if number % every == 0:
                made.mux(target.encode(av.VideoFrame.from_ndarray(frame.to_ndarray(format="rgb24"), format="rgb24")))
        made.mux(target.encode())
    shutil.copy(film.with_name("demo_camera.json"), out.with_name("demo_camera.json"))


def test_from_a_demonstration_to_joint_trajectories(bench, tmp_path):
    """A goal with a scan and a film; a plan in the answer; nothing is sent until asked for and the robot is there."""
    sample = ASSETS / "articulated"
    shortened(sample / "demo.mp4", tmp_path / "demo.mp4", 3)
    stages = []
    with launched(bench.context.get_domain_id(), "replay", "joint_states:=/states"):
        action = ActionClient(bench.asker, ReplayDemo, "/robodistill/bimanual_node/replay_demo")
        assert action.wait_for_server(60)
        goal = ReplayDemo.Goal(
            scan=str(sample / "scan"), video=str(tmp_path / "demo.mp4"), output=str(tmp_path / "out")
        )
        handle = result(action.send_goal_async(goal, feedback_callback=lambda m: stages.append(m.feedback.stage)))
        answer = result(handle.get_result_async(), 400)
        assert answer.status == 4, answer.result.message
        assert list(answer.result.stages) == ["field=done", "tracking=done", "plan=done", "physics=done"]
        assert {"fit", "track"} <= set(stages) and Path(answer.result.report).is_file()
        plan = BimanualTrajectory.load(tmp_path / "out" / "plan.json")
        arms = list(plan.motion.arms)
        assert list(answer.result.arms) == arms and plan.arms
        sent = {
            arm: bench.hear(JointTrajectory, f"/robodistill/bimanual_node/{arm}/joint_trajectory", 1) for arm in arms
        }
        states = bench.asker.create_publisher(JointState, "/states", 10)
        names = [name for joints in plan.motion.arms.values() for name in joints]

        def send():
            states.publish(JointState(name=names, position=[float(v) for v in plan.motion.positions[0]]))
            return bench.ask(Trigger, "/robodistill/bimanual_node/send").success

        until(lambda: send() and all(sent.values()), 60, "the arms' trajectories")
    for arm, told_to in zip(arms, answer.result.trajectories, strict=True):
        assert [list(p.positions) for p in sent[arm][0].points] == [list(p.positions) for p in told_to.points]
