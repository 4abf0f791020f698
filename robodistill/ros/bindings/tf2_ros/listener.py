"""Hearing transforms."""

import threading
from typing import Any

from robodistill.ros.bindings.idl.classes import message_class
from robodistill.ros.bindings.rclpy.callback_groups import ReentrantCallbackGroup
from robodistill.ros.bindings.rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from robodistill.ros.bindings.rclpy.qos import DurabilityPolicy, QoSProfile
from robodistill.ros.bindings.tf2_ros.buffer import Buffer, InvalidArgumentException


class TransformListener:
    """Fills a buffer from /tf and /tf_static."""

    def __init__(
        self,
        buffer: Buffer,
        node: Any,
        *,
        spin_thread: bool = False,
        qos: Any = None,
        static_qos: Any = None,
    ) -> None:
        self.buffer, self.node = buffer, node
        TFMessage = message_class("tf2_msgs/msg/TFMessage")
        self.group = ReentrantCallbackGroup()
        qos = qos or QoSProfile(depth=100)
        static_qos = static_qos or QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        kept = {"callback_group": self.group}
        self.tf_sub = node.create_subscription(TFMessage, "/tf", self._hear, qos, **kept)
        self.tf_static_sub = node.create_subscription(TFMessage, "/tf_static", self._hear_static, static_qos, **kept)
        if spin_thread:
            self.executor = SingleThreadedExecutor(context=node.context)
            self.executor.add_node(node)
            self.thread = threading.Thread(target=self._spin, daemon=True)
            self.thread.start()

    def _spin(self) -> None:
        try:
            self.executor.spin()
        except ExternalShutdownException:
            return

    def unregister(self) -> None:
        """Hear no more."""
        self.tf_sub.destroy()
        self.tf_static_sub.destroy()

    def _hear(self, message: Any) -> None:
        self._fill(message, self.buffer.set_transform)

    def _hear_static(self, message: Any) -> None:
        self._fill(message, self.buffer.set_transform_static)

    def _fill(self, message: Any, into: Any) -> None:
        for transform in message.transforms:
            try:
                into(transform)
            except InvalidArgumentException as error:
                self.node.get_logger().warning(f"ignoring a transform: {error}", throttle_duration_sec=5.0)
