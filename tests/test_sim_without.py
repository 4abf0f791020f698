"""A scene with an object taken away."""

import numpy as np
import pytest

from robodistill.errors import BadInput, MissingPart
from robodistill.geometry.camera import Camera
from robodistill.sim.render import Painter
from robodistill.sim.scene import make_scene
from robodistill.sim.views import look_at
from robodistill.sim.without import scene_without

pytestmark = pytest.mark.sim
CAMERA = Camera.from_fov(np.radians(50), 160, 120)
EYE = look_at(np.array([0.5, -0.35, 0.6]), np.zeros(3))


def paint(scene: object) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Colour, depth, object ids."""
    with Painter(scene.model, CAMERA) as painter:
        painter.look(scene.data, EYE)
        depth, geoms = painter.depth_and_geoms()
        return painter.color(), depth, scene.to_object[geoms]


@pytest.fixture(scope="module")
def scene() -> object:
    try:
        return make_scene(5, ["mug", "bowl", "book"])
    except MissingPart as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("object_id", [1, 2, 3])
def test_one_object_goes_and_the_rest_stays(scene, object_id):
    """The id is in no pixel; where it was one looks further; all other pixels keep label and depth."""
    _, depth, ids = paint(scene)
    _, clean_depth, clean_ids = paint(scene_without(scene, object_id))
    was = ids == object_id
    assert was.sum() > 50 and not (clean_ids == object_id).any()
    assert (clean_depth[was] > depth[was]).all()
    np.testing.assert_array_equal(clean_ids[~was], ids[~was])
    np.testing.assert_allclose(clean_depth[~was], depth[~was], atol=1e-6)


def test_its_shadow_goes_with_it(scene):
    """Pixels of the table beside the object change by lighting up, none by more than rounding gets darker."""
    rgb, _, ids = paint(scene)
    clean, _, _ = paint(scene_without(scene, 1))
    change = clean.astype(int)[ids != 1].sum(-1) - rgb.astype(int)[ids != 1].sum(-1)
    assert change.min() >= -3  # one count a channel
    assert (change > 15).sum() > 20


def test_the_scene_itself_is_left_alone(scene):
    """Taking away is done on a copy."""
    before = scene.data.qpos.copy()
    assert len(scene_without(scene, 2).objects) == 2
    np.testing.assert_array_equal(scene.data.qpos, before)
    assert len(scene.objects) == 3


def test_an_unknown_object_is_refused(scene):
    """The message lists the ids."""
    with pytest.raises(BadInput, match="no object 9 in this scene; there are 1, 2, 3"):
        scene_without(scene, 9)
