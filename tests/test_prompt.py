"""Clicks and boxes on rendered views, on a small field of known things."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scene_labelled import CAMERA, labelled_field

from robodistill.config import PromptConfig
from robodistill.errors import BadInput, HonestNo
from robodistill.field.features import Decoder, FeatureLayer
from robodistill.language.lift import lift_mask, view_weights
from robodistill.language.prompt import Prompter, prompt
from robodistill.language.prompt_sam import prompt_sam


@pytest.fixture(scope="module")
def scene():
    return labelled_field()


def layer_of(scene, noise: float = 0.0, seed: int = 0) -> FeatureLayer:
    """Each Gaussian has its thing's direction and a random vector of about the length `noise`."""
    random = torch.Generator().manual_seed(seed)
    codes = scene.directions[scene.labels]
    codes = codes + noise * torch.randn(codes.shape, generator=random) / codes.shape[1] ** 0.5
    return FeatureLayer("t", "uplift", codes, Decoder((torch.eye(codes.shape[1]),), (None,)))


def iou(a, b) -> float:
    return float((a & b).sum() / (a | b).sum())


def pixel_of(scene, label: int) -> tuple[int, int]:
    """A pixel of a thing in the first view, off its middle."""
    rows, columns = np.nonzero(scene.mask(scene.field.views[0]) == label)
    return int(np.percentile(columns, 30)), int(np.percentile(rows, 30))


def box_of(scene, label: int) -> tuple[int, int, int, int]:
    rows, columns = np.nonzero(scene.mask(scene.field.views[0]) == label)
    return columns.min(), rows.min(), columns.max(), rows.max()


@pytest.mark.parametrize("label", [1, 2])
@pytest.mark.parametrize("kind", ["point", "box"])
@pytest.mark.parametrize("cue", ["features", "colour"])
def test_a_prompt_selects_the_thing(scene, label, kind, cue):
    """A click or a box selects the slab, in 3D and in the view, by noisy features or by colour and shape."""
    view = scene.field.views[0]
    given = {"point": pixel_of(scene, label)} if kind == "point" else {"box": box_of(scene, label)}
    layer = layer_of(scene, noise=0.5) if cue == "features" else None
    result = prompt(scene.field, layer, view.camera, view.T_world_camera, **given)
    assert iou(result.selection, scene.labels == label) > 0.9
    assert iou(result.mask, scene.mask(view) == label) > 0.9
    assert 0.5 < result.score <= 1


@pytest.mark.parametrize("cue", ["features", "colour"])
def test_a_box_around_a_thin_thing_is_not_filled_by_the_wall(scene, cue):
    """Most of the box shows the wall, which would fill it better; the bar is what differs from what is around."""
    x, y = scene.field.means[:, 0] + 0.35, scene.field.means[:, 1]
    bar = (scene.labels == 1) & ((y - x).abs() < 0.07)
    kept = bar | (scene.labels == 0)
    scene = replace(scene, field=scene.field.select(kept), labels=scene.labels[kept])
    layer = layer_of(scene, noise=0.5) if cue == "features" else None
    view = scene.field.views[0]
    u0, v0, u1, v1 = box_of(scene, 1)
    assert (scene.mask(view)[v0 : v1 + 1, u0 : u1 + 1] == 1).mean() < 0.5
    result = prompt(scene.field, layer, view.camera, view.T_world_camera, box=(u0, v0, u1, v1))
    assert iou(result.selection, scene.labels == 1) > 0.9


def test_features_tell_apart_what_looks_the_same():
    """Two things of one colour and one plane are one by colour and shape; features part them."""
    scene = labelled_field(colored=False)
    flat = replace(scene.field, means=scene.field.means * torch.tensor([1, 1, 0.0]) + torch.tensor([0, 0, 1.7]))
    wall = scene.labels == 0
    near = (scene.field.means[:, :2] * 1000).round().long()  # the wall where a slab is goes, to leave one layer
    covered = wall & (near[:, 0].abs().sub(350).abs() <= 205) & (near[:, 1].abs() <= 255)
    flat, labels = flat.select(~covered), scene.labels[~covered]
    scene = replace(scene, field=flat, labels=labels)
    view, point = flat.views[0], pixel_of(scene, 1)
    with_features = prompt(flat, layer_of(scene, 0.5), view.camera, view.T_world_camera, point=point)
    without = prompt(flat, None, view.camera, view.T_world_camera, point=point)
    assert iou(with_features.selection, labels == 1) > 0.9
    assert iou(without.selection, labels == 1) < 0.6


def test_a_known_part_is_snapped_to(scene):
    """The group that is most like the grown region takes its place, whole; one that is not alike does not."""
    half = torch.where(scene.field.means[:, 1] > -0.2, scene.labels, 0)  # slabs cut short by a tenth
    groups = torch.stack([torch.full_like(half, 5), half], 1).int()
    field = replace(scene.field, groups=groups)
    view = field.views[0]
    result = prompt(field, layer_of(scene), view.camera, view.T_world_camera, point=pixel_of(scene, 1))
    assert torch.equal(result.selection, half == 1)


def test_where_nothing_is_rendered_the_answer_is_no(scene):
    """A click or a box on empty background is refused with the reason."""
    slabs = scene.field.select(scene.labels > 0)
    view = slabs.views[0]
    with pytest.raises(HonestNo, match="background"):
        prompt(slabs, None, view.camera, view.T_world_camera, point=(1, 1))
    with pytest.raises(HonestNo, match="box"):
        prompt(slabs, None, view.camera, view.T_world_camera, box=(0, 0, 3, 3))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"point": (64, 3)}, "64x48"),
        ({"point": (3, -1)}, "64x48"),
        ({"box": (70, 3, 90, 9)}, "64x48"),
        ({"box": (5, 5, 5, 9)}, "a pixel apart"),
        ({}, "one point"),
        ({"point": (1, 1), "box": (1, 1, 5, 5)}, "one point"),
    ],
)
def test_a_prompt_out_of_range_is_refused(scene, given, message):
    """The message says what would be valid."""
    view = scene.field.views[0]
    with pytest.raises(BadInput, match=message):
        prompt(scene.field, None, view.camera, view.T_world_camera, **given)


def test_a_prepared_field_answers_as_the_function_does(scene):
    """`Prompter` is `prompt` without preparing again."""
    view, point = scene.field.views[0], pixel_of(scene, 2)
    prompter = Prompter(scene.field, None, PromptConfig())
    first = prompter(view.camera, view.T_world_camera, point=point)
    second = prompter(view.camera, view.T_world_camera, point=point)
    assert torch.equal(first.selection, second.selection)
    assert torch.equal(first.selection, prompt(scene.field, None, CAMERA, view.T_world_camera, point=point).selection)


def test_a_lifted_mask_is_the_front_surface(scene):
    """What the mask shows is lifted, and nothing of the wall behind it."""
    view = scene.field.views[0]
    mask = scene.mask(view) == 1
    lifted = lift_mask(scene.field, view.camera, view.T_world_camera, mask)
    assert iou(lifted, scene.labels == 1) > 0.9
    assert not (lifted & (scene.labels == 0)).sum() > 0.02 * lifted.sum()


def test_lifting_and_rendering_a_mask_is_the_identity_within_its_rim(scene):
    """The lifted selection shows the mask that it came from, but for pixels that Gaussians of both sides share."""
    view = scene.field.views[0]
    mask = scene.mask(view) == 2
    lifted = lift_mask(scene.field, view.camera, view.T_world_camera, mask).numpy()
    shown = view_weights(scene.field, view.camera, view.T_world_camera).mask(lifted)
    assert iou(shown, mask) > 0.9


class ColorBySide:
    """A decoder that answers from the features themselves: the cells like the one that was clicked."""

    spec, dim = "sides", 24

    def decode(self, features, image_size, points=None, labels=None, box=None):
        height, width = image_size
        u, v = points[0] if points is not None else ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
        h, w, _ = features.shape
        clicked = features[int((v + 0.5) * h / height), int((u + 0.5) * w / width)]
        alike = torch.nn.functional.cosine_similarity(features, clicked, dim=-1)
        large = torch.nn.functional.interpolate(alike[None, None], image_size, mode="nearest")[0, 0]
        return (large > 0.7).numpy(), 0.9


@pytest.mark.parametrize("kind", ["point", "box"])
def test_a_decoder_on_rendered_features_selects_in_3d(scene, kind):
    """The features that the decoder is given are the rendered ones, its mask is returned, and lifted to the slab."""
    view = scene.field.views[0]
    given = {"point": pixel_of(scene, 1)} if kind == "point" else {"box": box_of(scene, 1)}
    result = prompt_sam(scene.field, layer_of(scene), view.camera, view.T_world_camera, ColorBySide(), **given)
    assert result.score == 0.9
    assert iou(result.mask, scene.mask(view) == 1) > 0.85
    assert iou(result.selection, scene.labels == 1) > 0.85


def test_features_of_another_teacher_are_refused(scene):
    """The decoder's dimension is not the layer's."""
    view, decoder = scene.field.views[0], ColorBySide()
    decoder.dim = 256
    with pytest.raises(BadInput, match="24 dimensions, the decoder sides 256"):
        prompt_sam(scene.field, layer_of(scene), view.camera, view.T_world_camera, decoder, point=(3, 3))
