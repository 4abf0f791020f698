"""From a scan to a thing in the air: field, words, grasp and physics in one go, as the command line does it."""

import json

import pytest

pytest.importorskip("mujoco", reason="the judge needs MuJoCo: pip install robodistill[sim]")
pytest.importorskip("roboticstoolbox", reason="robots need roboticstoolbox: pip install robodistill[robot]")
pytest.importorskip("coal", reason="robots need coal: pip install robodistill[robot]")

from scene_grasped import table_to_grasp  # noqa: E402

from robodistill.cli import main  # noqa: E402

pytestmark = pytest.mark.sim


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return table_to_grasp(tmp_path_factory.mktemp("chain"))


def test_a_phrase_becomes_a_lift(table, tmp_path, capsys):
    """What the field gave lifts the asked thing in a scene that knows nothing of the field."""
    scan, field = table
    lift = tmp_path / "lift.json"
    assert main(["grasp", str(field), "the carrot", "--trajectory", str(lift), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    scores = [grasp["score"] for grasp in told["grasps"]]
    assert scores == sorted(scores, reverse=True) and all(0 < score <= 1 for score in scores)
    assert main(["simulate", str(lift), "--scene", str(scan), "--json"]) == 0
    verdict = json.loads(capsys.readouterr().out)
    assert verdict["success"] and verdict["measures"]["rise"] > 0.1 and verdict["measures"]["touched"] == []


def test_what_is_not_there_is_an_honest_no(table, capsys):
    """Exit 3, with an empty list of grasps and the reason."""
    assert main(["grasp", str(table[1]), "hammer", "--json"]) == 3
    told = capsys.readouterr()
    assert json.loads(told.out)["grasps"] == [] and "was not found" in told.err
