"""tracking_node: what it records, what it refuses, and how a motion looks as a message."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rosbags", reason="needs rosbags")
pytest.importorskip("cyclonedds", reason="needs cyclonedds")

from robodistill.ros.use import use_ros  # noqa: E402

use_ros()

import ros_tools  # noqa: E402
from rclpy.action import ActionClient  # noqa: E402
from robodistill_interfaces.action import TrackDemo  # noqa: E402
from ros_tools import Bench, result, until  # noqa: E402
from std_srvs.srv import SetBool  # noqa: E402

from robodistill.capture.open import open_capture  # noqa: E402
from robodistill.geometry.camera import Camera  # noqa: E402
from robodistill.ros.nodes import convert  # noqa: E402
from robodistill.ros.nodes.camera_node import FramePublisher  # noqa: E402
from robodistill.ros.nodes.tracking_node import TrackingNode, motion_message  # noqa: E402
from robodistill.tracking.motion import Joint, PartMotion  # noqa: E402

SAMPLE = Path(__file__).parent.parent / "assets" / "demo" / "tabletop"


@pytest.fixture
def bench(monkeypatch):
    """Nodes of a domain of their own."""
    ros_tools.enter(monkeypatch, ros_tools.new_domain())
    made = Bench()
    with ros_tools.spinning(made.executor):
        yield made
        made.close()


def test_images_are_recorded_between_start_and_end(bench):
    """Reduced as asked, with their camera and stamps; nothing before and after, no more than allowed."""
    node = bench.start(TrackingNode, longest=128, max_frames=3)
    frame = open_capture(SAMPLE)[0]
    sender = FramePublisher(bench.asker, "map", "camera")

    def show(count):
        for k in range(count):
            sender.send(frame, convert.header("", bench.asker.get_clock().now().to_msg()).stamp)
            until(lambda: node.synchronizer.queues[0] or len(node._frames) > k or not node._recording, 5)  # noqa: B023

    until(lambda: sender._image.get_subscription_count() and sender._info.get_subscription_count())
    assert bench.ask(SetBool, "/tracking_node/record", data=True).success
    while len(node._frames) < 3:
        show(1)
    show(2)
    until(lambda: not node._recording)
    assert "3 frames" in bench.ask(SetBool, "/tracking_node/record", data=False).message
    assert node._frames[0].shape == (96, 128, 3) and (node._camera.width, node._camera.height) == (128, 96)
    assert np.allclose(node._camera.K, frame.camera.resized(128, 96).K) and (np.diff(node._times) > 0).all()


def test_goals_that_cannot_be_are_told_why(bench, tmp_path):
    """No field, no film, no such file, no intrinsics: aborted, in one line."""
    bench.start(TrackingNode)
    action = ActionClient(bench.asker, TrackDemo, "/tracking_node/track_demo")
    assert action.wait_for_server(60)
    for goal, wanted in (
        ({}, "no field"),
        ({"field": "/no/such.field"}, "no frame was recorded"),
        ({"field": "/no/such.field", "video": "x.mp4"}, "no intrinsics"),
        ({"field": "/no/such.field", "video": "x.mp4", "intrinsics": "k.json"}, "/no/such.field"),
    ):
        handle = result(action.send_goal_async(TrackDemo.Goal(output=str(tmp_path / "m.json"), **goal)))
        answer = result(handle.get_result_async())
        assert answer.status == 6 and wanted in answer.result.message and not answer.result.success


def test_a_motion_becomes_a_message():
    """Poses frame by frame, confidences and holds in the same order, joints with axis, origin and values."""
    rng = np.random.default_rng(0)
    Ts = np.tile(np.eye(4), (3, 2, 1, 1))
    Ts[..., :3, 3] = rng.normal(size=(3, 2, 3))
    axis, origin, values = np.array([0, 0, 1.0]), np.array([0.1, 0.2, 0.3]), np.array([0, 0.5, 1.0])
    joint = Joint("revolute", 0, 1, axis, origin, 0.0, values, (0.0, 1.0))
    shares, held = rng.random((3, 2)), rng.random((3, 2)) > 0.5
    camera = Camera.from_fov(1.0, 64, 48)
    motion = PartMotion(
        ("base", "lid"), Ts, shares, shares, held, (joint,), np.zeros(5, np.int32), np.arange(3.0), camera
    )
    told = motion_message(motion, convert.header("camera"))
    assert list(told.parts) == ["base", "lid"] and list(told.times) == [0, 1, 2] and len(told.poses) == 6
    for k in range(6):
        assert np.allclose(convert.from_pose(told.poses[k], "pose"), Ts[k // 2, k % 2])
    assert np.allclose(told.confidence, shares.ravel()) and list(told.held) == held.ravel().tolist()
    (one,) = told.joints
    assert (one.kind, one.parent, one.child, one.axis.z, one.origin.y) == (one.REVOLUTE, 0, 1, 1.0, 0.2)
    assert list(one.values) == [0, 0.5, 1] and (one.range_min, one.range_max) == (0, 1)
