"""What a benchmark returns, and how it is shown and kept."""

import dataclasses
import json
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robodistill.capture.write import write_whole


@dataclass(frozen=True)
class Row:
    """One figure."""

    case: str
    method: str
    metric: str
    value: float
    unit: str
    n: int = 1
    """How many measurements it is the mean or median of."""


@dataclass(frozen=True)
class BenchResult:
    """The rows of a run and the plots made of them, as (file name, PNG)."""

    rows: list[Row]
    plots: list[tuple[str, bytes]] = dataclasses.field(default_factory=list)


def as_table(rows: Iterable[Row]) -> list[str]:
    """Lines of a Markdown table."""
    lines = ["| case | method | metric | value | unit | n |", "|---|---|---|---:|---|---:|"]
    lines += [f"| {r.case} | {r.method} | {r.metric} | {r.value:.4g} | {r.unit} | {r.n} |" for r in rows]
    return lines


def save_result(name: str, result: BenchResult, out: Path, arguments: dict[str, Any]) -> list[Path]:
    """Write NAME.json, NAME.md and the plots into the folder `out`; returns what was written."""
    facts = {"bench": name, "arguments": arguments, "machine": platform.machine(), "python": platform.python_version()}
    data = {**facts, "rows": [dataclasses.asdict(row) for row in result.rows]}
    files = {
        f"{name}.json": json.dumps(data, indent=1).encode(),
        f"{name}.md": "\n".join(as_table(result.rows)).encode(),
    }
    files |= dict(result.plots)
    for file, content in files.items():
        write_whole(out / file, content)
    return [out / file for file in files]
