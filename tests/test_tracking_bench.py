"""Runs of `bench tracking` and `bench replay` that are gone on with, and their figures of motions that are known."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import save
from scipy.spatial.transform import Rotation

for name in ("mujoco", "coal", "roboticstoolbox"):
    pytest.importorskip(name, reason=f"trials need {name}: pip install robodistill[sim,robot]")

from two_boxes import CAMERA, HINGE, make_film, make_model  # noqa: E402

from robodistill.bench import films, replay, tracking  # noqa: E402
from robodistill.bench.figures import Figures  # noqa: E402
from robodistill.bench.films import Demo  # noqa: E402
from robodistill.bench.replay_scene import true_motion  # noqa: E402
from robodistill.capture.video import Video  # noqa: E402
from robodistill.capture.write import write_whole  # noqa: E402
from robodistill.errors import BadInput, HonestNo  # noqa: E402
from robodistill.tracking.motion import PartMotion  # noqa: E402


def _value(result, case, method, metric):
    (row,) = [row for row in result.rows if (row.case, row.method, row.metric) == (case, method, metric)]
    return row.value, row.n


@pytest.fixture
def measured(monkeypatch):
    """Films are not made; each measure says which film it was asked about, and how often."""
    asked = []

    def fake(what):
        def measure(figures, demo):
            asked.append((what, demo))
            method = "rsrd" if what == "rsrd" else "ours"
            figures.add("truth_parts", method, "pcp05", [0.5 if what == "rsrd" else 1.0], "")

        return measure

    monkeypatch.setattr(tracking, "make_demo", lambda parent, name, seed: f"{name} {seed}")
    monkeypatch.setattr(tracking, "MEASURES", {what: fake(what) for what in tracking.MEASURES})
    return asked


def test_a_tracking_run_goes_on_where_it_stopped(measured, tmp_path):
    """Each figure of a film is measured once; later runs ask for more of it."""
    run = {"objects": ["plug", "lamp"], "keep": tmp_path}
    tracking.bench_tracking([3, 4], only=["ours"], **run)
    assert measured == [("ours", f"{name} {seed}") for seed in (3, 4) for name in ("plug", "lamp")]
    result = tracking.bench_tracking([3, 4], only=["ours", "rsrd"], **run)
    assert len(measured) == 8 and {what for what, _ in measured[4:]} == {"rsrd"}
    assert _value(result, "same_films", "ours", "pcp05") == (1.0, 4)
    assert _value(result, "same_films", "rsrd", "pcp05") == (0.5, 4)
    assert tracking.bench_tracking([3, 4], only=["ours", "rsrd"], **run) == result and len(measured) == 8


def test_what_takes_long_is_done_for_the_first_films_only(measured):
    """RSRD's way for one of the quick three; nothing is kept where nobody asks for it."""
    result = tracking.bench_tracking([3], quick=True)
    assert len([what for what, _ in measured if what == "rsrd"]) == 1
    assert len(measured) == 3 * 3 + 1
    assert _value(result, "same_films", "rsrd", "pcp05") == (0.5, 1)


@pytest.mark.parametrize("options", [{"only": ["theirs"]}, {"objects": ["teapot"]}])
def test_unknown_names_are_named_with_those_that_there_are(options):
    """Before anything is simulated."""
    (name,), (unknown,) = options.items(), *options.values()
    with pytest.raises(BadInput, match=rf"--{name[0]} {unknown}: there are \w+, \w+"):
        tracking.bench_tracking([1], **options)


def test_a_replay_run_goes_on_where_it_stopped(monkeypatch, tmp_path):
    """Films are followed once, trials are made once, and the control is that of the first place."""
    tried, drawn = [], []

    def made(parent, name, seed):
        demo = SimpleNamespace(folder=tmp_path / f"plug_{seed}", truth={"seed": seed})
        return SimpleNamespace(demo=demo, seed=seed)

    def draw(it, robot, name, place):
        drawn.append(it.seed)
        return None if it.seed < 5 else np.eye(4)

    monkeypatch.setattr(replay, "make_demonstration", made)
    monkeypatch.setattr(replay, "draw_place", draw)
    monkeypatch.setattr(replay, "follow_film", lambda demo: (None, 2.0))

    def trial(it, motion, robot, seed, control, figures):
        tried.append((it.seed, robot, seed, control))
        figures.add("from_film", robot, "end_to_end", float(seed % 2))

    monkeypatch.setattr(replay, "trial", trial)
    run = {"objects": ["plug"], "film": 3, "keep": tmp_path}
    replay.bench_replay([10, 11], **run)
    result = replay.bench_replay([10, 11, 13], **run)
    assert drawn == [3, 4, 5]  # the first that can be held, asked for once
    assert tried == [(5, "yumi", 10, True), (5, "yumi", 11, False), (5, "yumi", 13, False)]
    assert _value(result, "plug", "ours", "film") == (5.0, 1)
    assert _value(result, "from_film", "yumi", "end_to_end") == (pytest.approx(2 / 3), 3)
    assert _value(result, "plug", "ours", "tracking_s") == (2.0, 1)


def test_an_answer_of_no_is_kept_as_well(monkeypatch, tmp_path):
    """A film in which nothing was found is not searched again."""
    asked = []

    def nothing(*args):
        asked.append(args)
        raise HonestNo("not there")

    monkeypatch.setattr(films, "track_parts", nothing)
    demo = _demo(tmp_path)
    assert films.follow_film(demo)[0] is None and films.follow_film(demo)[0] is None
    assert len(asked) == 1 and json.loads((tmp_path / "found.json").read_text())["no"] == "not there"


def test_a_right_motion_has_no_error_and_a_wrong_one_what_it_is_off_by(tmp_path):
    """The lid 6 mm off in two of 14 frames, and an axis turned by two degrees and shifted by 3 mm."""
    demo = _demo(tmp_path)
    right, figures = true_motion(demo), Figures()
    for case, motion in (("right", right), ("off", _off(right))):
        tracking._points(figures, case, "ours", demo, motion)
        tracking._joints(figures, case, demo, motion)
        tracking._points_of_found(figures, f"{case}, found", demo, motion)
    result = SimpleNamespace(rows=tracking._rows(figures))

    def of(case: str, *metrics: str) -> list[float]:
        return [_value(result, case, "ours", metric)[0] for metric in metrics]

    points, joints = ("pcp05", "pcp03", "mean_mm"), ("joint_type", "axis_deg", "axis_mm", "range_deg")
    assert of("right", *points) == of("right, found", *points) == [1, 1, 0]
    np.testing.assert_allclose(of("right", *joints), [1, 0, 0, 0], atol=1e-5)
    # half of the points, in a seventh of the frames; 6 mm are 3.06 % of the object's size
    np.testing.assert_allclose(of("off", *points), [1, 13 / 14, 6 / 14], rtol=1e-6)
    np.testing.assert_allclose(of("off, found", *points), [1, 13 / 14, 6 / 14], rtol=1e-6)
    np.testing.assert_allclose(of("off", *joints), [1, 2, 3, 0], atol=1e-4)


def _off(right: PartMotion) -> PartMotion:
    Ts, (joint,) = right.Ts_camera_part.copy(), right.joints
    Ts[3:5, 1, :3, 3] += [0.006, 0, 0]
    axis = Rotation.from_rotvec([0, np.radians(2), 0]).as_matrix() @ joint.axis
    joint = replace(joint, axis=axis, origin=joint.origin + [0, 0.003, 0])
    return replace(right, Ts_camera_part=Ts, joints=(joint,))


def _demo(folder: Path) -> Demo:
    """Two boxes, of which one turns about the other's edge."""
    model = make_model()
    frames, Ts, values = make_film(model)
    joint = {"parent": "base", "child": "lid", "type": HINGE.kind, "pitch": 0.0, "moved": True}
    joint |= {"axis": HINGE.axis.tolist(), "origin": HINGE.origin.tolist()}
    truth = {"object": "boxes", "parts": ["base", "lid"], "joints": [joint], "size": [0.16, 0.1, 0.052]}
    unused = {name: np.ones(Ts.shape[:2], np.float32) for name in ("visible", "held")}
    write_whole(folder / "truth.safetensors", save(unused))
    film = Video(frames, np.arange(len(frames)) / 30)
    return Demo(folder, model.field, model.labels, truth, Ts, values[:, None], film, CAMERA)
