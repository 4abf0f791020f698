"""Where was this picture taken? Poses without a guess, honest answers, exposure, focal length, streams, one object."""

from dataclasses import replace

import numpy as np
import pytest
from scene_located import CAMERA, look, photo, textured_field

from robodistill.capture.frame import Frame
from robodistill.config import InversionConfig
from robodistill.errors import BadInput, UnsupportedVersion
from robodistill.inversion.estimate import PoseEstimate
from robodistill.inversion.locator import Locator, with_focal
from robodistill.inversion.twist import moved, pose_error

CONFIG = InversionConfig(max_side=160, view_keypoints=300, samples=400)
POSES = [look(0.6, 0.3, 0.6, 0.4), look(-0.3, 0.75, 0.5, -0.4), look(-0.1, -0.35, 0.45), look(0.05, 0.1, 0.9, 0.2)]


@pytest.fixture(scope="module")
def field():
    return textured_field()


@pytest.fixture(scope="module")
def locator(field):
    return Locator(field, CONFIG)


def blind(frame: Frame, depth: bool = False, **changes) -> Frame:
    return replace(frame, T_world_camera=None, depth=frame.depth if depth else None, **changes)


@pytest.mark.parametrize("depth", [False, True])
def test_camera_is_found_without_a_guess(field, locator, depth):
    """From anywhere above, rolled, nearer than any view was: to 2 mm and 0.15 degrees, and the answer says so."""
    for T in POSES:
        found = locator.locate(blind(photo(field, T), depth))
        metres, angle = pose_error(found.T_world_camera, T)
        assert metres < 0.002 and np.degrees(angle) < 0.15
        assert found.converged and found.confidence > 0.9 and not found.reason and found.source == "matches"
        assert (found.evidence["depth"] > 0.9) == depth


def test_other_scenes_are_refused(locator):
    """A picture of another table, one of nothing, and one of noise are no pose of this field."""
    other = textured_field(seed=5)
    empty = np.full((120, 160, 3), 128, np.uint8)
    noise = np.random.default_rng(0).integers(0, 255, (120, 160, 3)).astype(np.uint8)
    frames = [blind(photo(other, T), depth) for T, depth in zip(POSES[:2], (False, True), strict=True)]
    frames += [Frame(rgb, None, CAMERA, None) for rgb in (empty, noise)]
    for frame in frames:
        found = locator.locate(frame)
        assert not found.converged and found.reason and found.confidence < 0.5


def test_exposure_is_estimated(field, locator):
    """A darker, foggier picture is located as well, and its exposure told."""
    found = locator.locate(blind(photo(field, POSES[0], gain=0.6, offset=0.1)))
    assert found.converged and pose_error(found.T_world_camera, POSES[0])[0] < 0.003
    assert found.evidence["gain"] == pytest.approx(0.6, abs=0.05)
    assert found.evidence["offset"] == pytest.approx(0.1, abs=0.03)


def test_unknown_focal_length_is_found(field, locator):
    """Told a focal length that is a third too long, it finds the true one together with the pose."""
    wrong = with_focal(CAMERA, 4 / 3)
    found = locator.locate(blind(photo(field, POSES[1]), True, camera=wrong), focal_known=False)
    assert found.K[0, 0] == pytest.approx(CAMERA.K[0, 0], rel=0.01)
    assert found.converged and pose_error(found.T_world_camera, POSES[1])[0] < 0.01


def test_covariance_is_of_the_size_of_the_error(field, locator):
    """Errors are within a few sigmas, and a picture that shows little of the field is less certain."""
    near, far = (locator.locate(blind(photo(field, look(x, 0.1, 0.5), noise=0.02))) for x in (0.3, 1.6))
    for found, T in ((near, look(0.3, 0.1, 0.5)), (far, look(1.6, 0.1, 0.5))):
        assert (np.linalg.eigvalsh(found.covariance) > 0).all()
        assert pose_error(found.T_world_camera, T)[0] < 4 * np.sqrt(np.trace(found.covariance[:3, :3]))
    assert np.trace(far.covariance[:3, :3]) > np.trace(near.covariance[:3, :3])


def test_large_pictures_are_reduced_and_K_is_the_given_one(field, locator):
    """Twice the size gives the same pose, and the answer's camera is that of the picture as it came."""
    large = CAMERA.resized(320, 240)
    found = locator.locate(blind(photo(field, POSES[0], large)))
    assert pose_error(found.T_world_camera, POSES[0])[0] < 0.004 and np.allclose(found.K, large.K)


def test_previous_pose_is_a_hypothesis(field):
    """Without landmarks, the pose of the frame before is enough; a stream hands it on."""
    config = replace(CONFIG, views=1)
    alone = Locator(field, config, use_matches=False)
    path = [moved(POSES[0], k * np.array([0.02, 0, 0, 0, 0.02, 0])) for k in range(4)]
    assert alone.locate(blind(photo(field, path[1]))).T_world_camera is None
    first = alone.locate(blind(photo(field, path[1])), previous=path[0])
    assert first.source == "previous" and first.converged and pose_error(first.T_world_camera, path[1])[0] < 0.003
    stream = list(Locator(field, CONFIG).locate_stream(blind(photo(field, T)) for T in path))
    assert all(e.converged and pose_error(e.T_world_camera, T)[0] < 0.003 for e, T in zip(stream, path, strict=True))


def test_one_object_is_located_alone(field):
    """A block cut out of the field is found in a picture of the whole scene, where it was moved to."""
    block = (field.means[:, 2] > 0.006) & (field.means[:, 0] < 0.05)
    object_locator = Locator(field.select(block), CONFIG, whole=False)
    frame = photo(field, look(-0.5, -0.3, 0.4))
    found = object_locator.locate(blind(frame, depth=True))
    assert found.converged
    # where the object is, in the camera: its own middle, through the pose found and through the true one
    middle = np.append(field.means[block].numpy().mean(0), 1)
    off = (found.T_camera_world @ middle - np.linalg.inv(frame.T_world_camera) @ middle)[:3]
    assert np.linalg.norm(off) < 0.01


def test_fields_without_views_are_looked_at_from_all_around(field):
    """A bare PLY has no views of its own."""
    bare = Locator(replace(field, views=()), replace(CONFIG, views=60))
    found = bare.locate(blind(photo(field, POSES[3])))
    assert found.converged and pose_error(found.T_world_camera, POSES[3])[0] < 0.005


def test_estimates_survive_files(field, locator, tmp_path):
    """What is saved loads as it was, with or without a pose; nothing is overwritten unasked."""
    found = locator.locate(blind(photo(field, POSES[0])))
    nothing = locator.locate(Frame(np.zeros((120, 160, 3), np.uint8), None, CAMERA, None))
    for k, estimate in enumerate((found, nothing)):
        path = estimate.save(tmp_path / f"{k}.json")
        again = PoseEstimate.load(path)
        assert again.as_values() == estimate.as_values()
    with pytest.raises(BadInput, match="--overwrite"):
        found.save(tmp_path / "0.json")
    text = (tmp_path / "0.json").read_text()
    for broken, error in (
        (text.replace('"schema": 1', '"schema": 9'), UnsupportedVersion),
        (text.replace('"source"', '"sauce"'), UnsupportedVersion),
        ("{", BadInput),
        (text.replace('"K": [', '"K": [[0.0],'), BadInput),
    ):
        (tmp_path / "broken.json").write_text(broken)
        with pytest.raises(error, match="broken.json"):
            PoseEstimate.load(tmp_path / "broken.json")


def test_answers_are_repeatable(field, locator):
    """The same picture gives the same bits."""
    a, b = (locator.locate(blind(photo(field, POSES[2]))) for _ in range(2))
    assert np.array_equal(a.T_world_camera, b.T_world_camera)
    assert a.confidence == b.confidence
