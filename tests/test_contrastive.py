"""Features by optimisation within masks as GaussianGrasper has them, on a small field of known things."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scene_labelled import labelled_field

from robodistill.config import ContrastiveConfig
from robodistill.errors import BadInput
from robodistill.features.contrastive import Regions, contrastive
from robodistill.features.trained import render_codes

QUICK = ContrastiveConfig(steps=60, dim=8, hidden=32, samples=300, pairs=500, lr=0.02, lr_decoder=0.01)


@pytest.fixture(scope="module")
def scene():
    return labelled_field()


@pytest.fixture(scope="module")
def maps(scene):
    return [scene.map(view, noise=0.5, seed=k) for k, view in enumerate(scene.field.views)]


@pytest.fixture(scope="module")
def masks(scene):
    return [scene.mask(view)[None] for view in scene.field.views]


@pytest.mark.parametrize("pool", [True, False])
def test_a_view_that_was_not_taught_is_named_rightly(scene, maps, masks, pool):
    """Features taught by five views name the things of the sixth."""
    config = replace(QUICK, pool=pool)
    layer = contrastive(scene.field, scene.field.views[1:], maps[1:], masks[1:], config, teacher="t")
    view = scene.field.views[0]
    named = layer.similarity(scene.directions, render_codes(scene.field, layer.codes, view)).argmax(-1).numpy()
    assert (layer.way, layer.teacher, layer.dim, len(layer.decoder.weights)) == ("contrastive", "t", 24, 2)
    assert (named == scene.mask(view)).mean() > 0.95


def test_pairs_draw_the_codes_of_a_mask_together(scene, maps, masks):
    """The codes within a thing agree more with the pairs' loss than without it."""

    def agreement(weight: float) -> float:
        layer = contrastive(scene.field, scene.field.views, maps, masks, replace(QUICK, weight=weight))
        codes = torch.nn.functional.normalize(layer.codes[scene.labels == 1], dim=-1)
        return float(codes.mean(0).norm())

    assert agreement(1.0) > agreement(0.0)


def test_without_any_mask_only_the_teacher_teaches(scene, maps, masks):
    """No pair, no NaN."""
    layer = contrastive(scene.field, scene.field.views, maps, [0 * m for m in masks], replace(QUICK, steps=3))
    assert torch.isfinite(layer.codes).all() and layer.codes.any()


def test_pairs_are_of_one_mask_and_never_of_none():
    """Both pixels of a pair carry the same label, not 0, and masks come by their areas."""
    labels = np.zeros((20, 30), np.int32)
    labels[:, 10:20], labels[:5, 20:] = 7, 3  # 200 and 50 pixels
    a, b = Regions(labels).pairs(5000, torch.Generator().manual_seed(0))
    flat = torch.from_numpy(labels).flatten()
    assert torch.equal(flat[a], flat[b]) and set(flat[a].tolist()) == {3, 7}
    assert (flat[a] == 7).float().mean().item() == pytest.approx(0.8, abs=0.03)  # 5 sigma of 5000 draws
    assert len(set(b.tolist())) > 0.95 * 250  # all places are reached


def test_samples_are_as_many_from_small_masks_as_from_large():
    """A mask of 50 pixels is taught as often as one of 200; the other half has no mask."""
    labels = np.zeros((20, 30), np.int32)
    labels[:, 10:20], labels[:5, 20:] = 7, 3
    drawn = torch.from_numpy(labels).flatten()[Regions(labels).samples(1000, torch.Generator().manual_seed(0))]
    assert {k: int((drawn == k).sum()) for k in (0, 3, 7)} == {0: 500, 3: 250, 7: 250}


def test_what_no_view_sees_stays_without_a_feature(scene, maps, masks):
    """A Gaussian behind all cameras has the zero code that says so."""
    away = replace(
        scene.field, means=torch.where(torch.arange(len(scene.labels))[:, None] < 9, -1.0, scene.field.means)
    )
    layer = contrastive(away, away.views, maps, masks, replace(QUICK, steps=3))
    assert not layer.codes[:9].any() and layer.codes.any()


def test_masks_that_do_not_fit_are_refused(scene, maps, masks):
    """Another number of masks, another size, or a level that they do not have."""
    args = (scene.field, scene.field.views, maps)
    with pytest.raises(BadInput, match="6 views, 5 masks"):
        contrastive(*args, masks[1:], QUICK)
    with pytest.raises(BadInput, match=r"\(L, 48, 64\)"):
        contrastive(*args, [m[:, 1:] for m in masks], QUICK)
    with pytest.raises(BadInput, match="L > 1"):
        contrastive(*args, masks, replace(QUICK, level=1))
    with pytest.raises(BadInput, match="1 or more"):
        contrastive(*args, masks, replace(QUICK, samples=0))
