"""Launch files, as launch.launch_description_sources."""

import importlib.util
from pathlib import Path
from typing import Any

from robodistill.ros.bindings.launch.substitution import perform


class PythonLaunchDescriptionSource:
    """A file that has generate_launch_description()."""

    def __init__(self, launch_file_path: Any) -> None:
        self._path = launch_file_path

    def path(self, context: Any) -> Path:
        """Of the file."""
        return Path(perform(self._path, context))


AnyLaunchDescriptionSource = PythonLaunchDescriptionSource


def load_description(path: Path) -> Any:
    """The description that a file makes.

    Raises:
        FileNotFoundError: It is not there.
        ValueError: It has no generate_launch_description().
    """
    if not path.is_file():
        raise FileNotFoundError(f"launch file {path} does not exist")
    spec = importlib.util.spec_from_loader(f"launch_file_{path.stem.replace('.', '_')}", None, origin=str(path))
    module = importlib.util.module_from_spec(spec)
    module.__file__ = str(path)
    exec(compile(path.read_text(), str(path), "exec"), module.__dict__)
    if not hasattr(module, "generate_launch_description"):
        raise ValueError(f"launch file {path} has no function generate_launch_description()")
    return module.generate_launch_description()
