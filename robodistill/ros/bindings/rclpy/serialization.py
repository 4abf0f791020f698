"""rclpy.serialization."""

from robodistill.ros.bindings.idl.classes import deserialize_message, serialize_message

__all__ = ["deserialize_message", "serialize_message"]
