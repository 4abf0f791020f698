"""Tracking: layers, the quadratic of a frame, joints as coordinates, a film of two boxes, files."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from two_boxes import CAMERA, FRAMES, HINGE, make_film, make_model, start

from robodistill.config import TrackingConfig
from robodistill.errors import BadInput, HonestNo, UnsupportedVersion
from robodistill.tracking.articulation import Articulation, State, Tied, in_order, joint_motion, moved_parts
from robodistill.tracking.background import Background
from robodistill.tracking.joint_trial import try_joints
from robodistill.tracking.layers import Window
from robodistill.tracking.look import Look
from robodistill.tracking.model import PartModel
from robodistill.tracking.motion import Joint, PartMotion
from robodistill.tracking.photometric import linearize, misfit, unlit
from robodistill.tracking.picture import Picture
from robodistill.tracking.priors import find_contacts, together
from robodistill.tracking.refine import Refined, bridged, refine
from robodistill.tracking.track import track_parts
from robodistill.tracking.tracker import Followed
from robodistill.tracking.unite import merged, united


@pytest.fixture(scope="module")
def model() -> PartModel:
    return make_model()


@pytest.fixture(scope="module")
def film(model: PartModel) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    return make_film(model)


def test_layers_hide_each_other(model: PartModel):
    """From above the lid hides the base; what is in sight of all parts never exceeds a pixel."""
    layers = model.draw(np.stack([start()] * 2), Window(CAMERA, 0, 0, 160, 120))
    seen = (layers.in_sight * layers.alpha).sum((1, 2))
    assert 0 < seen[0] < 0.8 * layers.alpha[0].sum() and seen[1] > 0.95 * layers.alpha[1].sum()
    assert (layers.in_sight * layers.alpha).sum(0).max() < 1.001


def test_quadratic_points_to_the_pose(model: PartModel, film: tuple):
    """One step from 3 mm and 1 degree off leaves less than half of the error, in each part."""
    frames, poses, _ = film
    window = Window(CAMERA, 0, 0, 160, 120)
    behind = np.full((120, 160, 3), 0.4, np.float32)
    layers = model.draw(poses[0], window)
    picture = Picture(layers.over(layers.color, behind), behind, np.ones((120, 160), np.float32), CAMERA)
    off = moved_parts(
        poses[0], model.centers, np.tile([0.002, -0.002, 0.001, 0.01, -0.01, 0.01], 2) * np.repeat([1, -1], 6)
    )
    q = linearize(model, off, picture, 0.05)
    assert q.H.shape == (12, 12) and np.allclose(q.H, q.H.T, rtol=1e-3, atol=1) and (q.visible > 0.7).all()
    on = moved_parts(off, model.centers, -np.linalg.solve(q.H, q.g))
    error = [np.linalg.norm(model.posed_points(Ts) - model.posed_points(poses[0]), axis=1) for Ts in (off, on)]
    assert error[1].mean() < 0.5 * error[0].mean()
    assert misfit(model, poses[0], picture, 0.05, None, 0.0) < misfit(model, on, picture, 0.05, None, 0.0) < q.cost


def test_coordinates_of_joints():
    """Jacobians of a tree with every kind of joint are those of finite differences."""
    rng = np.random.default_rng(0)

    def joint(kind: str, parent: int, child: int) -> Joint:
        axis = rng.normal(size=3)
        pitch = 0.01 if kind == "screw" else 0.0
        return Joint(
            kind, parent, child, axis / np.linalg.norm(axis), rng.normal(size=3) / 10, pitch, np.zeros(1), (0, 1)
        )

    joints = (joint("screw", 2, 3), joint("revolute", 1, 0), joint("prismatic", 0, 2), joint("free", 0, 4))
    tree = Articulation(in_order(joints, 5), rng.normal(size=(5, 3)) / 10)
    assert tree.root == 1 and tree.freedoms == 15
    loose = np.tile(np.eye(4), (4, 1, 1))
    loose[:, 0, 3] = 0.05
    state = State(start(), rng.normal(size=4) / 3, loose)
    poses, step = tree.poses(state), 1e-6

    def twist(other: np.ndarray) -> np.ndarray:
        shift = np.einsum("pij,pj->pi", (other - poses)[:, :3, :3], tree.centers) + (other - poses)[:, :3, 3]
        turn = Rotation.from_matrix(other[:, :3, :3] @ poses[:, :3, :3].transpose(0, 2, 1)).as_rotvec()
        return np.concatenate([shift, turn], 1).ravel() / step

    moved = np.array([twist(tree.poses(tree.moved(state, x))) for x in step * np.eye(15)]).T
    assert np.allclose(moved, tree.jacobian(state), atol=1e-5)
    shaped = tree.shape_jacobian(state)
    assert shaped.shape == (30, 11)
    reshaped = np.array([twist(tree.reshaped(x).poses(state)) for x in step * np.eye(11)]).T
    assert np.allclose(reshaped, shaped, atol=1e-4)
    assert np.allclose(tree.poses(tree.nearest(poses)), poses, atol=1e-9)


def test_background_is_learned_behind_the_object():
    """A pixel that the object covers first is known from later frames; what always differs stays unknown."""
    scene = np.full((20, 30, 3), 200, np.uint8)
    rng = np.random.default_rng(0)
    frames = []
    for k in range(24):
        frame = scene.copy()
        frame[5:12, 2 + k : 9 + k] = (30, 90, 30)
        frame[18:, 28:] = rng.integers(0, 255, (2, 2, 3))
        frames.append(frame)
    covered = np.zeros((20, 30), bool)
    covered[5:12, 2:9] = True
    background = Background(frames, covered)
    known = background.known > 0
    assert known[6:11, 3:7].all() and not known[19, 29]
    assert np.abs(background.rgb[known] - 200 / 255).max() < 0.02


def test_shadows_are_light_on_the_background():
    """A darker place of the background's colour is the background in shadow; one of another colour, or of nearly that
    one, as brown hands are before wood, is not, unless the film is as noisy as that."""
    behind = np.zeros((20, 30, 3), np.float32)
    behind[:] = (0.8, 0.6, 0.4)
    background = Background([(255 * behind).astype(np.uint8)] * 3, np.zeros((20, 30), bool))
    seen = behind.copy()
    seen[5:15, 3:13] *= 0.6
    seen[5:15, 17:27] = (0.2, 0.5, 0.5)
    under = background.under(seen)
    assert np.abs(under - seen)[7:13, 5:11].max() < 0.05 < np.abs(under - behind)[7:13, 5:11].min()
    assert np.abs(under - behind)[7:13, 19:25].max() < 0.01
    hand = behind.copy()
    hand[5:15, 3:13] = 0.6 * behind[0, 0] + np.array([0.016, -0.022, 0.001], np.float32)
    assert np.abs(background.under(hand) - behind)[7:13, 5:11].max() < 0.01
    grains = np.random.default_rng(0).normal(0, 0.04, (8, 20, 30, 3))
    noisy = Background(list((255 * (behind + grains).clip(0, 1)).astype(np.uint8)), np.zeros((20, 30), bool))
    assert np.abs(noisy.under(hand) - hand)[7:13, 5:11].mean() < 0.05


def test_what_is_hidden_goes_with_its_neighbour(model: PartModel):
    """Moved by one twist, all parts stay to each other; a part left behind is drawn to where its neighbour went."""
    Ts, x = np.stack([start()] * 2), np.array([0.02, -0.01, 0.03, 0.2, -0.1, 0.3])
    whole = Tied(model.centers, np.zeros(2, int))
    after = whole.moved(Ts, x)
    assert np.allclose(np.linalg.inv(after[0]) @ after[1], np.linalg.inv(Ts[0]) @ Ts[1])
    by_parts = moved_parts(Ts, model.centers, whole.jacobian(Ts) @ (1e-5 * x))
    assert np.abs(by_parts - whole.moved(Ts, 1e-5 * x)).max() < 1e-9
    left = np.stack([after[0], Ts[1]])
    H, g = together(model, left, Ts, find_contacts(model, 0.03 * model.size), 0.005)
    free = np.arange(6, 12)
    step = np.zeros(12)
    step[free] = -np.linalg.solve(H[np.ix_(free, free)], g[free])
    assert np.abs(moved_parts(left, model.centers, step) - after).max() < 1e-6


def test_tied_parts_have_one_twist_of_each_group(model: PartModel):
    """Two groups of two: each stays as it is, and small steps are those of the Jacobian."""
    Ts, groups = np.stack([start()] * 4), np.array([0, 1, 0, 1])
    tied, x = Tied(np.tile(model.centers, (2, 1)), groups), np.tile([0.02, -0.01, 0.03, 0.2, -0.1, 0.3], 2)
    x[6:] *= -0.5
    after = tied.moved(Ts, x)
    assert np.allclose(after[groups == 0][0], after[groups == 0][1]) and not np.allclose(after[0], after[1], atol=0.01)
    by_parts = moved_parts(Ts, tied.centers, tied.jacobian(Ts) @ (1e-5 * x))
    assert np.abs(by_parts - tied.moved(Ts, 1e-5 * x)).max() < 1e-9


def test_joints_are_tried_in_the_pictures(model: PartModel, film: tuple):
    """With the lid lost in all frames and a slide believed in, the pictures still show the hinge."""
    frames, poses, angles = film
    covered = model.draw(poses[0], Window(CAMERA, 0, 0, 160, 120)).alpha.max(0) > 0.03
    background = Background(frames, covered)
    Ts = np.stack([np.stack([T[0], T[0]]) for T in poses])
    pictures = [Picture(f.astype(np.float32) / 255, background.rgb, background.known, CAMERA) for f in frames]
    quadratics = [linearize(model, T, picture, 0.05) for T, picture in zip(Ts, pictures, strict=True)]
    slide = Joint("prismatic", 0, 1, np.array([0, 0, 1.0]), model.centers[1], 0.0, np.zeros(FRAMES), (0.0, 0.05))
    trial = try_joints(model, frames, CAMERA, Followed(Ts, quadratics, background), slide, TrackingConfig())
    joint = trial.joint
    assert trial.gain > 0.05 and len(trial.frames) == len(joint.values)
    assert joint.kind == "revolute" and np.degrees(np.arccos(min(1.0, abs(joint.axis @ HINGE.axis)))) < 5
    assert np.linalg.norm(np.cross(joint.origin - HINGE.origin, HINGE.axis)) < 0.01
    assert abs(np.ptp(joint.values) - np.ptp(angles)) < 0.15


def test_a_joint_that_no_frame_shows_stays_as_it_was(model: PartModel, film: tuple):
    """With all of the thing behind the camera there is nothing to try it in."""
    frames, poses, _ = film
    away = poses.copy()
    away[:, :, 2, 3] -= 5
    background = Background(frames, np.zeros((120, 160), bool))
    pictures = [Picture(f.astype(np.float32) / 255, background.rgb, background.known, CAMERA) for f in frames]
    quadratics = [linearize(model, T, picture, 0.05) for T, picture in zip(away, pictures, strict=True)]
    trial = try_joints(model, frames, CAMERA, Followed(away, quadratics, background), HINGE, TrackingConfig())
    assert trial.joint is HINGE and len(trial.frames) == FRAMES == len(trial.joint.values) and trial.objection == 0


def test_a_part_in_shadow_is_found(model: PartModel, film: tuple):
    """At half of its light, which nobody knows, the open lid costs least where it is, and more inside the base."""
    frames, poses, angles = film
    window, behind = Window(CAMERA, 0, 0, 160, 120), np.full((120, 160, 3), 0.4, np.float32)
    layers = model.draw(poses[9], window)
    lit = layers.color.copy()
    lit[1] *= 0.5
    picture = Picture(layers.over(lit, behind), behind, np.ones((120, 160), np.float32), CAMERA)
    q = linearize(model, poses[9], picture, 0.05)
    look = Look.at(model, picture, poses[9], replace(q, visible=np.array([0.9, 0.1])), TrackingConfig())
    values = angles[9] + np.array([-0.6, -0.3, 0.0, 0.3, 0.6])
    tried = [np.stack([poses[9][0], poses[9][0] @ joint_motion(HINGE, value)]) for value in values]
    costs = [look.cost(Ts, [1]) for Ts in tried]
    assert np.argmin(costs) == 2
    known = Look.at(model, picture, poses[9], replace(q, visible=np.ones(2), lights=unlit(2)), TrackingConfig())
    assert costs[2] < known.cost(tried[2], [1]) - 0.05
    inside = tried[2].copy()
    inside[1] = poses[9][0] @ np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, -0.045], [0, 0, 0, 1.0]])
    assert costs[2] < look.cost(inside, [1])


def test_what_was_lost_far_away_is_found_beside_its_neighbour(model: PartModel, film: tuple):
    """The last frames a third further off, where none begins nearer: the one before says that it may."""
    frames, poses, _ = film
    background = Background(frames, model.covered(poses[0], CAMERA))
    Ts = poses.copy()
    Ts[10:, :, :3, 3] *= 1.35
    quadratics = [
        linearize(model, T, Picture(f / np.float32(255), background.rgb, background.known, CAMERA), 0.05)
        for T, f in zip(Ts, frames, strict=True)
    ]
    tree = Articulation((replace(HINGE, range=(-1.2, 0.2)),), model.centers)
    found = refine(model, frames, CAMERA, background, Ts, quadratics, tree, replace(TrackingConfig(), joint_rounds=1))
    for t in range(10, len(frames)):
        off = model.posed_points(found.articulation.poses(found.states[t])) - model.posed_points(poses[t])
        assert np.linalg.norm(off, axis=1).mean() < 0.004, t


def test_what_jumps_on_its_joint_is_bridged(model: PartModel, film: tuple):
    """Some frames that disagree with those around, and one without the part; quick motion that turns back stays."""
    _, poses, _ = film
    values = np.concatenate([np.zeros(10), np.linspace(0, -0.9, 12), np.linspace(-0.9, -0.4, 8)])
    jumping, lost = values.copy(), [13, 14, 16]
    jumping[lost] += [0.3, -0.25, 0.4]
    jumping[4] = 0.7
    seen = linearize(model, poses[0], Picture(np.zeros((120, 160, 3), np.float32), *_plain(), CAMERA), 0.05)
    seen = replace(seen, cost=-1.0, visible=np.ones(2))
    quadratics = [replace(seen, visible=np.array([1.0, 0.0])) if t == 4 else seen for t in range(30)]
    tree = Articulation((HINGE,), model.centers)

    def again(values: np.ndarray) -> np.ndarray:
        states = [State(start(), np.array([value]), np.eye(4)[None]) for value in values]
        found = bridged(Refined(tree, states, quadratics, np.zeros((4, 4))), model)
        return np.array([state.values[0] for state in found.states])

    assert np.abs(again(jumping) - values).max() < 0.05
    assert np.allclose(again(values), values)


def _plain() -> tuple[np.ndarray, np.ndarray]:
    """A background, and that it is known."""
    return np.zeros((120, 160, 3), np.float32), np.ones((120, 160), np.float32)


def test_all_goes_where_most_is_seen(model: PartModel, film: tuple):
    """With the base lost in four frames and the lid not, the joint pass has both back: it holds the lid."""
    frames, poses, angles = film
    covered = model.draw(poses[0], Window(CAMERA, 0, 0, 160, 120)).alpha.max(0) > 0.03
    background = Background(frames, covered)
    Ts, lost = poses.copy(), range(6, 10)
    Ts[6:10, 0, :3, 3] += [0.05, 0.03, 0.02]
    quadratics = [
        linearize(model, T, Picture(f / np.float32(255), background.rgb, background.known, CAMERA), 0.05)
        for T, f in zip(Ts, frames, strict=True)
    ]
    for t in lost:
        quadratics[t] = replace(quadratics[t], visible=np.array([0.2, 0.9]))
    tree = Articulation((replace(HINGE, range=(-1.2, 0.2)),), model.centers)
    lean = replace(TrackingConfig(), joint_rounds=1)
    found = refine(model, frames, CAMERA, background, Ts, quadratics, tree, lean)
    off = [model.posed_points(found.articulation.poses(found.states[t])) - model.posed_points(poses[t]) for t in lost]
    assert np.linalg.norm(off, axis=2).mean() < 0.003
    assert np.abs([found.states[t].values[0] - angles[t] for t in lost]).max() < np.radians(4)


@pytest.fixture(scope="module")
def motion(model: PartModel, film: tuple) -> PartMotion:
    """Tracked from a first pose 3 mm off."""
    frames, poses, _ = film
    near = moved_parts(poses[0][:1], model.centers[:1], np.array([0.002, -0.002, 0.002, 0.01, 0, 0]))[0]
    return track_parts(
        *(model.field, model.labels, ("base", "lid"), frames, np.arange(FRAMES) / 30, CAMERA),
        T_camera_object=near,
        config=replace(TrackingConfig(), joint_rounds=2),
    )


def test_film_is_followed(model: PartModel, film: tuple, motion: PartMotion):
    """Points right to 3 mm, the hinge to 2 degrees and 4 mm, its angles to 3 degrees; what is covered is seen less."""
    _, poses, angles = film
    found = [model.posed_points(Ts) for Ts in motion.Ts_camera_part]
    error = np.array([np.linalg.norm(a - model.posed_points(b), axis=1) for a, b in zip(found, poses, strict=True)])
    assert error.mean() < 0.003 and np.quantile(error, 0.99) < 0.012
    (joint,) = motion.joints
    assert joint.kind == "revolute" and {joint.parent, joint.child} == {0, 1}
    assert np.degrees(np.arccos(min(1.0, abs(joint.axis @ HINGE.axis)))) < 2
    offset = joint.origin - HINGE.origin
    assert np.linalg.norm(np.cross(offset, HINGE.axis)) < 0.004
    assert np.abs(np.abs(joint.values) - np.abs(angles)).max() < np.radians(3)
    assert motion.visible[5:].min() < 0.9 < motion.visible[:3].min() and motion.held[6:12].any()


def test_another_object_is_refused(model: PartModel, film: tuple):
    """A film in which the object is not: an honest no."""
    noise = np.random.default_rng(3)
    frames = [noise.integers(0, 255, (120, 160, 3), np.uint8) for _ in range(4)]
    with pytest.raises(HonestNo, match="does not show"):
        track_parts(model.field, model.labels, "ab", frames, np.arange(4), CAMERA, T_camera_object=start())


def test_motion_comes_back_from_its_file(motion: PartMotion, tmp_path):
    """All of it; nothing is overwritten; a file of another schema or without its arrays is named."""
    path = motion.save(tmp_path / "m.json")
    again = PartMotion.load(path)
    assert np.array_equal(again.Ts_camera_part, motion.Ts_camera_part) and again.joints[0].kind == motion.joints[0].kind
    assert np.allclose(again.joints[0].values, motion.joints[0].values) and again.root == motion.root
    with pytest.raises(BadInput, match="exists"):
        motion.save(path)
    path.write_text(path.read_text().replace('"schema": 1', '"schema": 9'))
    with pytest.raises(UnsupportedVersion, match="schema 9"):
        PartMotion.load(path)
    path.with_suffix(".safetensors").unlink()
    with pytest.raises(BadInput, match="cannot be read"):
        PartMotion.load(path)


def test_parts_that_move_as_one_are_one(model: PartModel, film: tuple, motion: PartMotion):
    """Pairs are joined through others, the table is left alone; no pair, no change. The lid is not part of the base."""
    labels = np.array([0, 1, 2, -1, 3])
    assert merged(labels, [(0, 2), (2, 3)], 4).tolist() == [0, 1, 0, -1, 0]
    assert merged(labels, [], 4) is None
    labels = model.labels.copy()
    labels[(labels == 1) & (model.points[:, 0] > 0.03)] = 2  # the lid in two
    frames, poses, _ = film
    halves = track_parts(
        *(model.field, labels, "abc", frames, np.arange(FRAMES) / 30, CAMERA),
        T_camera_object=poses[0][0],
        config=replace(TrackingConfig(), joint_rounds=1),
        merge=True,
    )
    assert len(halves.parts) == 2 and len(np.unique(halves.labels[model.labels == 1])) == 1


def test_each_part_left_out(model: PartModel):
    """What is seen without one part is what is seen of the others."""
    layers = model.draw(np.stack([start(), start()]), Window(CAMERA, 0, 0, 160, 120))
    behind = np.random.default_rng(0).uniform(0, 1, (120, 160, 3)).astype(np.float32)
    for p in range(2):
        box = layers.box(p, 3)
        other = layers.color[1 - p] + (1 - layers.alpha[1 - p])[..., None] * behind
        np.testing.assert_allclose(layers.without(p, layers.color, behind, box), other[box], atol=1e-5)
        outside = layers.alpha[p].copy()
        outside[box] = 0
        assert outside.max() <= 1e-3


def test_parts_that_went_together_are_united(model: PartModel, motion: PartMotion):
    """A lid in two halves, each on its hinge, one of them lost now and then: one lid, on the hinge of the larger."""
    labels = motion.labels.copy()
    labels[(labels == 1) & (model.points[:, 0] > 0.03)] = 2
    Ts = motion.Ts_camera_part[:, [0, 1, 1]].copy()
    Ts[3, 2, 0, 3] += 0.1
    each = {name: getattr(motion, name)[:, [0, 1, 1]] for name in ("confidence", "visible", "held")}
    halves = replace(
        motion,
        parts=("base", "lid", "half"),
        Ts_camera_part=Ts,
        joints=(motion.joints[0], replace(motion.joints[0], child=2)),
        labels=labels,
        **each,
    )
    one = united(halves, model.points, 0.01, model.size)
    assert one.parts == ("base", "lid") and np.array_equal(one.labels, motion.labels)
    assert [(j.parent, j.child) for j in one.joints] == [(0, 1)]
    assert np.array_equal(one.Ts_camera_part, motion.Ts_camera_part)
    assert united(motion, model.points, 0.01, model.size) is motion
    Ts[-3:, 2, 2, 3] += 0.02  # at the end one half comes off
    assert len(united(replace(halves, Ts_camera_part=Ts), model.points, 0.01, model.size).parts) == 3


def test_another_root(motion: PartMotion):
    """Told from the lid, the same joint moves the base, and its values take it to the same places."""
    turned = motion.rooted(1)
    assert turned.root == 1 and motion.rooted(motion.root).joints == motion.joints
    joint = turned.joints[0]
    assert (joint.parent, joint.child) == (1, 0)
    for k in (3, FRAMES - 1):
        found = Articulation(turned.joints, np.zeros((2, 3))).poses(
            State(motion.Ts_camera_part[k, 1], np.array([joint.values[k]]), np.eye(4)[None])
        )
        np.testing.assert_allclose(found, motion.Ts_camera_part[k], atol=1e-6)
