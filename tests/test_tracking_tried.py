"""The tree of joints that pictures bear out, and the parts that are put on it before others are tried again."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from two_boxes import CAMERA, HINGE, make_film, make_model, start

import robodistill.tracking.tried as tried
from robodistill.config import TrackingConfig
from robodistill.tracking.articulation import Articulation, State, joint_motion
from robodistill.tracking.background import Background
from robodistill.tracking.joint_trial import Trial
from robodistill.tracking.occluder import field_palette
from robodistill.tracking.photometric import linearize
from robodistill.tracking.room import free_range
from robodistill.tracking.tracker import Followed, picture_of

MODEL = SimpleNamespace(parts=3, radii=np.array([0.05, 0.04, 0.03]), size=0.2, points=np.zeros((3, 3)))
ASKED = np.array([0, 2, 4])


def trial(parent: int, child: int, objection: float, gain: float = 0.1) -> Trial:
    asked = replace(HINGE, parent=parent, child=child, values=np.zeros(6))
    Ts = np.tile(start(), (3, 3, 1, 1))
    for T, value in zip(Ts, (0.0, 0.2, 0.4), strict=True):  # whichever of the two was lost
        T[parent] = T[child] @ np.linalg.inv(joint_motion(HINGE, value))
    return Trial(asked, replace(asked, values=np.array([0.0, 0.2, 0.4])), ASKED, Ts, gain, -2.0, objection)


def likeliest(monkeypatch: pytest.MonkeyPatch, tree: list[Trial], rival: Trial, costs: dict[str, float]) -> list[Trial]:
    """The tree, where pictures cost what is told of each two pairs, such as "0112"."""

    def cost_on(*args):
        return costs["".join(sorted(f"{min(pair)}{max(pair)}" for pair in ((j.parent, j.child) for j in args[5])))]

    monkeypatch.setattr(tried, "_cost_on", cost_on)
    monkeypatch.setattr(tried, "telling_looks", lambda *args: (ASKED, []))
    return tried._likeliest_tree(MODEL, [], None, None, tree, [rival], TrackingConfig())


def pairs(trials: list[Trial]) -> list[tuple[int, int]]:
    return [(trial.joint.parent, trial.joint.child) for trial in trials]


def test_a_rival_is_in_the_tree_where_pictures_are_clearly_nearer(monkeypatch: pytest.MonkeyPatch):
    """The part with two joints carries the others, however they were asked; a tie leaves the tree as it was."""
    tree, rival = [trial(2, 1, 0.2), trial(0, 2, -0.1)], trial(1, 0, 0.0)
    far = {"0112": -5.0, "0212": -5.0, "0102": -5.04}
    assert likeliest(monkeypatch, tree, rival, far) == tree
    chosen = likeliest(monkeypatch, tree, rival, {**far, "0102": -5.2})
    assert sorted(pairs(chosen)) == [(0, 1), (0, 2)]
    turned = next(t for t in chosen if t.joint.child == 1)
    assert np.allclose(turned.joint.axis, -HINGE.axis) and turned.asked.parent == 0


def test_trees_cost_what_pictures_say_of_all_their_joints():
    """In a film of a hinge less than about an edge next to it."""
    model = make_model()
    frames, poses, angles = make_film(model)
    background = Background(frames, model.covered(poses[0], CAMERA), field_palette(model.field))
    asked = np.array([3, 6, 9, 12])
    quadratics = [
        linearize(model, T, picture_of(f, CAMERA, background), 0.05) for T, f in zip(poses, frames, strict=True)
    ]
    followed = Followed(poses, quadratics, background)

    def cost(origin: np.ndarray) -> float:
        joint = replace(HINGE, origin=origin, values=angles[asked])
        return tried._cost_on(model, frames, CAMERA, followed, asked, [joint], TrackingConfig())

    assert cost(HINGE.origin) < cost(HINGE.origin * [1, -1, 1]) - 0.1


def test_what_is_sure_is_in_place_when_others_are_tried_again(monkeypatch: pytest.MonkeyPatch):
    """The surer pair goes where its joint has it, in the frames that were asked; the other is asked once more there."""
    seen: list[tuple[tuple[int, int], np.ndarray]] = []

    def fake(model, frames, camera, followed, joint, config):
        seen.append(((joint.parent, joint.child), followed.Ts_camera_part))
        sure = joint.child == 1
        result = trial(joint.parent, joint.child, 0.0, 0.3 if sure else 0.01)
        return result if sure else replace(result, joint=replace(result.joint, kind="fixed"), objection=0.1)

    monkeypatch.setattr(tried, "try_joints", fake)
    monkeypatch.setattr(tried, "reach", lambda model, joint: 0.1)
    monkeypatch.setattr(tried, "free_range", lambda model, joint: joint.range)
    followed = Followed(np.tile(start(), (6, 3, 1, 1)), [], None)
    joints = [trial(0, 2, 0.0).asked, trial(0, 1, 0.0).asked]
    found = tried.tried_joints(MODEL, [None] * 6, None, followed, joints, (), TrackingConfig())
    assert [pair for pair, _ in seen] == [(0, 2), (0, 1), (0, 2)]
    assert np.allclose(seen[2][1][4, 0], start() @ np.linalg.inv(joint_motion(HINGE, 0.4)))
    assert np.allclose(seen[2][1][3], start()) and np.allclose(followed.Ts_camera_part, start())
    assert [joint.kind for joint in found] == ["fixed", "revolute"] and found[0].values.shape == (6,)
    assert found[1].range == pytest.approx((-0.4, 0.8))


def test_what_is_put_in_place_may_be_in_the_way(monkeypatch: pytest.MonkeyPatch):
    """Then what was found before stays, if it was clearly nearer."""
    for again, kept in ((-1.9, True), (-1.99, False), (-2.1, False)):
        asked = []

        def fake(model, frames, camera, followed, joint, config, again=again, asked=asked):
            asked.append(joint.child)
            if joint.child == 1:
                return trial(0, 1, 0.0, 0.3)
            slid = asked.count(2) > 1
            found = trial(0, 2, 0.1, 0.04)
            return replace(found, joint=replace(found.joint, kind="prismatic"), cost=again) if slid else found

        monkeypatch.setattr(tried, "try_joints", fake)
        monkeypatch.setattr(tried, "_with_room", lambda model, joint, count: joint)
        joints = [trial(0, 2, 0.0).asked, trial(0, 1, 0.0).asked]
        followed = Followed(np.tile(start(), (6, 3, 1, 1)), [], None)
        found = tried.tried_joints(MODEL, [None] * 6, None, followed, joints, (), TrackingConfig())
        assert asked == [2, 1, 2] and (found[0].kind == "revolute") == kept


def test_one_that_moves_must_be_nearer_than_one_that_does_not(monkeypatch: pytest.MonkeyPatch):
    """A fixed one of the tree stays, and one that is not of it goes before one that moves, unless pictures object."""
    still = trial(0, 1, 0.0)
    still = replace(still, joint=replace(still.joint, kind="fixed"))
    for off, kept in ((0.05, True), (0.4, False)):
        costs = {"0102": -5.0, "0112": -5.0, "0212": -5.0 - off}
        chosen = likeliest(monkeypatch, [still, trial(0, 2, 0.0)], trial(1, 2, 0.0), costs)
        assert any(it.joint.kind == "fixed" for it in chosen) == kept


def test_a_lid_does_not_turn_into_its_box():
    """Upwards as far as is asked, downwards a little; a slide is not asked."""
    model = make_model()
    wide = replace(HINGE, range=(-1.5, 1.5))
    low, high = free_range(model, wide)
    downwards = (HINGE.axis @ [1.0, 0, 0]) > 0  # about x a positive turn takes what is at less y down
    free, stopped = (low, high) if downwards else (high, low)
    assert abs(free) == 1.5 and 0.05 < abs(stopped) < 0.6
    assert free_range(model, replace(wide, kind="prismatic")) == (-1.5, 1.5)


def test_no_step_leads_out_of_a_known_range():
    """Of a bounded tree; one whose ranges are guesses goes where the step leads."""
    state = State(start(), np.array([0.3]), np.eye(4)[None])
    for bounded, value in ((True, 1.0), (False, 2.3)):
        tree = Articulation((replace(HINGE, range=(0.0, 1.0)),), np.zeros((2, 3)), bounded)
        assert tree.moved(state, np.array([0, 0, 0, 0, 0, 0, 2.0])).values[0] == pytest.approx(value)
