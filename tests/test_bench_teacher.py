"""What `bench teacher` counts."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from robodistill.bench.figures import Figures
from robodistill.bench.matches import add_matches
from robodistill.bench.teacher import full_table, peak
from robodistill.capture.frame import Frame
from robodistill.geometry.camera import Camera
from robodistill.sim.objects import CATEGORIES
from robodistill.sim.views import look_at

CAMERA = Camera.from_fov(np.radians(50), 160, 120)


def seen_from(angle: float) -> Frame:
    """A table without anything on it, as a camera 0.8 m away measures it."""
    T = look_at(0.8 * np.array([np.cos(angle) * 0.6, np.sin(angle) * 0.6, 0.8]), np.zeros(3))
    rays = CAMERA.rays() @ T[:3, :3].T
    depth = (-T[2, 3] / rays[..., 2]).astype(np.float32)
    return Frame(np.zeros((120, 160, 3), np.uint8), depth, CAMERA, T, f"{angle:.2f}")


class Places:
    """A teacher whose features are where things are, or the same for all."""

    def __init__(self, blind: bool) -> None:
        self.blind = blind

    def encode(self, frame: Frame) -> torch.Tensor:
        points = frame.camera.unproject(frame.depth) @ frame.T_world_camera[:3, :3].T + frame.T_world_camera[:3, 3]
        phases = torch.from_numpy(points[1::2, 1::2, :2]).float() * 3
        features = torch.cat([phases.sin(), phases.cos()], -1) / 2**0.5
        return torch.ones_like(features) if self.blind else features


@pytest.mark.parametrize(("blind", "share"), [(False, 1.0), (True, 0.0)])
def test_matches_are_counted_where_the_truth_is(blind, share):
    """Features that tell places match all points of things; such that tell nothing match hardly any."""
    frames = [seen_from(0.0), seen_from(1.0)]
    mask = np.zeros((120, 160), np.int64)
    mask[40:80, 40:80], mask[40:80, 80:120] = 1, 2
    truth = {"objects": [{"id": 1, "category": "plate"}, {"id": 2, "category": "box"}]}
    scan = SimpleNamespace(truth=truth, frames=frames, mask=lambda kind, name: mask)
    figures = Figures()
    add_matches(figures, scan, Places(blind))
    rows = {row.case: row for row in figures.rows()}
    assert len(rows) == 3 and rows["pairs 30 degrees apart"].n == sum(row.n for row in rows.values()) / 2 > 500
    assert all(row.value == pytest.approx(share, abs=0.03) for row in rows.values())


def test_full_tables_hold_a_dozen():
    """The same for the same seed; twins on some of them only."""
    tables = [full_table(seed) for seed in range(40)]
    assert tables[3] == full_table(3) and all(len(it) == 12 and set(it) <= set(CATEGORIES) for it in tables)
    assert 0.2 < np.mean([len(set(it)) == 11 for it in tables]) < 0.6


def test_the_peak_is_in_the_middle_of_its_cell():
    """Cells of four pixels."""
    relevancy = torch.zeros(30, 40)
    relevancy[2, 5] = 1
    assert peak(relevancy, (120, 160)) == (10, 22)
