"""Tiny models of every kind that teachers read, with random weights, saved as the hub's models are.

They are small enough to run in milliseconds and have every part of the real ones: what is tested on them is the wiring.
"""

import atexit
import json
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"  # read once, when huggingface_hub is first imported

import numpy as np
import pytest
import torch

from robodistill.capture.frame import Frame
from robodistill.geometry.camera import Camera

pytest.importorskip("transformers", reason="teachers run through transformers")

WORDS = ["a", "an", "the", "photo", "of", "close", "up", "on", "table", "picture", "that", "shows", "red", "mug"]
WORDS += ["blue", "box", "handle", "object", "things", "stuff", "texture", "scissors", "-"]
SMALL = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
VISION = {**SMALL, "image_size": 32, "patch_size": 8}
DECODER = {
    "hidden_size": 32,
    "mlp_dim": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "iou_head_hidden_dim": 16,
}


def small_frame(height: int = 48, width: int = 64, seed: int = 0) -> Frame:
    """A frame of coarse random blocks; there is nothing to see in it but differences."""
    blocks = np.random.default_rng(seed).integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
    rgb = blocks.repeat(8, 0).repeat(8, 1)
    return Frame(rgb, None, Camera.from_fov(1.0, width, height), None, name="random")


def save(model: torch.nn.Module, folder: Path, **preprocessing: object) -> Path:
    """Save a model, and a preprocessor_config.json where something of it is given."""
    model.save_pretrained(folder)
    if preprocessing:
        (folder / "preprocessor_config.json").write_text(json.dumps(preprocessing))
    return folder


def shaken(model: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Random weights of a size at which every part of the model changes the result: fresh ones are nearly zero."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weights in model.named_parameters():
            noise = torch.randn(weights.shape, generator=generator)
            is_scale = "norm" in name and name.endswith("weight") or "lambda" in name
            weights.copy_(1 + 0.1 * noise if is_scale else 0.2 * noise)
    return model.eval()


def save_clip_tokenizer(folder: Path) -> int:
    """CLIP's own kind of tokenizer over letters and the words above; returns the size of the vocabulary."""
    from transformers import CLIPTokenizer

    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)] + ["-"]
    vocabulary, merges = [*letters, *(f"{letter}</w>" for letter in letters)], []
    for word in WORDS:
        pieces = [*word[:-1], f"{word[-1]}</w>"]
        while len(pieces) > 1:
            merge = (pieces[0], pieces[1])
            pieces[:2] = ["".join(merge)]
            if merge not in merges:
                merges.append(merge)
                vocabulary.append(pieces[0])
    vocabulary += ["<|startoftext|>", "<|endoftext|>"]
    numbers = {piece: number for number, piece in enumerate(dict.fromkeys(vocabulary))}
    CLIPTokenizer(vocab=numbers, merges=merges, model_max_length=20).save_pretrained(folder)
    return len(numbers)


def clip_text(size: int) -> dict:
    """Configuration of CLIP's text side for a vocabulary of `size`, whose last two are start and end."""
    ends = {"bos_token_id": size - 2, "eos_token_id": size - 1, "pad_token_id": size - 1}
    return {**SMALL, "vocab_size": size, "max_position_embeddings": 20, **ends}


def make_clip(folder: Path, layers: int = 2) -> Path:
    """CLIP of 32x32 pixels in 4x4 patches, features of 24 numbers."""
    from transformers import CLIPConfig, CLIPModel

    size = save_clip_tokenizer(folder)
    vision = {**VISION, "num_hidden_layers": layers}
    config = CLIPConfig(text_config=clip_text(size), vision_config=vision, projection_dim=24)
    return save(shaken(CLIPModel(config)), folder)


def make_siglip(folder: Path) -> Path:
    """SigLIP of 32x32 pixels in 4x4 patches, with a tokenizer of whole words as a tokenizer.json."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, SiglipConfig, SiglipModel

    numbers = {word: number for number, word in enumerate(["<pad>", "<unk>", *WORDS])}
    words = Tokenizer(models.WordLevel(numbers, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", unk_token="<unk>").save_pretrained(folder)
    ends = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
    text = {**SMALL, "vocab_size": len(numbers), "max_position_embeddings": 12, "projection_size": 32, **ends}
    return save(shaken(SiglipModel(SiglipConfig(text_config=text, vision_config=VISION))), folder)


def make_dinov2(folder: Path, registers: int = 0) -> Path:
    """DINOv2 of 28x28 pixels in 2x2 patches, with or without registers."""
    import transformers

    size = {**SMALL, "image_size": 28, "patch_size": 14, "mlp_ratio": 2}
    if registers:
        config = transformers.Dinov2WithRegistersConfig(**size, num_register_tokens=registers)
        return save(shaken(transformers.Dinov2WithRegistersModel(config)), folder)
    return save(shaken(transformers.Dinov2Model(transformers.Dinov2Config(**size))), folder)


def make_dinov3_vit(folder: Path) -> Path:
    """DINOv3's ViT with four registers."""
    from transformers import DINOv3ViTConfig, DINOv3ViTModel

    return save(shaken(DINOv3ViTModel(DINOv3ViTConfig(**VISION, num_register_tokens=4))), folder)


def make_dinov3_convnext(folder: Path) -> Path:
    """DINOv3's ConvNeXt."""
    from transformers import DINOv3ConvNextConfig, DINOv3ConvNextModel

    config = DINOv3ConvNextConfig(hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1], image_size=64)
    return save(shaken(DINOv3ConvNextModel(config)), folder)


def make_sam(folder: Path) -> Path:
    """SAM of 64x64 pixels in 4x4 cells of 32 numbers."""
    from transformers import SamConfig, SamModel

    vision = {**SMALL, "image_size": 64, "patch_size": 16, "output_channels": 32, "num_pos_feats": 16}
    vision |= {"mlp_ratio": 2.0, "window_size": 2, "global_attn_indexes": [1], "mlp_dim": 48}
    prompts = {"hidden_size": 32, "image_size": 64, "patch_size": 16, "image_embedding_size": 4}
    config = SamConfig(vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=DECODER)
    return save(shaken(SamModel(config)), folder)


def make_sam2(folder: Path, video: bool = False) -> Path:
    """SAM 2 of 128x128 pixels in 8x8 cells of 32 numbers; as the hub has it, inside a model for video."""
    import transformers

    backbone = {"hidden_size": 8, "num_attention_heads": 1, "image_size": [128, 128], "blocks_per_stage": [1, 1, 1, 1]}
    backbone |= {"embed_dim_per_stage": [8, 16, 32, 64], "num_attention_heads_per_stage": [1, 2, 4, 8]}
    backbone |= {"window_size_per_stage": [4, 2, 4, 2], "global_attention_blocks": []}
    backbone |= {"window_positional_embedding_background_size": [2, 2]}
    sizes = {"backbone_feature_sizes": [[32, 32], [16, 16], [8, 8]], "backbone_channel_list": [64, 32, 16, 8]}
    vision = transformers.Sam2VisionConfig(
        backbone_config=transformers.Sam2HieraDetConfig(**backbone), fpn_hidden_size=32, **sizes
    )
    prompts = {"hidden_size": 32, "image_size": 128, "patch_size": 16}
    if video:
        config = transformers.Sam2VideoConfig(
            vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=DECODER, image_size=128
        )
        return save(transformers.Sam2VideoModel(config), folder)
    config = transformers.Sam2Config(vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=DECODER)
    return save(shaken(transformers.Sam2Model(config)), folder)


def make_clipseg(folder: Path) -> Path:
    """CLIPSeg of 32x32 pixels in 4x4 patches."""
    from transformers import CLIPSegConfig, CLIPSegForImageSegmentation

    size = save_clip_tokenizer(folder)
    config = CLIPSegConfig(
        text_config=clip_text(size),
        vision_config=VISION,
        projection_dim=24,
        extract_layers=[0, 1],
        reduce_dim=16,
        decoder_num_attention_heads=2,
        decoder_intermediate_size=16,
        conditional_layer=0,
    )
    return save(shaken(CLIPSegForImageSegmentation(config)), folder, size={"height": 32, "width": 32})


MAKERS = {
    "clip": make_clip,
    "clip1": lambda folder: make_clip(folder, layers=1),
    "siglip": make_siglip,
    "dinov2": make_dinov2,
    "dinov2_registers": lambda folder: make_dinov2(folder, registers=3),
    "dinov3_vit": make_dinov3_vit,
    "dinov3_convnext": make_dinov3_convnext,
    "sam": make_sam,
    "sam2": make_sam2,
    "sam2_video": lambda folder: make_sam2(folder, video=True),
    "clipseg": make_clipseg,
}


@cache
def tiny(kind: str) -> Path:
    """Folder of a model, made once a process; do not write into it."""
    folder = Path(tempfile.mkdtemp(prefix=f"tiny-{kind}-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return MAKERS[kind](folder)
