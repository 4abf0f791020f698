"""Demonstrations: an object's parts are followed through a film, or recorded images, and two arms repeat it.

ros2 launch robodistill replay.launch.py field:=box.field robot:=yumi joint_states:=/yumi/joint_states
robodistill launch replay.launch.py field:=box.field
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
    "field": ("live.field", "folder of the scanned object's field"),
    "output": ("motion.json", "where the motion is written, and where plans are made from"),
    "image": ("image", "topic of colour images"),
    "camera_info": ("camera_info", "topic of their calibration"),
    "robot": ("yumi", "name of a file in config/robots, or the path of such a file"),
    "world_frame": ("world", "coordinate frame of the robot's world"),
    "joint_states": (
        "joint_states",
        "topic of the robot's joint states: nothing is sent unless it stands at the start",
    ),
    "plan": ("true", "start bimanual_node too"),
}


def text(name: str) -> ParameterValue:
    """An argument as text."""
    return ParameterValue(LaunchConfiguration(name), value_type=str)


def defaults(node: str) -> PathJoinSubstitution:
    """The parameter file that ships with the package."""
    return PathJoinSubstitution([FindPackageShare("robodistill"), "config", f"{node}.yaml"])


def generate_launch_description() -> LaunchDescription:
    """tracking_node, bimanual_node."""
    nodes = [
        Node(
            package="robodistill",
            executable="tracking_node",
            name="tracking_node",
            output="screen",
            parameters=[defaults("tracking_node"), {"field": text("field"), "output": text("output")}],
            remappings=[(name, LaunchConfiguration(name)) for name in ("image", "camera_info")],
        ),
        Node(
            package="robodistill",
            executable="bimanual_node",
            name="bimanual_node",
            output="screen",
            parameters=[
                defaults("bimanual_node"),
                {
                    "field": text("field"),
                    "motion": text("output"),
                    "robot": text("robot"),
                    "world_frame": text("world_frame"),
                },
            ],
            remappings=[("joint_states", LaunchConfiguration("joint_states"))],
            condition=IfCondition(LaunchConfiguration("plan")),
        ),
    ]
    declared = [DeclareLaunchArgument(k, default_value=v, description=d) for k, (v, d) in ARGUMENTS.items()]
    return LaunchDescription([*declared, GroupAction([PushRosNamespace(LaunchConfiguration("namespace")), *nodes])])
