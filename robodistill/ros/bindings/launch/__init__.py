"""launch: descriptions of what to start, and the service that starts it; the part that launch files of nodes need."""

from robodistill.ros.bindings.launch.action import Action
from robodistill.ros.bindings.launch.context import LaunchContext
from robodistill.ros.bindings.launch.description import LaunchDescription
from robodistill.ros.bindings.launch.service import LaunchService
from robodistill.ros.bindings.launch.substitution import Substitution

__all__ = ["Action", "LaunchContext", "LaunchDescription", "LaunchService", "Substitution"]
