"""Replay: stages that resume, the judge of repeated demonstrations, objects in physics, and a plan that works there."""

import json
import re

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from robodistill.cli import main
from robodistill.errors import BadInput, HonestNo
from robodistill.pipeline.replay import ReplayOptions, replay
from robodistill.pipeline.replay_report import write_report
from robodistill.pipeline.stages import Stages
from robodistill.sim.arena import Arena, Recording
from robodistill.sim.follow_judge import Goal, Held, judge_follow


def test_stages_are_done_once(tmp_path):
    """A second run does what is missing, what failed and what comes after it, and refuses other inputs."""
    ran = []

    def work(name, text="1"):
        def do():
            ran.append(name)
            (tmp_path / "out" / name).write_text(text)
            return {"n": np.float32(2)}

        return do

    def no():
        ran.append("no")
        raise HonestNo("not found", {"seen": 0.1})

    first = Stages(tmp_path / "out", False)
    assert first.run("a", 1, ["a"], work("a")) and first.run("b", 1, ["b"], no) is None
    assert first.run("c", 1, ["c"], work("c")) is None and first.failed.reason == "not found"
    second = Stages(tmp_path / "out", False)
    for name in "abc":
        second.run(name, 1, [name], work(name))
    assert ran == ["a", "no", "b", "c"] and [it.state for it in second.done] == ["done"] * 3
    with pytest.raises(BadInput, match="'a' of other inputs"):
        Stages(tmp_path / "out", False).run("a", 2, ["a"], work("a"))
    third = Stages(tmp_path / "out", True)
    third.run("a", 1, ["a"], work("a"))
    third.run("b", 2, ["b"], work("b", "2"))
    third.run("c", 1, ["c"], work("c", "2"))  # depends on b
    assert ran[4:] == ["b", "c"] and (tmp_path / "out" / "b").read_text() == "2"
    (tmp_path / "out" / "c").unlink()
    fourth = Stages(tmp_path / "out", False)
    for name, inputs in (("a", 1), ("b", 2), ("c", 1)):
        fourth.run(name, inputs, [name], work(name))
    assert ran[6:] == ["c"]


def test_stages_keep_to_their_own_folder(tmp_path):
    (tmp_path / "mine.txt").write_text("")
    with pytest.raises(BadInput, match="not empty"):
        Stages(tmp_path, True)
    (tmp_path / "stages.json").write_text("{")
    with pytest.raises(BadInput, match="no.* record|not a record"):
        Stages(tmp_path, True)


def test_a_failure_is_reported_on_the_page(tmp_path):
    stages = Stages(tmp_path / "out", False)

    def no():
        raise HonestNo("no grasp of lid", {"stage": "grasp"})

    stages.run("plan", 1, ["plan.json"], no)
    page = write_report(tmp_path / "out", tmp_path / "no.mp4", stages.done).read_text()
    assert "no grasp of lid" in page and "failed" in page


class _Hand:
    hand = ("finger",)


class _Robot:
    def arm(self, name):
        return _Hand()


def _run(lid=None, base=None, touches=1.0):
    """A lid that is opened by 1 rad about x at the origin in 2 s, held from 0.5 to 1.5 s, as the goal wants it."""
    times = np.arange(101) / 50
    share = np.clip(times - 0.5, 0, 1)
    poses = {name: np.tile(np.eye(4), (101, 1, 1)) for name in ("box", "lid")}
    poses["lid"][:, :3, :3] = Rotation.from_rotvec(np.outer(share, [1.0, 0, 0])).as_matrix()
    if base is not None:
        for name in poses:
            poses[name][:, :3, 3] += share[:, None] * base
    if lid is not None:
        poses["lid"][60:] = poses["lid"][60:] @ lid
    touching = times < 2 * touches
    recording = Recording(times, poses, np.zeros((101, 1)), 0.0, {("finger", "lid"): touching})
    end = np.eye(4)
    end[:3, :3] = Rotation.from_rotvec([1.0, 0, 0]).as_matrix()
    middles = {"box": np.zeros(3), "lid": np.array([0, 0.1, 0])}
    joints = [("revolute", "box", "lid", np.array([1.0, 0, 0]), 1.0)]
    goal = Goal({"box": np.eye(4), "lid": end}, middles, "box", True, joints)
    return judge_follow(recording, _Robot(), [Held("left", ("lid",), 0.5, 1.5)], goal)


def _shifted(x=0.0, turn=0.0):
    T = np.eye(4)
    T[:3, :3], T[0, 3] = Rotation.from_rotvec([turn, 0, 0]).as_matrix(), x
    return T


def test_the_judge_says_yes_to_what_was_shown():
    verdict = _run()
    assert verdict.success and verdict.place_mm["lid"] < 0.1 and verdict.held["left"] == 1.0
    assert _run(base=[0.01, 0, 0]).success  # against the base, which moved by less than it may


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ({"lid": _shifted(x=0.012)}, "lid ended 12 mm"),
        ({"lid": _shifted(turn=0.12)}, "lid ended 12 mm|12% of its range"),
        ({"base": [0.025, 0, 0]}, "the base moved by 25 mm"),
        ({"touches": 0.6}, "hand held what it should for"),
    ],
)
def test_the_judge_names_what_went_wrong(case, reason):
    verdict = _run(**case)
    assert not verdict.success and re.search(reason, verdict.reason)


@pytest.fixture(scope="module")
def demonstrated(tmp_path_factory):
    """What `sim articulated` writes of a switch, small, and its true surface and motion."""
    pytest.importorskip("mujoco", reason="needs mujoco: pip install robodistill[sim]")
    from robodistill.sim.articulated.make import make_articulated

    folder = tmp_path_factory.mktemp("replay") / "switch"
    make_articulated("switch", 1, folder, hand=True, views=1, frames=30, width=96, height=64, noise="none")
    return folder


def test_an_object_rests_as_it_was_scanned(demonstrated):
    """Nothing falls, tips or creeps before it is touched, a heavy lamp's arms and a plug half out neither."""
    from robodistill.robots.robot import load_robot
    from robodistill.robots.trajectory import RobotTrajectory
    from robodistill.sim.articulated.physics import make_workbench

    robot = load_robot("yumi")
    joints = {name: arm.joints for name, arm in robot.arms.items()}
    wide = np.full((2, 2), 0.05)
    stay = RobotTrajectory("yumi", joints, np.array([0, 2.0]), np.stack([robot.home] * 2), np.zeros((2, 14)), wide)
    for name, seed in (("lamp", 1), ("switch", 1), ("plug", 31), ("pliers", 31)):
        T = np.eye(4)
        T[1, 3] = 0.1
        _, rest = make_workbench(name, seed, T)
        T[2, 3] = -rest.spec.bounds[0, 2]
        bench, _ = make_workbench(name, seed, T)
        recording = Arena(bench.spec, robot, bench.state, bench.watched).run(stay)
        assert set(recording.poses) == set(rest.parts)
        for poses in recording.poses.values():
            assert np.abs(poses[-1] - poses[0]).max() < 3e-3
    bench, jar = make_workbench("jar", 1, T)
    screw = next(joint for joint in jar.joints if joint.kind == "screw")
    compiled = bench.spec.compile()
    assert compiled.neq == 1 and np.isclose(compiled.eq_data[0, 1], screw.pitch)


@pytest.mark.parametrize("name", ["plug", "switch", "laptop", "chest"])
def test_what_stands_out_is_touched(name):
    """Ribs and labels too: pads sit on what is seen, and a hand planned for that is askew where it is not there."""
    from robodistill.sim.articulated.physics import make_workbench
    from robodistill.sim.world import TOUCH_GROUP

    bench, rest = make_workbench(name, 31, np.eye(4))
    model = bench.spec.compile()
    for part in rest.parts:
        touched = [g for g in range(model.ngeom)
                   if model.geom_bodyid[g] == model.body(part).id and model.geom_group[g] == TOUCH_GROUP]  # fmt: skip
        pieces = [it.solid for it in rest.spec.pieces if it.part == part]
        assert len(touched) == sum(len(solid.hulls) for solid in pieces)
        for solid in pieces:
            hulls = np.concatenate(solid.hulls)
            np.testing.assert_allclose([hulls.min(0), hulls.max(0)], solid.mesh.bounds, atol=6e-4)  # round edges


def test_what_is_held_is_what_the_pads_press():
    """A stapler's base is held across; the middle between the pads is nearer to its arm."""
    pytest.importorskip("mujoco", reason="needs mujoco: pip install robodistill[sim]")
    from scipy.spatial import cKDTree
    from trimesh.sample import sample_surface

    from robodistill.pipeline.rehearse import parts_at
    from robodistill.sim.articulated.make import draw_object

    rest = draw_object("stapler", 31)[0]
    base = np.concatenate([it.solid.mesh.vertices for it in rest.spec.pieces if it.part == "base"])
    middle = rest.posed(np.zeros(1)).spec.bounds.mean(0)
    sides = np.array([[middle[0], y, base[:, 2].min() + 0.006] for y in (base[:, 1].min(), base[:, 1].max())])
    assert parts_at(rest, np.column_stack([sides, np.ones(2)]).T) == ("base",)
    arm = np.concatenate([it.solid.mesh.vertices for it in rest.spec.pieces if it.part == "arm"])
    tip = arm[arm[:, 0] > arm[:, 0].max() - 0.02].mean(0)
    assert parts_at(rest, np.append(tip, 1)[:, None].repeat(2, 1)) == ("arm",)
    lamp = draw_object("lamp", 31)[0]  # at its elbow pads press either part
    upper, lower = (
        np.concatenate([sample_surface(it.solid.mesh, 5000, seed=0)[0] for it in lamp.spec.pieces if it.part == part])
        for part in ("upper arm", "lower arm")
    )
    away, nearest = cKDTree(lower).query(upper)
    elbow = (upper[away.argmin()] + lower[nearest[away.argmin()]]) / 2
    assert set(parts_at(lamp, np.append(elbow, 1)[:, None])) == {"upper arm", "lower arm"}


def test_a_plan_works_in_physics_and_not_with_open_grippers(demonstrated, tmp_path, capsys):
    """From the true surface and motion: what the judge says agrees with the plan's checks; the control fails."""
    for name in ("roboticstoolbox", "coal", "ompl", "toppra"):
        pytest.importorskip(name, reason=f"planning needs {name}: pip install robodistill[robot]")
    from planned_objects import made_true

    from robodistill.pipeline.plan import placed
    from robodistill.pipeline.rehearse import rehearse
    from robodistill.planning.ways import plan_demonstration
    from robodistill.robots.robot import load_robot

    motion, workpiece = made_true(demonstrated)
    T = placed(workpiece.points, np.array([0, 0, 1.0, 0]), 0.05, 0.0, 0.6)
    plan = plan_demonstration(load_robot("yumi"), "yumi", motion, T, workpiece)
    done = rehearse(plan, demonstrated)
    assert done.verdict.success, done.verdict
    assert not rehearse(plan, demonstrated, open_grippers=True).verdict.success
    beside = T.copy()
    beside[0, 3] += 0.04
    assert not rehearse(plan, demonstrated, beside).verdict.success  # it stands elsewhere than the plan has it
    path = plan.save(tmp_path / "plan.json")
    assert main(["simulate", str(path), "--scene", str(demonstrated), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["success"]
    assert main(["simulate", str(path), "--scene", str(demonstrated), "--target", "mug"]) == 2
    with pytest.raises(BadInput, match="not what"):
        rehearse(plan, tmp_path)


def test_replay_says_what_is_missing(tmp_path):
    (tmp_path / "scan").mkdir()
    with pytest.raises(BadInput, match="no.mp4"):
        replay(tmp_path / "scan", tmp_path / "no.mp4", tmp_path / "out")
    (tmp_path / "film.mp4").write_bytes(b"")
    with pytest.raises(BadInput, match="demo_camera.json"):
        replay(tmp_path / "scan", tmp_path / "film.mp4", tmp_path / "out", ReplayOptions())
    assert not (tmp_path / "out").exists()
