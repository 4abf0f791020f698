"""`robodistill render`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from robodistill.cli.console import Console, Verb


@dataclass
class Render(Verb):
    """Render a field from one of its own views or from a pose."""

    field: tyro.conf.Positional[Path] = tyro.MISSING
    """Field folder, or a 3DGS PLY."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = tyro.MISSING
    """PNG to write."""
    view: int | None = None
    """Number of a view that the field was made from."""
    pose: Path | None = None
    """JSON with T_world_camera (4x4), and K (3x3), width, height unless the field's first view is to give those."""
    what: Literal["rgb", "depth", "normal", "feature", "parts"] = "rgb"
    """rgb: colour. depth: 16-bit millimetres. normal: world axes as colours. feature: the strongest differences of
    features. parts: a colour for each part."""
    scale: int = 0
    """Of the parts, 0 is the finest."""
    overwrite: bool = False
    """Replace the picture if it exists."""

    def run(self, console: Console) -> dict[str, Any]:
        """See `robodistill.pipeline.picture`."""
        from robodistill.pipeline.picture import render_picture

        path = render_picture(
            self.field, self.out, self.what, view=self.view, pose=self.pose, scale=self.scale, overwrite=self.overwrite
        )
        return {"path": str(path)}
