"""Colour, depth and calibration that belong together, with the camera's pose, from topics."""

from collections.abc import Callable
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped
from message_filters import ApproximateTimeSynchronizer, Subscriber
from rclpy.qos import QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image

from robodistill.capture.stamps import PoseTrack
from robodistill.errors import BadPose
from robodistill.ros.nodes.base import BaseNode
from robodistill.ros.nodes.convert import from_pose, seconds
from robodistill.ros.nodes.transforms import Transforms

_QUEUE = 15


def watch_rgbd(
    node: BaseNode, found: Callable[..., None], slop: float, with_depth: bool = True, reliable: bool = False
) -> None:
    """Call `found(image, depth, info)`, or `found(image, info)`, with messages of about the same time.

    Topics: `image`, `depth`, `camera_info`; remap them.
    """
    qos = qos_profile_sensor_data
    if reliable:
        qos = QoSProfile(depth=_QUEUE, reliability=ReliabilityPolicy.RELIABLE)
    kinds = {"image": Image, "depth": Image, "camera_info": CameraInfo}
    if not with_depth:
        del kinds["depth"]
    filters = [Subscriber(node, kind, topic, qos_profile=qos) for topic, kind in kinds.items()]
    node.synchronizer = ApproximateTimeSynchronizer(filters, _QUEUE, slop)
    node.synchronizer.registerCallback(found)


class PoseOfCamera:
    """Where the camera was at a stamp: from tf2, or from PoseStamped on the topic `pose`."""

    def __init__(self, node: BaseNode, world: str, source: str, wait: float) -> None:
        self._world, self._source, self._wait = world, source, wait
        if source == "tf":
            self._transforms = Transforms(node, wait)
        elif source == "topic":
            self._stamps: list[float] = []
            self._poses: list[np.ndarray] = []
            self._node = node
            node.create_subscription(PoseStamped, "pose", self._hear, 100, callback_group=node.group)
        else:
            raise BadPose(f"pose_source {source!r}: tf or topic is needed")

    def at(self, header: Any) -> np.ndarray:
        """(4, 4) T_world_camera at the header's stamp, of its frame. May block for the time given; not for executors.

        Raises:
            BadPose: It is not known.
        """
        return self._transforms.find(self._world, header) if self._source == "tf" else self._from_topic(header)

    def _from_topic(self, header: Any) -> np.ndarray:
        if not self._stamps:
            raise BadPose("no pose of the camera has come on the topic 'pose'")
        # what came so far may be older than the image: half the wait is allowed beyond the last one
        track = PoseTrack(np.array(self._stamps), np.stack(self._poses))
        return track.at(seconds(header.stamp), self._wait)

    def _hear(self, message: Any) -> None:
        if message.header.frame_id.lstrip("/") != self._world:
            self._node.complain(
                f"a pose in {message.header.frame_id!r} instead of {self._world!r}", "poses in other frames"
            )
            return
        try:
            T = from_pose(message.pose, "the camera's pose")
        except BadPose as error:
            self._node.complain(str(error), "broken poses")
            return
        self._stamps.append(seconds(message.header.stamp))
        self._poses.append(T)
        del self._stamps[:-1000], self._poses[:-1000]
