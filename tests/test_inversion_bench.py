"""`bench inversion` counts what it says: on two small fields in place of simulated tables."""

from functools import partial

import pytest
from scene_located import look, photo, textured_field

from robodistill.bench import inversion as bench
from robodistill.bench.inversion_scenes import Located


def pictures(seed, count):
    field = textured_field(seed)
    return [photo(field, look(0.6, 0.2 - 0.15 * k, 0.6, 0.2)) for k in range(count)]


def table(parent, seed, count):
    field = textured_field(seed)
    frames = [photo(field, view.T_world_camera) for view in field.views]
    return Located(field, frames, pictures(seed, count))


def test_rows_of_all_methods_and_strangers(monkeypatch):
    """Ours finds its pictures and refuses the other field's; the peers' rows stand beside it."""
    monkeypatch.setattr(bench, "make_table", table)
    monkeypatch.setattr(bench, "random_views", pictures)
    monkeypatch.setattr(bench, "PoseNetwork", partial(bench.PoseNetwork, steps=100))
    monkeypatch.setattr(bench, "_QUICK_QUERIES", 1)
    monkeypatch.delenv("ROBODISTILL_REDKITCHEN", raising=False)
    rows = {(r.case, r.method, r.metric): r for r in bench.bench_inversion([0, 5], quick=True).rows}
    for case in ("rgbd", "rgb"):
        for metric, n in (("success", 2), ("converged_precision", 2), ("foreign_refused", 2)):
            assert rows[case, "ours", metric].value == 1 and rows[case, "ours", metric].n == n
        assert rows[case, "ours", "median_cm"].value < 0.3 and rows[case, "ours", "median_deg"].value < 0.2
        assert rows[case, "ours", "seconds"].value > 0
    for method in ("spine", "nearest_sift"):
        assert 0 <= rows["rgb", method, "success"].value <= rows["rgb", method, "answered"].value <= 1
    assert rows["rgb", "spine", "prepare_s"].n == 2 and not any(case == "redkitchen" for case, _, _ in rows)


def test_a_missing_answer_is_no_success():
    """Medians are over the answers, success over all."""
    answers = bench._Answers()
    near, far = look(0.5, 0, 0.5), look(-0.5, 0, 0.5)
    answers.add(near, near, 1.0)
    answers.add(far, near, 2.0)
    answers.add(None, near, 3.0, converged=False)
    rows = {r.metric: r.value for r in answers.rows("rgb", "ours")}
    assert rows["success"] == pytest.approx(1 / 3) and rows["answered"] == pytest.approx(2 / 3)
    assert rows["converged_precision"] == 0.5 and rows["median_cm"] == pytest.approx(50) and rows["seconds"] == 2
