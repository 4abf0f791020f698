"""A twin made of what was found: it stands as it stood, moves on its joints, and tells which plans fail."""

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
from planned_objects import bars, lidded, made, placed

from robodistill.errors import BadInput, HonestNo
from robodistill.pipeline.rehearse_twin import rehearse_twin, shown, twin_check
from robodistill.planning.ways import plan_demonstration
from robodistill.robots.robot import load_robot
from robodistill.sim.articulated.found import found_object
from robodistill.sim.articulated.physics import put_on_table
from robodistill.sim.mujoco_gl import load_mujoco
from robodistill.sim.paint import Coat

NEEDED = ("mujoco", "roboticstoolbox", "coal", "ompl", "toppra")
pytestmark = pytest.mark.skipif(any(find_spec(name) is None for name in NEEDED), reason="needs robodistill[sim,robot]")
GROUND = np.array([0, 0, 1.0, 0])


def opened(it, value: float):
    """The motion with its joint that much further open from the first frame on."""
    joint = it.motion.joints[0]
    return replace(it.motion, joints=(replace(joint, values=joint.values + value),))


def twin_of(it, motion=None):
    work = it.workpiece
    return found_object(motion or it.motion, work.points, work.normals, work.owners, GROUND)


def test_a_twin_is_what_was_found():
    """A box with a lid half a radian open in the first frame: its pieces, its hinge and how far that goes."""
    it = lidded()
    motion = opened(it, 0.5)
    rest, carried = twin_of(it, motion)
    assert rest.parts == ("base", "lid")
    (joint,) = rest.joints
    low, high = joint.limits
    assert low == pytest.approx(-0.05) and high == pytest.approx(0.8 + 0.05)
    back = rest.spec.bounds[:, 1].max()
    assert 0.045 < back < 0.055 and rest.spec.bounds[1, 2] > 0.1  # the lid stands up at the back
    np.testing.assert_allclose(carried[1] @ [*joint.origin, 1], [*joint.origin, 1], atol=1e-9)
    goal = shown(motion, rest, carried, True)
    assert goal.stays and goal.joints[0][-1] == pytest.approx(0.8)
    np.testing.assert_allclose(goal.Ts_part["lid"], joint.motion(0.8), atol=1e-6)
    fixed = replace(it.motion, joints=(replace(it.motion.joints[0], kind="fixed"),))
    assert twin_of(it, fixed)[0].parts == ("base",)
    with pytest.raises(HonestNo, match="lid hangs on no joint"):
        twin_of(it, replace(it.motion, joints=(replace(it.motion.joints[0], kind="free"),)))


def test_what_no_view_saw_reaches_down_to_the_support():
    """Without its lowest 4 mm the twin still is as high as the thing, and rests where it stands."""
    it = lidded()
    work, mj = it.workpiece, load_mujoco()
    seen = work.points[:, 2] > 0.004
    rest, _ = found_object(it.motion, work.points[seen], work.normals[seen], work.owners[seen], GROUND)
    assert rest.spec.bounds[0, 2] == pytest.approx(0.0, abs=1e-6)
    coats = dict.fromkeys(("part 0", "part 1"), Coat("", (0.5, 0.5, 0.5), "matte", "plain"))
    bench = put_on_table(rest, coats, np.random.default_rng(0), placed(0.0, 0.1))
    model = bench.spec.compile()
    data = mj.MjData(model)
    for name, value in bench.state.items():
        data.joint(name).qpos = value
    mj.mj_forward(model, data)
    before = {part: data.body(body).xpos.copy() for part, body in bench.watched.items()}
    mj.mj_step(model, data, nstep=250)
    for part, body in bench.watched.items():
        assert np.abs(data.body(body).xpos - before[part]).max() < 2e-3


def test_what_all_stands_on_is_heavy_enough():
    """A wide top on a foot that would fall over if both were of one stuff; a root below all weighs the least."""
    foot, top = ((0, 0, 0.01), (0.06, 0.06, 0.02)), ((0.06, 0, 0.05), (0.16, 0.04, 0.04))
    tall = made(([foot], [top]), ("revolute", (0, 0, 1.0), (0.0, 0, 0.03)), 0.5, (False, True), rise=0.0)
    density = {
        name: {piece.part: piece.density for piece in twin_of(it)[0].spec.pieces}
        for name, it in (("tall", tall), ("low", lidded()))
    }
    assert density["tall"]["base"] > 1.4 * density["low"]["base"] and density["tall"]["lid"] == density["low"]["lid"]


@pytest.fixture(scope="module")
def folded():
    """Two bars, lifted and folded; a plan, the first of which is refused; and all that were asked about."""
    it, asked = bars(), []

    def first_slips(plan, motion):
        asked.append(plan)
        return "it slips" if len(asked) == 1 else ""

    where = placed(0.0, 0.05)
    return (
        it,
        plan_demonstration(load_robot("yumi"), "yumi", it.motion, where, it.workpiece, rehearsed=first_slips),
        asked,
    )


def test_what_fails_when_it_is_run_is_planned_otherwise(folded):
    it, plan, asked = folded
    assert len(asked) == 2 and plan.holds is asked[1].holds and "rehearsal" not in plan.checks
    first, second = (it.holds for it in asked)
    assert any(np.abs(a.T_part_grasp - b.T_part_grasp).max() > 1e-3 for a, b in zip(first, second, strict=True))
    args = load_robot("yumi"), "yumi", it.motion, placed(0.0, 0.05), it.workpiece
    none = plan_demonstration(*args, rehearsed=lambda plan, motion: "it slips")
    assert none.checks["rehearsal"] == "it slips"  # where none succeeds it is the first, and this is told
    np.testing.assert_allclose(none.motion.positions, asked[0].motion.positions)


def test_the_twin_tells_what_works(folded, tmp_path):
    """Two bars as planned; with open grippers; and where they stand elsewhere."""
    it, plan, _ = folded
    assert twin_check(it.workpiece, GROUND)(plan, it.motion) == ""
    done = rehearse_twin(plan, it.motion, it.workpiece, GROUND)
    assert done.verdict.success, done.verdict
    assert not rehearse_twin(plan, it.motion, it.workpiece, GROUND, open_grippers=True).verdict.success
    other = replace(plan, T_world_object=placed(0.0, 0.09))  # it stands elsewhere
    assert not rehearse_twin(other, it.motion, it.workpiece, GROUND).verdict.success
    film = tmp_path / "film.mp4"
    film.write_bytes(b"mine")
    with pytest.raises(BadInput, match="exists"):
        rehearse_twin(plan, it.motion, it.workpiece, GROUND, film=film)
    assert film.read_bytes() == b"mine"
