"""The benchmarks by name."""

import importlib
import inspect
from collections.abc import Iterable

from robodistill.bench.rows import BenchResult
from robodistill.errors import BadInput
from robodistill.progress import Progress

BENCHES = {
    "raster": "bench_raster",
    "field": "bench_field",
    "language": "bench_language",
    "teacher": "bench_teacher",
    "inversion": "bench_inversion",
    "grasp": "bench_grasp",
    "tracking": "bench_tracking",
    "replay": "bench_replay",
    "ros": "bench_ros",
    "viewer": "bench_viewer",
}


def run_bench(
    name: str, seeds: Iterable[int], quick: bool, progress: Progress, options: dict[str, object] | None = None
) -> BenchResult:
    """Run one.

    Args:
        options: What only some take, such as `robot`.

    Raises:
        BadInput: There is none of that name, or it takes no such option.
    """
    if name not in BENCHES:
        raise BadInput(f"no benchmark {name!r}; there are {', '.join(BENCHES)}")
    run = getattr(importlib.import_module(f"robodistill.bench.{name}"), BENCHES[name])
    unknown = set(options or {}) - set(inspect.signature(run).parameters)
    if unknown:
        raise BadInput(f"benchmark {name} takes no --{', --'.join(sorted(unknown))}")
    return run(seeds, quick=quick, progress=progress, **(options or {}))


def parse_seeds(text: str) -> range:
    """Seeds of "A:B", A to B - 1.

    Raises:
        BadInput: Not of that form, or none.
    """
    first, colon, last = text.partition(":")
    if not (colon and first.isdecimal() and last.isdecimal() and int(first) < int(last)):
        raise BadInput(f"--seeds {text!r}: A:B with A < B is needed, such as 1000:1020")
    return range(int(first), int(last))
