"""`bench field`: fields of simulated tables, clean and with sensor noise, of a real kitchen, and how cost grows.

Every eleventh of 44 views is held out. With sensor noise the field is made from noisy frames and compared with the
clean ones of the same scene. The kitchen (7-Scenes) is read from where ROBODISTILL_REDKITCHEN points.
"""

import logging
import os
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from robodistill.bench.growth import bench_growth
from robodistill.bench.rows import BenchResult, Row
from robodistill.capture.open import open_capture
from robodistill.config import BuildConfig, FeaturesConfig
from robodistill.field.gaussians import GaussianField
from robodistill.pipeline.build import build_field, is_held_out, measure, read_frames
from robodistill.progress import Progress, silent

log = logging.getLogger(__name__)

VIEWS, EVERY = 44, 11


def bench_field(seeds: Iterable[int], quick: bool = False, progress: Progress = silent) -> BenchResult:
    """Rows `psnr_db`, `depth_median_mm`, `build_s` for `clean`, `sensor`, `redkitchen`; and of growth."""
    seeds = list(seeds)[: 2 if quick else None]
    rows: list[Row] = []
    config = replace(BuildConfig(), hold_out=EVERY, features=FeaturesConfig(way="none"))
    with tempfile.TemporaryDirectory() as folder:
        for noise in ("none", "sensor"):
            values = []
            for k, seed in enumerate(seeds):
                progress(f"tables, noise {noise}", k, len(seeds))
                values.append(_table(Path(folder), seed, noise, config))
            progress(f"tables, noise {noise}", len(seeds), len(seeds))
            rows += _rows("clean" if noise == "none" else "sensor", np.array(values))
    kitchen = os.environ.get("ROBODISTILL_REDKITCHEN")
    if kitchen:
        rows += _kitchen(Path(kitchen), progress)
    else:
        log.warning("redkitchen is left out: ROBODISTILL_REDKITCHEN does not say where it is")
    growth = bench_growth(seeds[0], quick, progress)
    return BenchResult(rows + growth.rows, growth.plots)


def _table(folder: Path, seed: int, noise: str, config: BuildConfig) -> tuple[float, float, float]:
    """PSNR against the truth in dB, median depth error in mm, seconds."""
    from robodistill.sim.tabletop import make_tabletop

    clean = folder / f"{seed}_none"
    if not clean.exists():
        make_tabletop(seed=seed, views=VIEWS, width=320, height=240, noise="none", out=clean)
    used = clean
    if noise != "none":
        used = folder / f"{seed}_{noise}"
        make_tabletop(seed=seed, views=VIEWS, width=320, height=240, noise=noise, out=used)
    made = build_field(used, folder / f"{seed}_{noise}.field", config)
    truth = [f for i, f in enumerate(read_frames(open_capture(clean), config.max_side)) if is_held_out(i, EVERY)]
    quality = measure(GaussianField.load(made.path), truth)
    return quality.psnr, 1000 * quality.depth_median, made.seconds


def _rows(case: str, values: np.ndarray) -> list[Row]:
    """Mean, median and worst over the scenes."""
    rows, n = [], len(values)
    metrics = (("psnr_db", "dB", np.min), ("depth_median_mm", "mm", np.max), ("build_s", "s", np.max))
    for (metric, unit, worst), column in zip(metrics, values.T, strict=True):
        rows.append(Row(case, "ours", metric, float(np.mean(column)), unit, n))
        rows.append(Row(case, "ours", f"{metric}_worst", float(worst(column)), unit, n))
    return rows


def _kitchen(path: Path, progress: Progress) -> list[Row]:
    config = replace(BuildConfig(), hold_out=8, max_side=320, features=FeaturesConfig(way="none"))
    with tempfile.TemporaryDirectory() as folder:
        made = build_field(path, Path(folder) / "kitchen.field", config, progress=progress)
    rows = [Row("redkitchen", "ours", "psnr_db", made.psnr, "dB", made.held_out)]
    if made.depth_median is not None:
        rows.append(Row("redkitchen", "ours", "depth_median_mm", 1000 * made.depth_median, "mm", made.held_out))
    return [*rows, Row("redkitchen", "ours", "build_s", made.seconds, "s")]
