"""Tracking as RSRD does it: losses, the joint pass, and both ways on one short film."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from robodistill.capture.frame import Frame
from robodistill.errors import BadInput
from robodistill.field.features import Decoder, FeatureLayer
from robodistill.field.gaussians import FieldView, GaussianField
from robodistill.geometry.camera import Camera
from robodistill.raster.sh import rgb_to_sh0
from robodistill.tracking import rsrd
from robodistill.tracking.layers import Window
from robodistill.tracking.model import PartModel
from robodistill.tracking.rsrd import follow_rsrd
from robodistill.tracking.rsrd_loss import PosedParts, RsrdConfig, RsrdFeatures, load_features, product
from robodistill.tracking.track import track_parts

CAMERA = Camera.from_fov(np.radians(45), 96, 72)
FRAMES = 10


@pytest.fixture(scope="module")
def model() -> PartModel:
    """Two slabs side by side, 10 cm wide, in blotches of 2 cm."""
    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(np.arange(-0.05, 0.05, 0.005), np.arange(-0.04, 0.04, 0.005), [0.0, 0.01]), -1)
    points = grid.reshape(-1, 3)
    colors = rng.uniform(0.1, 0.9, (4096, 3))[(np.floor(points / 0.02).astype(int) @ [1, 31, 977]) % 4096]
    n = len(points)
    field = GaussianField(
        torch.from_numpy(points).float(),
        torch.tensor([1.0, 0, 0, 0]).repeat(n, 1),
        torch.full((n, 3), 0.004),
        torch.full((n,), 0.95),
        rgb_to_sh0(torch.from_numpy(colors).float())[:, None],
    )
    return PartModel(field, (points[:, 0] > 0.001).astype(int))


def start() -> np.ndarray:
    """(4, 4) 40 cm away."""
    T = np.eye(4)
    T[:3, :3] = Rotation.from_euler("xyz", [2.6, 0.1, 0.2]).as_matrix()
    T[2, 3] = 0.4
    return T


@pytest.fixture(scope="module")
def film(model: PartModel) -> tuple[list[np.ndarray], np.ndarray]:
    """All moves by 9 cm and turns by 0.2 rad, part 1 slides off by 1 cm besides; the poses."""
    behind = np.kron(np.random.default_rng(1).uniform(0.3, 0.7, (9, 12, 3)), np.ones((8, 8, 1))).astype(np.float32)
    # with the same low pass as in the view that it was made from, as RSRD draws
    view = FieldView("0", CAMERA, np.linalg.inv(start()))
    scanned = replace(model, field=replace(model.field, views=(view,)))
    frames, poses = [], []
    for way in np.linspace(0, 1, FRAMES):
        T = start()
        T[:3, :3] = Rotation.from_rotvec([0, 0, 0.2 * way]).as_matrix() @ T[:3, :3]
        T[0, 3] += 0.09 * way - 0.045
        Ts = np.stack([T, T])
        Ts[1, :3, 3] += 0.01 * way * T[:3, 0]
        layers = scanned.draw(Ts, Window(CAMERA, 0, 0, 96, 72))
        frames.append((np.clip(layers.over(layers.color, behind), 0, 1) * 255).astype(np.uint8))
        poses.append(Ts)
    return frames, np.stack(poses)


class Colors:
    """A teacher whose features are the picture's colours, of unit length."""

    spec, dim = "colors", 3

    def encode(self, frame: Frame) -> torch.Tensor:
        """At half the size."""
        rgb = torch.from_numpy(frame.rgb.astype(np.float32) / 255)
        return torch.nn.functional.normalize(rgb.reshape(36, 2, 48, 2, 3).mean((1, 3)), dim=-1)


def layer(model: PartModel, teacher: str) -> FeatureLayer:
    """What `Colors` would see of the model."""
    colors = model.field.sh[:, 0] * 0.28209479 + 0.5
    return FeatureLayer(
        teacher, "uplift", torch.nn.functional.normalize(colors, dim=-1), Decoder((torch.eye(3),), (None,))
    )


def errors(model: PartModel, found: np.ndarray, true: np.ndarray) -> np.ndarray:
    """(T,) mean distance of the points, metres."""
    pairs = zip(found, true, strict=True)
    return np.array([np.linalg.norm(model.posed_points(a) - model.posed_points(b), axis=1).mean() for a, b in pairs])


def test_state_is_a_pose(model: PartModel):
    """A turn and a shift about a part's middle, from the first pose on: points and poses say the same."""
    parts = PosedParts(model, np.stack([start()] * 2), RsrdConfig(), None)
    assert np.allclose(parts.poses(parts.rest), start(), atol=1e-6)
    state = parts.rest.clone()
    state[1] = torch.tensor([2 * np.cos(0.2), 0, 0, 2 * np.sin(0.2), 0.01, 0, 0])
    Ts, (means, quats) = parts.poses(state), parts.posed(state)
    assert np.allclose(Ts[0], start(), atol=1e-6)
    assert np.allclose(model.posed_points(Ts), means.numpy(), atol=1e-6)
    middle = np.append(model.centers[1], 1)
    assert np.allclose((Ts[1] @ middle)[:3], (start() @ (middle + [0.01, 0, 0, 0]))[:3], atol=1e-6)
    turned = Rotation.from_quat(quats[model.labels == 1][0].numpy(), scalar_first=True).as_matrix()
    assert np.allclose(turned, Ts[1, :3, :3], atol=1e-6)  # the Gaussians themselves are not turned at rest


def test_quaternion_product():
    """As of scipy's rotations."""
    a, b = Rotation.random(5, rng=0), Rotation.random(5, rng=1)
    found = product(*(torch.from_numpy(r.as_quat(scalar_first=True)) for r in (a, b)))
    assert np.allclose(Rotation.from_quat(found.numpy(), scalar_first=True).as_matrix(), (a * b).as_matrix())


def test_loss_is_least_at_the_truth(model: PartModel, film: tuple):
    """Moved by 3 mm, or turned by 2 degrees, it is larger, by colour alone and by features; its slope leads back."""
    frames, poses = film
    config, behind = replace(RsrdConfig(), touch=0.0), rsrd.Background(frames, np.zeros((72, 96), bool))
    for features in (None, RsrdFeatures.of(layer(model, "colors"), Colors(), 2)):
        parts = PosedParts(model, poses[0], config, features)
        seen = rsrd.Behind(behind, CAMERA, features).look(frames[0], parts.window(parts.rest, CAMERA), None)
        colors = parts.colors(parts.rest)
        best = parts.loss(parts.rest, seen, colors, config)
        for number, off in ((4, 0.003), (5, -0.003), (3, 0.017)):
            state = parts.rest.clone()
            state[1, number] += off
            state.requires_grad_()
            loss = parts.loss(state, seen, colors, config)
            loss.backward()
            assert loss > best and state.grad[1, number] * off > 0


def test_touching_parts_are_held(model: PartModel):
    """Nothing at rest; a part that slides off by d mm costs about d of Barron's loss, the more the larger alpha is."""
    wide = replace(RsrdConfig(), touch_reach=0.006)
    parts = PosedParts(model, np.stack([start()] * 2), wide, None)
    state = parts.rest.clone()
    assert parts.loss(state, None, torch.empty(0), wide) < 1e-4
    state[1, 4] = 0.01
    costs = []
    for alpha in (1.0, 0.1):
        config = replace(wide, touch_alpha=alpha)
        parts = PosedParts(model, np.stack([start()] * 2), config, None)
        costs.append(float(parts.loss(state, None, torch.empty(0), config)))
    assert 0.2 * 2 * 6 < costs[0] < 0.2 * 2 * 10 and costs[1] < 0.6 * costs[0]


def test_film_is_followed(model: PartModel, film: tuple):
    """To a fifth of the way, 9 cm, with colour weighed as features are; the joint pass makes it smoother."""
    frames, poses = film
    config = replace(RsrdConfig(), rgb=10.0, joint_steps=0)
    alone = follow_rsrd(model, frames, CAMERA, poses[0], config)
    assert alone.shape == (FRAMES, 2, 4, 4) and errors(model, alone, poses).max() < 0.018
    assert errors(model, np.repeat(poses[:1], FRAMES, 0), poses).max() > 0.08
    told = []
    both = follow_rsrd(
        *(model, frames, CAMERA, poses[0], replace(config, joint_steps=5, smooth=1000.0)),
        progress=lambda *said: told.append(said[1:3]),
    )

    def roughness(Ts: np.ndarray) -> float:
        return float(np.square(np.diff(Ts[..., :3, 3], axis=0)).sum())

    assert roughness(both) < roughness(alone) and errors(model, both, poses).max() < 0.018
    assert told[-1] == (2 * FRAMES, 2 * FRAMES)


def test_features_are_found_and_followed(model: PartModel, film: tuple):
    """It is a layer of DINO or the builtin's looks, not its words; by it alone the film is followed less well."""
    layers = {"builtin": layer(model, "builtin"), "clip": layer(model, "clip")}
    assert load_features(layers) is None
    found = load_features({**layers, "builtin": layer(model, "builtin:head=looks")}, dims=2)
    assert found.teacher.spec == "builtin:head=looks" and found.codes.shape == (len(model.labels), 2)
    frames, poses = film
    features = RsrdFeatures.of(layer(model, "colors"), Colors(), 2)
    config = replace(RsrdConfig(), joint_steps=0, rgb=0.0, touch_alpha=0.1)
    found = follow_rsrd(model, frames, CAMERA, poses[0], config, features)
    assert errors(model, found, poses).max() < 0.035


def test_what_is_covered_does_not_pull(model: PartModel, film: tuple):
    """A white hand over a corner: with its mask the first frame stays where it is."""
    frames, poses = film
    covered, mask = frames[0].copy(), np.ones((72, 96), np.float32)
    covered[28:36, 30:38], mask[28:36, 30:38] = 255, 0
    config = replace(RsrdConfig(), rgb=10.0, joint_steps=0)
    kept = follow_rsrd(model, [covered], CAMERA, poses[0], config, usable=[mask])
    assert errors(model, kept, poses[:1])[0] < 0.004


def test_method_is_chosen(model: PartModel, film: tuple, monkeypatch):
    """`track_parts` takes it, fits joints to its poses and leaves these alone; another name is refused."""
    frames, poses = film
    monkeypatch.setattr("robodistill.tracking.track.follow_rsrd", lambda *args, **options: poses)
    given = (model.field, model.labels, ("a", "b"), frames, np.arange(FRAMES) / 30, CAMERA, poses[0, 0])
    motion = track_parts(*given, method="rsrd")
    assert np.array_equal(motion.Ts_camera_part, poses) and motion.visible.min() > 0.8
    assert motion.joints[0].kind == "prismatic" and abs(np.ptp(motion.joints[0].values) - 0.01) < 0.001
    with pytest.raises(BadInput, match="ours, rsrd"):
        track_parts(*given, method="magic")
