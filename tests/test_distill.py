"""Features by optimisation as Feature 3DGS has them, on a small field of known things."""

from dataclasses import replace

import pytest
import torch
from scene_labelled import labelled_field

from robodistill.capture.frame import Frame
from robodistill.config import DistillConfig, FitConfig
from robodistill.errors import BadInput
from robodistill.features.distill import distill
from robodistill.features.joint import distill_jointly
from robodistill.features.trained import render_codes
from robodistill.field.losses import psnr
from robodistill.field.render import render

QUICK = DistillConfig(steps=60, dim=4, lr=0.01, lr_decoder=0.05)


@pytest.fixture(scope="module")
def scene():
    return labelled_field()


@pytest.fixture(scope="module")
def maps(scene):
    return [scene.map(view, noise=0.5, seed=k) for k, view in enumerate(scene.field.views)]


def pixel_accuracy(scene, layer, view) -> float:
    """Share of the pixels that the rendered features name rightly."""
    named = layer.similarity(scene.directions, render_codes(scene.field, layer.codes, view)).argmax(-1)
    return float((named.numpy() == scene.mask(view)).mean())


@pytest.mark.parametrize(
    "config",
    [QUICK, replace(QUICK, dim=0, decoder=False), replace(QUICK, resize="corners")],
    ids=["16", "D", "corners"],
)
def test_a_view_that_was_not_taught_is_named_rightly(scene, maps, config):
    """Features taught by five views name the things of the sixth, but for the rims that cells of 4 pixels blur."""
    layer = distill(scene.field, scene.field.views[1:], maps[1:], config, teacher="t")
    assert (layer.way, layer.teacher, layer.dim) == ("distill", "t", 24)
    assert pixel_accuracy(scene, layer, scene.field.views[0]) > 0.95


def test_more_steps_bring_the_rendering_nearer_to_the_map(scene, maps):
    """The loss that is shown falls, and every step is shown."""
    shown = []
    distill(scene.field, scene.field.views, maps, QUICK, lambda *step: shown.append(step))
    losses = [float(note.split()[1]) for *_, note in shown]
    assert [done for _, done, *_ in shown] == list(range(1, 61)) and {total for *_, total, _ in shown} == {60}
    assert sum(losses[-6:]) < 0.9 * sum(losses[:6])


def test_the_same_seed_gives_the_same_features(scene, maps):
    """Deterministic but for the order in which threads sum, far below what a step moves."""
    a, b = (distill(scene.field, scene.field.views, maps, replace(QUICK, steps=5)) for _ in range(2))
    assert torch.allclose(a.codes, b.codes, atol=1e-5)


def test_what_no_view_sees_stays_without_a_feature(scene, maps):
    """A Gaussian behind all cameras keeps the zero code that says so."""
    away = replace(
        scene.field, means=torch.where(torch.arange(len(scene.labels))[:, None] < 9, -1.0, scene.field.means)
    )
    layer = distill(away, away.views, maps, replace(QUICK, steps=5))
    assert not layer.codes[:9].any() and (layer.codes[9:] != 0).any()


def test_geometry_and_colour_stay(scene, maps):
    """A field is not changed by what is learned on it."""
    before = scene.field.means.clone()
    distill(scene.field, scene.field.views, maps, replace(QUICK, steps=2))
    assert torch.equal(before, scene.field.means) and not scene.field.means.requires_grad


def test_fitted_jointly_colours_and_features_are_both_learned(scene, maps):
    """From colours that are wrong, one loop brings back the picture, moves Gaussians, and names things."""
    frames = []
    for view in scene.field.views:
        rgb = (render(scene.field, view.camera, view.T_world_camera).rgb.clamp(0, 1) * 255).round().byte().numpy()
        frames.append(Frame(rgb, None, view.camera, view.T_world_camera, view.name))
    start = replace(scene.field, sh=torch.zeros_like(scene.field.sh))
    field, layer = distill_jointly(start, frames, maps, QUICK, FitConfig(sh_degree=0))
    view = scene.field.views[0]
    truth = torch.from_numpy(frames[0].rgb).float() / 255
    before, after = (psnr(render(f, view.camera, view.T_world_camera).rgb, truth) for f in (start, field))
    assert after > before + 5
    assert len(field) == len(start) == len(layer)
    assert pixel_accuracy(replace(scene, field=field), layer, view) > 0.95
    with pytest.raises(BadInput, match="without a pose"):
        distill_jointly(start, [replace(frames[0], T_world_camera=None)], maps[:1], QUICK, FitConfig())


def test_the_feature_loss_moves_geometry_only_where_fitted_jointly(scene, maps):
    """With another weight of the features the fitted centres come out otherwise: the feature loss reached them."""
    view = scene.field.views[0]
    rgb = (render(scene.field, view.camera, view.T_world_camera).rgb.clamp(0, 1) * 255).byte().numpy()
    frame = Frame(rgb, None, view.camera, view.T_world_camera)
    means = [
        distill_jointly(scene.field, [frame], maps[:1], replace(QUICK, steps=6, weight=w), FitConfig())[0].means
        for w in (1e-9, 100.0)
    ]
    assert (means[0] - means[1]).abs().max() > 1e-4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dim": 4, "decoder": False}, "dimension 24; got dim=4"),
        ({"resize": "nearest"}, "area, corners"),
        ({"steps": 0}, "steps >= 1"),
    ],
)
def test_a_config_out_of_range_is_named(scene, maps, change, message):
    """The message says what would be valid."""
    with pytest.raises(BadInput, match=message):
        distill(scene.field, scene.field.views, maps, replace(QUICK, **change))


def test_maps_that_do_not_fit_the_views_are_refused(scene, maps):
    """Another number of maps, no view at all, or maps of several dimensions."""
    with pytest.raises(BadInput, match="6 views, 5 maps"):
        distill(scene.field, scene.field.views, maps[1:], QUICK)
    with pytest.raises(BadInput, match="0 views"):
        distill(scene.field, [], [], QUICK)
    with pytest.raises(BadInput, match="one D"):
        distill(scene.field, scene.field.views, [maps[0][..., :5], *maps[1:]], QUICK)
