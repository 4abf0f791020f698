"""Parts of a field at several scales, without clicks.

Gaussians are nodes of their neighbour graph; they are merged into ever larger regions by what a teacher saw of them,
by colour, by where the surface is hollow or stepped, and by the masks of a proposer where there are any. After the idea
of hierarchical grouping in Kim et al., "GARField", CVPR 2024, and Kerr et al., "RSRD", CoRL 2024; differs in that
nothing is trained for it and the scales are nested. Features, where there are any, lead: a scale is how many Gaussians
must differ by how much to stay apart, so that rims whose features are mixed, which are few, fall to either side.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from robodistill.config import PartsConfig
from robodistill.errors import BadInput
from robodistill.features.cues import feature_vectors, fold, lab_colors, noise, smoothed, surface_normals
from robodistill.field.features import FeatureLayer
from robodistill.field.gaussians import GaussianField
from robodistill.field.graph import Graph, neighbour_graph
from robodistill.geometry.camera import Camera
from robodistill.geometry.merging import RegionGraph, merge_levels, unite
from robodistill.parts.mask_agreement import mask_agreement
from robodistill.teachers.teacher import TextTeacher

Masks = Iterable[tuple[Camera, np.ndarray, np.ndarray]]
"""Camera, T_world_camera (4, 4) and label maps (L, H, W) of each view."""

_TOLERANCE = 8.0  # at the finest scale by colour and shape, in units of noise
_COUNT = 3.0  # at the finest scale by features: Gaussians, times their squared difference
_GROWTH = 1.6  # of the tolerance from one scale to the next
_REACH = 3.0  # a link is at most so many times as long as those around it
_COLOR_NOISE = 2.0  # least noise of colours, Lab
_COLOR = 50.0  # difference of colour that is that of two kinds, Lab
_SHADE = 0.25  # weight of lightness beside features: one thing has lit and shaded sides
_BESIDE = 1 / 160  # weight of folds and masks beside features, where one link may veto nothing


def find_parts(
    field: GaussianField, config: PartsConfig, layer: FeatureLayer | None = None, masks: Masks | None = None
) -> Tensor:
    """Group a field's Gaussians.

    Args:
        field: N Gaussians.
        config: See there.
        layer: Features of the field; None groups by colour and geometry alone.
        masks: What a mask proposer saw in some views.

    Returns:
        (N, S) int32 labels from 1, fine to coarse: Gaussians of one part at one scale are of one part at the next;
        0 is too small or too transparent to be a part. What things stand on is a part, too.

    Raises:
        BadInput: A config value is out of its range.
    """
    if config.scales < 1 or config.neighbours < 1 or config.least < 1:
        raise BadInput(
            f"parts: scales, neighbours and least must be at least 1; got {config.scales}, {config.neighbours}, "
            f"{config.least}"
        )
    assert layer is None or len(layer) == len(field)
    solid = (field.opacities >= config.min_opacity).nonzero()[:, 0]
    labels = torch.zeros(len(field), config.scales, dtype=torch.int32, device=field.means.device)
    if not len(solid):
        return labels
    field, layer = field.select(solid), None if layer is None else layer.select(solid)
    graph = _gaussian_graph(field, config, layer)
    # what noise alone makes two Gaussians differ by
    finest = _TOLERANCE * config.color_weight**2 if layer is None else _COUNT * config.feature_weight**2
    tolerances = [finest * _GROWTH**k for k in range(config.scales)]
    if masks is not None:
        apart = 1 - mask_agreement(field, graph.pairs, masks)
        weight = config.mask_weight if layer is None else _BESIDE * config.mask_weight
        graph = replace(graph, barriers=graph.barriers + weight * apart * graph.lengths)
    levels = merge_levels(graph, tolerances, twins=True)
    labels[solid] = torch.from_numpy(np.stack([_numbered(level, config.least) for level in levels], 1)).to(labels)
    return labels


def name_parts(
    field: GaussianField, labels: Tensor, layer: FeatureLayer, text: TextTeacher, words: Sequence[str]
) -> dict[int, tuple[str, float]]:
    """The best of some words for each part.

    Args:
        field: N Gaussians; opaque and large ones say more.
        labels: (N,) part labels, 0 = none.
        layer: Features of the field, of the same teacher as `text`.
        text: Encodes the words.
        words: Such as "handle of the drawer".

    Returns:
        By label, the word and its score, in [0, 1]: one half is as sure as a query must be.

    Raises:
        BadInput: No word, or the text is of another dimension than the features.
    """
    words = list(words)
    if not words:
        raise BadInput("no word to name parts with; give at least one")
    if text.dim != layer.dim:
        raise BadInput(
            f"text of {text.spec} has {text.dim} dimensions, the field's features of {layer.teacher} have {layer.dim}; "
            "give the text encoder of the same teacher"
        )
    found = [int(label) for label in labels.unique() if label > 0]
    directions, contrasts = text.encode_text(words), [text.contrasts(word) for word in words]
    area = field.scales.sort(-1).values[:, 1:].prod(-1) * field.opacities
    named = {}
    for label in found:
        members = (labels == label).nonzero()[:, 0]
        weights = (area[members] / area[members].sum()).to(layer.codes.device)
        features = torch.nn.functional.normalize(layer.decoder(layer.codes[members].float()), dim=-1)
        feature = torch.nn.functional.normalize(weights @ features, dim=-1)
        fits = directions.to(feature) @ feature
        best = int(fits.argmax())
        margin = float(fits[best] - (contrasts[best].to(feature) @ feature).max())
        named[label] = (words[best], text.calibration.score(margin))
    return named


def _gaussian_graph(field: GaussianField, config: PartsConfig, layer: FeatureLayer | None) -> RegionGraph:
    """Each Gaussian a region, linked to those next to it."""
    graph = neighbour_graph(field.means, config.neighbours)
    links, folds = _links(field, graph)
    if layer is None:
        colors = smoothed(lab_colors(field), graph)
        vectors = config.color_weight * colors / noise(colors, graph, _COLOR_NOISE)
        weight = config.fold_weight
    else:
        colors = lab_colors(field) * np.array([_SHADE, 1, 1], np.float32) / _COLOR
        vectors = np.hstack([config.feature_weight * feature_vectors(layer), config.color_weight * colors])
        weight = _BESIDE * config.fold_weight
    borders = unite(links, np.ones(len(links)), weight * folds, len(field))
    return RegionGraph(np.ones(len(field), np.float32), vectors.astype(np.float32), *borders, layer is None)


def _links(field: GaussianField, graph: Graph) -> tuple[np.ndarray, np.ndarray]:
    """(M, 2) neighbours that are not far apart for where they are, and how much the surface folds between them."""
    near = np.zeros(graph.neighbours.shape, bool)
    if near.shape[1]:
        spacing = np.median(graph.distances[:, :4], axis=1)
        near = graph.distances <= _REACH * np.maximum(spacing[:, None], spacing[graph.neighbours])
    rows = np.broadcast_to(np.arange(len(graph))[:, None], near.shape)
    folds = fold(field.means.cpu().numpy(), surface_normals(field, graph), graph)
    return np.column_stack([rows[near], graph.neighbours[near]]), folds[near]


def _numbered(labels: np.ndarray, least: int) -> np.ndarray:
    """Labels from 1 in order of first use; those of fewer members than `least` are 0."""
    kept = np.bincount(labels) >= least
    return np.where(kept[labels], np.cumsum(kept)[labels], 0).astype(np.int32)
