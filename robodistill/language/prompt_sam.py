"""Prompts answered by SAM's mask decoder on features rendered from the field, as Feature 3DGS does it.

Zhou et al., "Feature 3DGS", CVPR 2024, section 4: SAM's image encoder never sees the view. Here the mask becomes a
selection in 3D besides.
"""

import numpy as np
import torch

from robodistill.errors import BadInput, HonestNo
from robodistill.features.trained import render_codes
from robodistill.field.features import FeatureLayer
from robodistill.field.gaussians import FieldView, GaussianField
from robodistill.geometry.camera import Camera
from robodistill.language.lift import lift_mask
from robodistill.language.prompt import Box, Point, PromptResult, check_prompt
from robodistill.teachers.teacher import PromptDecoder

_SIDE = 64  # cells of the long side, as SAM was trained


def prompt_sam(
    field: GaussianField,
    layer: FeatureLayer,
    camera: Camera,
    T_world_camera: np.ndarray,
    sam: PromptDecoder,
    *,
    point: Point | None = None,
    box: Box | None = None,
) -> PromptResult:
    """Select by one click or one box, by SAM.

    Args:
        field: N Gaussians.
        layer: Features of SAM's image encoder, (N, d) codes that decode to `sam.dim`.
        camera: Of the view that was clicked.
        T_world_camera: (4, 4).
        sam: The decoder.
        point: Pixel (u, v), centres at integers.
        box: Pixels (u0, v0, u1, v1).

    Raises:
        BadInput: Not one of point and box, outside the image, or features of another teacher.
        HonestNo: SAM finds nothing there, or nothing of the field is.
    """
    check_prompt(camera, point, box)
    if layer.dim != sam.dim:
        raise BadInput(
            f"the features of {layer.teacher!r} have {layer.dim} dimensions, the decoder {sam.spec} {sam.dim}"
        )
    # cells as SAM's own: no more of them than it would make of this image
    scale = _SIDE / max(camera.width, camera.height)
    width, height = (max(1, round(n * scale)) for n in (camera.width, camera.height))
    with torch.no_grad():
        codes = render_codes(field, layer.codes.float(), FieldView("", camera, T_world_camera))
        cells = torch.nn.functional.interpolate(codes.permute(2, 0, 1)[None], (height, width), mode="area")
        features = layer.decoder(cells[0].permute(1, 2, 0))
    size = (camera.height, camera.width)
    points = None if point is None else np.array([point], np.float32)
    corners = None if box is None else np.array(box, np.float32)
    mask, score = sam.decode(features, size, points=points, box=corners)
    selection = lift_mask(field, camera, T_world_camera, mask)
    if not selection.any():
        raise HonestNo("the mask that SAM gives shows nothing of the field")
    return PromptResult(mask, selection, score)
