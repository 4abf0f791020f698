"""`robodistill prompt`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from robodistill.cli.console import Console, Verb


@dataclass
class Prompt(Verb):
    """Select by a click or a box on one of the field's views; the mask is written as a PNG."""

    field: tyro.conf.Positional[Path] = tyro.MISSING
    """Field folder; without features, colour and shape decide."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = tyro.MISSING
    """PNG to write: 255 where the view shows the selection."""
    view: int = tyro.MISSING
    """Number of one of the field's views."""
    point: str | None = None
    """Pixel u,v."""
    box: str | None = None
    """Pixels u0,v0,u1,v1."""
    teacher: str | None = None
    """Which teacher's features to use; of `sam` and `sam2`, their mask decoder as well."""
    selection: Path | None = None
    """JSON to write the selection to."""
    overwrite: bool = False
    """Replace files that exist."""

    def run(self, console: Console) -> dict[str, Any]:
        """See `robodistill.pipeline.language`."""
        from robodistill.cli.numbers import numbers
        from robodistill.pipeline.language import prompt_field

        point = None if self.point is None else numbers(self.point, "--point", "u,v")
        box = None if self.box is None else numbers(self.box, "--box", "u0,v0,u1,v1")
        options = {"teacher": self.teacher, "selection_out": self.selection, "overwrite": self.overwrite}
        found = prompt_field(self.field, self.out, view=self.view, point=point, box=box, **options)
        return {"gaussians": int(found.selection.sum()), "path": str(self.out), "score": round(found.score, 4)}
