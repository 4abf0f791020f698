"""The pieces of inversion: algebra, minimal sets, landmarks, alignment, descent, semantics, and SPINE's way."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scene_labelled import labelled_field
from scene_located import CAMERA, look, photo, textured_field

from robodistill.capture.frame import Frame
from robodistill.config import InversionConfig
from robodistill.field.features import Decoder, FeatureLayer
from robodistill.geometry import se3
from robodistill.inversion.align import align
from robodistill.inversion.descent import SeenFeatures, descend
from robodistill.inversion.landmarks import Keypoints, Landmarks, Matches, lift, match_landmarks
from robodistill.inversion.minimal import align_points, pose_hypotheses
from robodistill.inversion.semantic import SemanticIndex, find_lumps
from robodistill.inversion.sparse import refine_pose
from robodistill.inversion.spine import PoseNetwork, one_shot
from robodistill.inversion.twist import moved, pixel_motion, pose_error
from robodistill.inversion.verify import weigh
from robodistill.inversion.views import ViewPose, draw, virtual_views

TRUE = look(0.5, 0.3, 0.6, 0.3)


@pytest.fixture(scope="module")
def field():
    return textured_field()


def in_camera(points, T):
    return (points - T[:3, 3]) @ T[:3, :3]


def test_small_motions_are_those_of_se3():
    """`moved` is T @ exp(twist) for rotations, and to second order in coupling; its derivative is `pixel_motion`."""
    twist = np.array([0.001, -0.002, 0.0015, 0.002, -0.001, 0.003])
    exact = TRUE @ se3.as_matrix(se3.exp(torch.from_numpy(twist))).numpy()
    assert np.abs(moved(TRUE, twist) - exact).max() < 5e-6
    points = np.random.default_rng(0).uniform(-0.3, 0.3, (5, 3))
    J = pixel_motion(in_camera(points, TRUE), CAMERA.K)
    for k in range(6):
        step = 1e-6 * np.eye(6)[k]
        ahead, behind = (CAMERA.project(in_camera(points, moved(TRUE, s)))[0] for s in (step, -step))
        assert np.allclose((ahead - behind) / 2e-6, J[..., k], rtol=1e-5, atol=1e-4)


def test_pose_error_is_distance_and_angle():
    """A tenth of a metre and 0.2 rad, and nothing for the same pose."""
    assert pose_error(TRUE, TRUE) == (0, 0)
    metres, angle = pose_error(TRUE, moved(TRUE, np.array([0.1, 0, 0, 0, 0.2, 0])))
    assert metres == pytest.approx(0.1) and angle == pytest.approx(0.2)


def test_points_are_aligned_exactly():
    """Three points each give back the rigid motion, never a reflection."""
    here = np.random.default_rng(1).normal(size=(20, 3, 3))
    there = here @ TRUE[:3, :3].T + TRUE[:3, 3]
    assert np.allclose(align_points(here, there), TRUE, atol=1e-9)


def noisy_matches(depth: bool, wrong: float, T=TRUE, n: int = 80, seed: int = 0) -> Matches:
    """Matches of which a share is wrong."""
    random = np.random.default_rng(seed)
    camera = np.stack([*(random.uniform(-0.3, 0.3, (2, n))), random.uniform(0.6, 1.2, n)], 1)
    points = camera @ T[:3, :3].T + T[:3, 3]
    pixels = CAMERA.project(camera)[0] + 0.3 * random.standard_normal((n, 2))
    bad = random.random(n) < wrong
    points[bad] = random.uniform(-0.5, 0.5, (bad.sum(), 3))
    measured = camera * (1 + 0.002 * random.standard_normal((n, 1))) if depth else None
    return Matches(pixels, points, np.full(n, 0.5), np.zeros(n, int), measured)


@pytest.mark.parametrize("depth", [False, True])
def test_most_matches_may_be_wrong(depth):
    """Two thirds of wrong matches hide no pose."""
    found = pose_hypotheses(noisy_matches(depth, 0.65), CAMERA.K, 800, 3, 4.0, np.random.default_rng(0))
    metres, angle = pose_error(found[0].T_world_camera, TRUE)
    assert metres < 0.01 and np.degrees(angle) < 0.5


def test_ambiguous_matches_give_several_hypotheses():
    """Where two poses have the same right, both are told, and none twice."""
    other = look(-0.4, 0.4, 0.6)
    a, b = noisy_matches(True, 0.0, n=40), noisy_matches(True, 0.0, other, n=40, seed=1)
    both = Matches(*(np.concatenate([getattr(m, k) for m in (a, b)]) for k in vars(a)))
    found = pose_hypotheses(both, CAMERA.K, 1000, 4, 4.0, np.random.default_rng(0))
    near = [[pose_error(h.T_world_camera, T)[0] < 0.01 for T in (TRUE, other)] for h in found]
    assert np.sum(near, 0).tolist() == [1, 1] and sum(map(any, near[:2])) == 2


def test_too_few_matches_give_none():
    """Three points always fit: they are no evidence."""
    few = noisy_matches(True, 0.0).take(np.arange(3))
    assert pose_hypotheses(few, CAMERA.K, 100, 3, 4.0, np.random.default_rng(0)) == []


def test_focal_length_and_pose_together():
    """From a start that is off by centimetres, half a degree and a tenth of the focal length."""
    K = CAMERA.K * [[1.1, 1.1, 1], [1.1, 1.1, 1], [1, 1, 1]]
    fit = refine_pose(noisy_matches(False, 0.0), moved(TRUE, np.full(6, 0.01)), K, 40.0, with_focal=True)
    assert fit.inliers.all() and fit.focal == pytest.approx(1 / 1.1, rel=0.01)
    assert pose_error(fit.T_world_camera, TRUE)[0] < 0.02


def test_rivals_are_other_places():
    """A landmark seen twice is no rival to itself; a second place that looks the same makes a match worthless."""
    looks = np.eye(128, dtype=np.float32)[:3]
    found = Keypoints(np.array([[10.0, 10], [20, 20]]), looks[:2])
    points = np.array([[0, 0, 0], [0.001, 0, 0], [1, 0, 0], [2, 0, 0], [3, 0, 0.0]])
    landmarks = Landmarks(points, looks[[0, 0, 1, 1, 2]], np.arange(5, dtype=np.int32))
    matches = match_landmarks(found, landmarks, 0.9, 0.05, None, CAMERA.K)
    assert matches.pixels.tolist() == [[10, 10]] and np.allclose(matches.points, [[0.0005, 0, 0]], atol=1e-3)


def test_keypoints_beside_a_step_are_not_lifted():
    """On a plane a pixel is lifted to where it is; beside a jump of depth nowhere."""
    depth = np.full((120, 160), 2.0, np.float32)
    depth[:, 80:] = 3.0
    points = lift(np.array([[40.5, 30.0], [79.6, 30.0], [120.0, 60.0]]), depth, CAMERA.K)
    assert np.allclose(CAMERA.project(points[[0, 2]])[0], [[40.5, 30], [120, 60]]) and np.isnan(points[1]).all()
    assert points[[0, 2], 2].tolist() == [2, 3]


@pytest.mark.parametrize("depth", [False, True])
def test_alignment_brings_a_displaced_pose_back(field, depth):
    """From 1.5 cm and 1 degree off, with one rendering: to 2 mm."""
    frame = photo(field, TRUE)
    frame = frame if depth else replace(frame, depth=None)
    start = moved(TRUE, np.array([0.01, -0.01, 0.005, 0.01, 0.01, -0.01]))
    found = align(draw(field, ViewPose(CAMERA, start)), frame, start)
    assert pose_error(start, TRUE)[0] > 0.014 and pose_error(found.T_world_camera, TRUE)[0] < 0.002
    assert (np.linalg.eigvalsh(found.information) > 0).all()


def test_descent_goes_down_and_never_up(field):
    """Along the rasteriser's gradient a pose that is 4 mm off comes nearer, and one that is right stays."""
    frame = photo(field, TRUE)
    start = moved(TRUE, np.array([0.003, -0.002, 0.002, 0.002, 0.003, -0.002]))
    assert pose_error(descend(field, frame, start, 3), TRUE)[0] < 0.35 * pose_error(start, TRUE)[0]
    assert pose_error(descend(field, frame, TRUE, 3), TRUE)[0] < 0.0005


def test_features_steer_where_colour_says_nothing(field):
    """On a picture of one grey, the features alone pull the pose back."""
    from robodistill.field.render import render

    codes = (field.sh[:, 0] * 2).contiguous()
    with torch.no_grad():
        image = render(field, CAMERA, TRUE, codes).features.numpy()
    gray = replace(field, sh=torch.zeros_like(field.sh))
    start = moved(TRUE, np.array([0.003, -0.002, 0.002, 0.002, 0.003, -0.002]))
    frame = photo(gray, TRUE)
    found = descend(gray, frame, start, 3, SeenFeatures(codes, image))
    assert pose_error(found, TRUE)[0] < 0.5 * pose_error(start, TRUE)[0]


def test_evidence_falls_with_the_pose(field):
    """The right pose explains the picture; five centimetres beside it does not."""
    frame = photo(field, TRUE)
    right, wrong = (
        weigh(draw(field, ViewPose(CAMERA, T)), frame, 50, 0.9)
        for T in (TRUE, moved(TRUE, np.array([0.05, 0, 0, 0, 0, 0])))
    )
    assert right.structure > 0.9 and right.alike > 0.95 and right.depth > 0.95 and right.color > 0.95
    assert wrong.structure < 0.5 and wrong.worst < right.worst and wrong.depth < right.depth


def test_virtual_views_stand_where_they_should(field):
    """Each own view comes as it is, nearer on the same ray, and lower at the same distance from what it looks at."""
    config = InversionConfig(views=4, max_side=80)
    views = list(virtual_views(field, config))
    assert len(views) == 12 and views[0].camera.width == 80
    own, near, low = (v.T_world_camera for v in views[:3])
    assert np.array_equal(own, field.views[0].T_world_camera)
    assert np.allclose(near[:3, :3], own[:3, :3]) and near[2, 3] < own[2, 3]
    assert low[2, 3] < own[2, 3] - 0.1
    middle = own[:3, 3] + own[:3, 2] * np.linalg.norm(own[:3, 3] - near[:3, 3]) / (1 - config.nearer)
    assert np.linalg.norm(low[:3, 3] - middle) == pytest.approx(np.linalg.norm(own[:3, 3] - middle))


class PaintedTeacher:
    """Sees exactly what the field was given."""

    spec, dim = "painted", 24

    def __init__(self, made):
        self.made = made

    def encode(self, frame: Frame) -> torch.Tensor:
        from robodistill.field.gaussians import FieldView

        return self.made.map(FieldView("", frame.camera, frame.T_world_camera))


def test_semantics_find_the_side_and_the_things():
    """The views that look most like a picture are those beside its camera; the two slabs are lumps, the wall is not."""
    made = labelled_field()
    layer = FeatureLayer("painted", "uplift", made.directions[made.labels], Decoder((torch.eye(24),), (None,)))
    field = replace(made.field, features={"painted": layer})
    index = SemanticIndex(field, layer, PaintedTeacher(made), InversionConfig(max_side=64))
    centers, looks = find_lumps(field, layer)
    assert len(centers) == 2 and np.allclose(np.sort(centers[:, 0]), [-0.37, 0.33], atol=0.04)
    assert (looks @ made.directions.mT).argmax(1).sort().values.tolist() == [1, 2]
    for k in (0, len(field.views) - 1):
        view = field.views[k]
        frame = Frame(np.zeros((48, 64, 3), np.uint8), None, view.camera, view.T_world_camera)
        similar = index.similarities(made.map(view))
        own = next(i for i, v in enumerate(index.views) if np.array_equal(v.T_world_camera, view.T_world_camera))
        assert similar[own] > similar.max() - 0.06 and similar.min() < similar.max() - 0.1
        x = [h.T_world_camera[0, 3] for h in index.propose(frame)]
        assert x[0] == pytest.approx(view.T_world_camera[0, 3], abs=0.01) and len(x) == 3
        pairs = index.landmark_matches(made.map(view), frame)
        seen = view.camera.project(in_camera(pairs.points, view.T_world_camera))[0]
        assert len(pairs) == 2 and np.abs(seen - pairs.pixels).max() < 6


def test_spines_way_works_beside_a_view(field):
    """The network learns where its own views are; one SIFT-PnP from a view beside is right."""
    network = PoseNetwork(field, 160, steps=1800)
    errors = []
    for view in field.views:
        rgb = draw(field, ViewPose(view.camera, view.T_world_camera)).rgb
        frame = Frame(rgb, None, view.camera, None)
        errors.append(pose_error(network.propose(frame)[0].T_world_camera, view.T_world_camera)[0])
        assert np.isfinite(network.entropy(frame))
    assert np.median(errors) < 0.1
    frame = photo(field, TRUE)
    beside = draw(field, ViewPose(CAMERA, moved(TRUE, np.array([0.05, 0.02, 0, 0, 0, 0.1]))))
    assert pose_error(one_shot(beside, frame), TRUE)[0] < 0.03
    assert one_shot(beside, replace(frame, rgb=np.zeros_like(frame.rgb))) is None
