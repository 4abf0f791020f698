"""`robodistill locate` as users and scripts meet it."""

import json

import cv2
import numpy as np
import pytest
from scene_located import CAMERA, look, photo, textured_field

from robodistill.cli import main
from robodistill.inversion.estimate import PoseEstimate
from robodistill.inversion.twist import pose_error

TRUE = [look(0.6, 0.3, 0.6, 0.4), look(0.55, 0.35, 0.6, 0.4)]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A field, two pictures with depth, one of another table, and their camera."""
    folder = tmp_path_factory.mktemp("located")
    field = textured_field()
    field.save(folder / "a.field")
    for k, T in enumerate(TRUE):
        frame = photo(field, T)
        cv2.imwrite(str(folder / f"{k}.png"), frame.rgb[..., ::-1])
        cv2.imwrite(str(folder / f"{k}_depth.png"), (frame.depth * 1000).round().astype(np.uint16))
    cv2.imwrite(str(folder / "other.png"), photo(textured_field(5), TRUE[0]).rgb[..., ::-1])
    (folder / "K.json").write_text(json.dumps({"K": CAMERA.K.tolist(), "width": 160, "height": 120}))
    return folder


def test_one_picture_with_depth(files, capsys):
    """The keys of the contract, on stdout alone, and the estimate in a file."""
    words = ["--depth", files / "0_depth.png", "--intrinsics", files / "K.json", "-o", files / "0.json", "--json"]
    assert main(["locate", str(files / "a.field"), str(files / "0.png"), *map(str, words)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {"T_world_camera", "converged", "confidence", "covariance", "seconds"} <= set(told)
    assert told["converged"] is True and np.shape(told["covariance"]) == (6, 6)
    assert pose_error(np.array(told["T_world_camera"]), TRUE[0])[0] < 0.003
    assert PoseEstimate.load(files / "0.json").as_values() == told


def test_a_stream_and_a_stranger(files, capsys):
    """Several pictures in one call; one of another scene is told as such, and alone it is exit code 3."""
    pictures = [str(files / name) for name in ("0.png", "1.png", "other.png")]
    assert main(["locate", str(files / "a.field"), *pictures, "--stream", "--out", str(files / "many")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert ["camera at" in line for line in lines] == [True, True, False] and "not located" in lines[2]
    assert sorted(p.name for p in (files / "many").iterdir()) == ["0000_0.json", "0001_1.json", "0002_other.json"]
    assert main(["locate", str(files / "a.field"), pictures[2], "--json"]) == 3
    out, err = capsys.readouterr()
    assert json.loads(out)["converged"] is False and err.splitlines()[-1].startswith("robodistill: locate: ")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["a.field"], "no picture"),
        (["a.field", "none.png"], "none.png"),
        (["a.field", "0.png", "--intrinsics", "a.field"], "K (3x3), width, height"),
        (["a.field", "0.png", "1.png", "--depth", "0_depth.png"], "1 depth images for 2 pictures"),
        (["a.field", "0.png", "--object", "mug"], "carries no features"),
        (["a.field", "0.png", "--coarse", "semantics"], "carries no features"),
        (["none.field", "0.png"], "none.field"),
    ],
)
def test_wrong_use_is_named(files, words, named, capsys, monkeypatch):
    """One line and exit code 2."""
    monkeypatch.chdir(files)
    assert main(["locate", *words]) == 2
    assert named in capsys.readouterr().err


def test_the_other_size_needs_its_camera(files, capsys, monkeypatch):
    """A picture that the given camera did not take."""
    monkeypatch.chdir(files)
    cv2.imwrite("wide.png", np.zeros((60, 160, 3), np.uint8))
    for more in ([], ["--intrinsics", "K.json"]):
        assert main(["locate", "a.field", "wide.png", *more]) == 2
        assert "160x60" in capsys.readouterr().err
