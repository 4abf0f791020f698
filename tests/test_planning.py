"""Planning: a task from a motion, grasps along the path, one branch, and plans that pass their own checks."""

import json
from dataclasses import replace

import numpy as np
import pytest

for name in ("roboticstoolbox", "coal", "ompl", "toppra"):
    pytest.importorskip(name, reason=f"planning needs {name}: pip install robodistill[robot]")

from planned_objects import bars, lidded, made, placed, surface  # noqa: E402

from robodistill.cli import main  # noqa: E402
from robodistill.config import GraspConfig  # noqa: E402
from robodistill.errors import BadInput, HonestNo  # noqa: E402
from robodistill.pipeline.plan import placed as put_down  # noqa: E402
from robodistill.planning.checks import check_plan  # noqa: E402
from robodistill.planning.grasps import part_grasps  # noqa: E402
from robodistill.planning.motions import free_way, timed  # noqa: E402
from robodistill.planning.path_ik import Unreachable, follow  # noqa: E402
from robodistill.planning.planner import Planner  # noqa: E402
from robodistill.planning.task import make_task  # noqa: E402
from robodistill.planning.trajectory import BimanualTrajectory  # noqa: E402
from robodistill.planning.workpiece import Surroundings  # noqa: E402
from robodistill.robots.ik import InverseKinematics  # noqa: E402
from robodistill.robots.robot import load_robot  # noqa: E402


@pytest.fixture(scope="module")
def robot():
    return load_robot("yumi")


@pytest.fixture(scope="module")
def planned(robot):
    """A lid that one arm opens, the other steadying the box if it can."""
    task = make_task(lidded().motion, placed(0.0, 0.0))
    return task, Planner(robot, "yumi", task, lidded().workpiece)()


def test_a_task_keeps_the_motion_and_not_the_film_camera():
    """Parts go where the joint carries them; the base stays unless it was held and lifted."""
    T = placed(0.1, -0.05, 0.7)
    task = make_task(lidded().motion, T)
    assert not task.carried and task.options == ((1, 0), (1,))
    assert np.allclose(task.Ts_world_part[:, 0], T)
    relative = np.linalg.inv(task.Ts_world_part[-1, 0]) @ task.Ts_world_part[-1, 1]
    assert np.isclose(np.arccos((np.trace(relative[:3, :3]) - 1) / 2), 0.8, atol=3e-3)
    lifted = make_task(bars().motion, T)
    assert lifted.carried and lifted.options == ((0, 1),)
    assert np.isclose(lifted.Ts_world_part[-1, 0, 2, 3], 0.08)
    screw = lidded().motion
    screw = replace(screw, joints=(replace(screw.joints[0], kind="screw"),))
    assert make_task(screw, T).options == ((1, 0),)  # a screw turns its base along
    assert len(task.key_times()) <= 50 and task.times[0] == 0


def test_a_motion_that_moves_nothing_is_no_task():
    with pytest.raises(HonestNo, match="nothing to repeat"):
        make_task(lidded(opened=0.0).motion, np.eye(4))


def test_grasps_stay_free_on_the_whole_path(robot):
    """What closes on the lid's tab is free at the start; a wall that the tab is swung into forbids some of it."""
    it = lidded(opened=1.2)
    task = make_task(it.motion, placed(0, 0))
    free = part_grasps(robot, "left", it.workpiece, task, 1, GraspConfig())
    assert len(free) > 5
    tab = free.Ts_part_grasp[:, 1, 3] < -0.045
    assert tab.mean() > 0.8  # nothing else of it is narrow enough
    walled = (it.boxes[0] + [((0, -0.03, 0.19), (0.2, 0.2, 0.01))], it.boxes[1])
    less = part_grasps(robot, "left", surface(walled), task, 1, GraspConfig())
    assert len(less) < len(free) and less.rejected["another part comes in the way"] > free.rejected.get(
        "another part comes in the way", 0
    )


def test_a_branch_is_consistent_and_avoids_what_touches(robot):
    solver = InverseKinematics(robot, "left")
    Ts = np.tile(solver_pose(robot), (20, 1, 1))
    Ts[:, 0, 3] += np.linspace(0, 0.1, 20)
    path, _ = follow(solver, Ts, lambda k, q: False)
    assert np.abs(robot.tool_poses("left", path) - Ts).max() < 2e-3 and np.abs(np.diff(path, axis=0)).max() < 0.5
    other, _ = follow(solver, Ts, lambda k, q: np.abs(q - path[k]).max() < 0.05)
    assert np.abs(other - path).max(1).min() >= 0.05
    with pytest.raises(Unreachable, match="touch|leap"):
        follow(solver, Ts, lambda k, q: k == 7)
    Ts[10:, 0, 3] += 3
    with pytest.raises(Unreachable, match="out of reach"):
        follow(solver, Ts, lambda k, q: False)


def solver_pose(robot):
    T = np.diag([1.0, -1.0, -1.0, 1.0])
    T[:3, 3] = -0.05, 0.0, 0.15
    return T


def test_free_ways_go_around():
    limits = np.tile([-2.0, 2.0], (3, 1))

    def free(q):
        return abs(q[0]) > 0.2 or q[1] > 0.8

    a, b = np.array([-1.0, 0, 0]), np.array([1.0, 0, 0])
    way = free_way(a, b, limits, free)
    dense = np.concatenate([p + np.linspace(0, 1, 40)[:, None] * (q - p) for p, q in zip(way, way[1:], strict=False)])
    assert (way[0] == a).all() and (way[-1] == b).all() and all(free(q) for q in dense)
    assert free_way(a, np.zeros(3), limits, free) is None


def test_timing_keeps_limits_and_the_demonstrations_clock():
    clock = np.linspace(0, 2, 30)
    slow, fast = 0.1 * np.sin(clock)[:, None], 3.0 * np.sin(3 * clock)[:, None]
    for way in (slow, fast):
        times, q, qd, at = timed(way, np.array([1.5]), np.array([4.0]), clock)
        assert np.abs(qd).max() <= 1.5 * 1.01 and (np.diff(at) / np.diff(times)).max() <= 1.01
        assert np.allclose(q[[0, -1]], way[[0, -1]], atol=1e-6) and np.allclose(at[[0, -1]], [0, 2], atol=1e-6)
    assert timed(slow, np.array([1.5]), np.array([4.0]), clock)[0][-1] < 3.0 < times[-1]


def test_a_plan_passes_checks_that_can_fail(robot, planned):
    """The same plan with the object moved, or hurried, is none."""
    task, plan = planned
    assert "lid" in plan.arms.values() and plan.base == "stays"
    checks = plan.checks
    assert checks["tracking"]["lid"]["mm"] < 2 and checks["clearance_mm"] > 0.5 and checks["speed_share"] < 1
    hold = plan.holds[0]
    piece, held = lidded().workpiece, {it.arm: it.part for it in plan.holds}
    around = [Surroundings(robot, piece, task.parts, it) for it in ({}, held)]
    contact = (hold.start - 2.5, hold.end + 2.5)
    assert check_plan(plan, robot, task, *around, contact)[1] == ""
    shifted = make_task(lidded().motion, placed(0.012, 0.0))
    assert "off its path" in check_plan(plan, robot, shifted, *around, contact)[1]
    hurried = replace(plan, motion=replace(plan.motion, times=plan.motion.times / 8))
    quick = tuple(replace(it, start=it.start / 8, end=it.end / 8) for it in plan.holds)
    hurried = replace(hurried, holds=quick)
    assert "greatest speed" in check_plan(hurried, robot, task, *around, (contact[0] / 8, contact[1] / 8))[1]
    around = [Surroundings(robot, piece, task.parts, {}) for _ in range(2)]
    figures, reason = check_plan(plan, robot, task, *around, contact)
    assert "apart at" in reason and figures["clearance_mm"] <= 0  # the fingers do touch the lid


def test_plan_files(planned, tmp_path):
    _, plan = planned
    path = plan.save(tmp_path / "plan.json")
    again = BimanualTrajectory.load(path)
    assert np.allclose(again.motion.positions, plan.motion.positions, atol=1e-5) and again.checks == plan.checks
    assert np.allclose(again.holds[0].T_part_grasp, plan.holds[0].T_part_grasp) and again.arms == plan.arms
    with pytest.raises(BadInput, match="exists"):
        plan.save(path)
    ros = json.loads(json.dumps(plan.ros()))
    assert len(ros["points"]) == len(plan.motion.times) and len(ros["joint_names"]) == 14
    stamps = [it["time_from_start"]["sec"] + 1e-9 * it["time_from_start"]["nanosec"] for it in ros["points"]]
    assert (np.diff(stamps) > 0).all() and np.isclose(stamps[-1], plan.duration)


def test_both_arms_lift_and_fold(robot):
    it = bars()
    task = make_task(it.motion, placed(0, 0))
    plan = Planner(robot, "yumi", task, it.workpiece)()
    assert set(plan.arms) == {"left", "right"} and plan.base == "carried"
    assert max(found["mm"] for found in plan.checks["tracking"].values()) < 2


def test_an_honest_no_names_stage_and_reason(robot):
    """What is too far, or too wide to hold, has no plan."""
    far = make_task(lidded().motion, placed(0.0, 1.5))
    with pytest.raises(HonestNo, match="out of reach") as caught:
        Planner(robot, "yumi", far, lidded().workpiece)()
    assert caught.value.answer["stage"] == "reach" and caught.value.exit_code == 3
    wide = made(([((0, 0, 0.04), (0.2, 0.2, 0.08))], [((0, 0, 0.13), (0.12, 0.12, 0.1))]),
                ("prismatic", (0, 0, 1.0), (0.0, 0, 0)), 0.05, (False, True), 0.0)  # fmt: skip
    with pytest.raises(HonestNo, match="no grasp") as caught:
        Planner(robot, "yumi", make_task(wide.motion, placed(0, 0)), wide.workpiece)()
    assert caught.value.answer["stage"] == "grasp"


def test_an_object_is_put_down_upright():
    up = np.array([0.0, 0.6, 0.8])
    points = np.random.default_rng(0).uniform(-0.1, 0.1, (200, 3))
    plane = np.append(up, -(points @ up).min())
    T = put_down(points, plane, 0.2, -0.1, 0.5)
    found = points @ T[:3, :3].T + T[:3, 3]
    assert np.allclose(T[:3, :3] @ T[:3, :3].T, np.eye(3)) and np.isclose(np.linalg.det(T[:3, :3]), 1)
    assert np.isclose(found[:, 2].min(), 0) and np.allclose((found.min(0) + found.max(0))[:2] / 2, [0.2, -0.1])


def test_command_line_says_what_is_missing(tmp_path, capsys):
    code = main(["plan", str(tmp_path / "no.json"), str(tmp_path), "-o", str(tmp_path / "out.json"), "--json"])
    assert code == 2 and "no.json" in "".join(capsys.readouterr())
