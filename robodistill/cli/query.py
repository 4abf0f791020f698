"""`robodistill query`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from robodistill.cli.console import Console, Verb


@dataclass
class Query(Verb):
    """Find what a phrase names: its place, box and Gaussians, or say that it is not there (exit code 3)."""

    field: tyro.conf.Positional[Path] = tyro.MISSING
    """Field folder with features."""
    text: tyro.conf.Positional[str] = tyro.MISSING
    """Such as "red mug" or "handle of the red mug"."""
    teacher: str | None = None
    """Which teacher's features to ask, where the field has several."""
    view: int | None = None
    """Number of one of the field's views, for --mask."""
    pose: Path | None = None
    """JSON pose as of `render`, for --mask."""
    mask: Path | None = None
    """PNG to write: 255 where that view shows what was found."""
    out: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    """JSON to write the selection to; the Gaussians' numbers go beside it."""
    overwrite: bool = False
    """Replace files that exist."""

    def run(self, console: Console) -> dict[str, Any]:
        """See `robodistill.pipeline.language`."""
        from robodistill.pipeline.language import answer_values, not_found, query_field

        options = {"teacher": self.teacher, "view": self.view, "pose": self.pose, "mask": self.mask, "out": self.out}
        answer = query_field(self.field, self.text, **options, overwrite=self.overwrite)
        if not answer.selection.found:
            raise not_found(answer)
        return answer_values(answer)

    def lines(self, result: dict[str, Any]) -> list[str]:
        """Where it is."""
        at = ", ".join(f"{x:.3f}" for x in result["center"])
        size = " x ".join(f"{100 * x:.1f}" for x in result["box"]["size"])
        return [
            f"{self.text!r} is at ({at}) m, {size} cm; score {result['score']:.2f}, "
            f"{result['gaussians']} Gaussians, {1000 * result['seconds']:.0f} ms"
        ]
