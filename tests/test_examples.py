"""The examples run as they stand, and do what they say; the README's Python block uses names that exist."""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
from test_build import capture  # noqa: F401 (a fixture)

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def field(capture, tmp_path_factory) -> Path:  # noqa: F811
    """The field that the first example makes."""
    out = tmp_path_factory.mktemp("examples") / "a.field"
    done = run("01_build_field.py", capture, out)
    assert re.fullmatch(r"\d+ Gaussians; the view is 2\.\d+ m away \(median\)\n", done), done
    return out


def run(example: str, *words: object) -> str:
    command = [sys.executable, str(ROOT / "examples" / example), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_first_example_makes_a_field(field):
    """A field folder is there."""
    assert sorted(p.name for p in field.iterdir()) == ["field.json", "gaussians.ply"]


def test_second_example_brings_the_camera_back(field, capture):  # noqa: F811
    """The displaced camera ends nearer than it began."""
    off = [float(x) for x in re.findall(r"off by ([\d.]+) mm", run("02_refine_camera.py", field, capture))]
    assert len(off) == 5 and off[-1] < 0.7 * off[0]


def test_third_example_answers(tmp_path):
    """It tells where things are and what is not there."""
    from test_query import labelled_words

    path = labelled_words().save(tmp_path / "words.field")
    told = run("03_ask_a_field.py", path, "red slab", "green slab").splitlines()
    assert re.match(r"red slab: at \(-0\.\d+, .*\) m, \d+ Gaussians, score 1\.00", told[0])
    assert told[1].startswith("green slab: not found: ")


def test_fourth_example_tells_where_and_whether(tmp_path):
    """It finds camera and focal length, and says no to a picture of something else."""
    import cv2
    from scene_located import CAMERA, look, photo, textured_field

    made = textured_field()
    path = made.save(tmp_path / "a.field")
    for name, scene in (("own", made), ("other", textured_field(5))):
        cv2.imwrite(str(tmp_path / f"{name}.png"), photo(scene, look(0.6, 0.3, 0.6, 0.4)).rgb[..., ::-1])
    told = run("04_where_was_this_taken.py", path, tmp_path / "own.png")
    x, y, z, focal = map(float, re.match(r"at \((.*), (.*), (.*)\) m, .*; focal length (.*) pixels", told).groups())
    assert (x, y, z) == pytest.approx((0.6, 0.3, 0.6), abs=0.01) and focal == pytest.approx(CAMERA.K[0, 0], rel=0.01)
    told = run("04_where_was_this_taken.py", path, tmp_path / "other.png", CAMERA.K[0, 0])
    assert told.startswith("not a picture of this field: ")


@pytest.mark.sim
def test_fifth_example_takes_hold(tmp_path):
    """It ranks grasps of what is there and writes the motion of the best; what is not there is an honest no."""
    for name, extra in (("mujoco", "sim"), ("roboticstoolbox", "robot"), ("coal", "robot")):
        pytest.importorskip(name, reason=f"{name} is needed: pip install robodistill[{extra}]")
    from scene_grasped import table_to_grasp

    from robodistill.robots.trajectory import RobotTrajectory

    _, path = table_to_grasp(tmp_path)
    told = run("05_grasp_by_words.py", path, "carrot", tmp_path / "lift.json").splitlines()
    scores = [float(re.fullmatch(r"\w+ arm at \(.*\) m, closes on \d+ mm, score (.*)", line).group(1)) for line in told]
    assert 1 <= len(scores) <= 3 and scores == sorted(scores, reverse=True)
    assert RobotTrajectory.load(tmp_path / "lift.json").task["phrase"] == "carrot"
    with pytest.raises(subprocess.CalledProcessError) as caught:
        run("05_grasp_by_words.py", path, "hammer", tmp_path / "none.json")
    assert caught.value.returncode == 3 and caught.value.stdout.startswith("no: 'hammer' was not found")
    assert not (tmp_path / "none.json").exists()


def test_every_example_is_tested():
    """A new example needs a test here."""
    names = {p.name for p in (ROOT / "examples").glob("*.py")}
    told = Path(__file__).read_text()
    assert names and all(name in told for name in names)


def test_readme_names_exist():
    """Every import of the README's Python block works."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    imports = [node for block in blocks for node in ast.walk(ast.parse(block)) if isinstance(node, ast.ImportFrom)]
    assert imports
    for node in imports:
        module = importlib.import_module(node.module)
        assert all(hasattr(module, alias.name) for alias in node.names), node.module
