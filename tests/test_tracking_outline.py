"""How wide a thing is drawn: its foot and its rim are told by a film of it, its edges by the views it was made from."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from box_field import flat, joined, looking
from scipy.spatial.transform import Rotation
from two_boxes import CAMERA, HINGE, box, make_model

from robodistill.config import TrackingConfig
from robodistill.field.gaussians import FieldView, GaussianField
from robodistill.geometry.camera import Camera
from robodistill.tracking.articulation import Articulation, across
from robodistill.tracking.axes import joint_prior, to_edge, to_level
from robodistill.tracking.background import Background
from robodistill.tracking.foot import FEET, without_feet
from robodistill.tracking.layers import Window
from robodistill.tracking.model import PartModel, drawn_thinner
from robodistill.tracking.outline import Outline, best_outline
from robodistill.tracking.photometric import linearize
from robodistill.tracking.tracker import Followed, picture_of

HEIGHT, FRAMES = 0.016, 10


@pytest.fixture(scope="module")
def scan() -> tuple[GaussianField, np.ndarray, np.ndarray]:
    """A bar on a table, with a dark rim around its foot that is none of it; labels; which Gaussians are the rim."""
    points, _ = box((0, 0, HEIGHT / 2), (0.06, 0.008, HEIGHT / 2), np.random.default_rng(1))
    colors = np.tile([0.1, 0.2, 0.4], (len(points), 1))  # nothing but its outline tells how far it is
    along = np.arange(-0.06, 0.06, 0.003)
    beside = [
        np.stack([along, np.full(len(along), y), np.full(len(along), 0.001)], 1) for y in (-0.015, -0.011, 0.011, 0.015)
    ]
    rim = np.concatenate(beside)
    side = np.arange(-0.3, 0.3, 0.01)
    table = np.stack([x.ravel() for x in (*np.meshgrid(side, side), np.zeros((60, 60)))], 1)
    table = table[np.abs(table[:, 1]) > 0.025]
    up = np.array([0, 0, 1.0])
    thing = flat(points, np.tile(up, (len(points), 1)), colors, 0.002)
    ring = flat(rim, np.tile(up, (len(rim), 1)), np.full((len(rim), 3), 0.2), 0.002)
    board = flat(table, np.tile(up, (len(table), 1)), np.full((len(table), 3), 0.7), 0.006)
    views = tuple(
        FieldView(f"{k}", Camera.from_fov(0.9, 240, 180), looking([0.4 * np.cos(a), 0.4 * np.sin(a), 0.3], [0, 0, 0]))
        for k, a in enumerate(np.arange(6) * np.pi / 3)
    )
    field = replace(joined(joined(thing, ring), board), views=views)
    labels = np.repeat([0, 0, -1], [len(points), len(rim), len(table)])
    return field, labels, np.repeat([False, True, False], [len(points), len(rim), len(table)])


def film(
    field: GaussianField, shown: np.ndarray, known: PartModel, rim: float = 0.0
) -> tuple[list[np.ndarray], np.ndarray, Followed]:
    """What is shown, at rest for five frames and then lifted and tilted; its first pose; where it was followed to."""
    behind = np.kron(np.random.default_rng(0).uniform(0.5, 0.8, (12, 16, 3)), np.ones((10, 10, 1))).astype(np.float32)
    model = PartModel(field.select(torch.from_numpy(shown)), np.zeros(np.count_nonzero(shown), int), rim=rim)
    frames, poses = [], []
    for k in range(FRAMES):
        way, T = max(0, k - 4) / (FRAMES - 5), np.eye(4)
        T[:3, :3] = Rotation.from_euler("xyz", [2.3 - 0.9 * way, 0.3 * way, 0.4]).as_matrix()
        T[:3, 3] = [0.03 * way, -0.02 * way, 0.3]
        layers = model.draw(T[None], Window(CAMERA, 0, 0, 160, 120))
        frames.append((255 * np.clip(layers.over(layers.color, behind), 0, 1)).astype(np.uint8))
        poses.append(T[None])
    background = Background(frames, known.covered(poses[0], CAMERA))
    background.rgb, background.known = behind, np.ones((120, 160), np.float32)
    pictures = [picture_of(frame, CAMERA, background) for frame in frames]
    quadratics = [linearize(known, T, p, 0.05) for T, p in zip(poses, pictures, strict=True)]
    return frames, poses[0][0], Followed(np.stack(poses), quadratics, background)


def test_a_foot_that_is_none_is_left_out(scan: tuple):
    """The usual share where a film shows it, and more where it does not show what a scan has there."""
    field, labels, rim = scan
    keep = labels >= 0
    known = PartModel(field.select(torch.from_numpy(keep)), labels[keep])
    low = keep & (field.means[:, 2].numpy() < 0.28 * HEIGHT)
    for shown, wanted in ((keep, FEET[0]), (keep & ~rim, FEET[0]), (keep & ~low, FEET[-1])):
        frames, _, followed = film(field, shown, known)
        fields = without_feet(field, keep)
        found = best_outline(fields, labels, Outline(), followed, frames, CAMERA, TrackingConfig())
        assert found.foot == wanted
    left = without_feet(field, keep)[FEET[0]].opacities.numpy() == 0
    assert left[rim].all() and not left[~keep].any()
    heights = field.means[:, 2].numpy()
    assert heights[left].max() < 0.2 * HEIGHT and (heights[keep & ~left] > 0.1 * HEIGHT).all()


@pytest.mark.parametrize("rim", [-0.9, 0.8, 1.2])
def test_a_film_tells_where_edges_are(scan: tuple, rim: float):
    """Of a thing that is thinner, or wider, than its Gaussians; from where it was followed with another outline."""
    field, labels, _ = scan
    keep = labels >= 0
    fields = without_feet(field, keep)
    known = Outline().model(fields, labels)
    frames, _, followed = film(fields[FEET[0]], keep, known, rim)
    for start in (Outline(), Outline(rim=0.5)):
        found = best_outline(fields, labels, start, followed, frames, CAMERA, TrackingConfig())
        assert found.foot == FEET[0] and found.rim == pytest.approx(rim, abs=0.4)
        assert not found.like(replace(found, foot=FEET[1]))
        assert not found.like(Outline())


def test_a_film_without_the_thing_tells_nothing_of_it(scan: tuple):
    """Its outline stays what it was."""
    field, labels, _ = scan
    keep = labels >= 0
    fields = without_feet(field, keep)
    frames, _, followed = film(fields[FEET[0]], keep, Outline().model(fields, labels))
    empty = [(255 * followed.background.rgb).astype(np.uint8)] * len(frames)
    usual = Outline(rim=0.5)
    assert best_outline(fields, labels, usual, followed, empty, CAMERA, TrackingConfig()) == usual


def test_a_rim_moves_edges_and_nothing_else(scan: tuple):
    """Pixels that are covered stay, those beside stay empty, and colours are those of alpha."""
    field, labels, rim = scan
    own = (labels >= 0) & ~rim
    model = PartModel(field.select(torch.from_numpy(own)), np.zeros(own.sum(), int))
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = np.diag([1.0, -1, -1]), [0, 0, 0.3]
    usual, thin, wide = (
        replace(model, rim=moved).draw(T[None], Window(CAMERA, 0, 0, 160, 120)) for moved in (0.0, 1.0, -1.0)
    )
    solid, empty, alpha = usual.alpha > 0.999, usual.alpha == 0, usual.alpha
    for layers in (thin, wide):
        assert (layers.alpha[solid] > 0.997).all() and (layers.alpha[empty] == 0).all()
        for name in ("color", "depth", "normal"):
            one, other = getattr(usual, name), getattr(layers, name)
            shape = (..., None) if one.ndim > alpha.ndim else ...
            assert np.allclose(one * layers.alpha[shape], other * alpha[shape], atol=1e-5)
    edge = (alpha > 0.05) & (alpha < 0.95)
    assert (thin.alpha[edge] < alpha[edge]).all() and (wide.alpha[edge] > alpha[edge]).all()
    odds = alpha[edge] / (1 - alpha[edge])
    assert np.allclose(np.log(odds) - np.log(thin.alpha[edge] / (1 - thin.alpha[edge])), 1, atol=1e-3)
    plane = usual.planes[0]
    assert drawn_thinner(plane, 0.0) is plane


def test_a_thing_is_as_wide_in_a_sharper_film_as_in_its_scan(scan: tuple):
    """In millimetres, to a percent; with as many pixels of low pass as ever it is not."""
    field, labels, rim = scan
    own = (labels >= 0) & ~rim
    thing = field.select(torch.from_numpy(own))
    camera = thing.views[0].camera
    distance = float(np.linalg.norm(thing.views[0].T_world_camera[:3, 3] - thing.means.numpy().mean(0)))
    areas = {}
    for views in (thing.views, ()):
        model = PartModel(replace(thing, views=views), np.zeros(len(thing), int))
        for finer in (1, 2):
            T = np.eye(4)
            T[:3, :3] = np.diag([1.0, -1, -1])
            T[:3, 3] = [0, 0, distance]
            film = camera.resized(finer * camera.width, finer * camera.height)
            alpha = model.draw(T[None], Window(film, 0, 0, film.width, film.height)).alpha
            areas[bool(views), finer] = alpha.sum() / finer**2
    assert model.field.detail is None
    assert thing.detail == pytest.approx(camera.K[0, 0] / distance, rel=0.05)
    assert areas[True, 2] == pytest.approx(areas[True, 1], rel=0.01)
    assert areas[False, 2] < 0.95 * areas[False, 1]


def test_axes_stand_or_lie_along_a_footprint(scan: tuple):
    """Of what stood on a known support, however a part leans; a round part's footprint tells no side."""
    field, labels, _ = scan
    up = PartModel.of(field, labels).up
    assert up[2] > 0.999
    assert PartModel.of(replace(field, views=()), labels).up is None
    model, turned = make_model(), Rotation.from_euler("z", 0.3).as_matrix()
    points = model.points @ Rotation.from_euler("x", 0.5).as_matrix().T @ turned.T  # the sides along x stay level
    lid = model.labels == 1
    round_ = np.where(lid | (np.linalg.norm(model.points[:, :2], axis=1) < 0.05), model.labels, -1)
    for own, base_is_round in ((model.labels, False), (round_, True)):
        keep = own >= 0
        parts = PartModel(replace(model.field, means=torch.from_numpy(points).float()).select(torch.from_numpy(keep)),
                          own[keep], up)  # fmt: skip
        assert np.allclose(parts.axes[:, 0], up) and np.allclose(parts.axes @ parts.axes.transpose(0, 2, 1), np.eye(3))
        assert np.abs(parts.axes[1] @ turned[:, 0]).max() > np.cos(np.radians(0.5))
        assert parts.sharpness[1] > 1.1 and (parts.sharpness[0] < 1.2) == base_is_round
        hinge = replace(HINGE, axis=Rotation.from_euler("yz", [0.1, 0.38]).apply([1.0, 0, 0]))
        found = Rotation.from_rotvec(to_edge(parts, hinge)).apply(hinge.axis)
        assert np.degrees(np.arccos(abs(found @ turned[:, 0]))) < 0.7
    keep = (round_ == 0) & (np.linalg.norm(model.points[:, :2], axis=1) < 0.05)
    disc = replace(model.field, means=torch.from_numpy(model.points).float()).select(torch.from_numpy(keep))
    halves = PartModel(disc, (disc.means[:, 2] > 0).int().numpy(), up)
    assert to_edge(halves, HINGE) is None and np.allclose(to_edge(halves, replace(HINGE, axis=up)), 0)
    leaning = replace(HINGE, axis=Rotation.from_euler("yz", [0.1, 0.3]).apply([1.0, 0, 0]))
    found = Rotation.from_rotvec(to_level(halves, leaning)).apply(leaning.axis)
    assert abs(found @ up) < 1e-9 and found @ leaning.axis > np.cos(0.101)  # the nearest
    assert to_level(parts, leaning) is None  # whose footprint tells more
    # a step that nothing else speaks for is that turn; sideways the axis is as free as before
    tree = Articulation((leaning,), halves.centers)
    H, g = joint_prior(halves, tree)
    assert np.allclose(np.linalg.solve(H, -g)[:2] @ across(leaning.axis), to_level(halves, leaning), atol=4e-3)
    assert np.allclose(np.linalg.eigvalsh(H[:2, :2])[0], 0.1**-2)


def test_a_field_without_a_support_keeps_all(scan: tuple):
    """Nobody knows where its foot is."""
    field, labels, _ = scan
    bare = replace(field, views=())
    assert all(it is bare for it in without_feet(bare, labels >= 0).values())
