"""`dinov2` and `dinov3`: self-supervised patches, good for parts and correspondence; they know no text.

Oquab et al., "DINOv2" (TMLR 2024), with or without registers (Darcet et al., ICLR 2024); Siméoni et al., "DINOv3"
(2025), ViT or ConvNeXt. Features are the last layer's patches after its norm, class and register tokens taken off.
"""

import torch
from torch import Tensor

from robodistill.capture.frame import Frame
from robodistill.teachers import images
from robodistill.teachers.pretrained import Pretrained

_SIDE = 518
"""Long side in pixels: what DINOv2 was last trained at, and about twice what DINOv3 names in its configuration."""
_CONVNEXT_STRIDE = 32


class Dino(Pretrained):
    """Dense image encoder; option `side` (long side of the image, pixels)."""

    options = {"side": 0}

    def __init__(self, argument: str = "", device: str | torch.device = "cpu", name: str = "dinov2") -> None:
        """Read the spec; weights are read on first use.

        Args:
            name: dinov2 or dinov3.

        Raises:
            BadInput: An option that is not known.
        """
        super().__init__(name, argument, device)

    @property
    def _is_convolutional(self) -> bool:
        return self.kind == "DINOv3ConvNextModel"

    @property
    def dim(self) -> int:
        """D of features."""
        return self.config.hidden_sizes[-1] if self._is_convolutional else self.config.hidden_size

    @torch.no_grad()
    def encode(self, frame: Frame) -> Tensor:
        """(h, w, D) features of patches, not normalised."""
        patch = _CONVNEXT_STRIDE if self._is_convolutional else self.config.patch_size
        rows, columns = images.grid_for(*frame.rgb.shape[:2], self.options["side"] or _SIDE, patch)
        tokens = self.model(self.pixels(frame.rgb, (rows * patch, columns * patch))).last_hidden_state[0]
        # Class and register tokens come first; how many there are differs, the number of patches is known.
        return tokens[len(tokens) - rows * columns :].view(rows, columns, -1)
