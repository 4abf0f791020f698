"""Grasps on analytic surfaces: what is found, what is rejected and why, phrases, files, motions."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from test_edit import table_with_box

from robodistill.config import GraspConfig
from robodistill.errors import BadInput, HonestNo
from robodistill.grasp.candidates import TIPS, Candidates, at_depths
from robodistill.grasp.clearance import Hand, clearances, heights_above, lowest, signed_distance
from robodistill.grasp.grasp import GraspList
from robodistill.grasp.mended import mended
from robodistill.grasp.motion import lift_trajectory
from robodistill.grasp.opening import widths_beside
from robodistill.grasp.outlines import outlines, walls_of
from robodistill.grasp.phrase import object_and_part
from robodistill.grasp.planner import GraspPlanner, _fringe
from robodistill.grasp.surface import Surface, field_surface
from robodistill.grasp.whole import completed, standing_pieces
from robodistill.robots.collision import Collision
from robodistill.robots.obstacles import points_obstacle
from robodistill.robots.pairs import with_ignored
from robodistill.robots.robot import load_robot
from robodistill.robots.urdf import Shape

pytest.importorskip("roboticstoolbox", reason="robots need roboticstoolbox: pip install robodistill[robot]")
pytest.importorskip("coal", reason="robots need coal: pip install robodistill[robot]")

ROBOTS = {name: load_robot(name) for name in ("yumi", "two_pandas")}


def box_points(size: tuple, center: tuple, step: float = 0.004) -> tuple[np.ndarray, np.ndarray]:
    """Points and outward normals of a box's six faces."""
    points, normals = [], []
    for axis in range(3):
        a, b = (k for k in range(3) if k != axis)
        grid = np.stack(np.meshgrid(*(np.arange(-size[k] / 2, size[k] / 2 + 1e-9, step) for k in (a, b))), -1).reshape(
            -1, 2
        )
        for side in (-1, 1):
            face = np.zeros((len(grid), 3))
            face[:, [a, b]], face[:, axis] = grid, side * size[axis] / 2
            points.append(face)
            normals.append(np.tile(side * np.eye(3)[axis], (len(grid), 1)))
    return np.concatenate(points) + center, np.concatenate(normals)


def sphere_points(radius: float, center: tuple, count: int = 1500) -> tuple[np.ndarray, np.ndarray]:
    """Points and outward normals of a sphere."""
    k = np.arange(count) + 0.5
    polar, around = np.arccos(1 - 2 * k / count), np.pi * (1 + 5**0.5) * k
    normals = np.stack([np.cos(around) * np.sin(polar), np.sin(around) * np.sin(polar), np.cos(polar)], -1)
    return radius * normals + np.array(center), normals


def table_with(*things: tuple[np.ndarray, np.ndarray]) -> tuple[Surface, list[np.ndarray]]:
    """A table top with things on it, and the ids of each thing's points."""
    grid = np.stack(np.meshgrid(np.arange(-0.4, 0.4, 0.01), np.arange(-0.3, 0.3, 0.01)), -1).reshape(-1, 2)
    table = np.column_stack([grid, np.zeros(len(grid))]), np.tile([0.0, 0, 1], (len(grid), 1))
    points, normals = (np.concatenate([part[k] for part in (table, *things)]) for k in (0, 1))
    first = len(grid) + np.cumsum([0, *(len(thing[0]) for thing in things)])
    ids = [np.arange(a, b) for a, b in zip(first, first[1:], strict=False)]
    return Surface(points, normals, np.arange(len(points)), np.array([0.0, 0, 1, 0])), ids


BOX = box_points((0.03, 0.08, 0.05), (0.05, 0.0, 0.025))


@pytest.mark.parametrize("name", ROBOTS)
def test_a_box_is_held_across_its_short_side(name):
    """Closing along the 30 mm, square to the faces, on the asked thing, by the nearer arm, with every pose free."""
    place, (ids,) = table_with(BOX)
    robot = ROBOTS[name]
    found = GraspPlanner(robot, place)("box", ids)
    assert len(found.grasps) >= 3
    best = found.grasps[0]
    np.testing.assert_allclose(best.width, 0.03, atol=0.002)
    assert abs(best.T_world_grasp[0, 0]) > 0.97 and max(best.angles) < 0.2
    assert best.T_world_grasp[2, 2] < 0 and 0.0 < best.T_world_grasp[2, 3] < 0.06
    assert best.width < best.opening <= robot.arms[best.arm].opening and best.arm in robot.arms
    assert [g.score for g in found.grasps] == sorted((g.score for g in found.grasps), reverse=True)
    arm = robot.arms[best.arm]
    for way, T in (
        (best.approach, best.T_world_pregrasp),
        (best.reach, best.T_world_grasp),
        (best.raise_, best.T_world_lift),
    ):
        np.testing.assert_allclose(robot.tool_poses(best.arm, way[-1]), T, atol=1e-3)
        assert (way >= arm.limits[:, 0]).all() and (way <= arm.limits[:, 1]).all()
    np.testing.assert_allclose(
        best.T_world_lift[:3, 3] - best.T_world_grasp[:3, 3], [0, 0, GraspConfig().lift], atol=1e-9
    )


def test_what_is_too_wide_is_refused_with_reasons():
    """A ball of 80 mm: no chord through its middle fits, and those off it leave the friction cones."""
    place, (ids,) = table_with(sphere_points(0.04, (0, 0, 0.04)))
    with pytest.raises(HonestNo) as caught:
        GraspPlanner(ROBOTS["yumi"], place)("ball", ids)
    assert sum(caught.value.answer["rejected"].values()) > 0 and "no grasp is left" in str(caught.value)
    large, (ids,) = table_with(sphere_points(0.06, (0, 0, 0.06)))
    with pytest.raises(HonestNo):  # 80 mm do not span 120, nor a chord of it that the pads could hold
        GraspPlanner(ROBOTS["two_pandas"], large, GraspConfig(spare=0.0))("ball", ids)
    small, (ids,) = table_with(sphere_points(0.018, (0, 0, 0.018)))
    assert GraspPlanner(ROBOTS["yumi"], small)("ball", ids).grasps[0].width > 0.03


def test_the_normal_filter_is_what_refuses_slopes():
    """A ridge whose sides lean by 45 degrees: refused with the filter, proposed without it."""
    x = np.repeat([-1.0, 1.0], 400)
    h, y = np.tile(
        np.stack(np.meshgrid(np.linspace(0.002, 0.02, 20), np.linspace(-0.03, 0.03, 20)), -1).reshape(-1, 2), (2, 1)
    ).T
    points = np.column_stack([x * (0.021 - h), y, h])
    normals = np.column_stack([x, 0 * x, np.ones(800)]) / 2**0.5
    place, (ids,) = table_with((points, normals))
    with pytest.raises(HonestNo):
        GraspPlanner(ROBOTS["yumi"], place)("ridge", ids)
    open_ = GraspPlanner(ROBOTS["yumi"], place, GraspConfig(normal_filter=False))("ridge", ids)
    assert len(open_.grasps) > 0 and "contact angles" not in open_.rejected


def test_neighbours_and_distance_are_reasons():
    """Walls 8 mm beside a thing keep the gripper out; the same thing two metres away keeps the arms from it."""
    walls = [box_points((0.01, 0.2, 0.12), (0.05 + s * 0.028, 0.0, 0.06)) for s in (-1, 1)]
    walls += [box_points((0.09, 0.01, 0.12), (0.05, s * 0.053, 0.06)) for s in (-1, 1)]
    place, (ids, *_) = table_with(BOX, *walls)
    with pytest.raises(HonestNo) as caught:
        GraspPlanner(ROBOTS["yumi"], place)("box", ids)
    assert caught.value.answer["rejected"]["the gripper would touch something"] > 0
    robot = ROBOTS["yumi"]
    far = robot.T_world_base.copy()
    far[1, 3] -= 2.0
    place, (ids,) = table_with(BOX)
    with pytest.raises(HonestNo) as caught:
        GraspPlanner(robot.placed(far), place)("box", ids)
    assert caught.value.answer["rejected"]["out of reach"] > 0


def sheet_points(thickness: float, seen: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """A sheet or block, 50 mm high and 80 mm wide, by its `seen` faces only, with depth noise of 1 mm."""
    points, normals = box_points((thickness, 0.08, 0.05), (0.05, 0.0, 0.025), 0.003)
    faces = {"front": normals[:, 0] < -0.5, "rest": normals[:, 0] > -0.5}
    keep = np.any([faces[name] for name in seen], axis=0)
    noise = np.random.default_rng(0).normal(0, 0.001, (int(keep.sum()), 1))
    return points[keep] + noise * normals[keep], normals[keep]


def test_a_wall_seen_from_one_side_is_held_and_a_block_is_not():
    """A far side that nobody saw is taken for near and parallel; a block is no wall, its top is in the way."""
    place, (ids,) = table_with(sheet_points(0.003, ("front",)))
    found = GraspPlanner(ROBOTS["yumi"], place)("sheet", ids)
    best = found.grasps[0]
    assert abs(best.T_world_grasp[0, 0]) > 0.95 and best.width < 0.01
    np.testing.assert_allclose(best.T_world_grasp[0, 3], 0.05, atol=0.004)
    place, (ids,) = table_with(sheet_points(0.06, ("front", "rest")))
    with pytest.raises(HonestNo) as caught:
        GraspPlanner(ROBOTS["yumi"], place)("block", ids)
    assert caught.value.answer["rejected"]["the gripper would touch something"] > 0


def test_a_low_thing_of_which_the_top_was_seen_is_held_across_its_outline():
    """A bar of 6 mm whose sides show nothing: no two points face each other, but the outline ends somewhere."""
    points, normals = box_points((0.014, 0.10, 0.006), (0.05, 0.03, 0.003), 0.002)
    top = normals[:, 2] > 0.5
    place, (ids,) = table_with((points[top], normals[top]))
    for grasp in GraspPlanner(ROBOTS["yumi"], place)("bar", ids).grasps[:3]:
        assert abs(grasp.T_world_grasp[0, 0]) > 0.9 and abs(grasp.width - 0.014) < 0.004
        np.testing.assert_allclose(grasp.T_world_grasp[0, 3], 0.05, atol=0.003)
    high, (ids,) = table_with(BOX)
    thing = high.select(np.isin(high.ids, ids))
    assert not len(outlines(thing, high, 0.05, GraspConfig(), Hand(ROBOTS["yumi"], "left").pads))


def test_outlines_face_away_from_what_they_bound():
    """Of a ring the outer one faces out, the inner one into the hole; on a tilted table, too."""
    random = np.random.default_rng(0)
    angle, radius = random.uniform(0, 2 * np.pi, 4000), random.uniform(0.010, 0.020, 4000)
    ring = np.stack([radius * np.cos(angle) + 0.1, radius * np.sin(angle) - 0.05, np.full(4000, 0.004)], -1)
    R = Rotation.from_euler("xyz", [0.3, -0.2, 0.5]).as_matrix()
    up = R[:, 2]
    made = walls_of(Surface(ring @ R.T + 0.2 * up, np.tile(up, (4000, 1)), np.arange(4000), np.append(up, -0.2)))
    points, normals = (made.points - 0.2 * up) @ R - [0.1, -0.05, 0], made.normals @ R
    away = np.linalg.norm(points[:, :2], axis=1)
    facing = (points[:, :2] / away[:, None] * normals[:, :2]).sum(1)
    outer = away > 0.015
    np.testing.assert_allclose(away[outer], 0.02, atol=0.0015)
    np.testing.assert_allclose(away[~outer], 0.01, atol=0.0015)
    assert outer.any() and (~outer).any() and facing[outer].min() > 0.95 and facing[~outer].max() < -0.95
    np.testing.assert_allclose(normals[:, 2], 0, atol=1e-9)
    assert 0.001 < points[:, 2].min() and points[:, 2].max() < 0.004


def test_a_crumb_is_refused_by_its_points():
    """Two millimetres of something have no outline and no opposite sides: the honest no counts what was seen."""
    place, (ids,) = table_with((np.full((9, 3), 0.002) + 1e-4 * np.eye(9, 3), np.tile([0.0, 0, 1], (9, 1))))
    with pytest.raises(HonestNo) as caught:
        GraspPlanner(ROBOTS["yumi"], place)("crumb", ids)
    assert caught.value.answer["rejected"] == {"points without an opposite that the pads can take": 9}


def test_the_way_in_touches_nothing():
    """Between thin posts, every configuration of the way from home is free, also of the thing, looked at closely."""
    posts = [box_points((0.006, 0.006, 0.25), (x, y, 0.125)) for x in (-0.06, 0.0, 0.11, 0.16) for y in (-0.09, 0.09)]
    place, (ids, *_) = table_with(BOX, *posts)
    robot = with_ignored(ROBOTS["yumi"])
    above = place.points[place.points[:, 2] > 0.001]
    collision = Collision(robot, [points_obstacle("all", above, 0.002)])
    for grasp in GraspPlanner(ROBOTS["yumi"], place)("box", ids).grasps:
        way = np.concatenate([np.linspace(a, b, 8) for a, b in zip(grasp.approach, grasp.approach[1:], strict=False)])
        q = np.tile(robot.home, (len(way), 1))
        q[:, robot.arms[grasp.arm].columns] = way
        assert not any(collision.collides(one, {grasp.arm: grasp.opening}) for one in q)


def test_low_things_are_held_at_the_ends_of_the_pads():
    """A strip of 4 mm on the table: the tips stay above it, and are below the strip's top."""
    place, (ids,) = table_with(box_points((0.012, 0.09, 0.004), (0.0, 0.05, 0.002), 0.002))
    robot = ROBOTS["yumi"]
    found = GraspPlanner(robot, place)("strip", ids)
    hand = Hand(robot, found.grasps[0].arm)
    for grasp in found.grasps:
        low = heights_above(hand, grasp.T_world_grasp[None], np.array([grasp.opening]), place.plane)[0]
        assert 0.0 < TIPS - 1e-9 < low < 0.004


def test_hands_go_as_deep_as_the_support_lets_them():
    """Above a high contact all depths, over a low one down to the tips' distance, in the table none."""
    place, (ids,) = table_with(BOX)
    T = np.tile(np.diag([1.0, -1.0, -1.0, 1.0]), (3, 1, 1))
    T[:, 2, 3] = 0.05, 0.008, 0.002
    hand = Hand(ROBOTS["yumi"], "left")
    depths = [sorted(at_depths(T[k : k + 1], np.array([0.03]), place, hand.pads)[:, 2, 3]) for k in range(3)]
    np.testing.assert_allclose(depths[0], [0.04, 0.05, 0.057], atol=1e-9)
    np.testing.assert_allclose(depths[1], [0.01 + TIPS + 1e-4, 0.015], atol=1e-9)
    assert not depths[2]


def test_a_part_is_where_the_pads_go():
    """Asked for one end of a bar, the hand goes there; the whole bar is not in its way."""
    place, (ids,) = table_with(box_points((0.025, 0.16, 0.03), (0.0, 0.0, 0.015)))
    end = ids[place.points[ids, 1] > 0.04]
    found = GraspPlanner(ROBOTS["yumi"], place)("end", ids, end)
    assert all(grasp.T_world_grasp[1, 3] > 0.03 for grasp in found.grasps)
    assert found.center[1] > 0.04


def test_other_samplers_and_scorers_plug_in():
    """A sampler without normals is cleared and reached like ours, a scorer decides the order."""
    place, (ids,) = table_with(BOX)
    T = np.diag([1.0, -1.0, -1.0, 1.0])
    T[:3, 3] = 0.05, 0.0, 0.03
    other = T.copy()
    other[1, 3] = 0.025
    buried = T.copy()
    buried[2, 3] = -0.05

    def sampler(thing, around, opening, config):
        assert len(thing.points) and len(around.points) > len(thing.points) and opening == 0.05
        poses = np.array([T, other, buried])
        return Candidates(poses, np.full(3, 0.03), np.full((3, 2), np.nan), np.ones(3))

    def scorer(candidates, around):
        return np.where(candidates.Ts_world_grasp[:, 1, 3] > 0.01, 0.9, 0.2)

    found = GraspPlanner(ROBOTS["yumi"], place, sampler=sampler, scorer=scorer)("box", ids)
    assert [round(g.score, 1) for g in found.grasps] == [0.9, 0.2]
    assert found.rejected["the gripper would touch the support"] == 1


def test_too_little_surface_is_an_honest_no():
    """A thing of three points cannot be held."""
    place, (ids,) = table_with(BOX)
    with pytest.raises(HonestNo, match="too few"):
        GraspPlanner(ROBOTS["yumi"], place)("box", ids[:3])


def test_clearance_is_that_of_the_hand():
    """A point 5 mm outside a finger's face is 5 mm away; heights are those of the tips."""
    hand = Hand(ROBOTS["yumi"], "left")
    T = np.diag([1.0, -1.0, -1.0, 1.0])
    T[:3, 3] = 0, 0, 0.2
    out = 0.02 + 0.008 + 0.005  # half the opening, a finger's thickness, the gap
    points = np.tile([out, 0, 0.2], (3, 1))
    np.testing.assert_allclose(clearances(hand, T[None], np.array([0.04]), points, 0.02), 0.005, atol=1e-6)
    np.testing.assert_allclose(
        heights_above(hand, T[None], np.array([0.04]), np.array([0, 0, 1.0, 0])), 0.19, atol=1e-6
    )
    assert clearances(hand, T[None], np.array([0.04]), points[:2], 0.02) == 0.02  # two points may be strays


@pytest.mark.parametrize(
    "shape",
    [
        Shape("box", np.eye(4), (0.2, 0.4, 0.6)),
        Shape("sphere", np.eye(4), (0.3,)),
        Shape("capsule", np.eye(4), (0.1, 0.4)),
        Shape("cylinder", np.eye(4), (0.2, 0.4)),
        Shape(
            "hull", np.eye(4), (), np.array([[x, y, z] for x in (-0.1, 0.1) for y in (-0.2, 0.2) for z in (-0.3, 0.3)])
        ),
    ],
)
def test_distances_are_those_of_sampled_shapes(shape):
    """Outside, the distance to a shape's support points bounds it: along an axis both are the same."""
    for axis in range(3):
        up = np.eye(3)[axis]
        reach = -float(lowest(shape, -up)) if shape.kind != "hull" else float(np.abs(shape.points[:, axis]).max())
        np.testing.assert_allclose(signed_distance(shape, (reach + 0.05) * up), 0.05, atol=1e-9)
        assert signed_distance(shape, 0 * up) < 0


def test_the_surface_of_a_field_faces_the_cameras():
    """Normals of a box on a table point outwards and up; surface and support are half a pixel outside of centres."""
    field, selection = table_with_box()
    place = field_surface(field)
    np.testing.assert_allclose(place.plane[:3], [0, 0, 1], atol=2e-3)
    pixel = np.mean([np.linalg.norm(view.T_world_camera[:3, 3]) / view.camera.K[0, 0] for view in field.views])
    np.testing.assert_allclose(-place.plane[3], 0.3**0.5 * pixel, rtol=0.15)
    box = selection.numpy()[place.ids]
    points, normals = place.points[box], place.normals[box]
    outward = points * [1, 1, 0]
    sides = (points[:, 2] < 0.045) & (points[:, 2] > 0.015)
    assert ((normals[sides] * outward[sides]).sum(1) > 0).mean() > 0.98
    assert place.normals[~box & (np.abs(place.points[:, :2]).max(1) > 0.08)][:, 2].min() > 0.9


def test_angles_of_leaning_normals_are_allowed_for():
    """A box whose normals lean up by 0.7 rad each: refused by an exact surface, held where it knows of the lean."""
    points, normals = BOX
    flat = np.abs(normals[:, 2]) < 0.5
    leaning = np.where(flat[:, None], np.cos(0.7) * normals + np.sin(0.7) * np.array([0, 0, 1.0]), normals)
    place, (ids,) = table_with((points, leaning))
    with pytest.raises(HonestNo) as caught:
        GraspPlanner(ROBOTS["yumi"], place)("box", ids)
    assert caught.value.answer["rejected"]["contact angles"] > 0
    found = GraspPlanner(ROBOTS["yumi"], replace(place, lean=0.3))("box", ids)
    assert found.grasps[0].width < 0.035


def test_grasps_that_press_more_and_squarely_come_first():
    """The score is a chance: higher for square contacts near the middle than for what is known to be worse."""
    place, (ids,) = table_with(BOX)
    planner = GraspPlanner(ROBOTS["yumi"], place)
    T = np.tile(np.diag([1.0, -1.0, -1.0, 1.0]), (4, 1, 1))
    T[3, 1, 3] = 0.04
    angles = np.array([[0.1, 0.1], [0.4, 0.4], [0.1, 0.1], [0.1, 0.1]])
    made = Candidates(T, np.full(4, 0.03), angles, np.array([0.3, 0.3, 0.1, 0.3]))
    best, *worse = planner._scored(made, np.zeros(3), 0.05).scores
    assert all(0 < score < best < 1 for score in worse)


def test_a_cap_belongs_to_its_bottle_and_a_neighbour_does_not():
    """What is over most of a thing is of it; what touches it from the side, or is all but unselected, is not."""
    tall = box_points((0.03, 0.03, 0.10), (0.0, 0.0, 0.05))
    large, small = box_points((0.04, 0.04, 0.08), (0.15, 0.0, 0.04)), box_points((0.02, 0.02, 0.02), (0.181, 0.0, 0.01))
    place, (alone, left, right) = table_with(tall, large, small)
    pieces = standing_pieces(place)
    body = alone[place.points[alone, 2] < 0.09]
    np.testing.assert_array_equal(completed(body, pieces, place), alone)
    cap = alone[place.points[alone, 2] > 0.09]
    np.testing.assert_array_equal(completed(cap, pieces, place), cap)
    found = completed(left, pieces, place)
    assert np.isin(left, found).all() and np.isin(right, found).mean() < 0.3


def test_half_a_fork_is_mended_by_its_colour():
    """What continues a selection in colour belongs to it, what looks like the support does not, nor do neighbours."""
    sizes = ((0.12, 0.012, 0.008), (0.03, 0.03, 0.03), (0.03, 0.03, 0.03))
    boxes = [box_points(size, (0.0, y, size[2] / 2)) for size, y in zip(sizes, (0.0, 0.025, -0.04), strict=True)]
    seen = [(points[points[:, 2] > 0.0], normals[points[:, 2] > 0.0]) for points, normals in boxes]
    place, (fork, other, apart) = table_with(*seen)
    colors = np.full((len(place.points), 3), 0.8)
    colors[fork] = colors[apart] = [0.2, 0.4, 0.7]
    colors[other] = [0.7, 0.3, 0.2]
    half = fork[place.points[fork, 0] < 0.0]
    on_table = np.flatnonzero(np.linalg.norm(place.points - [-0.05, 0.02, 0.0], axis=1) < 0.012)
    selected = np.setdiff1d(np.union1d(half, on_table), [*other, *apart])
    found = mended(selected, replace(place, colors=colors))
    assert np.isin(fork, found).all() and not np.isin(on_table, found).any()
    assert not np.isin(np.concatenate([other, apart]), found).any()
    np.testing.assert_array_equal(mended(selected, place), selected)  # no colours, nothing to go by


def test_a_chord_beside_which_a_thing_is_wider_needs_a_wider_hand():
    """A cylinder across its middle and by a chord; what lies behind an open finger is not in its way."""
    angle, height = (values.reshape(-1) for values in np.meshgrid(np.linspace(-np.pi, np.pi, 400), np.arange(-5, 6)))
    can = np.column_stack([0.025 * np.cos(angle), 0.025 * np.sin(angle), 0.002 * height])
    Ts = np.tile(np.eye(4), (2, 1, 1))
    Ts[1, 1, 3] = 0.018
    pads = Hand(ROBOTS["yumi"], "left").pads
    middle, chord = widths_beside(pads, Ts, np.full(2, 0.05), can)
    assert middle == pytest.approx(0.05, abs=2e-4)
    assert chord == pytest.approx(2 * (0.025**2 - (0.018 - pads.half_width - 0.003) ** 2) ** 0.5, abs=1e-3)
    wall = can[:500] * [0, 1, 1] + [0.05, 0, 0]
    np.testing.assert_allclose(widths_beside(pads, Ts, np.full(2, 0.05), np.concatenate([can, wall])), [middle, chord])


def test_a_blurred_foot_is_no_obstacle():
    """Low points close to a thing are its fringe; what is higher or further off is something else."""
    low = np.column_stack([np.full(20, 0.068), np.linspace(-0.04, 0.04, 20), np.full(20, 0.004)])
    points = np.concatenate([low, low + [0, 0, 0.01], low + [0.01, 0, 0]])
    place, (ids, around) = table_with(BOX, (points, np.tile([0.0, 0, 1], (60, 1))))
    found = _fringe(place, np.isin(place.ids, ids))
    np.testing.assert_array_equal(found[around], np.repeat([True, False, False], 20))


@pytest.mark.parametrize(
    ("phrase", "thing", "part"),
    [
        ("red mug", "red mug", None),
        ("the red mug by the handle", "red mug", "handle of the red mug"),
        ("hammer at its head", "hammer", "head of the hammer"),
        ("handle of the pan", "pan", "handle of the pan"),
    ],
)
def test_phrases_name_things_and_parts(phrase, thing, part):
    """What to hold, and where."""
    assert object_and_part(phrase) == (thing, part)


def test_grasps_round_trip_and_motion_is_slow_enough(tmp_path):
    """What is saved loads again; the motion starts at home, closes, lifts, and never exceeds the joints' speeds."""
    place, (ids,) = table_with(BOX)
    robot = ROBOTS["yumi"]
    made = GraspPlanner(robot, place, GraspConfig(wanted=2))("box", ids)
    again = GraspList.load(made.save(tmp_path / "g.json"))
    assert (again.phrase, again.rejected, again.center) == (made.phrase, made.rejected, made.center)
    np.testing.assert_allclose(again.grasps[1].reach, made.grasps[1].reach, atol=1e-6)
    with pytest.raises(BadInput, match="exists"):
        made.save(tmp_path / "g.json")
    motion = lift_trajectory(robot, "yumi", again.grasps[0], {"phrase": "box"})
    np.testing.assert_allclose(motion.positions[0], robot.home, atol=1e-6)
    speeds = np.abs(np.diff(motion.positions, axis=0)) / np.maximum(np.diff(motion.times), 1e-9)[:, None]
    assert (speeds.max(0) <= np.concatenate([arm.velocity for arm in robot.arms.values()]) * 0.6).all()
    which = list(robot.arms).index(again.grasps[0].arm)
    assert motion.openings[-1, which] == 0 and motion.openings[:, 1 - which].min() == 0.05
    assert motion.task == {"phrase": "box", "kind": "lift", "arm": again.grasps[0].arm}
    control = lift_trajectory(robot, "yumi", again.grasps[0], {}, close=False)
    assert control.openings[:, which].min() >= again.grasps[0].width
    with pytest.raises(BadInput, match="knows no arm"):
        lift_trajectory(robot, "yumi", replace(again.grasps[0], approach=None), {})
