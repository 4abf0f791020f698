"""Work in stages, each of which leaves files in one folder: what is done is not done again, and nothing is lost."""

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from robodistill.capture.write import write_whole
from robodistill.errors import BadInput, HonestNo

RECORD = "stages.json"


@dataclass(frozen=True)
class Stage:
    """What is known of one."""

    name: str
    state: str
    """`done`, `failed` (the honest answer was no), or `skipped`."""
    reason: str = ""
    """Of a failure, or why it was left out."""
    figures: dict[str, Any] = field(default_factory=dict)
    """Plain values."""
    seconds: float = 0.0
    key: str = ""
    """Of all that it and the stages before it depend on."""


class Stages:
    """The stages of one folder, in order; the record is written after each."""

    def __init__(self, folder: Path, overwrite: bool) -> None:
        """Read what an earlier run left.

        Args:
            overwrite: Do those stages again whose inputs are others now; without it, that is an error.

        Raises:
            BadInput: The folder cannot be made, or holds what no run of stages left.
        """
        self.folder, self._overwrite = Path(folder), overwrite
        self._before: dict[str, Stage] = {}
        self._key = ""
        self.done: list[Stage] = []
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(f"{folder} cannot be made: {error}; give a new or empty folder") from None
        record = self.folder / RECORD
        if not record.exists():
            if any(not it.name.startswith(".") for it in self.folder.iterdir()):
                raise BadInput(f"{folder} exists and is not empty; give a new or empty folder")
            return
        try:
            self._before = {it["name"]: Stage(**it) for it in json.loads(record.read_text())}
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise BadInput(f"{record} is not a record of stages: {error!r}; give another folder") from None

    def run(
        self, name: str, inputs: Any, files: Sequence[str], work: Callable[[], dict[str, Any]]
    ) -> dict[str, Any] | None:
        """Do a stage, unless it was done with the same inputs.

        Args:
            inputs: Plain values that its result depends on, beside the stages before it.
            files: What it leaves in the folder.
            work: Does it, replacing what an unfinished run left, and returns its figures.

        Returns:
            The figures; None if it failed, or if one before it did.

        Raises:
            BadInput: It was done with other inputs.
        """
        if self.failed:
            return None
        self._key = hashlib.sha256(json.dumps([self._key, name, inputs], default=str).encode()).hexdigest()[:16]
        old = self._before.get(name)
        if old is not None and old.state == "done" and all((self.folder / file).exists() for file in files):
            if old.key == self._key:
                self._add(old)
                return old.figures
            if not self._overwrite:
                raise BadInput(
                    f"{self.folder} holds the stage {name!r} of other inputs or options; give another folder, or "
                    "--overwrite"
                )
        start = time.perf_counter()
        try:
            figures = work()
        except HonestNo as no:
            self._add(Stage(name, "failed", str(no), _plain(no.answer), round(time.perf_counter() - start, 2)))
            return None
        self._add(Stage(name, "done", "", _plain(figures), round(time.perf_counter() - start, 2), self._key))
        return figures

    def skip(self, name: str, reason: str) -> None:
        """Leave a stage out."""
        self._add(Stage(name, "skipped", reason))

    @property
    def failed(self) -> Stage | None:
        """The stage whose answer was no."""
        return next((it for it in self.done if it.state == "failed"), None)

    def _add(self, stage: Stage) -> None:
        self.done.append(stage)
        later = [it for name, it in self._before.items() if all(it.name != done.name for done in self.done)]
        write_whole(self.folder / RECORD, json.dumps([asdict(it) for it in (*self.done, *later)], indent=1).encode())


def fingerprint(path: Path) -> list:
    """What tells a file, or a folder with all in it, from another: names, sizes, times of change."""
    path = Path(path)
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return [
        (str(it.relative_to(path.parent)), it.stat().st_size, it.stat().st_mtime_ns) for it in files if it.is_file()
    ]


def _plain(values: dict[str, Any] | None) -> dict[str, Any]:
    """As JSON would give it back, so that a resumed run tells the same."""
    return json.loads(json.dumps(values or {}, default=str))
