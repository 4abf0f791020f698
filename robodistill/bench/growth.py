"""How time and memory grow with views and with Gaussians.

Each size runs in a process of its own, so that its peak of memory is its own.
"""

import io
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from robodistill.bench.rows import BenchResult, Row
from robodistill.errors import MissingPart
from robodistill.progress import Progress, silent

VIEWS = (20, 40, 80)
GAUSSIANS = (25_000, 50_000, 100_000, 200_000, 400_000)
STEPS = 30

# One fit of a few steps: median time of a step, and the peak of memory above what the imports take. VmHWM, because
# ru_maxrss survives exec and would be that of this process.
_CHILD = """
import json, re, statistics, sys, time
from pathlib import Path
from robodistill.capture.open import open_capture
from robodistill.config import FitConfig, PolicyConfig, SeedConfig
from robodistill.field.fit import Fit
from robodistill.field.seed import seed_field
from robodistill.pipeline.build import read_frames
capture, gaussians, steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
base, start = peak(), time.perf_counter()
frames = read_frames(open_capture(Path(capture)), 640)
field = seed_field(frames, SeedConfig(gaussians=gaussians))
ready = time.perf_counter()
fit = Fit(field, frames, FitConfig(steps=steps, policy=PolicyConfig(split_share=0.0)))
seconds = []
while not fit.is_done:
    begin = time.perf_counter()
    fit.step()
    seconds.append(time.perf_counter() - begin)
print(json.dumps({"prepare_s": ready - start, "step_ms": 1000 * statistics.median(seconds), "peak_mb": peak() - base,
                  "gaussians": len(field)}))
"""


def bench_growth(seed: int, quick: bool = False, progress: Progress = silent) -> BenchResult:
    """Rows `prepare_s`, `step_ms`, `peak_mb` by views and by Gaussians, and the exponent of each (1 is linear)."""
    from robodistill.sim.tabletop import make_tabletop

    views, gaussians = (VIEWS[:2], GAUSSIANS[:3]) if quick else (VIEWS, GAUSSIANS)
    figures: dict[str, list[dict]] = {"views": [], "Gaussians": []}
    with tempfile.TemporaryDirectory() as folder:
        captures = {}
        for count in views:
            captures[count] = Path(folder) / str(count)
            make_tabletop(seed=seed, views=count, width=320, height=240, noise="none", out=captures[count])
        runs = [("views", count, captures[count], 50_000) for count in views]
        runs += [("Gaussians", count, captures[views[-1]], count) for count in gaussians]
        for k, (what, size, capture, number) in enumerate(runs):
            progress("growth", k, len(runs), f"{size:,} {what}")
            figures[what].append({"size": size, **_measure(capture, number)})
        progress("growth", len(runs), len(runs))
    rows = []
    for what, points in figures.items():
        for point in points:
            for metric, unit in (("prepare_s", "s"), ("step_ms", "ms"), ("peak_mb", "MB")):
                rows.append(Row(f"{point['size']} {what}", "ours", metric, point[metric], unit))
        for metric in ("prepare_s", "step_ms", "peak_mb"):
            exponent = _exponent(
                [p["gaussians" if what == "Gaussians" else "size"] for p in points], [p[metric] for p in points]
            )
            rows.append(Row(f"by {what}", "ours", f"exponent_{metric}", exponent, "1 = linear", len(points)))
    return BenchResult(rows, _plot(figures))


def _measure(capture: Path, gaussians: int) -> dict:
    command = [sys.executable, "-c", _CHILD, str(capture), str(gaussians), str(STEPS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise MissingPart(
            f"a growth run failed: {done.stderr.strip().splitlines()[-1] if done.stderr else done.returncode}"
        )
    return json.loads(done.stdout.splitlines()[-1])


def _exponent(sizes: list[float], values: list[float]) -> float:
    """Slope in the log-log plot: 1 is linear growth, less is better."""
    return float(np.polyfit(np.log(sizes), np.log(np.maximum(values, 1e-6)), 1)[0])


def _plot(figures: dict[str, list[dict]]) -> list[tuple[str, bytes]]:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return []
    figure = Figure(figsize=(9, 6), layout="constrained")
    axes = figure.subplots(2, 2)
    for column, (what, points) in zip(axes.T, figures.items(), strict=True):
        sizes = [p["size"] for p in points]
        for axis, metric, label in zip(column, ("step_ms", "peak_mb"), ("ms a step", "peak memory, MB"), strict=True):
            axis.plot(sizes, [p[metric] for p in points], "o-")
            axis.set(xlabel=what, ylabel=label, xlim=(0, None), ylim=(0, None))
            axis.grid(alpha=0.3)
            axis.locator_params(axis="x", nbins=5)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return [("growth.png", buffer.getvalue())]
