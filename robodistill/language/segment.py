"""Label every pixel of a view from a list of words, as Feature 3DGS does, but by Gaussian.

Each Gaussian takes the label whose direction its feature is nearest to; the labels are blended and the strongest wins.
Deciding before blending keeps edges where the Gaussians' edges are; features blended across an edge would be decoded
into a third thing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from robodistill.errors import BadInput
from robodistill.field.features import FeatureLayer
from robodistill.field.gaussians import GaussianField
from robodistill.field.render import render
from robodistill.geometry.camera import Camera
from robodistill.teachers.teacher import GroupingText, TextTeacher


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Labels of a view."""

    names: tuple[str, ...]
    labels: np.ndarray
    """(H, W) int16 index into `names`, -1 where the field shows nothing."""
    share: np.ndarray
    """(H, W) float32 blended share of the winning label, in [0, 1]."""


def label_gaussians(layer: FeatureLayer, text: TextTeacher, names: Sequence[str]) -> Tensor:
    """(N,) int64 index of the best label for each Gaussian, -1 where the teacher saw nothing.

    Raises:
        BadInput: No label, or one that comes twice.
    """
    if not names or len(set(names)) < len(names):
        raise BadInput(f"labels {list(names)}: at least one is needed, each once")
    # a word for many is as near as the nearest of them: their mean would be near to none
    members = [text.members(name) if isinstance(text, GroupingText) else [name] for name in names]
    owners = torch.tensor([k for k, phrases in enumerate(members) for _ in phrases])
    cosines = layer.similarity(text.encode_text([phrase for phrases in members for phrase in phrases]))
    seen = (layer.codes != 0).any(-1)
    return torch.where(seen, owners.to(cosines.device)[cosines.argmax(-1)], -1)


@torch.no_grad()
def segment(
    field: GaussianField, labels: Tensor, names: Sequence[str], camera: Camera, T_world_camera: np.ndarray
) -> Segmentation:
    """Render labels (N,) of Gaussians, -1 = none, from a view."""
    votes = torch.nn.functional.one_hot(labels + 1, len(names) + 1)[:, 1:].float()
    seen = render(field, camera, T_world_camera, votes)
    share, best = seen.features.max(-1)
    best = torch.where(share * 2 > seen.alpha.clamp_min(0.5) * 0.5, best, -1)
    return Segmentation(tuple(names), best.cpu().numpy().astype(np.int16), share.cpu().numpy())
