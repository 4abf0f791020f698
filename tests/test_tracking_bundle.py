"""Frames and joints solved for together; the likeliest way through what all frames say of all values."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from robodistill.tracking.articulation import Articulation, State
from robodistill.tracking.bundle import Smooth, bundled
from robodistill.tracking.joint_path import likelihoods
from robodistill.tracking.motion import Joint
from robodistill.tracking.photometric import Quadratic

FRAMES = 30
HINGE = Joint("revolute", 0, 1, np.array([1.0, 0, 0]), np.array([0, 0.05, 0.0]), 0.0, np.zeros(FRAMES), (0.0, 1.0))
TREE = Articulation((HINGE,), np.array([[0.0, 0, 0], [0, 0, 0.04]]))


def way() -> list[State]:
    """A root that drifts and turns and a hinge that opens."""
    states = []
    for t in np.linspace(0, 1, FRAMES):
        T = np.eye(4)
        T[:3, :3] = Rotation.from_rotvec([0.3 * t, -0.2 * t * t, 0.1]).as_matrix()
        T[:3, 3] = [0.05 * t, -0.04 * t * t, 0.5 + 0.02 * t]
        states.append(State(T, np.array([0.9 * np.sin(1.5 * t)]), np.eye(4)[None]))
    return states


def quadratic(seen: State, at: State, tree: Articulation, sure: float = 1.0) -> Quadratic:
    """What a frame says about `at` that shows the true tree at `seen`: a millimetre and a hundredth of a radian."""
    shown, drawn = TREE.poses(seen), tree.poses(at)
    middles = [np.einsum("pij,pj->pi", Ts[:, :3, :3], tree.centers) + Ts[:, :3, 3] for Ts in (shown, drawn)]
    turn = Rotation.from_matrix(shown[:, :3, :3] @ drawn[:, :3, :3].transpose(0, 2, 1)).as_rotvec()
    H = sure * np.diag(np.tile(np.repeat([1e-3, 1e-2], 3), 2) ** -2.0)
    off = np.concatenate([middles[0] - middles[1], turn], 1).ravel()
    one = np.ones(2)
    return Quadratic(H, -H @ off, -1.0, 0.1, sure * one, 100 * one, np.tile([1.0, 0, 0, 0], (2, 1)))


def errors(states: list[State], tree: Articulation = TREE) -> np.ndarray:
    """(T,) metres at the parts' middles."""
    pairs = [(tree.poses(a), TREE.poses(b)) for a, b in zip(states, way(), strict=True)]
    return np.array([np.abs((a - b) @ np.append(TREE.centers, [[1], [1]], 1)[..., None]).max() for a, b in pairs])


PRIOR = 1e2 * np.eye(4), np.zeros(4)
SMOOTH = Smooth(np.array([0.06]), np.zeros((FRAMES, 1)), np.full((FRAMES, 1), np.inf))


def test_hidden_frames_are_bridged_and_lost_ones_overruled():
    """Five frames say nothing of the child, two show it elsewhere: all come to where the motion goes."""
    states, shown = way(), way()
    for t in (20, 21):
        shown[t] = replace(shown[t], values=shown[t].values + 0.6)
    for t in range(8, 13):  # nobody knows where the hinge is
        states[t] = replace(states[t], values=states[t].values - 0.3)
    for t in (20, 21):
        states[t] = shown[t]
    quadratics = [quadratic(a, b, TREE) for a, b in zip(shown, states, strict=True)]
    for t in range(8, 13):
        hidden = np.diag(np.repeat([1.0, 0.0], 6))
        q = quadratic(way()[t], states[t], TREE)
        quadratics[t] = replace(q, H=hidden @ q.H, g=hidden @ q.g, visible=np.array([1.0, 0.0]))
    assert errors(states).max() > 0.01
    tree, found, _ = bundled(TREE, states, quadratics, PRIOR, SMOOTH)
    assert errors(found, tree).max() < 0.003
    apart, alone, _ = bundled(TREE, states, quadratics, PRIOR, None)
    assert errors(alone, apart)[[10, 20]].min() > 0.01


def test_what_is_not_shown_at_all_may_be_rounded_below_nought():
    """A direction whose curvature came out at -1e-4 of 1e6 is left alone, not an error."""
    states = [replace(state, values=state.values + 0.02) for state in way()]
    quadratics = [quadratic(a, b, TREE) for a, b in zip(way(), states, strict=True)]
    for t in range(10, 20):  # along x
        H, g = quadratics[t].H.copy(), quadratics[t].g.copy()
        for k in (0, 6):
            H[k], H[:, k], H[k, k], g[k] = 0, 0, -1e-4, 0
        quadratics[t] = replace(quadratics[t], H=H, g=g)
    tree, found, _ = bundled(TREE, states, quadratics, PRIOR, None)
    assert errors(states).max() > 0.0005 and errors(found, tree).max() < 1e-4


def test_joints_are_moved_by_all_frames():
    """A hinge 6 mm and 3 degrees off comes to its place, its uncertainty as small; states follow it."""
    off = TREE.reshaped(np.array([0.05, 0.0, 0.006, -0.003]))
    states = way()
    for _ in range(3):
        quadratics = [quadratic(a, b, off) for a, b in zip(way(), states, strict=True)]
        off, states, covariance = bundled(off, states, quadratics, PRIOR, SMOOTH)
    joint = off.joints[0]
    assert np.degrees(np.arccos(min(1, joint.axis @ HINGE.axis))) < 0.3
    assert np.linalg.norm(np.cross(joint.origin - HINGE.origin, HINGE.axis)) < 5e-4
    assert errors(states, off).max() < 1e-3
    assert covariance.shape == (4, 4) and np.sqrt(np.diag(covariance)).max() < 0.03


def test_what_the_search_knows_is_kept():
    """A value that no picture tells is where the search has it."""
    quadratics = [replace(q, H=0 * q.H, g=0 * q.g) for q in (quadratic(s, s, TREE) for s in way())]
    sought = Smooth(np.array([0.06]), np.full((FRAMES, 1), 0.4), np.full((FRAMES, 1), 0.01))
    _, found, _ = bundled(TREE, way(), quadratics, PRIOR, sought)
    assert abs(found[15].values[0] - 0.4) < 0.02


@pytest.mark.parametrize("leap", [0.5, 4.0])
def test_likelihoods(leap: float):
    """Sums forward and backward are those over all ways."""
    rng = np.random.default_rng(0)
    costs, places = rng.uniform(0, 3, (5, 4)), np.array([0.0, 1.0, 2.0, 3.5])
    chances = np.zeros(costs.shape)
    for way in itertools.product(range(4), repeat=5):
        steps = np.minimum(0.5 * np.diff(places[list(way)]) ** 2, leap)
        chances[np.arange(5), list(way)] += np.exp(-costs[np.arange(5), list(way)].sum() - steps.sum())
    np.testing.assert_allclose(likelihoods(costs, places, leap), chances / chances.sum(1, keepdims=True))
