"""Robots: URDF, kinematics against roboticstoolbox, inverse kinematics, collision, files."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from robodistill.errors import BadInput
from robodistill.resources import find_resource
from robodistill.robots.description import RobotEntry
from robodistill.robots.obstacles import points_obstacle, shape_obstacle, table_obstacle
from robodistill.robots.robot import load_robot, make_robot
from robodistill.robots.trajectory import RobotTrajectory
from robodistill.robots.urdf import Shape, read_urdf

pytest.importorskip("roboticstoolbox", reason="robots need roboticstoolbox: pip install robodistill[robot]")
pytest.importorskip("coal", reason="robots need coal: pip install robodistill[robot]")

from robodistill.robots.collision import Collision  # noqa: E402
from robodistill.robots.ik import InverseKinematics  # noqa: E402
from robodistill.robots.pairs import find_ignored  # noqa: E402

ROBOTS = ("yumi", "two_pandas")
TWO_LINKS = """<robot name="two"><link name="base"/><link name="a"/><link name="b"/><link name="tool"/>
<joint name="j1" type="revolute"><parent link="base"/><child link="a"/><limit lower="-3" upper="3"/></joint>
<joint name="j2" type="revolute"><parent link="a"/><child link="b"/><origin xyz="0.3 0 0"/><axis xyz="0 0 1"/>
<limit lower="-2" upper="2"/></joint>
<joint name="f" type="prismatic"><parent link="b"/><child link="tool"/><origin xyz="0.2 0 0"/>
<limit lower="0" upper="0.05"/></joint></robot>"""


@pytest.fixture(scope="module", params=ROBOTS)
def robot(request):
    return load_robot(request.param)


def random_configurations(robot, count, seed=0):
    return np.random.default_rng(seed).uniform(*robot.limits.T, size=(count, len(robot.joints)))


def test_default_axis_is_x_as_urdf_has_it():
    """A joint without an axis turns about x; with one, about that: a hand-computed two-link arm."""
    model = read_urdf(TWO_LINKS)
    entry = RobotEntry.model_validate(
        {"urdf": "x", "arms": {"one": {"base": "base", "tool": "b", "fingers": ["f"], "opening": 0.1, "home": [0, 0]}}}
    )
    arm = make_robot(entry, TWO_LINKS)
    np.testing.assert_array_equal(model.joint("j1").axis, [1, 0, 0])
    q = np.array([np.pi / 2, np.pi / 2])
    T = arm.tool_poses("one", q)
    np.testing.assert_allclose(T[:3, 3], [0.3, 0, 0], atol=1e-12)
    np.testing.assert_allclose(T[:3, 0], [0, 0, 1], atol=1e-12)  # x turned to y by j2, and to z by j1


def test_fast_kinematics_are_the_toolboxs(robot):
    """Tool poses agree with roboticstoolbox's chain of elementary transforms."""
    for name, arm in robot.arms.items():
        solver = InverseKinematics(robot, name)
        for q in random_configurations(robot, 5):
            expected = robot.T_world_base @ solver._ets.eval(q[arm.columns])
            np.testing.assert_allclose(robot.tool_poses(name, q[arm.columns]), expected, atol=1e-9)


def test_batches_are_single_configurations(robot):
    """Poses of many configurations at once are those of each."""
    qs = random_configurations(robot, 4)
    many = robot.link_poses(qs)
    for k, q in enumerate(qs):
        for link, T in robot.link_poses(q).items():
            np.testing.assert_allclose(many[link][k] if many[link].ndim == 3 else many[link], T, atol=1e-12)


def test_inverse_kinematics_come_back(robot):
    """Reachable poses are reached within 1 mm and 0.1 degrees, within limits; several answers differ."""
    name = next(iter(robot.arms))
    arm, solver = robot.arms[name], InverseKinematics(robot, name)
    solved, several = 0, 0
    for q in random_configurations(robot, 20, seed=1):
        T = robot.tool_poses(name, q[arm.columns])
        found = solver(T, most=3)
        solved += len(found) > 0
        several += len(found) > 1
        for answer in found:
            error = np.linalg.inv(T) @ robot.tool_poses(name, answer)
            assert np.linalg.norm(error[:3, 3]) < 1e-3
            assert np.arccos(np.clip((np.trace(error[:3, :3]) - 1) / 2, -1, 1)) < np.radians(0.1)
            assert (answer >= arm.limits[:, 0]).all() and (answer <= arm.limits[:, 1]).all()
    assert solved >= 18 and several >= 10
    far = np.eye(4)
    far[:3, 3] = 5.0
    assert len(solver(far)) == 0


def test_the_table_is_within_reach(robot):
    """A gripper that points down reaches the corners and the middle of where things are put, with one of the arms."""
    solvers = [InverseKinematics(robot, name, seeds=8) for name in robot.arms]
    for x in (-0.24, 0.0, 0.24):
        for y in (-0.2, 0.0, 0.2):
            T = np.diag([1.0, -1.0, -1.0, 1.0])
            T[:3, 3] = x, y, 0.04
            assert any(len(solver(T, most=1)) for solver in solvers), (x, y)


def test_home_is_free_and_shipped_pairs_are_what_sampling_finds(robot):
    """No contact at home on a table; `ignored` in the file is what `find_ignored` says."""
    collision = Collision(robot, [table_obstacle()])
    assert collision.touching(robot.home) is None
    assert 0.005 < collision.clearance(robot.home) < 0.5
    assert robot.ignored == {frozenset(pair) for pair in find_ignored(robot)}


def test_arms_meet_each_other(robot):
    """Both tools brought to one place: the arms touch, and the pair named is of both."""
    left, right = robot.arms
    q = robot.home.copy()
    T = np.diag([1.0, -1.0, -1.0, 1.0])
    T[:3, 3] = 0.0, 0.0, 0.2
    for name in robot.arms:
        q[robot.arms[name].columns] = InverseKinematics(robot, name)(T, most=1)[0]
    pairs = Collision(robot).touching_pairs(q)
    assert any({link.split("_")[0] for link in pair} == {"left", "right"} for pair in pairs)
    assert Collision(robot).clearance(q) <= 0


def test_distances_are_those_of_geometry():
    """A sphere above the gripper's tips: clearance is the gap, contact begins where it closes; octrees agree."""
    robot = load_robot("yumi")
    tool = robot.tool_poses("left", robot.arms["left"].home)
    gap = 0.02
    T = np.eye(4)
    T[:3, 3] = tool[:3, 3] + (0.010 + 0.05 + gap) * tool[:3, 2]  # tips are 10 mm beyond the frame
    near = shape_obstacle("ball", Shape("sphere", T, (0.05,)))
    closed = {"left": 0.0}
    clearance = Collision(robot, [near]).clearance(robot.home, closed)
    assert 0.9 * min(gap, 0.0168) < clearance < 1.1 * gap  # links of an arm are no further apart
    for most in (0.5 * clearance, 2 * clearance):
        assert np.isclose(Collision(robot, [near]).clearance(robot.home, closed, most), min(clearance, most))
    inside = near.moved(T - np.pad(0.03 * tool[:3, 2:3], ((0, 1), (3, 0))))
    touched = Collision(robot, [inside]).touching(robot.home, closed)
    assert touched is not None and "ball" in touched and "finger" in touched[0]
    assert Collision(robot, [inside], [(link, "ball") for link in robot.arms["left"].hand]).touching(robot.home) is None
    cloud = points_obstacle(
        "cloud", inside.T_world_obstacle[:3, 3] + 0.04 * np.random.default_rng(0).normal(size=(500, 3))
    )
    assert Collision(robot, [cloud]).collides(robot.home, closed)


def test_a_moved_obstacle_is_where_it_was_moved():
    """`Collision.move` is the same as making it there."""
    robot = load_robot("yumi")
    T = robot.tool_poses("right", robot.arms["right"].home)
    away = np.eye(4)
    away[2, 3] = 3.0
    collision = Collision(robot, [shape_obstacle("box", Shape("box", away, (0.05, 0.05, 0.05)))])
    assert not collision.collides(robot.home)
    collision.move("box", T)
    assert collision.collides(robot.home)


def test_grippers_open_as_told(robot):
    """The pads' inner faces are as far apart as the opening says."""
    for name, arm in robot.arms.items():
        for opening in (0.0, 0.6 * arm.opening, arm.opening):
            faces = []
            for finger in arm.fingers:
                link = robot.model.joint(finger).child
                shapes = [s for n, s in robot.hand_shapes(name, opening) if n == link]
                x, half = shapes[0].T_link_shape[0, 3], shapes[0].size[0] / 2
                faces.append(abs(x) - half)
            np.testing.assert_allclose(sum(faces), opening, atol=1e-9)


def test_capsules_are_found_in_standard_urdf():
    """A cylinder with a sphere at both ends is one capsule; the shipped files hold nothing that URDF has not."""
    model = read_urdf(find_resource("assets/robots/yumi.urdf").read_text())
    assert {s.kind for shapes in model.shapes.values() for s in shapes} == {"capsule", "box"}
    assert "<capsule" not in find_resource("assets/robots/yumi.urdf").read_text()


def test_shipped_urdf_is_what_the_generator_writes(tmp_path):
    """assets/robots is made by scripts/make_robots.py, to the byte."""
    import runpy
    import sys

    script = find_resource("assets/robots").parent.parent / "scripts" / "make_robots.py"
    if not script.is_file():
        pytest.skip("the generator is not installed with the package")
    argv, sys.argv = sys.argv, [str(script), str(tmp_path)]
    try:
        runpy.run_path(str(script), run_name="__main__")
    finally:
        sys.argv = argv
    for file in tmp_path.iterdir():
        assert file.read_text() == find_resource(f"assets/robots/{file.name}").read_text()


def test_a_users_file_and_a_mesh_are_read(tmp_path):
    """A robot from a YAML beside its URDF, with a mesh of its own, stands where it is put."""
    import trimesh

    trimesh.creation.box((0.1, 0.2, 0.3)).export(tmp_path / "link.stl")
    mesh = '<collision><geometry><mesh filename="package://mine/link.stl"/></geometry></collision>'
    (tmp_path / "mine.urdf").write_text(TWO_LINKS.replace('<link name="a"/>', f'<link name="a">{mesh}</link>'))
    (tmp_path / "mine.yaml").write_text(
        "urdf: mine.urdf\nT_world_base: {xyz: [1, 0, 0]}\n"
        "arms: {one: {base: base, tool: b, fingers: [f], opening: 0.05, home: [0.1, 0.2]}}\n"
    )
    robot = load_robot(tmp_path / "mine.yaml")
    assert robot.model.shapes["a"][0].kind == "hull" and abs(robot.model.shapes["a"][0].radius - 0.187) < 1e-3
    np.testing.assert_allclose(robot.link_poses(robot.home)["base"][:3, 3], [1, 0, 0])
    box = Shape("box", robot.link_poses(robot.home)["a"], (0.02, 0.02, 0.02))
    assert Collision(replace(robot, ignored=frozenset()), [shape_obstacle("box", box)]).collides(robot.home)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (("urdf: mine.urdf", "urdf: none.urdf"), "none.urdf is neither"),
        (("home: [0.1, 0.2]", "home: [0.1]"), "home has 1 values, the joints are j1, j2"),
        (("home: [0.1, 0.2]", "home: [0.1, 9]"), "home of j2 is 9.0; -2.0 to 2.0"),
        (("tool: b", "tool: c"), "no link 'c'; it has base, a, b, tool"),
        (("opening: 0.05", "opening: -1"), "opening is -1.0"),
        (("fingers: [f]", "fingers: [g]"), "no joint 'g'; it has j1, j2, f"),
        (("arms:", "colour: red\narms:"), "colour"),
    ],
)
def test_bad_robot_files_are_named(tmp_path, change, named):
    """One line that says what is wrong and what would be valid."""
    (tmp_path / "mine.urdf").write_text(TWO_LINKS)
    good = "urdf: mine.urdf\narms: {one: {base: base, tool: b, fingers: [f], opening: 0.05, home: [0.1, 0.2]}}\n"
    (tmp_path / "mine.yaml").write_text(good.replace(*change))
    with pytest.raises(BadInput) as caught:
        load_robot(tmp_path / "mine.yaml")
    assert named in str(caught.value)


def test_unknown_robot_is_named():
    """The known ones are listed."""
    with pytest.raises(BadInput, match="no robot 'hal'; there are two_pandas, yumi"):
        load_robot("hal")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("<robot", "not XML"),
        ("<sdf/>", "root element"),
        (TWO_LINKS.replace('type="prismatic"', 'type="ball"'), "type 'ball'"),
        (TWO_LINKS.replace('<child link="a"/>', '<child link="z"/>'), "parent and child must be links"),
        (TWO_LINKS.replace('lower="-2" upper="2"', 'lower="2" upper="2"'), "leave no way to move"),
        (TWO_LINKS.replace('xyz="0.3 0 0"', 'xyz="0.3 0"'), "3 numbers are needed"),
    ],
)
def test_bad_urdf_is_named(text, named):
    """Broken descriptions are bad input, not a traceback."""
    with pytest.raises(BadInput) as caught:
        read_urdf(text)
    assert named in str(caught.value)


def test_trajectory_round_trip(tmp_path: Path):
    """What is saved loads as it was, to a micrometre; between its times it is linear."""
    times = np.array([0.0, 1.0, 3.0])
    positions = np.arange(9.0).reshape(3, 3)
    arms = {"left": ("a", "b"), "right": ("c",)}
    made = RobotTrajectory("yumi", arms, times, positions, np.zeros((3, 3)), np.zeros((3, 2)), {"kind": "lift"})
    again = RobotTrajectory.load(made.save(tmp_path / "t.json"))
    assert (again.robot, again.arms, again.task) == (made.robot, made.arms, made.task)
    np.testing.assert_allclose(again.positions, positions, atol=1e-6)
    np.testing.assert_allclose(again.at(2.0)[0], [4.5, 5.5, 6.5])
    np.testing.assert_allclose(again.at(np.array([-1.0, 9.0]))[0], positions[[0, 2]])
    with pytest.raises(BadInput, match="exists"):
        made.save(tmp_path / "t.json")
    (tmp_path / "t.json").write_text("{}")
    with pytest.raises(BadInput, match="not a trajectory"):
        RobotTrajectory.load(tmp_path / "t.json")
