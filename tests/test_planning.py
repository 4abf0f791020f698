"""Planning: a task from a motion, grasps along the path, one branch, and plans that pass their own checks."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

for name in ("roboticstoolbox", "coal", "ompl", "toppra"):
    pytest.importorskip(name, reason=f"planning needs {name}: pip install robodistill[robot]")

from planned_objects import bars, lidded, made, placed, surface  # noqa: E402

from robodistill.cli import main  # noqa: E402
from robodistill.cli.plan import Plan  # noqa: E402
from robodistill.config import GraspConfig  # noqa: E402
from robodistill.errors import BadInput, HonestNo  # noqa: E402
from robodistill.grasp.candidates import Candidates, Pads  # noqa: E402
from robodistill.grasp.clearance import Hand, heights_above, signed_distance  # noqa: E402
from robodistill.grasp.surface import Surface  # noqa: E402
from robodistill.pipeline.plan import placed as put_down  # noqa: E402
from robodistill.planning.branch import Branch, Miss  # noqa: E402
from robodistill.planning.checks import CLEAR, check_plan  # noqa: E402
from robodistill.planning.grasps import _FREE, _TIGHT, _apart, _room, part_grasps  # noqa: E402
from robodistill.planning.holding import Holding  # noqa: E402
from robodistill.planning.motions import free_way, timed  # noqa: E402
from robodistill.planning.path_ik import Unreachable, follow  # noqa: E402
from robodistill.planning.phases import halves, joined, phases  # noqa: E402
from robodistill.planning.planner import Planner  # noqa: E402
from robodistill.planning.seat import seated  # noqa: E402
from robodistill.planning.task import make_task  # noqa: E402
from robodistill.planning.together import together  # noqa: E402
from robodistill.planning.trajectory import BimanualTrajectory  # noqa: E402
from robodistill.planning.ways import plan_demonstration, ways_of  # noqa: E402
from robodistill.planning.workpiece import Surroundings, Workpiece  # noqa: E402
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


def test_an_arm_looks_further_only_for_want_of_better_grasps(monkeypatch):
    """Where one of the best can be held along the path, the others are not asked; where none can, all are."""
    asked: list[int] = []

    def held(good: set[int]):
        def answer(arm, part, k, turned):
            asked.append(k)
            return (
                Branch(arm, part, np.eye(4), 0.01, 0.02, 0.02, np.zeros((1, 7)), 0.0)
                if k in good
                else Miss("reach", "far")
            )

        return answer

    holding = Holding.__new__(Holding)
    monkeypatch.setattr(holding, "grasps_of", lambda arm, part: range(40), raising=False)
    for good, last, misses in (({3, 20}, 15, 0), ({20}, 20, 0), (set(), 39, 80)):
        asked.clear()
        holding.misses = []
        monkeypatch.setattr(holding, "_held", held(good), raising=False)
        assert len(holding.alone("left", 0)) == bool(good)
        assert asked[-1] == last and len(holding.misses) == misses


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


def test_a_hinged_part_is_held_away_from_its_hinge(robot):
    """A bar that turns about its middle is held towards its ends, one that slides anywhere along it."""
    boxes = [((0, 0.1, 0.01), (0.05, 0.05, 0.02))], [((0, 0, 0.05), (0.2, 0.012, 0.02))]
    least = {}
    for kind, axis, opened in (("revolute", (0, 1.0, 0), 0.2), ("prismatic", (0, 0, 1.0), 0.03)):
        it = made(boxes, (kind, axis, (0, 0, 0.05)), opened, (False, True), rise=0.0)
        grasps = part_grasps(robot, "left", it.workpiece, make_task(it.motion, placed(0, 0)), 1, GraspConfig())
        assert len(grasps) > 3
        least[kind] = np.abs(grasps.Ts_part_grasp[:, 0, 3]).min()
    assert least["revolute"] > 0.25 * 0.1 > least["prismatic"]


def test_what_can_be_held_next_to_its_hinge_only_is_not_carried_by_that(robot):
    """With the hinge through the middle of a knob all hands are near it: good enough on the table, not in the air."""
    knob = [((-0.075, 0, 0.0025), (0.12, 0.12, 0.005)), ((-0.075, 0, 0.015), (0.02, 0.02, 0.03))]
    bar = [((0.03, 0, 0.02), (0.12, 0.02, 0.012))]
    joint = ("revolute", (0, 1.0, 0), (-0.075, 0, 0.02))
    for carried in (False, True):
        it = made((knob, bar), joint, -0.4, (True, True), 0.08)
        task = make_task(it.motion, placed(0, 0), carried)
        grasps = part_grasps(robot, "left", it.workpiece, task, 0, GraspConfig())
        assert task.carried == carried and bool(len(grasps)) != carried, grasps.rejected
    assert grasps.rejected["too near a hinge"]


def test_two_prongs_are_not_carried_by_both(robot):
    """What is seen as one part may be two: jaws of pliers that a film hardly shows would be pressed together."""
    other, slide = [((0, 0.12, 0.01), (0.05, 0.05, 0.02))], ("prismatic", (0, 0, 1.0), (0, 0, 0))

    def wide(carried: bool, *bars: tuple) -> np.ndarray:
        it = made((list(bars), other), slide, 0.03, (True, True), 0.08)
        grasps = part_grasps(robot, "left", it.workpiece, make_task(it.motion, placed(0, 0), carried), 0, GraspConfig())
        return grasps.scores[grasps.widths > 0.03]

    prongs, bar = [((0, y, 0.03), (0.09, 0.008, 0.02)) for y in (-0.013, 0.013)], ((0, 0, 0.03), (0.09, 0.034, 0.02))
    assert len(wide(True, bar)) and not len(wide(True, *prongs))
    assert 0 < wide(False, *prongs).max() < wide(False, bar).max() - 0.2


def test_fingers_push_nothing_aside_as_they_close(robot):
    """A ridge along a plate is beside open fingers that reach below it, and inside them once they press the plate."""
    ridge = [((0, 0, 0.05), (0.16, 0.012, 0.06)), ((0, 0.009, 0.055), (0.16, 0.006, 0.006))]
    slide = "prismatic", (0, 0, 1.0), (0, 0, 0)
    it = made(([((0, 0.12, 0.01), (0.05, 0.05, 0.02))], ridge), slide, 0.03, (False, True), rise=0.0)
    found = part_grasps(robot, "left", it.workpiece, make_task(it.motion, placed(0, 0)), 1, GraspConfig())
    hands = Candidates(found.Ts_part_grasp, found.widths, found.widths, found.scores)
    depth = -_apart(Hand(robot, "left"), hands, it.workpiece.of(1), 0.0)
    assert len(found) > 5 and depth.max() < 0.003
    assert found.rejected["a finger would push the part aside"]


def test_pads_are_turned_to_sit_flat():
    """On a plate both pads lie flat and press their whole width; on a block's edge they press nothing."""
    plate = surface(([((0, 0, 0.05), (0.2, 0.2, 0.01))], []))
    thing, pads = Surface(plate.points, plate.normals, plate.owners, np.array([0, 0, 1.0, 0])), Pads(0.008, 0.01)
    T = placed(0.095, 0.0)
    T[:3, :3] = Rotation.from_euler("yx", [np.pi / 2 + 0.2, 0.15]).as_matrix()  # closes along z, comes along -x
    T[2, 3] = 0.052
    found = seated(np.stack([T, placed(0.0, 0.5)]), thing, 0.04, pads)
    assert np.isclose(abs(found.Ts_world_grasp[0, 2, 0]), 1, atol=1e-3) and found.angles[0].max() < 0.04
    assert np.isclose(found.Ts_world_grasp[0, 2, 3], 0.05, atol=2e-4) and np.isclose(found.widths[0], 0.01, atol=2e-4)
    assert found.areas[0].min() > 1.2e-4 and not found.areas[1].any()
    straight = found.Ts_world_grasp[0]
    found = seated(np.stack([straight @ _about_approach(angle) for angle in (-0.6, 0.6, 1.1)]), thing, 0.04, pads)
    assert np.allclose(np.abs(found.Ts_world_grasp[:2, 2, 0]), 1, atol=1e-3) and found.areas[:2].min() > 1.2e-4
    assert not found.areas[2].any()  # too far off
    block = surface(([((0, 0, 0.05), (0.2, 0.2, 0.1))], []))
    edge = placed(0.097, 0.097)  # the corner between two sides of a block, cut across
    edge[:3, :3] = Rotation.from_euler("z", 3 * np.pi / 4).as_matrix()
    thing = Surface(block.points, block.normals, block.owners, np.array([0, 0, 1.0, 0]))
    edge[2, 3] = 0.05
    wedge = seated(edge[None], thing, 0.04, pads)
    assert wedge.angles.sum() > 1.4 or not wedge.areas.any()


def test_a_thin_bar_lies_flat_where_its_normals_say_it_leans():
    """Where points of both sides lie in planes these are believed; at a ridge, which has none, the normals are."""
    bar = surface(([((0, 0, 0.05), (0.1, 0.004, 0.006))], []))
    leaning = Rotation.from_rotvec(np.outer(0.4 * np.sign(bar.points[:, 1]), [1.0, 0, 0])).apply(bar.normals)
    T, pads = placed(0.0, 0.0), Pads(0.008, 0.01)
    T[:3, :3] = Rotation.from_euler("xz", [np.pi, np.pi / 2]).as_matrix()  # closes along y, comes from above
    T[2, 3] = 0.05
    for normals, off in ((bar.normals, 0.01), (leaning, 0.15)):
        thing = Surface(bar.points, normals, bar.owners, np.array([0, 0, 1.0, 0]))
        found = seated(T[None], thing, 0.04, pads)
        assert found.widths[0] == pytest.approx(0.004, abs=2e-4) and found.angles[0].max() < off
    few = bar.points[:, 2] == bar.points[np.abs(bar.points[:, 2] - 0.05).argmin(), 2]  # one row of points on each side
    thing = Surface(bar.points[few], leaning[few], bar.owners[few], np.array([0, 0, 1.0, 0]))
    found = seated(T[None], thing, 0.04, pads)
    assert found.angles[0].max() > 0.3 or not found.areas.any()


def _about_approach(angle):
    T = np.eye(4)
    T[:3, :3] = Rotation.from_euler("z", angle).as_matrix()
    return T


def test_what_grasps_keep_clear_of_is_no_obstacle_either(robot):
    """Hands that keep off the points of another part keep off the cells that stand for it, wherever these begin."""
    hand, whole = Hand(robot, "left"), robot.home.copy()
    q = InverseKinematics(robot, "left")(solver_pose(robot))[0]
    whole[robot.arms["left"].columns] = q
    T = robot.tool_poses("left", q[None])[0]
    local = np.random.default_rng(0).uniform(-0.06, 0.06, (20000, 3))
    away = np.min([signed_distance(shape, local) for shape in hand.shapes(0.02)], 0)
    made = Candidates(np.eye(4)[None], np.array([0.02]), np.zeros((1, 2)), np.ones(1))
    assert _apart(hand, made, local, 0.01)[0] < 0
    local = local[(away > 0.0045) & (away < 0.005)]  # as near as a grasp allows
    assert len(local) > 50 and 0.0045 < _apart(hand, made, local, 0.01)[0] < 0.0046
    points = local @ T[:3, :3].T + T[:3, 3]
    workpiece = Workpiece(points, np.tile([0, 0, 1.0], (len(points), 1)), np.zeros(len(points), int))
    around = Surroundings(robot, workpiece, ("other",), {}, table=None, ignored_arms=("right",))
    around.put(np.eye(4)[None])
    assert CLEAR < around.clearance(whole, {"left": 0.02}) < 0.004


def test_where_few_hands_have_room_less_is_asked():
    """As much as ever where ten have it, what the tenth has where fewer do, and never less than a cell."""
    plenty, some, none = np.full(12, 0.01), np.array([0.01, *np.linspace(0.001, 0.004, 30)]), np.array([0.001, 0.002])
    assert _room(plenty) == _FREE and _room(none) == _TIGHT and _room(np.zeros(0)) == _FREE
    assert _TIGHT < _room(some) < _FREE and (some >= _room(some)).sum() == 10


def test_a_low_bar_is_held_by_its_outline(robot):
    """12 mm high, seen from above only: hands go as deep as the table lets them, and no deeper."""
    bar = (((0, 0, 0.006), (0.12, 0.02, 0.012)),)
    it = made((list(bar), [((0.2, 0, 0.006), (0.12, 0.02, 0.012))]), ("prismatic", (1.0, 0, 0), (0.0, 0, 0)), 0.05,
              (False, True), 0.0)  # fmt: skip
    top = it.workpiece.normals[:, 2] > 0.9
    seen = replace(it.workpiece, **{k: getattr(it.workpiece, k)[top] for k in ("points", "normals", "owners")})
    found = part_grasps(robot, "left", seen, make_task(it.motion, np.eye(4)), 1, GraspConfig())
    low = heights_above(Hand(robot, "left"), found.Ts_part_grasp, found.widths, np.array([0, 0, 1.0, 0]))
    assert len(found) > 5 and 0.001 < low.min() < 0.004
    assert np.abs(found.Ts_part_grasp[:, 2, 0]).max() < 0.35 and 0.01 < found.widths.min() <= found.widths.max() < 0.022


def test_hands_leave_room_for_each_other(robot):
    """Two hands from above, side by side: near, far, and near only at the end."""
    hands = [Hand(robot, arm) for arm in ("left", "right")]
    down = np.diag([1.0, -1, -1, 1])
    far, near = down.copy(), down.copy()
    far[1, 3], near[1, 3] = 0.2, 0.03
    Ts = np.stack([np.stack([near, far, far]), np.stack([near, far, near])])
    assert together(*hands, np.stack([[down], [down]]), Ts).tolist() == [[False, True, False]]


def two_lids():
    """A second lid of the box, on the other side, is opened after the first; both stand in one film."""
    it = lidded()
    motion, late = it.motion, np.clip((np.arange(120) - 65) / 50, 0, 1)
    values = np.concatenate([motion.joints[0].values, np.full(60, motion.joints[0].values[-1])])
    second = replace(motion.joints[0], child=2, axis=np.array([1.0, 0, 0]), origin=np.array([0, -0.045, 0.063]),
                     values=0.7 * late)  # fmt: skip
    ones = np.ones((120, 3))
    Ts = np.tile(np.eye(4), (120, 3, 1, 1))
    return replace(
        motion, parts=("base", "lid", "flap"), Ts_camera_part=Ts, confidence=ones, visible=ones, held=ones > 0,
        joints=(replace(motion.joints[0], values=values), second), times=np.arange(120) / 20,
    )  # fmt: skip


def test_joints_that_move_in_turn_are_phases():
    """Each has its own frames; the other joint stands where it was left, or where it will be begun."""
    motion = two_lids()
    first, second = phases(motion)
    opened = motion.joints[0].values[-1]
    assert np.ptp(first.joints[0].values) > 0.79 and not first.joints[1].values.any()
    assert np.ptp(second.joints[1].values) > 0.69 and (second.joints[0].values == opened).all()
    assert first.times[-1] <= second.times[0] + 0.3 and len(first) < 60 > len(second)
    assert [make_task(it, np.eye(4), False).options for it in (first, second)] == [((1, 0), (1,)), ((2, 0), (2,))]
    at_once = replace(motion, joints=(motion.joints[0], replace(motion.joints[1], values=motion.joints[0].values)))
    assert phases(at_once) == [at_once]
    assert [(len(it.pieces), it.steadied, it.anew) for it in ways_of(motion)] == [
        (2, True, False), (1, False, False), (2, False, False), (2, False, True),
    ]  # fmt: skip
    one_by_one = phases(at_once, alone=True)
    assert [[np.ptp(joint.values) > 0 for joint in it.joints] for it in one_by_one] == [[True, False], [False, True]]
    assert [(len(it.pieces), it.anew) for it in ways_of(at_once)] == [(1, False), (2, False), (2, True)]


def test_halves_of_a_motion_meet_midway():
    """What goes there and back is cut where it turns; what is too short, or has no joint values, is not."""
    motion = lidded().motion
    first, second = halves(motion)
    assert first.times[-1] == second.times[0] and len(first) + len(second) == len(motion) + 1
    assert np.isclose(first.joints[0].values[-1], 0.4, atol=0.03)
    assert first.joints[0].values[-1] == second.joints[0].values[0]
    joint = motion.joints[0]
    there = replace(joint, values=np.sin(np.linspace(0, np.pi, len(motion))))
    first, second = halves(replace(motion, joints=(there,)))
    assert first.joints[0].values[-1] > 0.99 > 0.01 > second.joints[0].values[-1]
    assert len(halves(second)) == 2 and len(halves(replace(motion, joints=(replace(joint, kind="free"),)))) == 1
    assert len(halves(first)[0]) < 20 and all(len(it) >= 3 for it in halves(first))


def test_what_no_hand_holds_all_the_way_is_taken_hold_of_anew(robot):
    """A slider that goes further than one arm reaches: one brings it halfway, the other takes it on; told with why."""
    rail, slider = [((0.5, 0, 0.005), (1.1, 0.02, 0.01))], [((0, 0, 0.03), (0.012, 0.05, 0.04))]
    it = made((rail, slider), ("prismatic", (1.0, 0, 0), (0.0, 0, 0)), 1.0, (False, True), 0.0, frames=120)
    plan = plan_demonstration(robot, "yumi", it.motion, placed(-0.5, 0.0), it.workpiece)
    assert plan.departures[0].startswith("let go midway and taken hold of anew: no plan") and plan.checks["phases"] == 2
    first, second = (hold for hold in plan.holds if plan.parts[hold.part] == "lid")
    assert first.end < second.start and first.arm != second.arm
    assert np.isclose(plan.progress_at(first.end), plan.progress_at(second.start), atol=0.05)
    assert np.isclose(plan.progress[0], 0, atol=0.05) and plan.progress[-1] > 2.7


def test_a_gripper_opens_less_where_it_has_less_room_to_let_go(robot):
    """A tab slid up to a wall that leaves its finger 4 mm: it comes wide open and goes half open."""
    thick = Hand(robot, "left").pads.thick
    wall = 0.05 + 0.006 + thick + 0.004
    base = [((0.02, 0, 0.005), (0.2, 0.06, 0.01)), ((wall + 0.005, 0, 0.03), (0.01, 0.06, 0.05))]
    it = made((base, [((0, 0, 0.03), (0.012, 0.03, 0.04))]), ("prismatic", (1.0, 0, 0), (0.0, 0, 0)), 0.05,
              (False, True), 0.0)  # fmt: skip
    plan = Planner(robot, "yumi", make_task(it.motion, placed(0.0, 0.05)), it.workpiece)()
    hold = next(hold for hold in plan.holds if plan.parts[hold.part] == "lid")
    arm = list(plan.motion.arms).index(hold.arm)
    openings = plan.motion.openings[:, arm]
    before, after = openings[plan.motion.times < hold.start - 1][-1], openings[-1]
    assert hold.width + 0.003 < after < before - 0.003


def test_plans_of_phases_are_put_together(robot, planned):
    """Times, holds and grippers of the second begin where the first ends; the worst figure is told."""
    _, plan = planned
    worse = replace(plan, checks=plan.checks | {"clearance_mm": 0.6})
    whole = joined([plan, worse])
    times = whole.motion.times
    assert np.isclose(whole.duration, 2 * plan.duration) and (np.diff(times) > 0).all()
    assert np.allclose(whole.motion.at(plan.duration + 3.0)[0], plan.motion.at(3.0)[0])
    count = len(plan.holds)
    assert np.isclose(whole.holds[count].start, plan.holds[0].start + plan.duration)
    assert whole.checks["phases"] == 2 and whole.checks["clearance_mm"] == 0.6
    assert whole.checks["grippers"][count]["opens_s"] > plan.duration and whole.arms == plan.arms


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


class Watched:
    """Surroundings in which nothing is near, that remember what they were asked."""

    def __init__(self):
        self.asked = []

    def put(self, Ts):
        pass

    def touching(self, q, openings):
        return None

    def clearance(self, q, openings, most=np.inf):
        self.asked.append(openings)
        return 1.0


def test_a_hand_that_closes_stops_at_what_it_holds(robot, planned):
    """It is told to close further; on the way there no finger is where the held part is."""
    task, plan = planned
    free, holding = Watched(), Watched()
    hold = plan.holds[0]
    check_plan(plan, robot, task, free, holding, (hold.start - 1.0, hold.end + 1.0))
    assert min(it[hold.arm] for it in holding.asked) == hold.width and len(free.asked) > 10
    assert max(it[hold.arm] for it in holding.asked) > hold.width


def test_an_unheld_base_is_pressed_down(robot):
    """A knob that slides on its base is led a millimetre low, not at once; one that rises is not."""
    for axis, low in (((1.0, 0, 0), 0.001), ((0, 0, 1.0), 0.0)):
        parts = [((0, 0, 0.03), (0.2, 0.2, 0.06))], [((0, 0, 0.075), (0.02, 0.02, 0.03))]
        it = made(parts, ("prismatic", axis, (0.0, 0, 0)), 0.04, (False, True), 0.0)
        task = make_task(it.motion, placed(0.05, 0.0))
        plan = Planner(robot, "yumi", task, it.workpiece)()
        (hold,) = plan.holds
        times = np.linspace(hold.start, hold.end - 0.3, 30)
        q = plan.motion.at(times)[0][:, robot.arms[hold.arm].columns]
        wanted = task.at(plan.progress_at(times))[:, hold.part] @ hold.T_part_grasp
        below = wanted[:, 2, 3] - robot.tool_poses(hold.arm, q)[:, 2, 3]
        assert abs(below[0]) < 4e-4 and np.isclose(np.median(below), low, atol=3e-4)


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


def test_command_line_tells_what_a_plan_does_otherwise(planned):
    _, plan = planned
    checks = plan.checks | {"let_go_midway": "no plan; out of reach"}
    told = replace(plan, checks=checks)
    result = {"arms": told.arms, "departures": told.departures, "duration": 1.0, "checks": checks, "path": "p.json"}
    lines = Plan(Path("m.json"), Path("f.field"), out=Path("p.json")).lines(result)
    assert "let go midway and taken hold of anew: no plan; out of reach" in lines and not plan.departures
