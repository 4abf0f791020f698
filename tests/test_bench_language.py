"""The language benchmark's parts, on the shipped sample with few Gaussians."""

import numpy as np
import pytest
import torch

from robodistill.bench.figures import Figures, mean_iou
from robodistill.bench.language import _case
from robodistill.bench.memory import peak_of_uplift
from robodistill.bench.run import BENCHES
from robodistill.bench.scans import Scan
from robodistill.capture.open import open_capture
from robodistill.capture.read import read_json
from robodistill.config import SeedConfig
from robodistill.errors import MissingPart
from robodistill.field.seed import seed_field, views_of
from robodistill.parts.quality import majority_labels
from robodistill.resources import find_resource
from robodistill.teachers.truth import TruthTeacher


@pytest.fixture(scope="module")
def scan() -> Scan:
    folder = find_resource("assets/demo/tabletop")
    frames = [open_capture(folder)[k] for k in range(0, 36, 3)]
    field = seed_field(frames, SeedConfig(gaussians=15_000))
    empty = Scan(
        22, folder, read_json(folder / "truth.json"), field, frames, views_of(frames), frames[:2], *[np.zeros(0)] * 2
    )
    labels = [
        majority_labels(field, [(f.camera, f.T_world_camera, empty.mask(kind, f.name)) for f in frames]).numpy()
        for kind in ("masks", "parts")
    ]
    return Scan(22, folder, empty.truth, field, frames, empty.views, frames[:2], *labels)


def test_it_is_registered():
    """The command finds it."""
    assert BENCHES["language"] == "bench_language"


def test_a_case_has_its_figures(scan):
    """Exact features: things are found, absent ones refused, and the field is better than a single view."""
    figures = Figures()
    _case(figures, "clean", TruthTeacher("stride=8", scan.folder), scan)
    found = {(row.method, row.metric): row.value for row in figures.rows()}
    assert found["uplift", "right_object"] > 0.9 and found["uplift", "iou_3d"] > 0.7
    assert found["uplift", "absent_refused"] > 0.95 and found["uplift", "uplift_s"] > 0
    assert found["uplift", "miou_2d"] > found["single_view", "miou_2d"]


def test_features_of_another_scene_are_no_good(scan):
    """A control that must fail: with labels shuffled over the objects, phrases find the wrong things."""
    figures = Figures()

    class Wrong(TruthTeacher):
        def encode(self, frame):
            return super().encode(frame).flip(1)

    _case(figures, "wrong", Wrong("stride=8", scan.folder), scan)
    found = {(row.method, row.metric): row.value for row in figures.rows()}
    assert found["uplift", "right_object"] < 0.6 and found["uplift", "miou_2d"] < 0.4


def test_mean_iou_counts_present_labels_only():
    """Half right of one label, all of another; a third is not there and does not count."""
    truth = np.array([0, 0, 1, 1])
    assert mean_iou(np.array([0, 0, 1, 2]), truth, 4) == pytest.approx((1 + 0.5) / 2)
    assert mean_iou(truth, truth, 2) == 1


def test_memory_is_measured_in_its_own_process():
    """The peak of a process holds at least its imports; a failure is told."""
    assert 0.3 < peak_of_uplift(1) < 6  # GB
    with pytest.raises(MissingPart, match="memory run failed"):
        peak_of_uplift(0)


def test_scores_stay_apart(scan):
    """Labels of Gaussians name objects of the scene only."""
    ids = {it["id"] for it in scan.truth["objects"]}
    assert set(np.unique(scan.objects)) <= ids | {0} and (scan.objects > 0).any()
    assert torch.from_numpy(scan.parts).max() > len(ids)
