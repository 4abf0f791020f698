"""Actions, as rclpy.action."""

from robodistill.ros.bindings.rclpy.action.client import ActionClient
from robodistill.ros.bindings.rclpy.action.server import ActionServer, CancelResponse, GoalResponse

__all__ = ["ActionClient", "ActionServer", "CancelResponse", "GoalResponse"]
