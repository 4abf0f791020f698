"""The command line as users and scripts meet it."""

import json
import subprocess
import sys

import cv2
import numpy as np
import pytest
from capture_samples import make_folder
from test_build import CONFIG, capture  # noqa: F401 (a fixture)

from robodistill.cli import VERBS, main
from robodistill.field.gaussians import GaussianField
from robodistill.pipeline.build import build_field


@pytest.fixture(scope="module")
def field(capture, tmp_path_factory):  # noqa: F811
    return build_field(capture, tmp_path_factory.mktemp("cli") / "a.field", CONFIG).path


def cli(*words: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "robodistill.cli", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_help_names_every_verb_and_loads_no_torch():
    """Help and the parsing of options must be quick: nothing heavy is imported."""
    probe = "import sys; from robodistill.cli import main; main(sys.argv[1:]); print(*sys.modules)"
    heavy = {"torch", "numpy", "cv2", "scipy", "transformers", "gsplat", "mujoco", "trimesh"}
    for words in (["--help"], *([*verb.split(), "--help"] for verb in VERBS)):
        done = subprocess.run([sys.executable, "-c", probe, *words], capture_output=True, text=True, check=True)
        *told, modules = done.stdout.splitlines()
        assert not heavy & set(modules.split()), words
        assert "usage: robodistill" in told[0]
        if words == ["--help"]:
            assert all(any(verb in line for line in told) for verb in VERBS)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["fly"], "unknown verb 'fly'; known are sim tabletop, sim articulated, build"),
        (["sim"], "unknown verb 'sim'"),
        (["build"], "Missing"),
        (["build", "x", "-o", "y", "--steps", "many"], "'many'"),
        (["build", "x", "-o", "y", "--stepz", "3"], "--stepz"),
        (["build", "x", "-o", "y", "--steps", "0"], "--steps must be at least 1, got 0"),
        (["build", "/nowhere", "-o", "y.field"], "/nowhere"),
        (["sim", "tabletop", "-o", "x", "--noise", "loud"], "loud"),
        (["sim", "tabletop", "-o", "x", "--views", "0"], "--views must be at least 1"),
        (["render", "/nowhere.field", "-o", "a.png", "--view", "0"], "/nowhere.field"),
        (["bench", "speed"], "no benchmark 'speed'; there are raster, field"),
        (["bench", "raster", "--seeds", "5:5"], "A:B with A < B"),
    ],
)
def test_wrong_use_is_one_line_and_code_2(words, named, capsys, tmp_path, monkeypatch):
    """One line on stderr that says what was given and what would be valid; nothing on stdout; nothing written."""
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == "" and len(err.splitlines()) == 1 and named in err, err
    assert not list(tmp_path.iterdir())


def test_json_is_one_object(capture, tmp_path):  # noqa: F811
    """`--json` prints the contract's keys on stdout and nothing else; progress is on stderr."""
    done = cli("build", capture, "-o", tmp_path / "a.field", "--steps", 5, "--gaussians", 300, "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert {"gaussians", "psnr", "seconds", "bytes"} <= set(result) and len(done.stdout.splitlines()) == 1
    assert GaussianField.load(tmp_path / "a.field").views


def test_json_of_an_error_is_an_object_too(capsys, tmp_path):
    """A script reads the reason where it reads the result."""
    assert main(["build", str(tmp_path / "none"), "-o", str(tmp_path / "a.field"), "--json"]) == 2
    out, err = capsys.readouterr()
    assert json.loads(out)["error"] and str(tmp_path / "none") in json.loads(out)["message"] and err


def test_render_writes_what_was_asked(field, tmp_path, capsys):
    """Colour, depth in 16-bit millimetres, normals; from a view or a pose; the two agree."""
    for what in ("rgb", "depth", "normal"):
        assert main(["render", str(field), "--view", "1", "--what", what, "-o", str(tmp_path / f"{what}.png")]) == 0
    depth = cv2.imread(str(tmp_path / "depth.png"), cv2.IMREAD_UNCHANGED)
    assert depth.dtype == np.uint16 and 1500 < np.median(depth) < 2600
    view = GaussianField.load(field).views[1]
    pose = {"T_world_camera": view.T_world_camera.tolist(), "K": view.camera.K.tolist(), "width": 64, "height": 48}
    (tmp_path / "pose.json").write_text(json.dumps(pose))
    words = ["render", str(field), "--pose", str(tmp_path / "pose.json"), "-o", str(tmp_path / "pose.png"), "--json"]
    capsys.readouterr()
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out) == {"path": str(tmp_path / "pose.png")}
    assert (cv2.imread(str(tmp_path / "pose.png")) == cv2.imread(str(tmp_path / "rgb.png"))).all()


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--view", "99"], "the field has views 0 to 8"),
        (["--view", "-1"], "view -1 is not there"),
        ([], "either --view"),
        (["--view", "0", "--pose", "p.json"], "either --view"),
        (["--pose", "none.json"], "none.json"),
        (["--view", "0", "-o", "a.jpg"], "written as .png"),
    ],
)
def test_render_refuses_clearly(field, tmp_path, words, named, capsys, monkeypatch):
    """Wrong views, poses and names."""
    monkeypatch.chdir(tmp_path)
    words = words if "-o" in words else [*words, "-o", "a.png"]
    assert main(["render", str(field), *words]) == 2
    assert named in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[1]", '{"T_world_camera": [[1]]}', '{"T_world_camera": [[2,0,0,0],[0,1,0,0],[0,0,1,0],[0,0,0,1]]}'],
)
def test_bad_pose_files_are_named(field, tmp_path, text, capsys):
    """Not JSON, no pose, no matrix, not rigid."""
    (tmp_path / "p.json").write_text(text)
    assert main(["render", str(field), "--pose", str(tmp_path / "p.json"), "-o", str(tmp_path / "a.png")]) == 2
    assert "Traceback" not in capsys.readouterr().err and not (tmp_path / "a.png").exists()


def test_pictures_are_not_overwritten_unasked(field, tmp_path):
    """An existing picture needs --overwrite."""
    words = ["render", str(field), "--view", "0", "-o", str(tmp_path / "a.png")]
    assert [main(words), main(words), main([*words, "--overwrite"])] == [0, 2, 0]


def test_ply_alone_can_be_rendered(field, tmp_path):
    """A PLY has no views: a pose with K is needed, and the error says so."""
    T = np.eye(4).tolist()
    (tmp_path / "p.json").write_text(json.dumps({"T_world_camera": T}))
    words = ["render", str(field / "gaussians.ply"), "--pose", str(tmp_path / "p.json"), "-o", str(tmp_path / "a.png")]
    assert main(words) == 2
    (tmp_path / "p.json").write_text(
        json.dumps({"T_world_camera": T, "K": [[60, 0, 32], [0, 60, 24], [0, 0, 1]], "width": 64, "height": 48})
    )
    assert main(words) == 0


def test_a_reader_that_stops_is_no_defect():
    """`robodistill doctor | head -1` ends without a traceback."""
    command = f"{sys.executable} -m robodistill.cli doctor | true"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stderr == ""


def test_broken_capture_is_reported_without_a_traceback(tmp_path):
    """A defect of the input is not a defect of the program: code 2, one line."""
    path = make_folder(tmp_path / "capture")
    (path / "transforms.json").write_text("{")
    done = cli("build", path, "-o", tmp_path / "a.field")
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and "transforms.json" in done.stderr
