"""Joints from noisy poses: the kind, where it is, how far it went, and which parts it joins."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from robodistill.tracking.articulation import joint_motion
from robodistill.tracking.joints import fit_joint, fit_tree

FRAMES = 60
CLOUD = np.random.default_rng(99).uniform(-0.5, 0.5, (200, 3)) * [0.10, 0.08, 0.03]


def poses(turn, shift):
    T = np.tile(np.eye(4), (len(shift), 1, 1))
    T[:, :3, :3], T[:, :3, 3] = turn.as_matrix(), shift
    return T


def opening(rng, far):
    """(T,) values: still, to the far end, a pause, part of the way back."""
    q = np.interp(np.linspace(0, 1, FRAMES), [0, 0.12, 0.5, 0.6, 1], [0, 0, 1, 1, rng.uniform(0.1, 0.5)])
    return far * gaussian_filter1d(q, 2, mode="nearest")


def turning(axis, origin, values, pitch=0.0):
    turn = Rotation.from_rotvec(values[:, None] * axis)
    return poses(turn, origin - turn.apply(origin) + pitch * values[:, None] * axis)


def sliding(axis, values):
    return poses(Rotation.identity(len(values)), values[:, None] * axis)


def carried(rng):
    """(T, 4, 4) a smooth path of the whole."""
    path = gaussian_filter1d(rng.normal(size=(FRAMES, 6)), 8, axis=0, mode="nearest") * 3
    return poses(Rotation.from_rotvec(path[:, :3] * 0.3), path[:, 3:] * 0.03 + [0, 0, 0.5])


def noisy(Ts, middle, rng, metres=0.002, degrees=1.0):
    """Errors about the part's own middle."""
    wrong = Rotation.from_rotvec(np.radians(degrees) * rng.normal(size=(len(Ts), 3)))
    out = Ts.copy()
    out[:, :3, :3] = wrong.as_matrix() @ Ts[:, :3, :3]
    at = Ts[:, :3, :3] @ middle + Ts[:, :3, 3] + metres * rng.normal(size=(len(Ts), 3))
    out[:, :3, 3] = at - out[:, :3, :3] @ middle
    return out


def draw(kind, rng):
    """True relative motion, axis, origin, values and pitch, and the child's points."""
    points = CLOUD + rng.uniform(-0.05, 0.05, 3)
    axis = rng.normal(size=3)
    axis /= np.linalg.norm(axis)
    origin = points.mean(0) + rng.uniform(-0.05, 0.05, 3)
    pitch = 0.002 if kind == "screw" else 0.0
    values = opening(rng, {"fixed": 0.0, "prismatic": 0.05, "revolute": 1.2, "screw": 4.0, "free": 0.0}[kind])
    if kind == "prismatic":
        return sliding(axis, values), axis, origin, values, pitch, points
    if kind == "free":
        path = carried(rng)
        return np.linalg.inv(path[0]) @ path, axis, origin, values, pitch, points
    return turning(axis, origin, values, pitch), axis, origin, values, pitch, points


def seen(M, points, rng, **noise):
    body = carried(rng)
    return noisy(body, np.array([0.0, 0.0, -0.03]), rng, **noise), noisy(body @ M, points.mean(0), rng, **noise)


@pytest.mark.parametrize("kind", ["fixed", "prismatic", "revolute", "screw", "free"])
def test_kinds_axes_and_ranges(kind):
    """At 2 mm and 1 degree of noise: the kind always, the axis within a degree, its place within 3 mm in the median."""
    angles, places, ranges = [], [], []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        M, axis, origin, values, pitch, points = draw(kind, rng)
        fit = fit_joint(*seen(M, points, rng), points)
        joint = fit.joint
        assert joint.kind == kind, (seed, fit.evidence)
        if kind in ("fixed", "free"):
            assert not joint.values.any() and not joint.axis.any()
            continue
        sign = np.sign(joint.axis @ axis)
        angles.append(np.degrees(np.arccos(min(1.0, abs(joint.axis @ axis)))))
        off = joint.origin - origin
        places.append(np.linalg.norm(off - axis * (axis @ off)))
        low, high = sorted((sign * values.min(), sign * values.max()))
        ranges.append(max(abs(joint.range[0] - low), abs(joint.range[1] - high)))
        if kind == "screw":
            assert joint.pitch == pytest.approx(pitch, abs=0.0004)
    if angles:
        assert np.median(angles) < (2.0 if kind == "prismatic" else 1.0)
        assert np.median(ranges) < (0.004 if kind == "prismatic" else np.radians(3))
        assert kind == "prismatic" or np.median(places) < 0.003


def test_a_joint_reproduces_the_motion():
    """Without noise, values and axis give back the poses; the joint says that it is sure."""
    rng = np.random.default_rng(3)
    M, _, _, _, _, points = draw("screw", rng)
    joint = fit_joint(np.tile(np.eye(4), (FRAMES, 1, 1)), M, points).joint
    np.testing.assert_allclose(turning(joint.axis, joint.origin, joint.values, joint.pitch), M, atol=1e-5)
    assert joint.axis_std < 0.002 and joint.residual < 1e-4
    middle = np.median(points, axis=0)
    assert abs((middle - joint.origin) @ joint.axis) < 1e-9  # the axis' point nearest to the child's middle


def test_lost_frames_do_not_matter():
    """A sixth of the frames 5 cm and 40 degrees off: the same kind and axis; the frames are not trusted."""
    for seed, kind in enumerate(("prismatic", "revolute", "screw")):
        rng = np.random.default_rng(seed + 10)
        M, axis, _, _, _, points = draw(kind, rng)
        parent, child = seen(M, points, rng, metres=0.001)
        lost = np.arange(FRAMES) % 6 == 2
        child[lost] = noisy(child[lost], points.mean(0), rng, 0.05, 40.0)
        fit = fit_joint(parent, child, points)
        assert fit.joint.kind == kind
        assert np.degrees(np.arccos(min(1.0, abs(fit.joint.axis @ axis)))) < 2.5
        assert fit.trusted[~lost].mean() > 0.95 and fit.trusted[lost].mean() < 0.2


def test_weights_leave_frames_out():
    """What has weight 0 is not looked at, however it looks."""
    rng = np.random.default_rng(5)
    M, axis, _, _, _, points = draw("revolute", rng)
    parent, child = seen(M, points, rng)
    child[: FRAMES // 2 : 2, :3, 3] += 0.2
    weights = np.ones(FRAMES)
    weights[: FRAMES // 2 : 2] = 0
    joint = fit_joint(parent, child, points, weights=weights).joint
    assert joint.kind == "revolute"
    assert np.degrees(np.arccos(min(1.0, abs(joint.axis @ axis)))) < 1.5
    assert fit_joint(parent, child, points, weights=np.zeros(FRAMES)).joint.kind == "fixed"


def test_uncertainty_fits_the_errors():
    """Errors of the axis over many draws are of the size that the joint states."""
    ratios = []
    for seed in range(12):
        rng = np.random.default_rng(100 + seed)
        M, axis, _, _, _, points = draw("revolute", rng)
        joint = fit_joint(*seen(M, points, rng), points).joint
        ratios.append(np.arccos(min(1.0, abs(joint.axis @ axis))) / joint.axis_std)
    assert 0.3 < np.median(ratios) < 1.6


def test_the_tree_of_a_cabinet_is_a_star():
    """Two drawers slide against each other as purely as against the body; they hang on the body all the same."""
    rng = np.random.default_rng(0)
    body = CLOUD * [1, 1, 3]
    drawers = [CLOUD * [0.9, 1, 1] + [0, -0.005, z] for z in (-0.025, 0.025)]
    path = carried(rng)
    values = np.stack([opening(rng, 0.05), np.roll(opening(rng, 0.06), 20)])
    values[1, :20] = 0
    Ts = np.stack([path] + [path @ sliding(np.array([0, -1.0, 0]), q) for q in values], axis=1)
    parts = [body, *drawers]
    Ts = np.stack([noisy(Ts[:, p], parts[p].mean(0), rng, 0.001, 0.5) for p in range(3)], axis=1)
    joints, _ = fit_tree(Ts, parts)
    assert sorted((j.parent, j.child, j.kind) for j in joints) == [(0, 1, "prismatic"), (0, 2, "prismatic")]


def test_the_tree_of_a_lamp_is_a_chain():
    """Base, lower and upper arm: the joint between the ends is none of one freedom. The given body is the root."""
    rng = np.random.default_rng(1)
    base, lower, upper = CLOUD, CLOUD[:, [2, 1, 0]] + [0, 0, 0.065], CLOUD + [0.05, 0, 0.13]
    y = np.array([0, 1.0, 0])
    first = turning(y, np.array([0, 0, 0.015]), opening(rng, 0.7))
    second = first @ turning(y, np.array([0, 0, 0.115]), -np.roll(opening(rng, 0.9), 8))
    path = carried(rng)
    Ts = np.stack(
        [noisy(path @ M, p.mean(0), rng, 0.001, 0.5) for M, p in ((np.eye(4), base), (first, lower), (second, upper))],
        1,
    )
    for root, expected in ((0, [(0, 1), (1, 2)]), (2, [(2, 1), (1, 0)])):
        joints, _ = fit_tree(Ts, [base, lower, upper], body=root)
        assert [(j.parent, j.child) for j in joints] == expected
        assert {j.kind for j in joints} == {"revolute"}


def test_a_tree_of_badly_followed_parts():
    """Where no joint is better than none, the least bad ones hold, between parts that touch."""
    rng = np.random.default_rng(3)
    parts = [CLOUD, CLOUD + [0.1, 0, 0], CLOUD + [0.2, 0, 0]]
    Ts = np.stack([noisy(carried(rng), p.mean(0), rng, 0.004, 3) for p in parts], axis=1)
    joints, _ = fit_tree(Ts, parts, free=False)
    assert {frozenset((j.parent, j.child)) for j in joints} == {frozenset((0, 1)), frozenset((1, 2))}


def test_rivals_are_as_likely_as_the_tree():
    """Ends of a row of three that were followed well are no rivals; of parts in one place that were lost all are."""
    rng = np.random.default_rng(4)
    row = [CLOUD + [0.1 * k, 0, 0] for k in range(3)]
    path, y = carried(rng), np.array([0, 1.0, 0])
    first = turning(y, np.array([0.05, 0, 0]), opening(rng, 0.7))
    second = first @ turning(y, np.array([0.15, 0, 0]), -np.roll(opening(rng, 0.9), 8))
    moved = zip((np.eye(4), first, second), row, strict=True)
    Ts = np.stack([noisy(path @ M, p.mean(0), rng, 0.001, 0.5) for M, p in moved], 1)
    tree, rivals = fit_tree(Ts, row)
    assert {frozenset((j.parent, j.child)) for j in tree} == {frozenset((0, 1)), frozenset((1, 2))} and rivals == ()
    here = [CLOUD + [0.02 * k, 0, 0] for k in range(3)]
    lost = np.stack([noisy(carried(rng), p.mean(0), rng, 0.004, 3) for p in here], axis=1)
    tree, rivals = fit_tree(lost, here, free=False)
    pairs = {frozenset((j.parent, j.child)) for j in (*tree, *rivals)}
    assert len(tree) == 2 and len(rivals) == 1 and len(pairs) == 3


def test_what_a_lost_part_hangs_on_is_not_told_by_where_it_was_thought_to_be():
    """Nothing moves with it: the pair that is not in the tree is its rival, though it seems far less likely."""
    rng = np.random.default_rng(5)
    row = [CLOUD + [0.1 * k, 0, 0] for k in range(3)]
    path, y = carried(rng), np.array([0, 1.0, 0])
    first = turning(y, np.array([0.05, 0, 0]), opening(rng, 0.7))
    astray = [path, path @ first, noisy(carried(rng), row[2].mean(0), rng, 0.01, 10)]
    Ts = np.stack([noisy(T, p.mean(0), rng, 0.001, 0.5) for T, p in zip(astray, row, strict=True)], 1)
    tree, rivals = fit_tree(Ts, row, free=False)
    pairs = [{j.parent, j.child} for j in (*tree, *rivals)]
    assert {0, 1} in pairs[:2] and {0, 2} in pairs and {1, 2} in pairs


@pytest.mark.parametrize("kind", ["revolute", "prismatic", "screw"])
def test_a_joint_turned_round_is_the_same_motion(kind):
    """What the child does as seen from the parent, backwards, the parent does as seen from the child."""
    rng = np.random.default_rng(5)
    M, _, _, _, _, points = draw(kind, rng)
    joint = fit_joint(*seen(M, points, rng), points).joint
    there, back = (joint_motion(j, 0.3) for j in (joint, joint.turned_round))
    assert np.allclose(there @ back, np.eye(4), atol=1e-9)
    assert (joint.turned_round.parent, joint.turned_round.child) == (joint.child, joint.parent)


def test_one_part_has_no_joint():
    """And needs none."""
    assert fit_tree(carried(np.random.default_rng(0))[:, None], [CLOUD]) == ((), ())
