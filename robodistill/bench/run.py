"""The benchmarks by name."""

import importlib
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
    "ros": "bench_ros",
}


def run_bench(name: str, seeds: Iterable[int], quick: bool, progress: Progress) -> BenchResult:
    """Run one.

    Raises:
        BadInput: There is none of that name.
    """
    if name not in BENCHES:
        raise BadInput(f"no benchmark {name!r}; there are {', '.join(BENCHES)}")
    module = importlib.import_module(f"robodistill.bench.{name}")
    return getattr(module, BENCHES[name])(seeds, quick=quick, progress=progress)


def parse_seeds(text: str) -> range:
    """Seeds of "A:B", A to B - 1.

    Raises:
        BadInput: Not of that form, or none.
    """
    first, colon, last = text.partition(":")
    if not (colon and first.isdecimal() and last.isdecimal() and int(first) < int(last)):
        raise BadInput(f"--seeds {text!r}: A:B with A < B is needed, such as 1000:1020")
    return range(int(first), int(last))
