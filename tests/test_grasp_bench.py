"""`bench grasp`: which things are asked for, what a try is counted as, and options that only it takes."""

from pathlib import Path

import numpy as np
import pytest
import trimesh

pytest.importorskip("mujoco", reason="the judge needs MuJoCo: pip install robodistill[sim]")
pytest.importorskip("roboticstoolbox", reason="robots need roboticstoolbox: pip install robodistill[robot]")
pytest.importorskip("coal", reason="robots need coal: pip install robodistill[robot]")

from robodistill.bench.figures import Figures  # noqa: E402
from robodistill.bench.grasp import _tried, graspable_phrases  # noqa: E402
from robodistill.bench.run import run_bench  # noqa: E402
from robodistill.bench.scans import Scan  # noqa: E402
from robodistill.bench.true_surface import true_surface, winding_number  # noqa: E402
from robodistill.errors import BadInput, HonestNo  # noqa: E402
from robodistill.grasp.planner import GraspPlanner  # noqa: E402
from robodistill.progress import silent  # noqa: E402
from robodistill.robots.robot import load_robot  # noqa: E402
from robodistill.sim.arena import Arena  # noqa: E402
from robodistill.sim.scene import make_scene  # noqa: E402
from robodistill.sim.truth import describe  # noqa: E402

pytestmark = pytest.mark.sim
THINGS = ["carrot", "plate"]


@pytest.fixture(scope="module")
def scene():
    return make_scene(7, THINGS)


def test_what_can_be_lifted_is_asked_for(scene):
    """A carrot can be held, a plate of 20 cm cannot; what the field has hardly seen is not asked for either."""
    truth = describe(scene.objects, [], np.zeros((0, len(scene.objects))), THINGS, seed=7, noise="none")
    robot = load_robot("yumi")

    def asked(objects: np.ndarray) -> set[int]:
        scan = Scan(7, Path(), truth, None, [], [], [], objects, np.zeros(0))
        return {number for _, number in graspable_phrases(scene, scan, robot)}

    assert asked(np.repeat([1, 2], 50)) == {1}
    assert asked(np.array([1, 1] + [2] * 50)) == set()


def test_a_try_is_counted_once_and_by_its_reason(scene):
    """What is lifted is a success, the same grasp for another thing a wrong object, an honest no a failure."""
    robot = load_robot("yumi")
    surface, owners = true_surface(scene)
    found = GraspPlanner(robot, surface)("carrot", np.flatnonzero(owners == 1))
    arena = Arena.of_scene(scene, robot)

    def refuse() -> None:
        raise HonestNo("'x': no grasp is left", {})

    for case, find, number in (("right", lambda: found, 1), ("wrong", lambda: found, 2), ("none", refuse, 1)):
        figures = Figures()
        _tried(figures, case, "ours", find, robot, arena, number)
        value = {row.metric: row.value for row in figures.rows()}
        assert value["success"] == (case == "right") and value["wrong_object"] == (case == "wrong")
        failed = [name for name in value if name.startswith("failed") and value[name]]
        told = {"right": [], "wrong": ["failed: another object was lifted"], "none": ["failed: no grasp"]}
        assert failed == told[case]


def test_the_true_surface_is_what_can_be_seen():
    """A closed mesh goes once around what is inside; no point of a thing's surface is inside of one of its pieces."""
    box = trimesh.creation.box((1, 1, 1))
    np.testing.assert_allclose(
        winding_number(box, np.array([[0, 0, 0], [0.6, 0, 0], [0.49, 0.1, 0]])), [1, 0, 1], atol=1e-9
    )
    made = make_scene(3, ["ball"])
    thing = made.objects[0]
    surface, owners = true_surface(made)
    points, T = surface.points[owners == thing.id], np.linalg.inv(thing.T_world_object)
    before = (points + 0.001 * surface.normals[owners == thing.id]) @ T[:3, :3].T + T[:3, 3]
    inside = [winding_number(piece.solid.mesh, before) > 0.5 for piece in thing.spec.pieces if piece.touches]
    assert len(points) > 100 and np.any(inside, axis=0).mean() < 0.01


def test_options_that_a_benchmark_does_not_take_are_named():
    """`--robot` is of grasp."""
    with pytest.raises(BadInput, match="raster takes no --robot"):
        run_bench("raster", [1], True, silent, {"robot": "yumi"})
