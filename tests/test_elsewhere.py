"""Scoring the built-in teacher on meshes of other makers and on photographs: what is read, and what is counted."""

import cv2
import numpy as np
import pytest
import trimesh

from robodistill.bench import elsewhere
from robodistill.bench.figures import Figures
from robodistill.teachers.builtin.teacher import Builtin


def test_a_mesh_is_read_at_its_size_with_its_axis_up(tmp_path):
    """A tall box that lies along y stands, 9 cm high."""
    trimesh.creation.box((1.0, 3.0, 1.0)).export(tmp_path / "a,b.obj")
    word, spec = elsewhere._read_mesh(f"bottle={tmp_path / 'a,b.obj'},0.09,y")
    assert word == "bottle" and spec.size == pytest.approx([0.03, 0.03, 0.09])


def test_meshes_are_scored_by_word(tmp_path, monkeypatch, capsys):
    """Each seen thing is asked by its word, and by its colour and word."""
    monkeypatch.setattr(elsewhere, "_VIEWS", 1)
    trimesh.creation.icosphere(subdivisions=3).export(tmp_path / "ball.obj")
    trimesh.creation.box((1, 1, 1)).export(tmp_path / "block.obj")
    meshes = (f"ball={tmp_path / 'ball.obj'},0.08,z", f"block={tmp_path / 'block.obj'},0.05,z")
    elsewhere.main(elsewhere.Arguments(meshes=meshes, seeds=(31,)))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + 2 * 3 and any("| other meshes, thing | all | localisation |" in line for line in lines)


def test_photographs_are_scored_at_the_marked_places(tmp_path):
    """One marked frame: four phrases that are there, and five that are not."""
    for name, image in (
        ("color.png", np.full((480, 640, 3), 120, np.uint8)),
        ("depth.png", np.full((480, 640), 900, np.uint16)),
    ):
        cv2.imwrite(str(tmp_path / f"frame-000470.{name}"), image)
    np.savetxt(tmp_path / "frame-000470.pose.txt", np.eye(4))
    np.savetxt(tmp_path / "camera-intrinsics.txt", np.array([[585, 0, 320], [0, 585, 240], [0, 0, 1.0]]))
    figures = Figures()
    elsewhere._photographs(figures, Builtin(), tmp_path)
    counts = {(row.case, row.method): row.n for row in figures.rows()}
    assert counts["photographs", "mug"] == 1 and counts["photographs, absent", "all"] == 5
