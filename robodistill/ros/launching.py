"""Launch files by ROS's own launch where it is installed, by the package's elsewhere."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from robodistill.errors import BadInput, RobodistillError
from robodistill.resources import MissingResource, find_resource
from robodistill.ros.use import use_ros


class LaunchFailed(RobodistillError):
    """A process that was launched failed."""

    exit_code = 1


def find_launch_file(file: Path) -> Path:
    """A path, or the name of a file that ships with the package.

    Raises:
        BadInput: Neither.
    """
    if Path(file).is_file():
        return Path(file).resolve()
    try:
        return find_resource(f"launch/{file}")
    except MissingResource:
        known = ", ".join(sorted(path.name for path in find_resource("launch").glob("*.launch.py")))
        raise BadInput(f"no launch file {file}; a path is needed, or one of {known}") from None


def parse_arguments(arguments: Sequence[str]) -> dict[str, str]:
    """Of name:=value.

    Raises:
        BadInput: Not of that form.
    """
    found = {}
    for argument in arguments:
        name, between, value = argument.partition(":=")
        if not name or not between:
            raise BadInput(f"launch argument {argument!r}: name:=value is needed")
        found[name] = value
    return found


def launch(file: Path, arguments: Sequence[str], out: TextIO | None = None) -> None:
    """Run until all has ended.

    Raises:
        BadInput: The file or an argument is not valid.
        LaunchFailed: A process failed.
    """
    path, given = find_launch_file(file), parse_arguments(arguments)
    if not use_ros():
        ros2 = shutil.which("ros2")
        if ros2 is None:
            raise BadInput("rclpy is installed but the command ros2 is not on PATH: source the ROS 2 setup file")
        code = subprocess.call([ros2, "launch", str(path), *arguments])
    else:
        from robodistill.ros.bindings.launch.service import launch_file

        _check(path, given)
        try:
            code = launch_file(path, given, out)
        except (KeyError, ValueError, RuntimeError, FileNotFoundError) as error:
            raise BadInput(f"{path.name}: {error}") from error
    if code:
        raise LaunchFailed(f"{path.name}: a process failed, see what it said above")


def describe(file: Path) -> dict[str, dict]:
    """Arguments of a launch file: their defaults and what they are for."""
    path = find_launch_file(file)
    use_ros()
    from launch import LaunchContext
    from launch.launch_description_sources import PythonLaunchDescriptionSource

    if hasattr(PythonLaunchDescriptionSource, "get_launch_description"):
        description = PythonLaunchDescriptionSource(str(path)).get_launch_description(LaunchContext())
    else:
        from robodistill.ros.bindings.launch.launch_description_sources import load_description

        description = load_description(path)
    found = {}
    for argument in description.get_launch_arguments():
        default = argument.default_value
        if default is not None and not isinstance(default, str):
            default = "".join(getattr(part, "text", str(part)) for part in default)
        found[argument.name] = {"default": default, "description": argument.description, "choices": argument.choices}
    return found


def _check(path: Path, given: dict[str, str]) -> None:
    known = describe(path)
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise BadInput(f"{path.name} has no argument {', '.join(unknown)}; it has {', '.join(known) or 'none'}")
