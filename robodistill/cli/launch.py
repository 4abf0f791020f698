"""`robodistill launch`."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from robodistill.cli.console import Console, Verb


@dataclass
class Launch(Verb):
    """Carry out a ROS 2 launch file, with or without a ROS installation."""

    file: tyro.conf.Positional[Path] = tyro.MISSING
    """A launch file, or the name of one that ships with the package."""
    arguments: tyro.conf.Positional[tuple[str, ...]] = ()
    """As name:=value."""
    show_args: bool = False
    """Tell the file's arguments instead."""

    def run(self, console: Console) -> dict[str, Any]:
        """See `robodistill.ros.launching`."""
        from robodistill.ros.launching import describe, launch

        if self.show_args:
            return {"arguments": describe(self.file)}
        launch(self.file, self.arguments, sys.stderr if self.json else sys.stdout)
        return {}

    def lines(self, result: dict[str, Any]) -> list[str]:
        """The arguments."""
        lines = []
        for name, told in result.get("arguments", {}).items():
            default = "needed" if told["default"] is None else f"default {told['default']!r}"
            lines.append(f"{name} ({default}): {told['description']}")
        return lines
