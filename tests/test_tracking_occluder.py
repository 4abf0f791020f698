"""What covers the object: hands are told by colour, and neither believed to be background nor drawn to."""

from dataclasses import replace

import numpy as np
import pytest
from two_boxes import CAMERA, make_film, make_model

from robodistill.config import TrackingConfig
from robodistill.tracking.articulation import FreeParts
from robodistill.tracking.background import Background
from robodistill.tracking.layers import Window
from robodistill.tracking.model import PartModel
from robodistill.tracking.occluder import Colors, field_palette, hand_palette, occluded, palette
from robodistill.tracking.photometric import linearize
from robodistill.tracking.picture import Picture
from robodistill.tracking.tracker import Follower, picture_of

TABLE, SHADOW, THING, HAND = (0.75, 0.7, 0.6), (0.45, 0.42, 0.36), (0.15, 0.35, 0.75), (0.6, 0.25, 0.15)


@pytest.fixture(scope="module")
def model() -> PartModel:
    return make_model()


def scene(thing: slice, hand: slice = slice(0, 0), skin: tuple = HAND, shadow_only: bool = False) -> np.ndarray:
    """(60, 90, 3): a thing on a table, lit from the side, its shadow, and a hand from below."""
    image = np.full((60, 90, 3), TABLE)
    image[34:40, thing] = SHADOW
    if not shadow_only:
        image[20:34, thing] = np.array(THING) * np.linspace(0.6, 1.3, thing.stop - thing.start)[:, None]
    image[26:60, hand] = skin
    return (255 * np.clip(image, 0, 1)).astype(np.uint8)


def test_a_hand_is_told_from_the_object_and_what_is_behind():
    """All of the hand but its rim, over object, shadow and table; nothing of the object in any light, nor its edges."""
    colors = palette(np.tile(np.array([THING], np.float32), (20, 1)))
    frame = scene(slice(30, 60), slice(40, 52)).astype(np.float32) / 255
    behind = scene(slice(30, 60), shadow_only=True).astype(np.float32) / 255  # in the frame's light
    mask = occluded(frame, behind, np.ones((60, 90)), Colors(colors))
    assert mask[28:58, 42:50].all()
    mask[24:, 38:54] = False
    assert not mask.any()
    # where nobody has seen the background, what is like that around the object passes
    around = palette(behind.reshape(-1, 3))
    unknown = occluded(frame, np.zeros_like(behind), np.zeros((60, 90)), Colors(colors, around))
    assert unknown[28:58, 42:50].all() and not unknown[:, :36].any()


def test_an_object_of_the_hands_colour_is_not_called_a_hand():
    """Nothing is said where colour cannot tell."""
    colors = palette(np.array([THING, HAND], np.float32))
    frame = scene(slice(30, 60), slice(40, 52)).astype(np.float32) / 255
    behind = scene(slice(30, 60), shadow_only=True).astype(np.float32) / 255
    assert not occluded(frame, behind, np.ones((60, 90)), Colors(colors)).any()


def test_a_hand_of_nearly_the_objects_colour_is_told_by_how_hands_look_in_the_film():
    """A brown hand before brown wood: it is learned where it reaches in, then told from the wood in front of it."""
    wood, skin = (0.42, 0.24, 0.14), (0.44, 0.29, 0.2)
    colors = Colors(palette(np.tile(np.array([wood], np.float32), (20, 1))))

    def shown(hand: slice) -> tuple[np.ndarray, np.ndarray]:
        image = scene(slice(30, 60), hand, skin).astype(np.float32) / 255
        blue = image[..., 2] > 0.8 * image[..., 0] + 0.05
        image[blue & (image[..., 0] < 0.3)] = wood
        return image, scene(slice(30, 60), shadow_only=True).astype(np.float32) / 255

    known = np.ones((60, 90))
    frame, behind = shown(slice(40, 52))
    assert not occluded(frame, behind, known, colors)[26:33, 40:52].any()
    images, behinds = zip(*(shown(slice(k, k + 12)) for k in (20, 40, 60, 70)), strict=True)
    told = occluded(frame, behind, known, replace(colors, hands=hand_palette(images, behinds, known, colors)))
    assert told[28:58, 42:50].all()
    told[24:, 38:54] = False
    assert not told.any()


def test_a_hand_that_stays_is_no_background():
    """The object leaves, and something stays there: of the table's colour it is learned, of a hand's it is not."""
    covered = np.zeros((60, 90), bool)
    covered[20:40, 30:60] = True
    inside = (slice(28, 36), slice(46, 54))
    for skin, known in ((tuple(0.8 * np.array(TABLE)), 1.0), (HAND, 0.0)):
        frames = [scene(slice(30, 60))] + [scene(slice(2, 28), slice(44, 56), skin)] * 23
        background = Background(frames, covered)
        for frame in frames[1:]:
            background.add(frame.astype(np.float32) / 255, np.zeros((60, 90), bool))
        assert (background.known[inside] > 0.5).mean() == known
        assert (background.known[22:25, 40:56] > 0.5).all()  # the table beside it is known


def test_the_object_is_not_drawn_to_a_hand(model: PartModel):
    """With a hand over a third of it: masked, its pixels have no weight, and the pose that was right stays."""
    frames, poses, _ = make_film(model)
    window = Window(CAMERA, 0, 0, 160, 120)
    covered = model.draw(poses[0], window).alpha.max(0) > 0.03
    image = frames[0].copy()
    left, right = np.flatnonzero(covered.any(0))[[0, -1]]
    hand = slice(left - 10, left + (right - left) // 3)
    image[:, hand] = (90, 255, 30)
    background = Background(frames, covered, field_palette(model.field))
    picture = picture_of(image, CAMERA, background)
    assert (
        picture.usable[:, hand.start + 3 : hand.stop - 3].mean() < 0.05 < 0.95 < picture.usable[:, hand.stop :].mean()
    )
    follower = Follower(model, TrackingConfig(), FreeParts(model.centers))
    Ts, q = follower.solve(picture, poses[0], poses[0], None)
    assert np.linalg.norm(model.posed_points(Ts) - model.posed_points(poses[0]), axis=1).mean() < 0.002
    bare = Picture(picture.rgb, picture.background, picture.known, CAMERA)
    assert q.cost < linearize(model, Ts, bare, 0.05, q.lights).cost - 0.05  # what covers it costs nothing


def test_a_solve_ends_no_worse_than_from_where_it_began(model: PartModel, monkeypatch):
    """Blurred steps lead far; where they lead astray, the sharp ones from the start itself are kept."""
    frames, poses, _ = make_film(model)
    covered = model.draw(poses[0], Window(CAMERA, 0, 0, 160, 120)).alpha.max(0) > 0.03
    background = Background(frames, covered, field_palette(model.field))
    follower = Follower(model, TrackingConfig(), FreeParts(model.centers))
    for t in (3, 8):
        picture = picture_of(frames[t], CAMERA, background)
        _, near = follower.solve(picture, poses[t], poses[t], None, wide=False)
        _, both = follower.solve(picture, poses[t], poses[t], None)
        assert both.cost <= near.cost + 1e-9
    astray = poses[8].copy()
    astray[:, :3, 3] += [0.02, 0.0, 0.05]
    monkeypatch.setattr(follower, "_blurred", lambda *_: (astray, None))
    Ts, both = follower.solve(picture, poses[8], poses[8], None)
    assert both.cost <= near.cost + 1e-9
    assert np.linalg.norm(model.posed_points(Ts) - model.posed_points(poses[8]), axis=1).mean() < 0.002
