"""`clip`: CLIP's patches in the space of its text (Radford et al., ICML 2021), dense in one of two published ways.

CLIP answers with one vector an image: the class token after the last block. Its patches get there too, but the last
block's attention has mixed the whole image into each of them. `dense=maskclip` therefore leaves the attention out:
the last block's value and output projections, with its residual connection and MLP (Zhou et al., "Extract Free Dense
Labels from CLIP", ECCV 2022). `dense=clearclip`, the default, lets every patch gather from patches whose query is like
its own, and takes neither residual nor MLP (Lan et al., "ClearCLIP", ECCV 2024), which that paper reports to segment
clearly better. Both end in CLIP's own layer norm and projection.
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from robodistill.capture.frame import Frame
from robodistill.errors import BadInput
from robodistill.teachers import images, texts
from robodistill.teachers.pretrained import Pretrained
from robodistill.teachers.teacher import Calibration

DENSE = ("clearclip", "maskclip")


class Clip(Pretrained):
    """Dense image encoder and text encoder; options `side` (long side of the image, pixels) and `dense`."""

    options = {"side": 0, "dense": "clearclip"}
    norm = images.Norm((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
    # LERF's code multiplies cosines by 10 and compares with its four canonical phrases; 0.5 is "fits better than all
    # of them". Not verified here on real weights.
    calibration = Calibration()

    def __init__(self, argument: str = "", device: str | torch.device = "cpu") -> None:
        """Read the spec; weights are read on first use.

        Raises:
            BadInput: An option that is not known.
        """
        super().__init__("clip", argument, device)
        if self.options["dense"] not in DENSE:
            raise BadInput(f"{self.spec}: dense must be {' or '.join(DENSE)}, got {self.options['dense']!r}")

    @property
    def dim(self) -> int:
        """D of features and text."""
        return self.config.projection_dim

    @torch.no_grad()
    def encode(self, frame: Frame) -> Tensor:
        """(h, w, D) unit features of patches, in the space of the text."""
        vision = self.config.vision_config
        # Twice the trained size: finer cells, and position embeddings that are still close to what was trained.
        side = self.options["side"] or 2 * vision.image_size
        rows, columns = images.grid_for(*frame.rgb.shape[:2], side, vision.patch_size)
        pixels = self.pixels(frame.rgb, (rows * vision.patch_size, columns * vision.patch_size))
        tokens = self._before_last_block(pixels)
        dense = self._clearclip(tokens) if self.options["dense"] == "clearclip" else self._maskclip(tokens)
        patches = self._project(dense)[0, 1:]
        return functional.normalize(patches, dim=-1).view(rows, columns, -1)

    @torch.no_grad()
    def embed(self, frame: Frame) -> Tensor:
        """(D,) CLIP's own unit embedding of the middle square of the image."""
        size = self.config.vision_config.image_size
        tokens = self._before_last_block(self.pixels(_middle_square(frame.rgb), (size, size)))
        whole = self.model.vision_model.encoder.layers[-1](tokens, None)
        return functional.normalize(self._project(whole)[0, 0], dim=-1)

    @torch.no_grad()
    def encode_text(self, phrases: Sequence[str]) -> Tensor:
        """(n, D) unit vectors, averaged over prompt templates.

        Raises:
            BadInput: A phrase is empty or longer than CLIP reads.
        """

        def encode(batch: list[str]) -> Tensor:
            tokens = self.tokens(batch, self.config.text_config.max_position_embeddings, padding=True)
            return self.model.get_text_features(**tokens).pooler_output

        return texts.embed_phrases(phrases, encode, self.dim)

    def contrasts(self, phrase: str, inside: str | None = None) -> Tensor:
        """(k, D) words that fit anything, the same for every phrase."""
        return self._canonical

    @cached_property
    def _canonical(self) -> Tensor:
        return self.encode_text(self.calibration.negatives)

    def _before_last_block(self, pixels: Tensor) -> Tensor:
        """(1, 1 + patches, hidden), class token first."""
        vision = self.model.vision_model
        tokens = vision.pre_layrnorm(vision.embeddings(pixels, interpolate_pos_encoding=True))
        for block in vision.encoder.layers[:-1]:
            tokens = block(tokens, None)
        return tokens

    def _maskclip(self, tokens: Tensor) -> Tensor:
        block = self.model.vision_model.encoder.layers[-1]
        attention = block.self_attn
        tokens = tokens + attention.out_proj(attention.v_proj(block.layer_norm1(tokens)))
        return tokens + block.mlp(block.layer_norm2(tokens))

    def _clearclip(self, tokens: Tensor) -> Tensor:
        block = self.model.vision_model.encoder.layers[-1]
        attention, tokens = block.self_attn, block.layer_norm1(tokens)
        queries, values = (
            projection(tokens).unflatten(-1, (attention.num_heads, -1)).transpose(1, 2)
            for projection in (attention.q_proj, attention.v_proj)
        )
        mixed = functional.scaled_dot_product_attention(queries, queries, values, scale=attention.scale)
        return attention.out_proj(mixed.transpose(1, 2).flatten(2))

    def _project(self, tokens: Tensor) -> Tensor:
        return self.model.visual_projection(self.model.vision_model.post_layernorm(tokens))


def _middle_square(rgb: np.ndarray) -> np.ndarray:
    height, width = rgb.shape[:2]
    edge = min(height, width)
    top, left = (height - edge) // 2, (width - edge) // 2
    return rgb[top : top + edge, left : left + edge]
