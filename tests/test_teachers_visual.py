"""DINO, SAM and CLIPSeg: features and masks by numerics against the models themselves."""

import numpy as np
import pytest
import torch
from tiny_models import small_frame, tiny
from torch.nn import functional

from robodistill.errors import BadInput
from robodistill.teachers import automask
from robodistill.teachers.registry import (
    load_image_teacher,
    load_mask_proposer,
    load_phrase_segmenter,
    load_prompt_decoder,
)
from robodistill.teachers.teacher import ImageTeacher, MaskProposer, PhraseSegmenter, PromptDecoder

SAME = dict(rtol=1e-4, atol=1e-5)  # float32 sums in another order


@pytest.mark.parametrize(
    ("teacher", "kind", "side", "patch", "first"),
    [
        ("dinov2", "dinov2", 56, 14, 1),
        ("dinov2", "dinov2_registers", 56, 14, 1 + 3),
        ("dinov3", "dinov3_vit", 64, 8, 1 + 4),
        ("dinov3", "dinov3_convnext", 128, 32, 1),
    ],
)
def test_dino_gives_the_patches(teacher, kind, side, patch, first):
    """Class and register tokens are taken off, and patches lie in rows as the image does."""
    dino, frame = load_image_teacher(f"{teacher}:{tiny(kind)},side={side}"), small_frame(48, 96)
    rows, columns = round(side / 2 / patch), round(side / patch)
    features = dino.encode(frame)
    assert isinstance(dino, ImageTeacher) and features.shape == (rows, columns, dino.dim)
    tokens = dino.model(dino.pixels(frame.rgb, (rows * patch, columns * patch))).last_hidden_state[0]
    assert len(tokens) == first + rows * columns
    torch.testing.assert_close(features[0, columns - 1], tokens[first + columns - 1], **SAME)
    torch.testing.assert_close(features[rows - 1, 0], tokens[first + (rows - 1) * columns], **SAME)


@pytest.mark.parametrize("name", ["sam", "sam2"])
def test_sam_is_encoder_proposer_and_decoder(name):
    """Both fulfil all three protocols."""
    sam = load_image_teacher(f"{name}:{tiny(name)}")
    assert isinstance(sam, ImageTeacher) and isinstance(sam, MaskProposer) and isinstance(sam, PromptDecoder)


def test_sam_encodes_the_images_part_of_its_square():
    """A wide image fills the upper rows of the encoder's square; features are those of these cells."""
    sam, frame = load_image_teacher(f"sam:{tiny('sam')}"), small_frame(32, 64)
    square = torch.zeros(1, 3, 64, 64)
    square[..., :32, :] = sam.pixels(frame.rgb, (32, 64))
    theirs = sam.model.get_image_embeddings(square)[0, :, :2].permute(1, 2, 0)
    torch.testing.assert_close(sam.encode(frame), theirs, **SAME)


def test_sam2_encodes_as_its_decoder_takes_it():
    """Features are the model's coarsest embeddings, with what it adds to them where there is no memory."""
    sam, frame = load_image_teacher(f"sam2:{tiny('sam2')}"), small_frame()
    theirs = sam.model.get_image_embeddings(sam.pixels(frame.rgb, (128, 128)))[-1][0]
    torch.testing.assert_close(sam.encode(frame), theirs.permute(1, 2, 0), **SAME)


def test_the_hubs_sam2_loads():
    """The hub's checkpoints are of the model for video; the image part of them is what is loaded."""
    from safetensors.torch import load_file

    sam = load_image_teacher(f"sam2:{tiny('sam2_video')}")
    stored = load_file(tiny("sam2_video") / "model.safetensors")
    for name, weights in sam.model.state_dict().items():
        torch.testing.assert_close(weights, stored[name])
    assert sam.encode(small_frame()).shape == (8, 8, 32)


def best_mask(answer, size, several):
    """The model's best mask, as its own processor would give it."""
    best = answer.iou_scores[0, 0].argmax()
    logits = functional.interpolate(answer.pred_masks[0, :1, best][None], size, mode="bilinear", align_corners=False)
    assert answer.iou_scores.shape[-1] == (3 if several else 1)
    return (logits[0, 0] > 0).numpy(), float(answer.iou_scores[0, 0, best])


@pytest.mark.parametrize("prompt", ["point", "points", "box", "both"])
def test_decoding_encoded_features_is_running_sam(prompt):
    """On features of the encoder the decoder answers as the whole model does: the same mask, the same score."""
    sam, frame = load_image_teacher(f"sam:{tiny('sam')}"), small_frame(64, 64)
    asked = {
        "point": {"points": np.array([[20, 30]])},
        "points": {"points": np.array([[20, 30], [50, 9]]), "labels": np.array([1, 0])},
        "box": {"box": np.array([4, 8, 40, 60])},
        "both": {"points": np.array([[20, 30]]), "box": np.array([4, 8, 40, 60])},
    }[prompt]
    theirs = {"multimask_output": prompt == "point"}
    if "points" in asked:
        theirs["input_points"] = torch.tensor(asked["points"]).float()[None, None]
        theirs["input_labels"] = torch.tensor(asked.get("labels", [1]))[None, None]
    if "box" in asked:
        theirs["input_boxes"] = torch.tensor(asked["box"]).float()[None, None]
    answer = sam.model(pixel_values=sam.pixels(frame.rgb, (64, 64)), **theirs)
    mask, score = best_mask(answer, (64, 64), theirs["multimask_output"])
    ours, our_score = sam.decode(sam.encode(frame), (64, 64), **asked)
    assert mask.any() and not mask.all()
    assert (ours == mask).all() and our_score == pytest.approx(score, abs=1e-4)


def test_a_mask_of_a_wide_image_is_cut_to_it():
    """The decoder answers for its whole square; the image's part of that, enlarged, is the mask."""
    sam, frame = load_image_teacher(f"sam:{tiny('sam')}"), small_frame(32, 64)
    features = sam.encode(frame)
    square = torch.cat([features, features[1:].expand(2, -1, -1)]).permute(2, 0, 1)[None]
    answer = sam.model(image_embeddings=square, input_points=torch.tensor([[[[20.0, 10.0]]]]))
    answer.pred_masks = answer.pred_masks[..., : answer.pred_masks.shape[-2] // 2, :]
    mask, score = best_mask(answer, (32, 64), True)
    ours, our_score = sam.decode(features, (32, 64), points=np.array([[20, 10]]))
    assert (ours == mask).all() and our_score == pytest.approx(score, abs=1e-4)


def test_decoding_needs_no_encoder(monkeypatch):
    """Features of a wide image are decoded without encoding anything: that is what rendering them is for."""
    sam, frame = load_image_teacher(f"sam:{tiny('sam')}"), small_frame(32, 64)
    features = sam.encode(frame)
    monkeypatch.setattr(type(sam.model.vision_encoder), "forward", lambda *_: pytest.fail("ran the encoder"))
    mask, _ = sam.decode(features, (32, 64), points=np.array([[20, 30]]))
    assert mask.shape == (32, 64) and mask.any() and not mask.all()


def test_sam2_decodes_without_its_fine_features():
    """Given coarse features alone, the decoder runs as with fine ones of zero."""
    sam, frame = load_image_teacher(f"sam2:{tiny('sam2')}"), small_frame()
    features = sam.encode(frame)
    embeddings = [torch.zeros(1, 4, 32, 32), torch.zeros(1, 8, 16, 16), features.permute(2, 0, 1)[None]]
    # The image is squeezed into the square: a pixel's centre in the image is this place in the square.
    point = torch.tensor([(20 + 0.5) * 128 / 64 - 0.5, (30 + 0.5) * 128 / 48 - 0.5])
    answer = sam.model(image_embeddings=embeddings, input_points=point[None, None, None])
    mask, score = best_mask(answer, (48, 64), True)
    ours, our_score = sam.decode(features, (48, 64), points=np.array([[20, 30]]))
    assert (ours == mask).all() and our_score == pytest.approx(score, abs=1e-4)


def test_rendered_features_may_have_any_size():
    """Features of twice the cells decode as the same ones: a field renders at the size of the view."""
    sam, frame = load_prompt_decoder(f"sam:{tiny('sam')}"), small_frame(32, 64)
    features = sam.encode(frame)
    finer = features.repeat_interleave(2, 0).repeat_interleave(2, 1)
    mask, score = sam.decode(features, (32, 64), points=np.array([[20, 10]]))
    same, same_score = sam.decode(finer, (32, 64), points=np.array([[20, 10]]))
    assert mask.shape == (32, 64) and (mask == same).mean() > 0.9 and score == pytest.approx(same_score, abs=0.1)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({}, "at least one point"),
        ({"points": [[80, 3]]}, "outside the image of 64x48"),
        ({"points": [[3, 3]], "labels": [2]}, "1 inside or 0 outside"),
        ({"points": np.zeros((0, 2))}, "0 points"),
        ({"box": [30, 3, 20, 9]}, "u0 < u1"),
        ({"box": [3, 3, 20, 90]}, "outside the image"),
    ],
)
def test_wrong_prompts_are_named(asked, says):
    """What was given and what would be valid."""
    sam = load_prompt_decoder(f"sam:{tiny('sam')}")
    with pytest.raises(BadInput, match=says):
        sam.decode(torch.zeros(3, 4, 32), (48, 64), **asked)


def test_features_of_another_teacher_are_refused():
    """The decoder reads its own encoder's dimension only."""
    with pytest.raises(BadInput, match=r"\(h, w, 32\), got \(3, 4, 24\)"):
        load_prompt_decoder(f"sam:{tiny('sam')}").decode(torch.zeros(3, 4, 24), (48, 64), box=[1, 1, 9, 9])


@pytest.mark.parametrize("name", ["sam", "sam2"])
def test_proposed_masks_are_label_maps(name, monkeypatch):
    """With filters open, a random model's masks come out as three maps of the frame's size that count from 1."""
    sam = load_mask_proposer(f"{name}:{tiny(name)},points=4")
    monkeypatch.setattr(sam, "rules", automask.MaskRules(iou=-10.0, stability=0.0))
    maps = sam.propose(small_frame())
    assert maps.shape == (3, 48, 64) and maps.dtype == np.int32 and maps.max() > 0
    for labels in maps:
        seen = np.unique(labels)
        assert (seen[seen > 0] == np.arange(1, labels.max() + 1)).all()


def test_a_strict_filter_proposes_nothing(monkeypatch):
    """A random model is sure of nothing: where no mask is good enough all labels are 0."""
    sam = load_mask_proposer(f"sam:{tiny('sam')},points=4")
    monkeypatch.setattr(sam, "rules", automask.MaskRules(iou=10.0, stability=0.0))
    assert not sam.propose(small_frame()).any()


def disc(centre, radius, size=(48, 64)):
    """Logits of a disc: its signed distance in pixels, so that thresholds move its edge."""
    v, u = np.mgrid[: size[0], : size[1]]
    return torch.tensor(radius - np.hypot(u - centre[0], v - centre[1]), dtype=torch.float32)


def test_points_divide_the_image_evenly():
    """Each point is the centre of its cell, by the rule that a pixel's centre is an integer."""
    points = automask.grid_points(2, 4, 8)
    assert points.tolist() == [[1.5, 0.5], [5.5, 0.5], [1.5, 2.5], [5.5, 2.5]]


def test_stability_is_the_overlap_of_shifted_thresholds():
    """A disc of radius r has radius r-1 at one threshold and r+1 at the other; an empty mask is not stable."""
    expected = (19 / 21) ** 2
    assert automask.stability(disc((31, 23), 20)).item() == pytest.approx(expected, abs=0.02)  # pixels at the edge
    assert automask.stability(torch.full((4, 4), -9.0)) == 0


def test_each_filter_drops_its_own():
    """Too unsure, too unstable, too small: each is dropped for that alone, and the good one stays."""
    good, soft, tiny_one = disc((20, 20), 12), disc((20, 20), 12) / 12, disc((20, 20), 1.1) * 100
    logits = torch.stack([torch.stack([good, soft, tiny_one]), torch.stack([good - 0.5, good, good + 0.5])])
    rules = automask.MaskRules(iou=0.9, stability=0.7)
    kept, scores, scales = automask.keep_good(logits, torch.tensor([[0.95, 0.99, 0.98], [0.1, 0.2, 0.3]]), rules)
    assert scores.tolist() == pytest.approx([0.95]) and len(scales) == 1
    torch.testing.assert_close(kept[0].float(), good, rtol=1e-3, atol=1e-2)  # half precision


def test_suppression_keeps_the_best_of_each():
    """Of near copies the best score stays; what overlaps little stays, too."""
    masks = torch.stack([disc((20, 20), 9), disc((21, 20), 9), disc((45, 20), 9), disc((20, 20), 4)]) > 0
    assert automask.suppress(masks, torch.tensor([0.8, 0.9, 0.7, 0.95]), 0.7) == [3, 1, 2]


def test_small_regions_are_painted_over_large_ones():
    """A mug on a table is the mug; a mask that is hidden entirely leaves no gap in the numbers."""
    logits = torch.stack([disc((20, 20), 5), disc((30, 24), 18), disc((20, 20), 5)])
    labels = automask.paint(logits, 48, 64)
    assert labels[20, 20] == 2 and labels[24, 44] == 1 and labels[0, 63] == 0
    assert np.unique(labels).tolist() == [0, 1, 2]


def test_answers_of_three_sizes_become_three_scales():
    """Two nested objects, each point answering with all that hold it: fine to coarse, each scale has its own map."""
    answers, scores = [], []
    for centre in ((16, 24), (46, 24)):
        for _ in range(3):  # several points fall on each object
            answers.append(torch.stack([disc(centre, 14), disc(centre, 3.5), disc(centre, 8)]))
            scores.append([0.95, 0.92, 0.93])
    rules = automask.MaskRules(stability=0.2)  # the smallest disc moves by a third of its radius
    kept = automask.keep_good(torch.stack(answers), torch.tensor(scores), rules)
    maps = automask.label_maps(*kept, (48, 64), rules)
    for labels, radius in zip(maps, (3.5, 8, 14), strict=True):
        wanted = (disc((16, 24), radius) > 0) | (disc((46, 24), radius) > 0)
        assert labels.max() == 2 and ((labels > 0) == wanted.numpy()).all()
        assert labels[24, 16] != labels[24, 46]


def test_clipseg_answers_as_the_model():
    """The image is encoded once for all phrases; each answer is the model's own for that phrase."""
    segmenter, frame, phrases = (
        load_phrase_segmenter(f"clipseg:{tiny('clipseg')}"),
        small_frame(32, 32),
        ["red mug", "box"],
    )
    ours = segmenter.relevancy(frame, phrases)
    assert isinstance(segmenter, PhraseSegmenter) and ours.shape == (2, 32, 32)
    pixels = segmenter.pixels(frame.rgb, (32, 32))
    for phrase, relevancy in zip(phrases, ours, strict=True):
        ids = segmenter.tokenizer([phrase], return_tensors="pt")["input_ids"]
        logits = segmenter.model(input_ids=ids, pixel_values=pixels).logits.reshape(32, 32)
        torch.testing.assert_close(relevancy, torch.sigmoid(logits), **SAME)
    assert (ours[0] - ours[1]).abs().max() > 1e-3  # the phrase matters


def test_clipseg_fits_the_frame():
    """Relevancy has the frame's size and stays in [0, 1]; no phrases are no maps."""
    segmenter = load_phrase_segmenter(f"clipseg:{tiny('clipseg')}")
    relevancy = segmenter.relevancy(small_frame(), ["box"])
    assert relevancy.shape == (1, 48, 64) and 0 <= relevancy.min() and relevancy.max() <= 1
    assert segmenter.relevancy(small_frame(), []).shape == (0, 48, 64)
    with pytest.raises(BadInput, match="no word"):
        segmenter.relevancy(small_frame(), ["..."])
