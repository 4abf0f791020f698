"""`sam` and `sam2`: an image encoder, masks without prompts, and a decoder that also runs on rendered features.

Kirillov et al., "Segment Anything" (ICCV 2023); Ravi et al., "SAM 2" (2024). Running the decoder on features that a
field renders, so that the encoder is spared at every new view, is Feature 3DGS's (Zhou et al., CVPR 2024).
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from robodistill.capture.frame import Frame
from robodistill.errors import BadInput
from robodistill.teachers import automask, images
from robodistill.teachers.pretrained import Pretrained

_BATCH = 64
"""Points that are decoded at once."""


class Sam(Pretrained):
    """SAM; option `points` (points a side of the grid that masks are proposed from).

    The encoder sees a fixed square: the image's long side fills it, the rest is padding, and features are given for the
    image's part alone. Sizes are rounded to whole cells, so that cells cover the image evenly.
    """

    options = {"points": 16}
    norm = images.Norm(resample="bilinear")
    rules = automask.MaskRules()

    def __init__(self, argument: str = "", device: str | torch.device = "cpu") -> None:
        """Read the spec; weights are read on first use.

        Raises:
            BadInput: An option that is not known.
        """
        super().__init__(type(self).__name__.lower(), argument, device)

    @property
    def dim(self) -> int:
        """D of features."""
        return self.config.vision_config.output_channels

    @torch.no_grad()
    def encode(self, frame: Frame) -> Tensor:
        """(h, w, D) features before the mask decoder."""
        rows, columns = self._cells(*frame.rgb.shape[:2])
        return self._embed(frame.rgb)[-1][0, :, :rows, :columns].permute(1, 2, 0).contiguous()

    @torch.no_grad()
    def propose(self, frame: Frame) -> np.ndarray:
        """(3, H, W) int32 label maps, fine to coarse: of each point's three answers the smallest to the largest."""
        height, width = frame.rgb.shape[:2]
        embeddings = self._embed(frame.rgb)
        points = self._on_canvas(automask.grid_points(self.options["points"], height, width), height, width)
        good = []
        for start in range(0, len(points), _BATCH):
            asked = {"input_points": points[start : start + _BATCH][None, :, None]}
            logits, scores = self._masks(embeddings, asked, height, width, several=True)
            good.append(automask.keep_good(logits, scores, self.rules))
        return automask.label_maps(*automask.join(good), (height, width), self.rules)

    @torch.no_grad()
    def decode(
        self,
        features: Tensor,
        image_size: tuple[int, int],
        points: np.ndarray | None = None,
        labels: np.ndarray | None = None,
        box: np.ndarray | None = None,
    ) -> tuple[np.ndarray, float]:
        """Cut out what is prompted, on given features; see `teacher.PromptDecoder`.

        One point alone is ambiguous: of three answers the one that the decoder trusts most is taken.

        Raises:
            BadInput: No prompt, a prompt outside the image, or features of another dimension.
        """
        height, width = image_size
        asked = self._prompts(height, width, points, labels, box)
        several = box is None and points is not None and len(points) == 1
        logits, scores = self._masks(self._from_features(features, height, width), asked, height, width, several)
        best = int(scores[0].argmax())
        mask = functional.interpolate(
            logits[:, best : best + 1], size=(height, width), mode="bilinear", align_corners=False
        )
        return (mask[0, 0] > 0).cpu().numpy(), float(scores[0, best])

    # What differs between the two models.

    @property
    def _edge(self) -> int:
        """Pixels of the square that the encoder sees."""
        return self.config.vision_config.image_size

    @property
    def _grid(self) -> int:
        """Cells of that square each way."""
        return self.config.vision_config.image_size // self.config.vision_config.patch_size

    def _cells(self, height: int, width: int) -> tuple[int, int]:
        """(rows, columns) of the square's cells that the image fills, from the upper left."""
        return images.grid_for(height, width, self._edge, self._edge // self._grid)

    def _embed(self, rgb: np.ndarray) -> list[Tensor]:
        """Embeddings of the whole square as the decoder takes them, the last (1, D, grid, grid)."""
        cell = self._edge // self._grid
        rows, columns = self._cells(*rgb.shape[:2])
        canvas = torch.zeros(1, 3, self._edge, self._edge, device=self.device)
        canvas[..., : rows * cell, : columns * cell] = self.pixels(rgb, (rows * cell, columns * cell))
        return [self.model.get_image_embeddings(canvas)]

    def _call(self, embeddings: list[Tensor], asked: dict[str, Tensor], several: bool) -> Any:
        return self.model(image_embeddings=embeddings[0], multimask_output=several, **asked)

    def _square(self, cells: Tensor) -> list[Tensor]:
        """Embeddings of the whole square from the image's part (1, D, rows, columns)."""
        # The decoder attends to padding, too. What the encoder makes of it is not known here, and asking the encoder is
        # what decoding given features spares, so the image goes on as it ends: masks beyond it are cut off anyway.
        below, right = self._grid - cells.shape[-2], self._grid - cells.shape[-1]
        return [functional.pad(cells, (0, right, 0, below), mode="replicate")]

    # What is the same.

    def _from_features(self, features: Tensor, height: int, width: int) -> list[Tensor]:
        if features.ndim != 3 or features.shape[-1] != self.dim:
            raise BadInput(f"{self.spec} decodes features (h, w, {self.dim}), got {tuple(features.shape)}")
        cells = features.to(self.device, torch.float32).permute(2, 0, 1)[None]
        size = self._cells(height, width)
        if cells.shape[-2:] != size:
            shrinks = cells.shape[-2] > size[0] or cells.shape[-1] > size[1]
            cells = functional.interpolate(cells, size=size, mode="bilinear", align_corners=False, antialias=shrinks)
        return self._square(cells)

    def _on_canvas(self, pixels: np.ndarray, height: int, width: int) -> Tensor:
        """(..., 2) pixels of the square from pixels of the image, both with integers at pixel centres."""
        rows, columns = self._cells(height, width)
        cell = self._edge // self._grid
        scale = np.array([columns * cell / width, rows * cell / height])
        return torch.tensor((pixels + 0.5) * scale - 0.5, dtype=torch.float32, device=self.device)

    def _prompts(self, height: int, width: int, points: Any, labels: Any, box: Any) -> dict[str, Tensor]:
        if points is None and box is None:
            raise BadInput("a prompt needs at least one point (u, v) or a box (u0, v0, u1, v1)")
        asked = {}
        if points is not None:
            where = np.asarray(points, float).reshape(-1, 2)
            inside = np.ones(len(where), int) if labels is None else np.asarray(labels, int)
            if len(where) == 0 or inside.shape != (len(where),) or not np.isin(inside, (0, 1)).all():
                raise BadInput(f"{len(where)} points need as many labels, 1 inside or 0 outside, got {labels}")
            _check_inside(where, height, width)
            asked["input_points"] = self._on_canvas(where, height, width)[None, None]
            asked["input_labels"] = torch.tensor(inside, device=self.device)[None, None]
        if box is not None:
            corners = np.asarray(box, float)
            if corners.shape != (4,) or (corners[2:] <= corners[:2]).any():
                raise BadInput(f"a box is u0, v0, u1, v1 with u0 < u1 and v0 < v1, got {box}")
            _check_inside(corners.reshape(2, 2), height, width)
            asked["input_boxes"] = self._on_canvas(corners.reshape(2, 2), height, width).reshape(1, 1, 4)
        return asked

    def _masks(
        self, embeddings: list[Tensor], asked: dict[str, Tensor], height: int, width: int, several: bool
    ) -> tuple[Tensor, Tensor]:
        """Logits (n, S, h, w) of the image's part, and scores (n, S)."""
        answer = self._call(embeddings, asked, several)
        masks = answer.pred_masks[0]
        rows, columns = self._cells(height, width)
        fine = masks.shape[-1] // self._grid
        return masks[..., : rows * fine, : columns * fine], answer.iou_scores[0]


class Sam2(Sam):
    """SAM 2; option `points`. The image is squeezed into the encoder's square, as in its training, without padding.

    Its decoder also takes two finer feature maps of the encoder. Features given to `decode` lack them, so they are zero
    there: masks follow the object, with smoother edges than those of `propose`. How much is lost is not measured.
    """

    @property
    def dim(self) -> int:
        """D of features."""
        return self.config.vision_config.fpn_hidden_size

    @property
    def _edge(self) -> int:
        return self.config.prompt_encoder_config.image_size

    @property
    def _grid(self) -> int:
        return self.config.vision_config.backbone_feature_sizes[-1][0]

    def _cells(self, height: int, width: int) -> tuple[int, int]:
        return self._grid, self._grid

    def _embed(self, rgb: np.ndarray) -> list[Tensor]:
        return self.model.get_image_embeddings(self.pixels(rgb, (self._edge, self._edge)))

    def _call(self, embeddings: list[Tensor], asked: dict[str, Tensor], several: bool) -> Any:
        return self.model(image_embeddings=embeddings, multimask_output=several, **asked)

    def _square(self, cells: Tensor) -> list[Tensor]:
        channels, sizes = cells.shape[1], self.config.vision_config.backbone_feature_sizes
        fine = [
            torch.zeros(1, channels // share, *size, device=self.device)
            for share, size in zip((8, 4), sizes[:2], strict=True)
        ]
        return [*fine, cells]


def _check_inside(where: np.ndarray, height: int, width: int) -> None:
    if not ((where >= -0.5) & (where <= np.array([width, height]) - 0.5)).all():
        raise BadInput(f"the prompt {where.tolist()} lies outside the image of {width}x{height} pixels")
