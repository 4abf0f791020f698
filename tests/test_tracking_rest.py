"""What rests from one frame to the next stays where it is."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from test_tracking_bundle import FRAMES, PRIOR, SMOOTH, TREE, errors, quadratic, way
from two_boxes import CAMERA, make_film, make_model, start

from robodistill.tracking.anchor import anchored
from robodistill.tracking.articulation import State
from robodistill.tracking.bundle import bundled
from robodistill.tracking.model import PartModel
from robodistill.tracking.picture import Picture
from robodistill.tracking.rest import Rest, rest

SEEN = np.ones((CAMERA.height, CAMERA.width), np.float32)


@pytest.fixture(scope="module")
def model() -> PartModel:
    return make_model()


def picture(rgb: np.ndarray) -> Picture:
    rgb = rgb.astype(np.float32) / 255
    return Picture(rgb, rgb, SEEN, CAMERA)


def told(model: PartModel, frames: list, Ts: np.ndarray, seen: np.ndarray = SEEN) -> Rest:
    return rest(model, *Ts, seen, *map(picture, frames))


def test_rest_is_told_and_motion_is_not(model: PartModel):
    """What rests is known to rest to 0.3 mm of its distance, though poses say that it went away; of what moves by a
    pixel nothing is said."""
    noise = np.random.default_rng(2)
    frames, Ts, _ = make_film(model)
    still = [np.clip(frames[0] + noise.normal(0, 2.5, frames[0].shape), 0, 255).astype(np.uint8) for _ in range(2)]
    away = np.stack([Ts[0], Ts[0]])
    away[1, :, 2, 3] += 0.002
    found = told(model, still, away)
    assert np.abs(found.twist[[2, 8]] + 0.002).max() < 3e-4
    assert np.abs(np.delete(found.twist, [2, 8])).max() < 2e-3
    assert np.linalg.eigvalsh(found.H).min() > 0
    assert np.sqrt(np.diag(np.linalg.inv(found.H)))[[2, 8]].max() < 3e-4
    assert not told(model, frames[6:8], Ts[6:8]).H.any()


def test_what_is_covered_tells_nothing(model: PartModel):
    frames, Ts, _ = make_film(model)
    still, here = [frames[0]] * 2, np.stack([Ts[0]] * 2)
    assert told(model, still, here).H.any()
    covered = told(model, still, here, 0 * SEEN)
    assert not covered.H.any() and not covered.twist.any()
    gone = here.copy()
    gone[:, :, 2, 3] = -1.0
    assert not told(model, still, gone).H.any()


def test_what_rests_does_not_drift_away():
    """Frames that each show the distance 3 mm further than the one before are overruled where they are seen to rest."""
    rests = [way()[10]] * FRAMES
    shown = []
    for t, state in enumerate(rests):
        T = state.T_camera_root.copy()
        T[2, 3] += 0.003 * max(0, t - 20)
        shown.append(State(T, state.values, state.loose))
    quadratics = [quadratic(it, it, TREE) for it in shown]
    poses = [TREE.poses(it) for it in shown]
    away = [after[:, 2, 3] - before[:, 2, 3] for before, after in zip(poses, poses[1:], strict=False)]
    H = np.diag(np.tile(np.repeat([1e-4, 1e-3], 3), 2) ** -2.0)
    pairs = [Rest(H, -np.ravel([[0, 0, v, 0, 0, 0] for v in each])) for each in away]

    def drift(states: list[State]) -> float:
        return abs(states[-1].T_camera_root[2, 3] - states[0].T_camera_root[2, 3])

    assert drift(bundled(TREE, shown, quadratics, PRIOR, SMOOTH)[1]) > 0.02
    assert drift(bundled(TREE, shown, quadratics, PRIOR, SMOOTH, pairs)[1]) < 0.002


def test_turned_parts_are_tied_in_their_later_axes():
    """Pairs that say what truly went between frames lead states that are off back, the first frame being known."""
    true, states = way(), way()
    for t in range(1, FRAMES):
        T = states[t].T_camera_root.copy()
        T[:3, 3] += 0.004 * np.sin(0.5 * t) * np.array([1.0, 0.5, -1.0])
        states[t] = replace(states[t], T_camera_root=T, values=states[t].values + 0.05 * np.cos(t))
    H = np.diag(np.tile(np.repeat([1e-4, 1e-3], 3), 2) ** -2.0)
    pairs = []
    for t in range(FRAMES - 1):
        (a, b), (shown, then) = ([TREE.poses(it[k]) for k in (t, t + 1)] for it in (states, true))
        beyond = []
        for p, center in enumerate(TREE.centers):
            went, goes = b[p] @ np.linalg.inv(a[p]), then[p] @ np.linalg.inv(shown[p])
            middle = a[p] @ np.append(center, 1)
            turn = Rotation.from_matrix(goes[:3, :3] @ went[:3, :3].T).as_rotvec()
            beyond += [*((goes - went) @ middle)[:3], *turn]
        pairs.append(Rest(H, np.array(beyond)))
    quadratics = [
        quadratic(a, b, TREE, 1.0 if t == 0 else 1e-6) for t, (a, b) in enumerate(zip(true, states, strict=True))
    ]
    assert errors(states).max() > 0.004
    stiff = PRIOR[0] * 1e6, PRIOR[1]
    for _ in range(2):
        tree, found, _ = bundled(TREE, states, quadratics, stiff, None, pairs)
    assert errors(found, tree).max() < 0.0015


def test_the_first_frames_distance_is_kept_where_the_thing_lies(model: PartModel):
    """Frames 8 mm too near at first and right when lifted; one that is off by far is left alone."""
    lies, up = start(), start()
    up[:3, 3] += [0.04, 0.0, -0.02]
    true = np.stack([np.stack([T, T]) for T in (lies, lies, up)])
    seen = true.copy()
    ray = true[0, 0, :3, 3] / np.linalg.norm(true[0, 0, :3, 3])
    seen[:2, :, :3, 3] -= 0.008 * ray
    found = anchored(model, seen, lies)
    np.testing.assert_allclose(found[:2], true[:2], atol=3e-4)
    np.testing.assert_allclose(found[2], true[2], atol=4e-4)
    np.testing.assert_allclose(found[..., :3, :3], seen[..., :3, :3])
    far = lies.copy()
    far[2, 3] += 0.1
    np.testing.assert_array_equal(anchored(model, seen, far), seen)
