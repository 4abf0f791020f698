"""The nodes: a camera that plays the sample, a field of it, questions, edits, the camera's pose; and bad input."""

import json
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rosbags", reason="needs rosbags")
pytest.importorskip("cyclonedds", reason="needs cyclonedds")

from robodistill.ros.use import use_ros  # noqa: E402

use_ros()

import ros_tools  # noqa: E402
import yaml  # noqa: E402
from diagnostic_msgs.msg import DiagnosticArray  # noqa: E402
from geometry_msgs.msg import PoseStamped, PoseWithCovarianceStamped, Transform, Vector3  # noqa: E402
from rclpy.action import ActionClient  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile  # noqa: E402
from robodistill_interfaces.action import BuildField as BuildAction  # noqa: E402
from robodistill_interfaces.msg import GraspArray  # noqa: E402
from robodistill_interfaces.srv import BuildField, EditField, GraspQuery, LocateCamera, QueryField, UpdateScene  # noqa: E402
from ros_tools import Bench, parameters, result, until  # noqa: E402
from sensor_msgs.msg import CameraInfo, Image, PointCloud2  # noqa: E402

from robodistill.capture.open import open_capture  # noqa: E402
from robodistill.errors import BadInput, BadPose, CaptureError  # noqa: E402
from robodistill.field.gaussians import GaussianField  # noqa: E402
from robodistill.ros import settings as settings_module  # noqa: E402
from robodistill.ros.nodes import convert  # noqa: E402
from robodistill.ros.nodes.camera_node import CameraNode, FramePublisher  # noqa: E402
from robodistill.ros.nodes.field_node import FieldNode  # noqa: E402
from robodistill.ros.nodes.inversion_node import InversionNode  # noqa: E402
from robodistill.ros.nodes.query_node import QueryNode  # noqa: E402

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "assets" / "demo" / "tabletop"
QUICK = {"steps": 40, "gaussians": 8000, "max_side": 200, "hold_out": 0, "teacher": "builtin", "least_motion": 0.0}
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


@pytest.fixture(scope="module")
def bench():
    """One for all tests of this file."""
    with pytest.MonkeyPatch.context() as patch:
        ros_tools.enter(patch, ros_tools.new_domain())
        made = Bench()
        with ros_tools.spinning(made.executor):
            yield made
            made.close()


@pytest.fixture(scope="module")
def built(bench, tmp_path_factory):
    """A field that field_node built of what camera_node showed; and what was heard meanwhile."""
    out = tmp_path_factory.mktemp("live") / "live.field"
    node = bench.start(FieldNode, output=str(out), reliable=True, **QUICK)
    clouds = bench.hear(PointCloud2, "/field_node/cloud", LATCHED)
    pictures = bench.hear(Image, "/field_node/rendered", LATCHED)
    health = bench.hear(DiagnosticArray, "/diagnostics")
    camera = bench.start(CameraNode, capture=str(SAMPLE), rate=8.0)
    count = len(open_capture(SAMPLE))
    until(lambda: camera.counts["frames sent"] == count, 120)
    until(lambda: node.counts["frames kept"] > count // 2, 60, "frames")  # all of them where nobody else works
    action = ActionClient(bench.asker, BuildAction, "/field_node/build_field")
    assert action.wait_for_server(60)
    told = []
    handle = result(action.send_goal_async(BuildAction.Goal(), feedback_callback=lambda m: told.append(m.feedback)))
    answer = result(handle.get_result_async(), 240)
    assert answer.status == 4, answer.result.message
    until(lambda: clouds and pictures and health)
    return out, answer.result, told, clouds, pictures, health


def test_frames_become_a_field(built):
    """RGB-D, calibration and tf, by topic, as a field on disk; a cloud and a picture of it; feedback; diagnostics."""
    out, answer, told, clouds, pictures, health = built
    field = GaussianField.load(out)
    assert answer.success and answer.path == str(out) and answer.gaussians == len(field) > 5000
    assert answer.psnr > 20
    assert {"read", "fit"} <= {feedback.stage for feedback in told}
    assert clouds[-1].header.frame_id == "map" and 1000 < clouds[-1].width <= len(field)
    truth = open_capture(SAMPLE)[0]
    points = convert.points_of(clouds[-1])
    depth = truth.camera.project((points - truth.T_world_camera[:3, 3]) @ truth.T_world_camera[:3, :3])[1]
    assert np.isfinite(points).all() and (depth > 0).mean() > 0.95  # in front of the camera that saw it
    assert (pictures[-1].encoding, len(pictures[-1].data)) == ("rgb8", pictures[-1].step * pictures[-1].height)
    names = {status.name for message in health for status in message.status}
    assert "robodistill: /field_node" in names


def test_words_are_answered(bench, built):
    """Where things are, with box and cloud; what is absent; what cannot be asked; an edit as a new field."""
    bench.start(QueryNode, field=str(built[0]))
    found = bench.ask(QueryField, "/query_node/query", text="table", with_cloud=True)
    assert found.success
    truth = json.loads((SAMPLE / "truth.json").read_text())
    hits = 0
    for thing in truth["objects"]:
        if not thing["phrases"]:
            continue
        answer = bench.ask(QueryField, "/query_node/query", text=thing["phrases"][0], with_cloud=True)
        assert answer.success, answer.message
        if not answer.found:
            continue
        center = np.array([answer.center.point.x, answer.center.point.y, answer.center.point.z])
        near = np.linalg.norm(center - np.array(thing["T_world_object"])[:3, 3]) < 0.08
        hits += near
        assert answer.cloud.width > 0 and answer.box_size.x > 0 and answer.center.header.frame_id == "map"
    assert hits >= 2
    unknown = bench.ask(QueryField, "/query_node/query", text="zzyzx")
    assert not unknown.success and "zzyzx" in unknown.message
    assert not bench.ask(QueryField, "/query_node/query", text=" ").success
    assert "not a field" in bench.ask(QueryField, "/query_node/query", text="mug", field="/no/such").message
    out = built[0].with_name("edited.field")
    phrase = next(thing["phrases"][0] for thing in truth["objects"] if thing["phrases"])
    edited = bench.ask(EditField, "/query_node/edit", text=phrase, change="delete", output=str(out))
    assert edited.success == out.exists()
    moved = {"moved": phrase, "output": str(built[0].with_name("moved.field"))}
    transform = Transform(translation=Vector3(x=0.05))
    updated = bench.ask(UpdateScene, "/query_node/update", transform=transform, **moved)
    assert updated.success and updated.gaussians > 1000 and updated.path == moved["output"], updated.message
    again = bench.ask(UpdateScene, "/query_node/update", transform=transform, **moved)
    assert not again.success and "exists" in again.message
    wrong = bench.ask(EditField, "/query_node/edit", text=phrase, change="shrink", output=str(out))
    assert not wrong.success and "delete, extract, color, move" in wrong.message


def test_the_camera_is_found(bench, built):
    """A picture by request, and a stream by topic with tf; a wall is refused."""
    frames = open_capture(SAMPLE)
    bench.start(InversionNode, field=str(built[0]), rate=2.0)
    frame = frames[3]
    at = convert.header("camera")
    request = {"image": convert.as_image(frame.rgb, at, "rgb8"), "camera_info": convert.as_info(frame.camera, at)}
    answer = bench.ask(LocateCamera, "/inversion_node/locate", depth=convert.as_depth_image(frame.depth, at), **request)
    assert answer.success and answer.converged, answer.message
    T = convert.from_pose(answer.pose.pose, "answer")
    assert np.linalg.norm(T[:3, 3] - frame.T_world_camera[:3, 3]) < 0.02
    covariance = np.reshape(answer.pose.covariance, (6, 6))
    assert np.allclose(covariance, covariance.T) and (np.linalg.eigvalsh(covariance) > 0).all()
    blank = np.full_like(frame.rgb, 127)
    refused = bench.ask(
        LocateCamera, "/inversion_node/locate", **{**request, "image": convert.as_image(blank, at, "rgb8")}
    )
    assert refused.success and not refused.converged and refused.message

    poses = bench.hear(PoseWithCovarianceStamped, "/inversion_node/pose")
    sender = FramePublisher(bench.asker, "map", "live_camera")
    for _ in range(400):
        sender.send(frames[5], bench.asker.get_clock().now().to_msg())
        if poses:
            break
        time.sleep(0.25)
    found = convert.from_pose(poses[0].pose.pose, "pose")
    assert np.linalg.norm(found[:3, 3] - frames[5].T_world_camera[:3, 3]) < 0.02


def test_grasps_are_answered(bench, built):
    """From the camera's frames to ranked grasps with arm and way, or to reasons; in the library's own time."""
    pytest.importorskip("roboticstoolbox", reason="needs roboticstoolbox")
    pytest.importorskip("coal", reason="needs coal")
    from robodistill.ros.nodes.grasp_node import GraspNode

    bench.start(GraspNode, field=str(built[0]), max_grasps=3)
    sent = bench.hear(GraspArray, "/grasp_node/grasps")
    truth = json.loads((SAMPLE / "truth.json").read_text())
    phrases = [thing["phrases"][0] for thing in truth["objects"] if thing["phrases"]]
    bench.ask(GraspQuery, "/grasp_node/grasp", text=phrases[0])  # waits until the field is loaded
    added, count = [], 0
    for phrase in phrases:
        start = time.perf_counter()
        answer = bench.ask(GraspQuery, "/grasp_node/grasp", text=phrase)
        added.append(time.perf_counter() - start - answer.seconds)
        assert answer.message or answer.success
        assert len(answer.reasons) == len(answer.rejected)
        kept = {len(values) for values in (answer.poses, answer.widths, answer.scores, answer.arms)}
        assert kept == {len(answer.grasps.grasps)} and len(answer.poses) <= 3
        assert answer.success == bool(answer.poses)
        count += len(answer.poses)
        assert list(answer.scores) == sorted(answer.scores, reverse=True)
        for grasp in answer.grasps.grasps:
            T, before = convert.from_pose(grasp.pose, "grasp"), convert.from_pose(grasp.pregrasp, "pregrasp")
            away = (T[:3, 3] - before[:3, 3]) @ T[:3, 2]
            assert grasp.arm in ("left", "right") and away > 0.03  # it comes along the approach
            assert 0 < grasp.width < 0.06
    assert count and sent and sent[-1].grasps
    assert np.median(added) < 2  # 20 ms on a machine that does nothing else: see `bench ros`
    refused = bench.ask(GraspQuery, "/grasp_node/grasp", text="")
    assert not refused.success and "empty" in refused.message
    unknown = bench.ask(GraspQuery, "/grasp_node/grasp", text=phrases[0], robot="no_robot")
    assert not unknown.success and "no_robot" in unknown.message


def test_a_zed_camera_becomes_topics(bench):
    """zed_node over a stand-in for the SDK: colour, depth, calibration, poses once tracked; let go at the end."""
    import fake_zed

    from robodistill.ros.nodes.zed_node import ZedNode

    heard = bench.hear(Image, "/depth")
    poses = bench.hear(PoseStamped, "/pose")
    node = ZedNode(
        sl=fake_zed, context=bench.context, parameter_overrides=parameters(source="demo.svo", frame_id="zed")
    )
    bench.add(node)
    until(lambda: node.counts["frames sent"] == 4)
    until(lambda: [m for m in heard if m.header.frame_id == "zed"])
    first = next(m for m in heard if m.header.frame_id == "zed")
    assert (first.encoding, first.width, first.height) == ("16UC1", fake_zed.WIDTH, fake_zed.HEIGHT)
    assert first.header.stamp.sec == 1_700_000_000
    assert node.counts["frames without a pose"] == 1
    until(lambda: [p for p in poses if p.header.stamp.sec == 1_700_000_000])
    bench.nodes.remove(node)
    node.destroy_node()
    assert not fake_zed.opened[-1].is_open


def test_a_build_can_be_cancelled(bench, built):
    """The action ends as cancelled and says that its state is kept."""
    action = ActionClient(bench.asker, BuildAction, "/field_node/build_field")
    assert action.wait_for_server(60)
    told = []
    goal = BuildAction.Goal(output=str(built[0].with_name("never.field")))
    handle = result(action.send_goal_async(goal, feedback_callback=told.append))
    until(lambda: told, 120)
    result(handle.cancel_goal_async())
    answer = result(handle.get_result_async(), 120)
    assert answer.status == 5 and "cancelled" in answer.result.message
    assert not built[0].with_name("never.field").exists()


def test_bad_messages_are_told_and_survived(bench, built):
    """Wrong encodings, sizes, stale stamps, missing tf, uncalibrated cameras: counted, and the node goes on."""
    node = next(node for node in bench.nodes if isinstance(node, FieldNode))
    frame = open_capture(SAMPLE)[0]
    now = bench.asker.get_clock().now().to_msg()
    seen = convert.header("camera_optical_frame", now)
    good = [convert.as_image(frame.rgb, seen, "rgb8"), convert.as_depth_image(frame.depth, seen)]
    good.append(convert.as_info(frame.camera, seen))

    def trouble(index, **changes):
        messages = [*good]
        kind = type(messages[index])
        values = {name: getattr(messages[index], name) for name in kind.get_fields_and_field_types()}
        messages[index] = kind(**{**values, **changes})
        before = sum(node.counts[kind] for kind in ("frames not taken", "stale frames"))
        node._on_frame(*messages)
        until(lambda: sum(node.counts[kind] for kind in ("frames not taken", "stale frames")) > before, 30)
        return node.trouble

    assert "s old" in trouble(0, header=convert.header("camera_optical_frame"))
    assert "no transform from 'map' to 'elsewhere'" in trouble(0, header=convert.header("elsewhere", now))
    pose = convert.as_transform(frame.T_world_camera, convert.header("map", now), "camera_optical_frame")
    node._pose._transforms._buffer.set_transform(pose, "test")
    assert "encoding '8UC2'" in trouble(0, encoding="8UC2")
    assert "do not hold" in trouble(0, height=9999)
    assert "encoding 'rgb8'; depth is one of" in trouble(1, encoding="rgb8")
    assert "K must be" in trouble(2, k=np.zeros(9))
    assert "CameraInfo says" in trouble(2, width=5)
    assert "distortion model 'fisheye'" in trouble(2, d=[0.1] * 4, distortion_model="fisheye")
    missing = bench.ask(BuildField, "/field_node/build", capture="/no/such/capture")
    assert not missing.success and "does not exist" in missing.message


def test_nodes_refuse_bad_parameters(bench):
    """In one line, at the start."""
    for kind, values, wanted in (
        (CameraNode, {"capture": ""}, "no capture"),
        (CameraNode, {"capture": str(SAMPLE), "rate": 0.0}, "rate 0"),
        (InversionNode, {"coarse": "luck"}, "coarse 'luck'"),
        (FieldNode, {"pose_source": "stars"}, "pose_source 'stars'"),
    ):
        with pytest.raises((BadInput, BadPose), match=wanted):
            kind(context=bench.context, parameter_overrides=parameters(**values))


def test_parameter_files_hold_the_defaults():
    """config/NODE.yaml and the settings of the nodes say the same; every setting is explained."""
    kinds = [kind for name, kind in vars(settings_module).items() if name.endswith("NodeSettings")]
    assert len(kinds) >= 5
    for kind in kinds:
        name = kind.__name__.removesuffix("NodeSettings").lower()
        file = ROOT / "config" / f"{name}_node.yaml"
        assert yaml.safe_load(file.read_text()) == settings_module.as_parameters(kind), file
        assert all(settings_module.descriptions(kind).get(field) for field in kind.__dataclass_fields__), kind


def test_images_and_clouds_convert_both_ways():
    """Pixels, millimetres, points; NaN points are left out; undistorted where the lens says so."""
    rng = np.random.default_rng(0)
    frame = open_capture(SAMPLE)[0]
    at = convert.header("camera")
    info = convert.as_info(frame.camera, at)
    rgb, depth, camera = convert.as_rgbd(
        convert.as_image(frame.rgb, at, "rgb8"), convert.as_depth_image(frame.depth, at), info
    )
    assert (rgb == frame.rgb).all() and np.abs(depth - frame.depth).max() <= 0.0005 + 1e-6
    assert np.allclose(camera.K, frame.camera.K)
    points = rng.normal(size=(50, 3))
    points[3] = np.nan
    cloud = convert.as_cloud(points, rng.integers(0, 255, (50, 3)).astype(np.uint8), at)
    assert cloud.width == 49 and np.allclose(convert.points_of(cloud), np.delete(points, 3, 0), atol=1e-6)
    T = frame.T_world_camera
    assert np.allclose(convert.from_pose(convert.as_pose(T), "x"), T)
    info.d = [0.1, 0.0, 0.0, 0.0, 0.0]
    bent, _, _ = convert.as_rgbd(convert.as_image(frame.rgb, at, "rgb8"), None, info)
    assert bent.shape == frame.rgb.shape and (bent != frame.rgb).any()
    with pytest.raises(CaptureError, match="depth is needed as the colour camera sees it"):
        convert.as_rgbd(convert.as_image(frame.rgb, at, "rgb8"), convert.as_depth_image(frame.depth[:10], at), info)
    with pytest.raises(CaptureError):
        convert.as_rgbd(Image(), None, CameraInfo())
