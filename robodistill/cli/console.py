"""What a person sees while a verb runs: progress bars on stderr."""

import time
from dataclasses import dataclass
from typing import Any

from rich.console import Console as RichConsole
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress


@dataclass
class Verb:
    """What every verb has."""

    json: bool = False
    """Print one JSON object on stdout and nothing else."""

    def run(self, console: "Console") -> dict[str, Any]:
        """Do it; returns what `--json` prints."""
        raise AssertionError(f"{type(self).__name__} does not say what to do")

    def lines(self, result: dict[str, Any]) -> list[str]:
        """What is printed for a person."""
        return [f"{key}: {value}" for key, value in result.items()]


class Console:
    """Progress bars, one a stage; on a pipe instead of a terminal, a line every few seconds."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._tasks: dict[str, Any] = {}
        self._told = time.monotonic()
        columns = (TextColumn("{task.description:>8}"), BarColumn(), MofNCompleteColumn())
        self._rich = RichConsole(stderr=True)
        self._bars = RichProgress(
            *columns, TimeRemainingColumn(), TextColumn("{task.fields[note]}"), console=self._rich
        )

    def __enter__(self) -> "Console":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the bars as they are."""
        if self._tasks:  # stopping bars that never ran prints an empty line
            self._bars.stop()

    def progress(self, stage: str, done: int, total: int, note: str = "") -> None:
        """A `robodistill.progress.Progress`."""
        if self._quiet:
            if time.monotonic() - self._told > 5:
                self._told = time.monotonic()
                self._rich.print(f"{stage} {done}/{total} {note}", highlight=False)
            return
        if stage not in self._tasks:
            self._bars.start()
            self._tasks[stage] = self._bars.add_task(stage, total=total, note=note)
        self._bars.update(self._tasks[stage], completed=done, total=total, note=note)
