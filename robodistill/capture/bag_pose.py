"""Where the camera was: from a pose or odometry topic, or from the recorded transforms."""

import logging
from collections.abc import Callable
from typing import Any

import numpy as np

from robodistill.capture.bag_log import BagLog
from robodistill.capture.pose import from_quaternion
from robodistill.capture.stamps import PoseTrack
from robodistill.capture.transforms import Edge, TransformTree
from robodistill.errors import BadMetadata, BadPose

log = logging.getLogger(__name__)

ODOMETRY = "nav_msgs/msg/Odometry"
POSES = ("geometry_msgs/msg/PoseStamped", "geometry_msgs/msg/PoseWithCovarianceStamped")
TF = "tf2_msgs/msg/TFMessage"
_WORLDS = ("map", "world", "odom")

PoseAt = Callable[[float], np.ndarray | None]
"""(4, 4) T_world_camera at a stamp, seconds; None where the recording has no poses."""


def read_transforms(bag: BagLog, tolerance: float) -> TransformTree:
    """All transforms of the recording; broken ones are left out and counted."""
    static: dict[Edge, np.ndarray] = {}
    moving: dict[Edge, list[tuple[float, np.ndarray]]] = {}
    dropped = 0
    for topic in bag.of_type(TF):
        for _, message in bag.messages(topic):
            for link in message.transforms:
                edge = link.header.frame_id.lstrip("/"), link.child_frame_id.lstrip("/")
                try:
                    T = _rigid(link.transform.translation, link.transform.rotation, f"{edge[0]} -> {edge[1]}")
                except BadPose as error:
                    dropped, last = dropped + 1, error
                    continue
                if topic.endswith("tf_static"):
                    static[edge] = T
                else:
                    moving.setdefault(edge, []).append((_seconds(link.header.stamp), T))
    if dropped:
        log.warning("%s: dropped %d broken transform(s); the last one: %s", bag.name, dropped, last)
    return TransformTree(static, {edge: track for edge, track in moving.items() if edge not in static}, tolerance)


def find_poses(
    bag: BagLog, tree: TransformTree, camera: str, topic: str | None, world: str | None, tolerance: float
) -> PoseAt:
    """T_world_camera over time.

    In this order: `topic` where it is given; the transforms where they link the camera to anything that is not fixed to
    it; the only odometry or pose topic. A recording with none of them has no poses, which is logged.

    Args:
        camera: Coordinate frame of the colour image.
        world: Coordinate frame of the result (transforms only); by default `map`, `world` or `odom` where the camera
            hangs below one of them, else the root of its tree.

    Raises:
        BadMetadata: The topic is not there or of another type, or its frame is not linked to the camera.
    """
    topics = bag.of_type(ODOMETRY, *POSES)
    if topic is not None and topic not in topics:
        raise BadMetadata(f"{bag.name} has no pose or odometry on {topic!r}; it has {', '.join(topics) or 'none'}")
    above = tree.ancestors(camera)[1:]
    if topic is None and (world is not None or above):
        root = world or next((name for name in _WORLDS if name in above), above[-1])
        if root not in above:
            raise BadMetadata(f"{bag.name}: {camera!r} does not hang below {root!r} but below {above}")
        if world is not None or tree.is_moving(root, camera) or len(topics) != 1:
            return lambda stamp: tree.lookup(root, camera, stamp)
    if topic is None and not topics:
        log.warning("%s: no transforms above %r and no pose topic: frames have no pose", bag.name, camera)
        return lambda stamp: None
    if topic is None and len(topics) > 1:
        raise BadMetadata(f"{bag.name} has several pose topics: {', '.join(topics)}; name one by pose_topic")
    return _from_topic(bag, tree, camera, topic or topics[0], tolerance)


def _from_topic(bag: BagLog, tree: TransformTree, camera: str, topic: str, tolerance: float) -> PoseAt:
    stamps, Ts, body, dropped, last = [], [], camera, 0, None
    for _, message in bag.messages(topic):
        inner = message.pose.pose if hasattr(message.pose, "pose") else message.pose
        body = getattr(message, "child_frame_id", "").lstrip("/") or camera  # a plain pose topic is the camera's
        try:
            Ts.append(_rigid(inner.position, inner.orientation, topic))
            stamps.append(_seconds(message.header.stamp))
        except BadPose as error:
            dropped, last = dropped + 1, error
    if dropped:
        log.warning("%s: dropped %d broken pose(s) of %s; the last one: %s", bag.name, dropped, topic, last)
    T_body_camera = tree.lookup(body, camera)
    track = PoseTrack(np.array(stamps), np.reshape(Ts, (-1, 4, 4)))
    return lambda stamp: track.at(stamp, tolerance) @ T_body_camera


def _rigid(translation: Any, rotation: Any, what: str) -> np.ndarray:
    xyz = np.array([translation.x, translation.y, translation.z])
    return from_quaternion(xyz, np.array([rotation.x, rotation.y, rotation.z, rotation.w]), what)


def _seconds(stamp: Any) -> float:
    return stamp.sec + stamp.nanosec / 1e9
