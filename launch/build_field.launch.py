"""Build a field of Gaussians from a capture.

ros2 launch robodistill build_field.launch.py capture:=DIR output:=NAME.field
"""

import shutil
from pathlib import Path

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess
from launch.substitutions import LaunchConfiguration


def find_command() -> str:
    """Return the console script: pip puts it on PATH, colcon in lib/robodistill of the package's prefix."""
    # absolute(), not resolve(): in a symlinked install the prefix is that of the link.
    prefix = Path(__file__).absolute().parents[3]
    return shutil.which("robodistill") or str(prefix / "lib" / "robodistill" / "robodistill")


def generate_launch_description() -> LaunchDescription:
    """Run `robodistill build CAPTURE -o OUTPUT` and show what it says."""
    return LaunchDescription(
        [
            DeclareLaunchArgument("capture", description="recorded RGB-D: a folder, a bag or an MCAP file"),
            DeclareLaunchArgument("output", description="the field to write: a new folder, NAME.field"),
            ExecuteProcess(
                cmd=[find_command(), "build", LaunchConfiguration("capture"), "-o", LaunchConfiguration("output")],
                output="screen",
            ),
        ]
    )
