"""The truth teacher: features painted from labels, and the ways into a field on the shipped sample."""

import numpy as np
import pytest
import torch

from robodistill.capture.open import open_capture
from robodistill.config import FeaturesConfig, SeedConfig
from robodistill.errors import BadInput
from robodistill.field.seed import seed_field, views_of
from robodistill.pipeline.features import TeacherMaps, add_features, resolve_teachers
from robodistill.progress import silent
from robodistill.resources import find_resource
from robodistill.sim.colors import COLORS
from robodistill.teachers.registry import load_image_teacher, load_text_teacher
from robodistill.teachers.teacher import ImageTeacher, MaskProposer, TextTeacher
from robodistill.teachers.truth import TruthTeacher

SAMPLE = find_resource("assets/demo/tabletop")


@pytest.fixture(scope="module")
def frames():
    return [open_capture(SAMPLE)[k] for k in range(0, 36, 6)]


def test_it_is_all_three_kinds():
    """Image encoder, text encoder and mask proposer in one."""
    teacher = TruthTeacher("", SAMPLE)
    assert isinstance(teacher, ImageTeacher) and isinstance(teacher, TextTeacher) and isinstance(teacher, MaskProposer)
    assert isinstance(load_image_teacher("truth", SAMPLE), TruthTeacher)


def test_words_are_nearly_orthogonal_and_phrases_compose():
    """Different words share nothing, the same word is itself, articles are silent, a phrase is the sum of its words."""
    words = [*COLORS, "mug", "lid", "handle", "background"]
    directions = load_text_teacher("truth").encode_text(words)
    assert torch.allclose(directions.norm(dim=-1), torch.ones(len(words)))
    assert (directions @ directions.mT - torch.eye(len(words))).abs().max() < 0.2
    phrase, same = TruthTeacher().encode_text(["red mug", "the Mug of red"])
    assert torch.allclose(phrase, same) and (phrase @ directions[words.index("mug")]) > 0.6
    with pytest.raises(BadInput, match="no word"):
        TruthTeacher().encode_text(["  "])


def test_exact_cells_read_as_their_labels(frames):
    """Without noise, the nearest of all labels is the object of the pixel."""
    teacher = TruthTeacher("stride=1", SAMPLE)
    objects = teacher._objects
    names = ["background", *(f"{it['color']} {it['category']}" for it in objects)]
    seen = teacher.encode(frames[0])
    found = (seen @ teacher.encode_text(names).mT).argmax(-1).numpy()
    masks = teacher.propose(frames[0])[1]
    assert seen.shape == (*frames[0].rgb.shape[:2], 512) and (found == masks).mean() > 0.999


def test_noise_and_confusion_are_as_large_as_asked(frames):
    """Noise has the length that was given; confusion makes some objects others in some views; both repeat exactly."""
    exact = TruthTeacher("stride=8", SAMPLE).encode(frames[0])
    noisy = TruthTeacher("stride=8,noise=3", SAMPLE).encode(frames[0])
    assert (noisy - exact).norm(dim=-1).mean() == pytest.approx(3, rel=0.05)
    assert torch.equal(noisy, TruthTeacher("stride=8,noise=3", SAMPLE).encode(frames[0]))
    wrong, whole = TruthTeacher("stride=8,confusion=0.5", SAMPLE), TruthTeacher("stride=8", SAMPLE)
    changed = [float((wrong.encode(f) - whole.encode(f)).norm(dim=-1).max()) > 0.5 for f in frames]
    assert any(changed)
    with pytest.raises(BadInput, match="noize.*stride=NUMBER"):
        TruthTeacher("noize=1")
    with pytest.raises(BadInput, match="truth.json"):
        TruthTeacher().encode(frames[0])


def test_maps_are_encoded_once_and_survive(frames, tmp_path):
    """Each frame is encoded once; another run reads what is on disk."""
    counted = []

    class Counting(TruthTeacher):
        def encode(self, frame):
            counted.append(frame.name)
            return super().encode(frame)

    teacher = Counting("stride=16", SAMPLE)
    for folder in (None, tmp_path, tmp_path):
        maps = TeacherMaps(teacher, frames[:3], folder, silent)
        assert torch.equal(maps[1], maps[1]) and len(list(maps)) == 3
    assert len(counted) == 6


def test_teacher_lists_keep_arguments_together():
    """A comma inside an argument is no new teacher; auto names one."""
    assert resolve_teachers("truth:noise=1,stride=4,clip") == ["truth:noise=1,stride=4", "clip"]
    assert resolve_teachers("clip:openai/x,side=336, dinov2") == ["clip:openai/x,side=336", "dinov2"]
    assert resolve_teachers("auto")[0].partition(":")[0] in ("clip", "siglip", "builtin")


@pytest.mark.parametrize("way", ["uplift", "distill", "contrastive"])
def test_every_way_carries_the_labels_into_the_field(frames, way):
    """By each way most Gaussians of objects are read as what they are, and the layer knows its teacher."""
    from dataclasses import replace

    from robodistill.language.segment import label_gaussians
    from robodistill.parts.quality import majority_labels

    field = seed_field(frames, SeedConfig(gaussians=6000))
    config = FeaturesConfig(teacher="truth:stride=8,dim=64", way=way)
    config = replace(config, contrastive=replace(config.contrastive, steps=80))
    made = add_features(field, frames, views_of(frames), SAMPLE, config)
    layer = made.layer("truth")
    assert layer.way == way and layer.teacher == "truth:stride=8,dim=64" and layer.dim == 64
    teacher = TruthTeacher("stride=8,dim=64", SAMPLE)
    names = ["background", *(f"{it['color']} {it['category']}" for it in teacher._objects)]
    masks = [teacher.propose(frame)[1] for frame in frames]
    views = [(f.camera, f.T_world_camera, mask) for f, mask in zip(frames, masks, strict=True)]
    truth = majority_labels(field, views).numpy()
    right = (label_gaussians(layer, load_text_teacher(layer.teacher), names).numpy() == truth)[truth > 0].mean()
    assert right > 0.5  # of coarse cells and few steps; chance is an eighth
    assert np.isfinite(layer.codes.float().numpy()).all()


def test_a_field_holds_one_of_each_name(frames):
    """Two models of one teacher would overwrite each other; that is said instead."""
    field = seed_field(frames[:2], SeedConfig(gaussians=500))
    config = FeaturesConfig(teacher="truth:stride=8,truth:stride=4")
    with pytest.raises(BadInput, match="one of each name"):
        add_features(field, frames[:2], views_of(frames[:2]), SAMPLE, config)


def test_unknown_ways_are_refused(frames):
    """The message says which there are."""
    field = seed_field(frames[:2], SeedConfig(gaussians=500))
    with pytest.raises(BadInput, match="uplift, distill, contrastive"):
        add_features(field, frames[:2], views_of(frames[:2]), SAMPLE, FeaturesConfig(teacher="truth", way="magic"))
