"""`siglip`: SigLIP's and SigLIP 2's patches in the space of their text.

SigLIP (Zhai et al., "Sigmoid Loss for Language Image Pre-Training", ICCV 2023; Tschannen et al., "SigLIP 2", 2025)
pools patches by a head in which one learnt query attends to all of them. What the head would answer if a patch were the
only one is that patch's dense feature: the attention's value and output projections, then the head's MLP. It is
MaskCLIP's thought for that head, and for an image of one patch it is exactly the pooled embedding.
"""

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional

from robodistill.capture.frame import Frame
from robodistill.errors import BadInput
from robodistill.teachers import images, texts
from robodistill.teachers.pretrained import Pretrained
from robodistill.teachers.teacher import Calibration


class Siglip(Pretrained):
    """Dense image encoder and text encoder; option `side` (long side of the image, pixels)."""

    options = {"side": 0}
    norm = images.Norm((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    # As for CLIP; SigLIP's own sigmoid has a learnt scale and bias per pair of image and text, which a patch is not.
    # Not verified here on real weights.
    calibration = Calibration()

    def __init__(self, argument: str = "", device: str | torch.device = "cpu") -> None:
        """Read the spec; weights are read on first use.

        Raises:
            BadInput: An option that is not known.
        """
        super().__init__("siglip", argument, device)

    @property
    def dim(self) -> int:
        """D of features and text."""
        vision, text = self.config.vision_config, self.config.text_config
        if not vision.vision_use_head or text.projection_size != vision.hidden_size:
            raise BadInput(f"{self.spec}: the model has no pooling head into the space of its text")
        return vision.hidden_size

    @torch.no_grad()
    def encode(self, frame: Frame) -> Tensor:
        """(h, w, D) unit features of patches, in the space of the text."""
        vision = self.config.vision_config
        side = self.options["side"] or 2 * vision.image_size
        rows, columns = images.grid_for(*frame.rgb.shape[:2], side, vision.patch_size)
        pixels = self.pixels(frame.rgb, (rows * vision.patch_size, columns * vision.patch_size))
        tokens = self.model.vision_model(pixels, interpolate_pos_encoding=True).last_hidden_state
        return functional.normalize(self._pool_each(tokens)[0], dim=-1).view(rows, columns, self.dim)

    @torch.no_grad()
    def embed(self, frame: Frame) -> Tensor:
        """(D,) SigLIP's own unit embedding of the image, squeezed to a square as in its training."""
        size = self.config.vision_config.image_size
        pooled = self.model.get_image_features(self.pixels(frame.rgb, (size, size))).pooler_output
        return functional.normalize(pooled[0], dim=-1)

    @torch.no_grad()
    def encode_text(self, phrases: Sequence[str]) -> Tensor:
        """(n, D) unit vectors, averaged over prompt templates.

        Raises:
            BadInput: A phrase is empty or longer than SigLIP reads.
        """

        def encode(batch: list[str]) -> Tensor:
            limit = self.config.text_config.max_position_embeddings
            # Trained on lower case, padded to full length, with no mask over the padding.
            tokens = self.tokens([text.lower() for text in batch], limit, padding="max_length")
            return self.model.get_text_features(input_ids=tokens["input_ids"]).pooler_output

        return texts.embed_phrases(phrases, encode, self.dim)

    def contrasts(self, phrase: str, inside: str | None = None) -> Tensor:
        """(k, D) words that fit anything, the same for every phrase."""
        return self._canonical

    @cached_property
    def _canonical(self) -> Tensor:
        return self.encode_text(self.calibration.negatives)

    def _pool_each(self, tokens: Tensor) -> Tensor:
        """What the pooling head answers to each token alone."""
        head = self.model.vision_model.head
        attention, width = head.attention, tokens.shape[-1]
        # One token alone gets the whole weight, whatever the query: only values and output are left.
        weight, bias = attention.in_proj_weight[2 * width :], attention.in_proj_bias[2 * width :]
        pooled = attention.out_proj(functional.linear(tokens, weight, bias))
        return pooled + head.mlp(head.layernorm(pooled))
