"""Telling transforms."""

from collections.abc import Sequence
from typing import Any

from robodistill.ros.bindings.idl.classes import message_class
from robodistill.ros.bindings.rclpy.qos import DurabilityPolicy, QoSProfile


class TransformBroadcaster:
    """Tells transforms that change."""

    def __init__(self, node: Any, qos: Any = None) -> None:
        qos = qos or QoSProfile(depth=100)
        self.pub_tf = node.create_publisher(message_class("tf2_msgs/msg/TFMessage"), "/tf", qos)

    def sendTransform(self, transform: Any) -> None:  # noqa: N802  the name of the original
        """One geometry_msgs/msg/TransformStamped, or several."""
        several = list(transform) if isinstance(transform, Sequence) else [transform]
        self.pub_tf.publish(message_class("tf2_msgs/msg/TFMessage")(transforms=several))


class StaticTransformBroadcaster:
    """Tells transforms that hold for all times; late listeners hear them too."""

    def __init__(self, node: Any, qos: Any = None) -> None:
        qos = qos or QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.pub_tf = node.create_publisher(message_class("tf2_msgs/msg/TFMessage"), "/tf_static", qos)
        self._told: dict[str, Any] = {}

    def sendTransform(self, transform: Any) -> None:  # noqa: N802
        """One or several; those of other frames that were told before are told again with them."""
        for message in list(transform) if isinstance(transform, Sequence) else [transform]:
            self._told[message.child_frame_id] = message
        self.pub_tf.publish(message_class("tf2_msgs/msg/TFMessage")(transforms=list(self._told.values())))
