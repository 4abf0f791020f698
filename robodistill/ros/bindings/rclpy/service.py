"""rclpy.service."""

from robodistill.ros.bindings.rclpy.endpoints import Service

__all__ = ["Service"]
