"""rclpy.publisher."""

from robodistill.ros.bindings.rclpy.endpoints import Publisher

__all__ = ["Publisher"]
