"""`robodistill edit`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from robodistill.cli.console import Console, Verb


@dataclass
class Edit(Verb):
    """Change what a phrase names; the result is a field again. One of --delete, --extract, --color, --move."""

    field: tyro.conf.Positional[Path] = tyro.MISSING
    """Field folder with features."""
    text: tyro.conf.Positional[str] = tyro.MISSING
    """What to change, such as "red mug"."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = tyro.MISSING
    """Field folder to write."""
    delete: bool = False
    """Take it away and close the hole in what it stood on."""
    extract: bool = False
    """Keep nothing else."""
    color: str | None = None
    """Paint it: r,g,b from 0 to 1."""
    move: str | None = None
    """Move it by x,y,z metres, and with rx,ry,rz turn it by a rotation vector in degrees about its centre."""
    teacher: str | None = None
    """Which teacher's features to ask, where the field has several."""
    overwrite: bool = False
    """Replace the field if it exists."""

    def run(self, console: Console) -> dict[str, Any]:
        """See `robodistill.pipeline.edit`."""
        from robodistill.cli.numbers import numbers
        from robodistill.errors import BadInput
        from robodistill.pipeline.edit import edit_field

        wanted = {"delete": self.delete, "extract": self.extract, "color": self.color, "move": self.move}
        wanted = {name: value for name, value in wanted.items() if value not in (None, False)}
        if len(wanted) != 1:
            raise BadInput("one of --delete, --extract, --color r,g,b and --move x,y,z is needed, and one only")
        (change, value), forms = wanted.popitem(), {"color": "r,g,b", "move": "x,y,z[,rx,ry,rz]"}
        values = numbers(value, f"--{change}", forms[change]) if change in forms else ()
        made = edit_field(self.field, self.text, self.out, change, values, self.teacher, self.overwrite)
        return {"gaussians": made.gaussians, "path": str(self.out), "selected": made.selected, "note": made.note}
