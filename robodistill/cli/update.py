"""`robodistill update`."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from robodistill.cli.console import Console, Verb


@dataclass
class Update(Verb):
    """Bring a field up to date after something moved: by a known motion, a few new RGB-D views, or both."""

    field: tyro.conf.Positional[Path] = tyro.MISSING
    """Field folder."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = tyro.MISSING
    """Field folder to write."""
    moved: str | None = None
    """What was moved, such as "red mug"; needs features."""
    transform: Path | None = None
    """JSON with the 4 x 4 T_world_world of the motion; found in the views where it is not given."""
    views: Path | None = None
    """Capture with a few new posed RGB-D views: what is gone is taken out, what is new is filled in."""
    teacher: str | None = None
    """Which teacher's features to ask, where the field has several."""
    overwrite: bool = False
    """Replace the field if it exists."""

    def run(self, console: Console) -> dict[str, Any]:
        """See `robodistill.pipeline.update`."""
        from robodistill.pipeline.update import update_field

        options = {"moved": self.moved, "transform": self.transform, "views": self.views, "teacher": self.teacher}
        return asdict(update_field(self.field, self.out, **options, overwrite=self.overwrite))
