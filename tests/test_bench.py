"""Benchmarks: the rows of the contract, measured for real on small cases."""

import json

import pytest
import torch

from robodistill.bench import field as field_bench
from robodistill.bench import films, growth, raster
from robodistill.bench.rows import BenchResult, Row, as_table, save_result
from robodistill.bench.run import BENCHES, parse_seeds, run_bench
from robodistill.errors import BadInput, MissingPart


def metrics(result: BenchResult) -> set[str]:
    return {row.metric for row in result.rows}


def test_raster_bench_measures_what_it_says(monkeypatch):
    """Ratios are those of the times in the same rows; the kernel gives the same bits for any number of threads."""
    pytest.importorskip("numba")
    monkeypatch.setattr(raster, "GAUSSIANS", 500)
    monkeypatch.setattr(
        raster, "random_scene", lambda seed, channels, n=500, f=raster.random_scene: f(seed, channels, n)
    )
    result = raster.bench_raster([0], quick=True)
    assert {"forward_backward", "speedup_vs_twin", "speedup_vs_numba", "cost_64_over_3", "same_bits"} <= metrics(result)
    value = {(r.case.split()[-2] if "ch" in r.case else "", r.method, r.metric): r.value for r in result.rows}
    ours, twin = value["3", "kernel", "forward_backward"], value["3", "twin", "forward_backward"]
    assert abs(value["3", "kernel", "speedup_vs_twin"] - twin / ours) < 1e-6 * twin / ours
    assert value["", "kernel", "same_bits"] == 1


def test_same_bits_can_fail(monkeypatch):
    """The check sees a difference in one bit."""
    calls = []

    def run(scene, backend):
        calls.append(0)
        return lambda: [torch.tensor([1.0 + 1e-7 * (len(calls) == 2)])]

    monkeypatch.setattr(raster, "_torch_run", run)
    assert not raster._same_bits([])


@pytest.mark.sim
def test_field_bench_measures_a_table(monkeypatch, tmp_path):
    """Clean and noisy tables: PSNR against the clean truth, depth error, time, with the worst beside the mean."""
    pytest.importorskip("mujoco")
    from dataclasses import replace

    from robodistill.config import BuildConfig, FitConfig, SeedConfig
    from robodistill.sim import tabletop

    small = tabletop.make_tabletop
    monkeypatch.setattr(tabletop, "make_tabletop", lambda **k: small(**(k | {"width": 96, "height": 72, "views": 12})))
    quick = replace(BuildConfig(), seed=SeedConfig(gaussians=3000), fit=FitConfig(steps=20))
    monkeypatch.setattr(field_bench, "BuildConfig", lambda: quick)
    monkeypatch.setattr(field_bench, "bench_growth", lambda *a: BenchResult([Row("c", "m", "x", 1.0, "s")]))
    monkeypatch.delenv("ROBODISTILL_REDKITCHEN", raising=False)
    result = field_bench.bench_field([1])
    assert {"psnr_db", "psnr_db_worst", "depth_median_mm", "build_s"} <= metrics(result)
    assert {row.case for row in result.rows} == {"clean", "sensor", "c"}
    assert all(row.value > 12 for row in result.rows if row.metric == "psnr_db")


def test_exponent_is_that_of_the_growth():
    """Linear growth gives 1, none gives 0, square 2."""
    for power in (0, 1, 2):
        assert abs(growth._exponent([1, 2, 4, 8], [3.0 * n**power for n in (1, 2, 4, 8)]) - power) < 1e-6


def test_results_are_kept(tmp_path):
    """JSON for programs, Markdown for people, plots beside."""
    result = BenchResult([Row("c", "ours", "psnr_db", 31.25, "dB", 4)], [("p.png", b"png")])
    save_result("field", result, tmp_path, {"seeds": "0:4"})
    assert json.loads((tmp_path / "field.json").read_text())["rows"][0]["value"] == 31.25
    assert "| c | ours | psnr_db | 31.25 | dB | 4 |" in (tmp_path / "field.md").read_text().splitlines()
    assert (tmp_path / "p.png").read_bytes() == b"png" and len(as_table([])) == 2


def test_figures_of_a_trial_are_kept_as_long_as_the_code_is_the_same(tmp_path, monkeypatch):
    """A run goes on from what it measured, never from what other code did."""
    file, runs = tmp_path / "figures.json", []

    def measure(figures):
        runs.append(1)
        figures.add("c", "ours", "pcp", [0.5, 1.0])

    for code, count in (("a", 1), ("a", 1), ("b", 2)):
        monkeypatch.setattr(films, "_code", lambda code=code: code)
        assert films.kept(file, measure).rows() == [Row("c", "ours", "pcp", 0.75, "", 2)]
        assert len(runs) == count


def test_names_and_seeds_are_checked():
    """Unknown benchmarks and malformed ranges are named."""
    with pytest.raises(BadInput, match="raster, field"):
        run_bench("speed", [0], True, lambda *a: None)
    assert list(parse_seeds("3:6")) == [3, 4, 5]
    names = {"raster", "field", "language", "teacher", "inversion", "tracking", "grasp", "replay", "ros", "viewer"}
    assert set(BENCHES) == names
    for text in ("3", "a:b", "6:3", "-1:2", ":"):
        with pytest.raises(BadInput, match="A:B"):
            parse_seeds(text)


def test_failed_growth_run_is_told(tmp_path):
    """A child process that fails is an error with its last line, not a missing row."""
    with pytest.raises(MissingPart, match="growth run failed"):
        growth._measure(tmp_path / "none", 100)
