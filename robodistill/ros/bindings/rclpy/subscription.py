"""rclpy.subscription."""

from robodistill.ros.bindings.rclpy.endpoints import Subscription

__all__ = ["Subscription"]
