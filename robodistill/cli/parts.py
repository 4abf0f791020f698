"""`robodistill parts`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from robodistill.cli.console import Console, Verb


@dataclass
class Parts(Verb):
    """Group a field into parts at several scales, without clicks; names are found for them where words are given."""

    field: tyro.conf.Positional[Path] = tyro.MISSING
    """Field folder; features, where it has them, tell parts apart that look alike."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = tyro.MISSING
    """Field folder to write."""
    words: str | None = None
    """Names to choose from, with commas between them, such as "handle of the drawer,drawer"."""
    teacher: str | None = None
    """Which teacher's features to use, where the field has several."""
    overwrite: bool = False
    """Replace the field if it exists."""

    def run(self, console: Console) -> dict[str, Any]:
        """See `robodistill.pipeline.edit`."""
        from robodistill.pipeline.groups import group_field

        words = [w.strip() for w in self.words.split(",") if w.strip()] if self.words else []
        scales = group_field(self.field, self.out, words, teacher=self.teacher, overwrite=self.overwrite)
        return {"parts": scales, "path": str(self.out)}

    def lines(self, result: dict[str, Any]) -> list[str]:
        """Parts by scale, and their names."""
        told = [f"scale {it['scale']}: {it['count']} parts" for it in result["parts"]]
        for it in result["parts"]:
            told += [f"scale {it['scale']}: part {k} is {name!r} ({share:.2f})" for k, name, share in it["names"]]
        return [*told, result["path"]]
