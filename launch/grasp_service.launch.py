"""Grasps by language on a field, as a service.

ros2 launch robodistill grasp_service.launch.py field:=table.field robot:=yumi
robodistill launch grasp_service.launch.py field:=table.field
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, GroupAction
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node, PushRosNamespace
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

ARGUMENTS = {
    "namespace": ("robodistill", "namespace of the nodes"),
    "field": ("live.field", "folder of the field"),
    "robot": ("yumi", "name of a file in config/robots, or the path of such a file"),
    "world_frame": ("map", "coordinate frame of the field and of the robot's base"),
    "query": ("true", "start query_node too"),
}


def text(name: str) -> ParameterValue:
    """An argument as text."""
    return ParameterValue(LaunchConfiguration(name), value_type=str)


def generate_launch_description() -> LaunchDescription:
    """grasp_node and query_node."""
    both = {"field": text("field"), "world_frame": text("world_frame")}
    nodes = [
        Node(
            package="robodistill",
            executable=name,
            name=name,
            output="screen",
            parameters=[PathJoinSubstitution([FindPackageShare("robodistill"), "config", f"{name}.yaml"]), values],
            condition=condition,
        )
        for name, values, condition in (
            ("grasp_node", {**both, "robot": text("robot")}, None),
            ("query_node", both, IfCondition(LaunchConfiguration("query"))),
        )
    ]
    declared = [DeclareLaunchArgument(k, default_value=v, description=d) for k, (v, d) in ARGUMENTS.items()]
    return LaunchDescription([*declared, GroupAction([PushRosNamespace(LaunchConfiguration("namespace")), *nodes])])
