"""`robodistill segment`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from robodistill.cli.console import Console, Verb


@dataclass
class Segment(Verb):
    """Label every pixel of a view from a list of words."""

    field: tyro.conf.Positional[Path] = tyro.MISSING
    """Field folder with features."""
    labels: tyro.conf.Positional[str] = tyro.MISSING
    """Words or phrases with commas between them."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = tyro.MISSING
    """PNG to write: a palette picture whose index is 0 for nothing and k for the k-th label."""
    view: int | None = None
    """Number of one of the field's views."""
    pose: Path | None = None
    """JSON pose as of `render`."""
    teacher: str | None = None
    """Which teacher's features to ask, where the field has several."""
    overwrite: bool = False
    """Replace the picture if it exists."""

    def run(self, console: Console) -> dict[str, Any]:
        """See `robodistill.pipeline.language`."""
        from robodistill.errors import BadInput
        from robodistill.pipeline.language import segment_field

        names = [name.strip() for name in self.labels.split(",")]
        if not all(names):
            raise BadInput(f"labels {self.labels!r}: words with commas between them are needed")
        options = {"teacher": self.teacher, "view": self.view, "pose": self.pose, "overwrite": self.overwrite}
        found = segment_field(self.field, names, self.out, **options)
        pixels = {name: int((found.labels == k).sum()) for k, name in enumerate(names)}
        return {"labels": pixels, "path": str(self.out)}

    def lines(self, result: dict[str, Any]) -> list[str]:
        """Pixels by label."""
        return [*(f"{pixels:>8} pixels  {name}" for name, pixels in result["labels"].items()), result["path"]]
