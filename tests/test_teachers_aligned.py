"""CLIP and SigLIP: features of patches that lie in the space of the text, by numerics against the models themselves."""

import numpy as np
import pytest
import torch
from tiny_models import small_frame, tiny
from torch.nn import functional

from robodistill.errors import BadInput
from robodistill.teachers import images, texts
from robodistill.teachers.registry import load_image_teacher, load_text_teacher
from robodistill.teachers.teacher import ImageTeacher, TextTeacher

SAME = dict(rtol=1e-4, atol=1e-5)  # float32 sums in another order


def clip(options="", kind="clip"):
    """A tiny CLIP."""
    return load_image_teacher(f"clip:{tiny(kind)}{options}")


def siglip(options=""):
    """A tiny SigLIP."""
    return load_image_teacher(f"siglip:{tiny('siglip')}{options}")


@pytest.mark.parametrize("make", [clip, siglip])
def test_they_are_teachers_of_images_and_text(make):
    """Both fulfil both protocols, and features and text have one dimension and length 1."""
    teacher, frame = make(), small_frame()
    assert isinstance(teacher, ImageTeacher) and isinstance(teacher, TextTeacher)
    features, text = teacher.encode(frame), teacher.encode_text(["red mug", "box"])
    assert features.shape[-1] == text.shape[-1] == teacher.dim
    for vectors in (features, text):
        assert vectors.dtype == torch.float32
        torch.testing.assert_close(vectors.norm(dim=-1), torch.ones(vectors.shape[:-1]))


@pytest.mark.parametrize("make", [clip, siglip])
def test_the_global_embedding_is_the_models_own(make):
    """Our way through the blocks, with the model's own last one, ends where get_image_features ends."""
    teacher, frame = make(), small_frame(32, 32)
    pixels = teacher.pixels(frame.rgb, (32, 32))
    theirs = teacher.model.get_image_features(pixels).pooler_output[0]
    torch.testing.assert_close(teacher.embed(frame), functional.normalize(theirs, dim=-1), **SAME)


def test_clip_with_its_own_attention_is_the_models_hidden_state():
    """The blocks before the last and the last one make the model's last hidden state, at an aspect not trained."""
    teacher = clip()
    pixels = teacher.pixels(small_frame().rgb, (24, 40))
    tokens = teacher._before_last_block(pixels)
    ours = teacher.model.vision_model.encoder.layers[-1](tokens, None)
    theirs = teacher.model.vision_model(pixels, interpolate_pos_encoding=True).last_hidden_state
    torch.testing.assert_close(ours, theirs, **SAME)


def test_maskclip_is_the_last_block_where_a_token_sees_itself_alone():
    """Attention on one token is its value: what is dense must be what the model's block makes of each token alone."""
    teacher = clip()
    tokens = teacher._before_last_block(teacher.pixels(small_frame().rgb, (32, 32)))
    block = teacher.model.vision_model.encoder.layers[-1]
    alone = torch.cat([block(token[None, None], None) for token in tokens[0]], 1)
    torch.testing.assert_close(teacher._maskclip(tokens), alone, **SAME)


def test_maskclip_keeps_patches_apart():
    """In a model of one block nothing mixes: a change of one patch changes that cell and no other."""
    teacher, frame = clip(",side=32,dense=maskclip", "clip1"), small_frame(32, 32)
    changed = frame.rgb.copy()
    changed[8:16, 16:24] = 255 - changed[8:16, 16:24]
    before, after = teacher.encode(frame), teacher.encode(type(frame)(changed, None, frame.camera, None))
    moved = (before - after).norm(dim=-1) > 1e-4
    assert moved[1, 2] and moved.sum() == 1
    other = clip(",side=32", "clip1")
    assert (
        (other.encode(frame) - other.encode(type(frame)(changed, None, frame.camera, None))).norm(dim=-1) > 1e-4
    ).all()


def test_clearclip_gathers_from_its_like():
    """Each patch is the mean of values weighted by the softmax of its query with all queries, head by head."""
    teacher = clip()
    tokens = teacher._before_last_block(teacher.pixels(small_frame().rgb, (32, 32)))
    attention = teacher.model.vision_model.encoder.layers[-1].self_attn
    normed = teacher.model.vision_model.encoder.layers[-1].layer_norm1(tokens)[0]
    queries, values, size = attention.q_proj(normed), attention.v_proj(normed), attention.head_dim
    heads = []
    for head in range(attention.num_heads):
        q, v = (part[:, head * size : (head + 1) * size] for part in (queries, values))
        heads.append((q @ q.T / size**0.5).softmax(-1) @ v)
    torch.testing.assert_close(teacher._clearclip(tokens)[0], attention.out_proj(torch.cat(heads, -1)), **SAME)


def test_siglip_on_one_patch_is_its_pooled_embedding():
    """The pooling head has one patch to look at, so the dense feature is the image's embedding."""
    teacher, frame = siglip(",side=8"), small_frame(32, 32)
    pooled = teacher.model.vision_model(teacher.pixels(frame.rgb, (8, 8)), interpolate_pos_encoding=True).pooler_output
    assert teacher.encode(frame).shape == (1, 1, 32)
    torch.testing.assert_close(teacher.encode(frame)[0, 0], functional.normalize(pooled[0], dim=-1), **SAME)


def test_siglip_pools_each_patch_alone():
    """Every cell is what the head makes of that patch alone."""
    teacher, frame = siglip(",side=32"), small_frame(24, 32)
    vision = teacher.model.vision_model
    patches = vision(teacher.pixels(frame.rgb, (24, 32)), interpolate_pos_encoding=True).last_hidden_state
    alone = functional.normalize(vision.head(patches[0][:, None]), dim=-1)
    torch.testing.assert_close(teacher.encode(frame), alone.view(3, 4, 32), **SAME)


@pytest.mark.parametrize("make", [clip, siglip])
def test_text_is_the_mean_over_templates(make):
    """Each phrase is embedded one text at a time by the model itself: batches and padding change nothing."""
    teacher, phrases = make(), ["red mug", "the handle of the box", "scissors"]
    limit = teacher.config.text_config.max_position_embeddings
    for phrase, ours in zip(phrases, teacher.encode_text(phrases), strict=True):
        single = []
        for template in texts.TEMPLATES:
            text = template.format(texts.with_article(phrase))
            padding = {"padding": "max_length", "max_length": limit} if make is siglip else {}
            ids = teacher.tokenizer([text], return_tensors="pt", **padding)["input_ids"]
            single.append(functional.normalize(teacher.model.get_text_features(input_ids=ids).pooler_output[0], dim=-1))
        torch.testing.assert_close(ours, functional.normalize(sum(single), dim=-1), **SAME)


def test_siglip_lowers_case():
    """SigLIP was trained on lower case: capitals must not become unknown words."""
    teacher = siglip()
    torch.testing.assert_close(teacher.encode_text(["Red MUG"]), teacher.encode_text(["red mug"]))


@pytest.mark.parametrize("make", [clip, siglip])
@pytest.mark.parametrize("phrases", [[""], ["red mug", "  "], ["?!"], "mug", ["mug " * 40]])
def test_phrases_that_cannot_be_read_are_refused(make, phrases):
    """Nothing is cut short or answered for nothing."""
    with pytest.raises(BadInput, match="word in it|a list|tokens long"):
        make().encode_text(phrases)


def test_no_phrases_are_no_vectors():
    """An empty list has an empty answer of the right width."""
    assert load_text_teacher(f"clip:{tiny('clip')}").encode_text([]).shape == (0, 24)


def test_articles():
    """Singulars get the article their sound asks for; plurals and phrases with an article keep their form."""
    said = [texts.with_article(phrase) for phrase in ("mug", "apple", "scissors", "the red mug", "a box", "glass")]
    assert said == ["a mug", "an apple", "scissors", "the red mug", "a box", "a glass"]


@pytest.mark.parametrize(
    ("size", "side", "grid"), [((480, 640), 64, (6, 8)), ((640, 480), 64, (8, 6)), ((10, 1000), 64, (1, 8))]
)
def test_the_images_own_aspect_is_kept(size, side, grid):
    """The long side gets side / patch cells and the short one its share, at least one."""
    assert images.grid_for(*size, side, 8) == grid


@pytest.mark.parametrize("resample", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(24, 40), (200, 160)])
def test_resizing_agrees_with_pillow(resample, size):
    """Antialiased resizing in torch is Pillow's, which models were trained behind, up and down."""
    Image = pytest.importorskip("PIL.Image")
    # Mid-range colours: Pillow clips what bicubic overshoots after its first pass already.
    rgb = 64 + small_frame(96, 128).rgb // 2
    norm = images.Norm((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), resample)
    ours = images.prepare(rgb, size, norm, torch.device("cpu"))[0].permute(1, 2, 0).numpy() * 255
    theirs = np.asarray(Image.fromarray(rgb).resize(size[::-1], Image.Resampling[resample.upper()]), float)
    assert np.abs(ours - theirs).max() < 1.5  # Pillow rounds to bytes after each of its two passes


def test_resizing_invents_no_colours():
    """Bicubic weights overshoot at hard edges; what is beyond black and white is cut off."""
    edge = np.zeros((20, 20, 3), np.uint8)
    edge[:, 10:] = 255
    norm = images.Norm((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    grown = images.prepare(edge, (70, 70), norm, torch.device("cpu"))
    assert grown.min() == 0 and grown.max() == 1


def test_normalisation_is_read_from_the_folder(tmp_path):
    """What preprocessor_config.json says holds, what it does not is the model's documented default."""
    default = images.Norm((0.5, 0.5, 0.5), (0.5, 0.5, 0.5), "bicubic", 7)
    assert images.read_norm(tmp_path, default) == default
    file = tmp_path / "preprocessor_config.json"
    file.write_text('{"image_mean": [0.1, 0.2, 0.3], "resample": 2, "size": {"height": 64, "width": 64}}')
    assert images.read_norm(tmp_path, default) == images.Norm((0.1, 0.2, 0.3), (0.5, 0.5, 0.5), "bilinear", 64)
    file.write_text('{"image_std": [0.1, 0.2, 0]}')
    with pytest.raises(BadInput, match="positive"):
        images.read_norm(tmp_path, default)


def test_pixels_are_normalised():
    """A flat image of the mean colour is all zero, one standard deviation more is all one."""
    norm = images.Norm((0.2, 0.4, 0.6), (0.2, 0.2, 0.4))
    flat = np.full((9, 7, 3), [51, 102, 153], np.uint8)
    torch.testing.assert_close(images.prepare(flat, (4, 6), norm, torch.device("cpu")), torch.zeros(1, 3, 4, 6))
    brighter = images.prepare(flat + np.array([51, 51, 102], np.uint8), (4, 6), norm, torch.device("cpu"))
    torch.testing.assert_close(brighter, torch.ones(1, 3, 4, 6))
