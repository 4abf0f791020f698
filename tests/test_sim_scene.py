"""Settled scenes and their pictures, in MuJoCo."""

import sys

import numpy as np
import pytest

from robodistill.errors import BadInput, MissingPart
from robodistill.geometry.camera import Camera
from robodistill.sim.mujoco_gl import load_mujoco
from robodistill.sim.objects import CATEGORIES
from robodistill.sim.phrases import are_alike
from robodistill.sim.render import Painter
from robodistill.sim.scene import Scene, make_scene
from robodistill.sim.shapes import box, ellipsoid
from robodistill.sim.views import hemisphere_views, look_at
from robodistill.sim.world import World

pytestmark = pytest.mark.sim
CAMERA = Camera.from_fov(np.radians(50), 160, 120)


def scene_or_skip(seed: int, objects: list[str] | None = None) -> Scene:
    try:
        return make_scene(seed, objects)
    except MissingPart as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def scene() -> Scene:
    return scene_or_skip(7)


def positions(scene: Scene) -> np.ndarray:
    return scene.data.qpos.reshape(-1, 7)[:, :3].copy()


@pytest.mark.parametrize("seed", [7, 12, 43])
def test_scenes_are_at_rest(seed):
    """Within a further half second nothing moves by a millimetre."""
    scene = scene_or_skip(seed)
    before = positions(scene)
    load_mujoco().mj_step(scene.model, scene.data, nstep=round(0.5 / scene.model.opt.timestep))
    assert np.linalg.norm(positions(scene) - before, axis=1).max() < 1e-3


def test_things_are_on_the_table_and_not_in_each_other(scene):
    """Middles are over the table top, lowest points within 2 mm of it or above, penetrations below 2 mm."""
    assert 6 <= len(scene.objects) <= 12
    for it in scene.objects:
        assert scene.table.holds(it.T_world_object[:3, 3])
        points = np.concatenate([p for piece in it.spec.pieces if piece.touches for p in piece.solid.hulls])
        assert (points @ it.T_world_object[:3, :3].T + it.T_world_object[:3, 3])[:, 2].min() > -0.002
    assert scene.data.contact.dist.min() > -0.002


def test_a_seed_fixes_a_scene(scene):
    """The same seed gives the same objects in the same places."""
    again = make_scene(7)
    np.testing.assert_array_equal(positions(again), positions(scene))
    assert [it.spec.category for it in again.objects] == [it.spec.category for it in scene.objects]


def test_colors_tell_alike_things_apart():
    """Things that words may confuse never share a colour word."""
    scene = scene_or_skip(3, ["mug", "mug", "bowl", "jar"])
    for a in scene.objects:
        for b in scene.objects:
            if a is not b and are_alike(a.spec.category, b.spec.category):
                assert a.paint["main"].word != b.paint["main"].word


def test_all_categories_can_be_put_on_a_table():
    """Every category settles, in scenes of ten that were asked for by name."""
    names = sorted(CATEGORIES)
    for k in range(0, len(names), 10):
        scene = scene_or_skip(k, names[k : k + 10])
        assert [it.spec.category for it in scene.objects] == names[k : k + 10]


def test_unknown_objects_are_refused():
    """The message lists what there is."""
    with pytest.raises(BadInput, match="no object 'sofa'; there are: apple, ball"):
        make_scene(0, ["sofa"])


def test_parts_belong_to_their_objects(scene):
    """Part ids are unique in the scene, and every labelled geom has both ids."""
    ids = [part_id for it in scene.objects for part_id in it.part_ids.values()]
    assert sorted(ids) == list(range(1, len(ids) + 1))
    owner = {part_id: it.id for it in scene.objects for part_id in it.part_ids.values()} | {0: 0}
    np.testing.assert_array_equal([owner[part] for part in scene.to_part], scene.to_object)


def test_views_look_down_on_the_table_from_all_around():
    """40 cameras, 0.5 to 1.2 m away, above the table; every octant of azimuth is used, and poses are rigid."""
    Ts = hemisphere_views(40, np.random.default_rng(0))
    eyes = Ts[:, :3, 3]
    assert (np.linalg.norm(eyes, axis=1) > 0.5).all() and (np.linalg.norm(eyes, axis=1) < 1.2).all()
    assert (eyes[:, 2] > 0.25).all()
    assert len(set(np.floor(np.arctan2(eyes[:, 1], eyes[:, 0]) / (np.pi / 4)).tolist())) == 8
    np.testing.assert_allclose(
        Ts[:, :3, :3] @ Ts[:, :3, :3].transpose(0, 2, 1), np.eye(3) + np.zeros((40, 1, 1)), atol=1e-12
    )
    np.testing.assert_allclose(np.linalg.det(Ts[:, :3, :3]), 1)


@pytest.fixture(scope="module")
def still_life() -> tuple:
    """A slab whose top is z = 0 and a ball above it, drawn from a slanted view."""
    try:
        world = World(np.random.default_rng(0))
        root = world.spec.worldbody
        world.add_drawn(root, box(4, 4, 0.1).at(z=-0.05), world.add_material((0.1, 0.1, 0.1), "object/plain"))
        world.add_drawn(
            root, ellipsoid(0.1, 0.1, 0.1).at(0.02, 0.03, 0.15), world.add_material((1, 1, 1), "object/plain")
        )
        world.spec.visual.headlight.ambient = [1, 1, 1]
        model, _ = world.compile()
        data = load_mujoco().MjData(model)
        load_mujoco().mj_forward(model, data)
        T_world_camera = look_at(np.array([0.6, -0.3, 0.6]), np.array([0.0, 0.0, 0.05]), 0.1)
        with Painter(model, CAMERA) as painter:
            painter.look(data, T_world_camera)
            return T_world_camera, painter.color(), *painter.depth_and_geoms()
    except MissingPart as error:
        pytest.skip(str(error))


def test_depth_is_exact_at_pixel_centres(still_life):
    """Depth of a plane agrees with the camera's own rays within 0.05 mm: K and its half pixel are right."""
    T_world_camera, _, depth, geoms = still_life
    rays = CAMERA.rays() @ T_world_camera[:3, :3].T
    expected = -T_world_camera[2, 3] / rays[..., 2]
    plane = geoms == 0
    assert plane.mean() > 0.5
    assert np.abs(depth - expected)[plane].max() < 5e-5


def test_color_and_segmentation_are_aligned(still_life):
    """The bright ball has the same centroid in the antialiased picture as in the segmentation, within 0.1 pixel."""
    _, rgb, _, geoms = still_life
    v, u = np.mgrid[0:120, 0:160]
    light = np.clip((rgb[..., 0].astype(float) - 60) / 150, 0, 1)
    ball = (geoms == 1).astype(float)
    for axis in (u, v):
        assert (axis * light).sum() / light.sum() == pytest.approx((axis * ball).sum() / ball.sum(), abs=0.1)


def test_missing_parts_are_named(scene, monkeypatch):
    """Without MuJoCo, or with a back end that cannot draw, the message says what to install."""
    monkeypatch.setenv("MUJOCO_GL", "osmesa" if load_mujoco().GLContext.__module__ == "mujoco.egl" else "egl")
    with pytest.raises(MissingPart, match=r"pip install robodistill\[sim\].*libegl1 libegl-mesa0 libgl1-mesa-dri"):
        Painter(scene.model, CAMERA)
    monkeypatch.setitem(sys.modules, "mujoco", None)
    with pytest.raises(MissingPart, match=r"pip install robodistill\[sim\]"):
        load_mujoco()
