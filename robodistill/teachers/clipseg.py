"""`clipseg`: how much each pixel belongs to given phrases (Lüddecke and Ecker, "Image Segmentation Using Text and Image
Prompts", CVPR 2022). There is no feature a pixel: the phrase steers a decoder, so it is asked again for each phrase.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from robodistill.capture.frame import Frame
from robodistill.teachers import images, texts
from robodistill.teachers.pretrained import Pretrained


class ClipSeg(Pretrained):
    """Phrase segmenter; option `side` (edge of the square that the image is squeezed into, pixels)."""

    options = {"side": 0}
    norm = images.Norm(size=352)

    def __init__(self, argument: str = "", device: str | torch.device = "cpu") -> None:
        """Read the spec; weights are read on first use.

        Raises:
            BadInput: An option that is not known.
        """
        super().__init__("clipseg", argument, device)

    @torch.no_grad()
    def relevancy(self, frame: Frame, phrases: Sequence[str]) -> Tensor:
        """(n, H, W) float32 in [0, 1].

        Raises:
            BadInput: A phrase is empty or longer than the text encoder reads.
        """
        height, width = frame.rgb.shape[:2]
        phrases = texts.check_phrases(phrases)
        if not phrases:
            return torch.zeros(0, height, width, device=self.device)
        logits = self._logits(frame, phrases)[:, None]
        logits = functional.interpolate(logits, size=(height, width), mode="bilinear", align_corners=False)
        return torch.sigmoid(logits[:, 0])

    def _logits(self, frame: Frame, phrases: list[str]) -> Tensor:
        """(n, h, w) at the model's own size; the image is encoded once for all phrases."""
        model, vision = self.model, self.config.vision_config
        # Square, because the decoder takes the root of the number of patches for both sides.
        edge = max(1, round((self.options["side"] or self.loaded_norm.size) / vision.patch_size)) * vision.patch_size
        pixels = self.pixels(frame.rgb, (edge, edge))
        seen = model.clip.vision_model(pixels, interpolate_pos_encoding=True, output_hidden_states=True).hidden_states
        layers = [seen[layer + 1].expand(len(phrases), -1, -1) for layer in self.config.extract_layers]
        tokens = self.tokens(phrases, self.config.text_config.max_position_embeddings, padding=True)
        asked = model.clip.get_text_features(**tokens).pooler_output
        return model.decoder(layers, asked).logits
