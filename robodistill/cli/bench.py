"""`robodistill bench`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from robodistill.cli.console import Console, Verb


@dataclass
class Bench(Verb):
    """Measure against ground truth, and other methods in the same run."""

    name: tyro.conf.Positional[str] = tyro.MISSING
    """Which: raster, field, language, teacher, inversion, tracking, grasp, replay, ros or viewer."""
    seeds: str = "1000:1020"
    """A:B, scenes A to B - 1. Nothing was tuned on 1000 and above."""
    quick: bool = False
    """Fewer scenes and repetitions."""
    robot: str | None = None
    """Of grasp and replay: name of a file in config/robots."""
    queries: int | None = None
    """Of grasp: how many at most."""
    objects: str | None = None
    """Of tracking and replay: names of `sim articulated`, A,B,..., if not all."""
    only: str | None = None
    """Of tracking: which of start, ours, found and rsrd, if not all: first poses; true parts followed; parts found and
    followed; true parts by RSRD's way."""
    film: int | None = None
    """Of replay: seed of the films that are replayed, if not the first of `seeds`."""
    keep: Path | None = None
    """Of grasp, tracking and replay: folder where what was simulated, and figures of films and trials, are kept and
    taken from, so that a run can go on; figures only as long as the code is the same."""
    out: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    """Folder for the rows as JSON and Markdown, and plots."""

    def run(self, console: Console) -> dict[str, Any]:
        """See `robodistill.bench`."""
        from dataclasses import asdict

        from robodistill.bench.rows import save_result
        from robodistill.bench.run import parse_seeds, run_bench

        seeds = parse_seeds(self.seeds)
        options = {"robot": self.robot, "queries": self.queries, "film": self.film, "keep": self.keep}
        options |= {name: text and text.split(",") for name, text in (("objects", self.objects), ("only", self.only))}
        options = {name: value for name, value in options.items() if value is not None}
        result = run_bench(self.name, seeds, self.quick, console.progress, options)
        if self.out:
            told = {name: str(value) for name, value in options.items() if name != "keep"}
            save_result(self.name, result, self.out, {"seeds": self.seeds, "quick": self.quick} | told)
        return {"rows": [asdict(row) for row in result.rows]}

    def lines(self, result: dict[str, Any]) -> list[str]:
        """A table."""
        from robodistill.bench.rows import Row, as_table

        return as_table(Row(**row) for row in result["rows"])
