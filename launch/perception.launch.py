"""A field of what a camera sees, questions to it, and where the camera is in it.

ros2 launch robodistill perception.launch.py image:=/camera/image depth:=/camera/depth camera_info:=/camera/camera_info
robodistill launch perception.launch.py field:=table.field
robodistill launch perception.launch.py capture:=RECORDING      # played as if a camera saw it now
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, GroupAction
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution, PythonExpression
from launch_ros.actions import Node, PushRosNamespace
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

ARGUMENTS = {
    "namespace": ("robodistill", "namespace of the nodes"),
    "image": ("image", "topic of colour images"),
    "depth": ("depth", "topic of depth images, as the colour camera sees it"),
    "camera_info": ("camera_info", "topic of the colour camera's calibration"),
    "pose": ("pose", "topic of the camera's PoseStamped, where pose_source is topic"),
    "pose_source": ("tf", "tf or topic"),
    "world_frame": ("map", "coordinate frame of the field"),
    "field": ("live.field", "folder of the field: written by field_node, asked by the others"),
    "teacher": ("auto", "what the features are of"),
    "capture": ("", "recorded or simulated RGB-D that camera_node plays; empty: a camera is there"),
    "build": ("true", "start field_node"),
    "locate": ("false", "start inversion_node"),
    "locate_rate": ("0.0", "images located per second; 0: only when asked"),
}


def text(name: str) -> ParameterValue:
    """An argument as text."""
    return ParameterValue(LaunchConfiguration(name), value_type=str)


def defaults(node: str) -> PathJoinSubstitution:
    """The parameter file that ships with the package."""
    return PathJoinSubstitution([FindPackageShare("robodistill"), "config", f"{node}.yaml"])


def generate_launch_description() -> LaunchDescription:
    """camera_node, field_node, query_node, inversion_node."""
    topics = [(name, LaunchConfiguration(name)) for name in ("image", "depth", "camera_info", "pose")]
    world = {"world_frame": text("world_frame")}
    played = PythonExpression(["'", LaunchConfiguration("capture"), "' != ''"])
    nodes = [
        Node(
            package="robodistill",
            executable="camera_node",
            name="camera_node",
            output="screen",
            parameters=[defaults("camera_node"), {**world, "capture": text("capture")}],
            remappings=topics,
            condition=IfCondition(played),
        ),
        Node(
            package="robodistill",
            executable="field_node",
            name="field_node",
            output="screen",
            parameters=[
                defaults("field_node"),
                {**world, "pose_source": text("pose_source"), "output": text("field"), "teacher": text("teacher")},
            ],
            remappings=topics,
            condition=IfCondition(LaunchConfiguration("build")),
        ),
        Node(
            package="robodistill",
            executable="query_node",
            name="query_node",
            output="screen",
            parameters=[defaults("query_node"), {**world, "field": text("field")}],
        ),
        Node(
            package="robodistill",
            executable="inversion_node",
            name="inversion_node",
            output="screen",
            parameters=[
                defaults("inversion_node"),
                {
                    **world,
                    "field": text("field"),
                    "rate": ParameterValue(LaunchConfiguration("locate_rate"), value_type=float),
                },
            ],
            remappings=topics,
            condition=IfCondition(LaunchConfiguration("locate")),
        ),
    ]
    declared = [DeclareLaunchArgument(k, default_value=v, description=d) for k, (v, d) in ARGUMENTS.items()]
    return LaunchDescription([*declared, GroupAction([PushRosNamespace(LaunchConfiguration("namespace")), *nodes])])
