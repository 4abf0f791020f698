"""Demonstrations: an object's parts are followed through a film, or through images recorded from a topic.

ros2 launch robodistill replay.launch.py field:=box.field image:=/camera/image camera_info:=/camera/camera_info
robodistill launch replay.launch.py field:=box.field
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, GroupAction
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node, PushRosNamespace
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

ARGUMENTS = {
    "namespace": ("robodistill", "namespace of the nodes"),
    "field": ("live.field", "folder of the scanned object's field"),
    "output": ("motion.json", "where the motion is written"),
    "image": ("image", "topic of colour images"),
    "camera_info": ("camera_info", "topic of their calibration"),
}


def generate_launch_description() -> LaunchDescription:
    """tracking_node."""
    given = {name: ParameterValue(LaunchConfiguration(name), value_type=str) for name in ("field", "output")}
    node = Node(
        package="robodistill",
        executable="tracking_node",
        name="tracking_node",
        output="screen",
        parameters=[PathJoinSubstitution([FindPackageShare("robodistill"), "config", "tracking_node.yaml"]), given],
        remappings=[(name, LaunchConfiguration(name)) for name in ("image", "camera_info")],
    )
    declared = [DeclareLaunchArgument(k, default_value=v, description=d) for k, (v, d) in ARGUMENTS.items()]
    return LaunchDescription([*declared, GroupAction([PushRosNamespace(LaunchConfiguration("namespace")), node])])
