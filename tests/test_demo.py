"""The demo and its report."""

import json
import re

import numpy as np
import pytest

from robodistill.cli import main
from robodistill.errors import BadInput
from robodistill.pipeline.demo import PHRASES, run_demo
from robodistill.report.page import Section, write_page
from robodistill.report.pictures import (
    depth_picture,
    error_picture,
    heat_picture,
    label_colors,
    normal_picture,
    outlined,
    rgb_picture,
)
from robodistill.resources import find_resource
from robodistill.tracking.motion import PartMotion


def test_demo_builds_a_sharp_field(tmp_path):
    """The shipped sample becomes a field whose held-out views are sharp; the report shows them, in one file."""
    made = run_demo(tmp_path / "demo")
    assert made.build.psnr > 27 and made.build.depth_median < 0.003
    page = made.report.read_text()
    assert page.count("data:image/png;base64,") > 6 * made.build.held_out + 2 * 3 + 4 + 4 + 3 * 3
    assert f"{made.build.psnr:.2f} dB" in page
    replayed = tmp_path / "demo" / "replay"
    stages = {it["name"]: it for it in json.loads((replayed / "stages.json").read_text())}
    assert [it["state"] for it in stages.values()] == ["done"] * 4, stages
    motion = PartMotion.load(replayed / "motion.json")
    moved = max(motion.joints, key=lambda joint: np.count_nonzero(motion.labels == joint.child))
    assert moved.kind == "prismatic" and np.ptp(moved.range) > 0.015 and motion.held.any()
    assert "lifted and held" in page and (tmp_path / "demo" / "grasp" / "lift.mp4").stat().st_size > 10_000
    rows = dict(re.findall(r"<tr><td>([\w ]+)</td><td>([^<]*)</td>", page))
    assert all("Gaussians" in rows[phrase] for phrase in PHRASES[:3])
    assert all(rows[phrase].startswith("not found") for phrase in PHRASES[3:])
    assert not re.search(r'(src|href)="(?!data:|replay/|grasp/)', page)  # nothing is loaded from elsewhere
    assert sorted(p.name for p in made.report.parent.iterdir()) == [
        *("grasp", "replay", "report.html", "scene.field"),
    ]


def test_demo_does_not_overwrite_unasked(tmp_path):
    """An earlier demo is kept unless asked, and another's folder in any case."""
    (tmp_path / "report.html").write_text("x")
    with pytest.raises(BadInput, match="--overwrite"):
        run_demo(tmp_path)
    (tmp_path / "mine").write_text("x")
    assert main(["demo", "--out", str(tmp_path), "--overwrite"]) == 2
    assert (tmp_path / "mine").exists() and (tmp_path / "report.html").read_text() == "x"


def test_sample_is_small():
    """The samples in assets/ stay under 5 MB."""
    folder = find_resource("assets/demo")
    assert sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) < 5_000_000


def test_page_escapes_text_and_holds_pictures(tmp_path):
    """What comes from file names cannot become HTML."""
    picture = np.zeros((2, 3, 3), np.uint8)
    page = write_page(tmp_path / "r.html", "a < b", [Section("<i>", "x & y", [["h"], ["<td>"]], [[("c", picture)]])])
    text = page.read_text()
    assert "a &lt; b" in text and "&lt;i&gt;" in text and "x &amp; y" in text and "<td>&lt;td&gt;</td>" in text
    assert "<th>h</th>" in text and text.count("data:image/png") == 1


def test_pictures_show_what_they_say():
    """Near is red and far is blue, holes are black; no error is black; axes are colours."""
    depth = np.array([[0, 1.0, 3.0]], np.float32)
    hole, near, far = depth_picture(depth, 1, 3)[0]
    assert hole.tolist() == [0, 0, 0] and near[0] > near[2] and far[2] > far[0]
    assert rgb_picture(np.array([[[2.0, 0.5, -1]]])).tolist() == [[[255, 128, 0]]]
    up = normal_picture(np.array([[[0, 0, 1.0], [0, 0, 0]]]))
    assert up[0, 0, 2] == 255 and up[0, 1].tolist() == [0, 0, 0]
    same = np.full((1, 1, 3), 0.3)
    assert error_picture(same, same + 0.5).sum() > error_picture(same, same).sum()


def test_labels_heat_and_outlines_can_be_told_apart():
    """Labels have colours of their own, heat is brightest where the score is, an outline leaves the inside."""
    colors = label_colors(np.arange(-1, 12))
    assert (colors[:2] == 60).all() and len(np.unique(colors[2:], axis=0)) == 11
    grey, heat = np.full((4, 4, 3), 100, np.uint8), np.zeros((4, 4))
    heat[1, 1] = 1
    hot = heat_picture(grey, heat).astype(int)
    assert hot[1, 1, 0] > hot[1, 1, 2] and hot[3, 3, 2] > hot[3, 3, 0]
    mask = np.zeros((9, 9), bool)
    mask[2:7, 2:7] = True
    drawn = outlined(np.zeros((9, 9, 3), np.uint8), mask)
    assert drawn[2, 2].any() and not drawn[4, 4].any() and not drawn[0, 0].any()
