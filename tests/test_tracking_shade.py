"""Shadows on what is followed, the way between values of a joint, and what leaves the picture."""

from dataclasses import replace

import numpy as np
import pytest
from two_boxes import CAMERA, HINGE, make_film, make_model

from robodistill.config import TrackingConfig
from robodistill.errors import HonestNo
from robodistill.tracking.articulation import FreeParts, moved_parts
from robodistill.tracking.joint_path import cheapest_path
from robodistill.tracking.layers import Window
from robodistill.tracking.look import Look
from robodistill.tracking.model import PartModel
from robodistill.tracking.photometric import linearize, unlit
from robodistill.tracking.picture import Picture
from robodistill.tracking.shade import shade
from robodistill.tracking.tracker import Follower, check_seen, check_told

WINDOW = Window(CAMERA, 0, 0, 160, 120)
KNOWN = np.ones((120, 160), np.float32)
BEHIND = np.full((120, 160, 3), 0.4, np.float32)


@pytest.fixture(scope="module")
def model() -> PartModel:
    return make_model()


@pytest.fixture(scope="module")
def Ts(model: PartModel) -> np.ndarray:
    """(2, 4, 4) of an open lid."""
    return make_film(model)[1][9]


@pytest.fixture(scope="module")
def shadowed(model: PartModel, Ts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A picture with half of the thing at half of its light, and (H, W) bool where it is so."""
    layers = model.draw(Ts, WINDOW)
    covered = np.argwhere(layers.alpha.max(0) > 0.5)
    dark = np.zeros((120, 160), bool)
    dark[:, : int(np.median(covered[:, 1]))] = True
    lit = layers.color * np.where(dark, 0.5, 1.0)[None, ..., None].astype(np.float32)
    return layers.over(lit, BEHIND), dark


def test_a_shadow_is_told_from_the_colour_of_another_thing(model: PartModel, Ts: np.ndarray, shadowed: tuple):
    """Inside of the shadow the gain is half of that outside; over a hand of another colour nothing is made lighter."""
    picture, dark = shadowed
    layers = model.draw(Ts, WINDOW)
    inside = np.prod(1 - layers.alpha, 0) < 0.02
    gain = shade(layers, layers.added(layers.color), picture, 0.05, half=False)
    ratio = np.median(gain[inside & dark]) / np.median(gain[inside & ~dark])
    assert 0.45 < ratio < 0.65
    hand = np.broadcast_to(np.array([0.1, 0.9, 0.1], np.float32), picture.shape)
    assert np.abs(shade(layers, layers.added(layers.color), hand, 0.05, half=False) - 1).max() < 0.15
    assert np.allclose(
        shade(layers, layers.added(layers.color), layers.over(layers.color, BEHIND), 0.05, half=False), 1, atol=0.02
    )


def test_poses_are_found_under_a_shadow(model: PartModel, Ts: np.ndarray, shadowed: tuple):
    """From 4 mm too far, all of the thing is seen and found to 1 mm; and a shadow costs something."""
    picture = Picture(shadowed[0], BEHIND, KNOWN, CAMERA)
    away = Ts.copy()
    away[:, 2, 3] += 0.004
    follower = Follower(model, TrackingConfig(), FreeParts(model.centers))
    found, q = follower.solve(picture, away, away, None)
    off = np.linalg.norm(model.posed_points(found) - model.posed_points(Ts), axis=1)
    assert (q.visible > 0.8).all() and off.mean() < 0.001
    plain = Picture(model.draw(Ts, WINDOW).over(model.draw(Ts, WINDOW).color, BEHIND), BEHIND, KNOWN, CAMERA)
    assert linearize(model, Ts, plain, 0.05).cost < q.cost - 0.05


def test_the_cheapest_path_weighs_places_against_steps():
    """A place that one frame alone likes a little is left out; one that it likes much is gone to."""
    costs = np.ones((5, 4))
    costs[:, 1] = 0.5
    costs[2] = [1.0, 0.5, 1.0, 0.4]
    steps = 0.1 * np.abs(np.arange(4)[:, None] - np.arange(4))
    assert cheapest_path(costs, steps).tolist() == [1] * 5
    costs[2, 3] = -0.5
    assert cheapest_path(costs, steps).tolist() == [1, 1, 3, 1, 1]
    rng = np.random.default_rng(1)
    costs, steps = rng.random((4, 3)), rng.random((3, 3))
    every = np.stack(np.meshgrid(*[np.arange(3)] * 4, indexing="ij"), -1).reshape(-1, 4)
    totals = costs[np.arange(4), every].sum(1) + steps[every[:, :-1], every[:, 1:]].sum(1)
    assert cheapest_path(costs, steps).tolist() == every[totals.argmin()].tolist()


def test_leaving_the_picture_is_no_gain(model: PartModel, Ts: np.ndarray):
    """A lid that the picture shows in another light is not better off outside of what is drawn."""
    layers = model.draw(Ts, WINDOW)
    picture = Picture(layers.over(layers.color, BEHIND), BEHIND, KNOWN, CAMERA)
    q = linearize(model, Ts, picture, 0.05)
    look = Look.at(model, picture, Ts, replace(q, visible=np.ones(2), lights=unlit(2)), TrackingConfig())
    outside = moved_parts(Ts, model.centers, np.r_[np.zeros(6), 3.0, np.zeros(5)])
    area = float(layers.alpha[HINGE.child].sum()) / 4000  # of half size
    assert look.cost(outside, [HINGE.child]) > look.cost(Ts, [HINGE.child]) + 0.15 * area


def test_what_agrees_by_chance_is_said_so(model: PartModel, Ts: np.ndarray):
    """On ground of its own colours a thing seems to be in sight where it is not; that is told from being there."""
    layers = model.draw(Ts, WINDOW)
    shown = layers.over(layers.color, BEHIND)
    there = linearize(model, Ts, Picture(shown, BEHIND, KNOWN, CAMERA), 0.05)
    check_told([there] * 3)
    nothing = linearize(model, Ts, Picture(shown, shown, KNOWN, CAMERA), 0.05)
    check_seen([nothing] * 3)
    with pytest.raises(HonestNo, match="hardly tells"):
        check_told([nothing] * 3)
