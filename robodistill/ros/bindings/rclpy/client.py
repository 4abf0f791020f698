"""rclpy.client."""

from robodistill.ros.bindings.rclpy.endpoints import Client

__all__ = ["Client"]
