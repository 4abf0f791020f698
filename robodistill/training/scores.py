"""How good a dense encoder is on labelled views, without a field: right labels, right places, right matches."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from robodistill.geometry.camera import Camera
from robodistill.teachers.builtin.image_net import STRIDE, Concepts, ImageNet, unit_blocks
from robodistill.teachers.builtin.inputs import CHANNELS, cell_points
from robodistill.teachers.builtin.teacher import Builtin
from robodistill.training.crops import project
from robodistill.training.labels import IGNORE, ROLES

_AT = STRIDE // 2
_LEAST = 30  # pixels of a thing that is asked for
NEAR = 5.0
"""Pixels that a match may be off."""
_VIEWS = 6  # of a shard


def whole_channels(shard: dict, view: int) -> np.ndarray:
    """(9, H, W) channels of a stored view."""
    rgb = shard["rgb"][view]
    channels = np.empty((CHANNELS, *rgb.shape[:2]), np.float32)
    channels[:3] = rgb.transpose(2, 0, 1) / 127.5 - 1
    channels[3] = shard["depth"][view] > 0
    channels[4:] = shard["shape"][view] / np.float32(127)
    return channels


@torch.no_grad()
def score_views(net: ImageNet, concepts: Concepts, shards: Sequence[dict], device: str) -> dict[str, float]:
    """Means over the first views of each shard."""
    found: dict[str, list[float]] = defaultdict(list)
    directions = {role: concepts(role) for role in ROLES}
    for shard in shards:
        visual = {}
        for view in range(min(_VIEWS, len(shard["rgb"]))):
            x = torch.from_numpy(whole_channels(shard, view))[None].to(device, memory_format=torch.channels_last)
            with torch.autocast(device, torch.bfloat16):
                words, seen = net(x)
            blocks = unit_blocks(words[0].float().permute(1, 2, 0))
            visual[view] = functional.normalize(seen[0].float(), dim=0).cpu()
            cosines = {role: (blocks[role] @ directions[role].mT).cpu() for role in ROLES}
            _score_view(found, shard, view, cosines)
        for view in visual:
            if view + 1 in visual and shard["layout"][view] == shard["layout"][view + 1]:
                _score_matches(found, shard, view, view + 1, visual)
    return {name: float(np.mean(values)) for name, values in found.items()}


def _score_view(found: dict, shard: dict, view: int, cosines: dict[str, Tensor]) -> None:
    rows, table = shard["rows"][view], shard["table"][view]
    labels = table[rows[_AT::STRIDE, _AT::STRIDE]]
    for column, role in enumerate(ROLES):
        on = (labels[..., column] != IGNORE) & (labels[..., 6] > 0)
        if on.any():
            found[f"{role}_right"].append(float((cosines[role].argmax(-1).numpy() == labels[..., column])[on].mean()))
    things = table[:, 0][rows]
    for number in np.unique(table[:, 6])[1:]:
        mask = np.isin(rows, np.flatnonzero(table[:, 6] == number))
        it = table[table[:, 6] == number][0]
        if mask.sum() < _LEAST or it[0] == len(ROLES["thing"]) - 1:
            continue
        thing, color = cosines["thing"][..., it[0]], cosines["color"][..., it[1]]
        found["thing_peak"].append(float(things[_peak(thing)] == it[0]))
        found["color_thing_peak"].append(float(mask[_peak(thing + color)]))
        for part in np.unique(table[table[:, 6] == number][:, 5]):
            wanted = np.isin(rows, np.flatnonzero((table[:, 6] == number) & (table[:, 5] == part)))
            if wanted.sum() >= _LEAST / 2 and part not in (IGNORE, 0):
                place = _peak(thing + cosines["part"][..., part])
                found["part_peak"].append(
                    float((table[:, 0] == it[0])[rows][place] and (table[:, 5] == part)[rows][place])
                )


def margins(teacher: Builtin, seen: Tensor, phrase: str) -> Tensor:
    """(h, w) how much better cells of a feature map fit a phrase than the best of its contrasts."""
    fits = seen @ torch.cat([teacher.encode_text([phrase]), teacher.contrasts(phrase)]).mT
    return fits[..., 0] - fits[..., 1:].amax(-1)


def _peak(relevancy: Tensor) -> tuple[int, int]:
    """Pixel (v, u) of the highest cell."""
    row, column = divmod(int(relevancy.argmax()), relevancy.shape[1])
    return STRIDE * row + _AT, STRIDE * column + _AT


@torch.no_grad()
def score_matches(net: ImageNet, shards: Sequence[dict], device: str) -> float:
    """Share of surface points that find their place in the next view of the same things, by looks and landmarks."""
    found: dict[str, list[float]] = defaultdict(list)
    for shard in shards:
        visual = {}
        for view in range(min(_VIEWS, len(shard["rgb"]))):
            x = torch.from_numpy(whole_channels(shard, view))[None].to(device, memory_format=torch.channels_last)
            depth = shard["depth"][view].astype(np.float32) / 1000
            points = cell_points(depth, Camera(shard["K"][view], *depth.shape[::-1]))
            with torch.autocast(device, torch.bfloat16):
                seen = net.matchable(net.trunk(x), torch.from_numpy(points)[None].to(device))
            visual[view] = functional.normalize(seen[0].float(), dim=0).cpu()
        for view in visual:
            if view + 1 in visual and shard["layout"][view] == shard["layout"][view + 1]:
                _score_matches(found, shard, view, view + 1, visual)
    return float(np.mean(found["matched"]))


def _score_matches(found: dict, shard: dict, a: int, b: int, visual: dict[int, Tensor]) -> None:
    """Share of surface points of things whose nearest feature in the other view is where they are."""
    labels = shard["table"][a][shard["rows"][a][_AT::STRIDE, _AT::STRIDE]]
    rows, columns = np.nonzero(labels[..., 6] > 0)
    places, seen = project(shard, a, b, np.column_stack([columns, rows]) * STRIDE + _AT)
    if seen.sum() < 10:
        return
    features = visual[a][:, rows[seen], columns[seen]].mT
    best = (features @ visual[b].flatten(1)).argmax(1).numpy()
    width = visual[b].shape[2]
    at = np.column_stack([best % width, best // width]) * STRIDE + _AT
    found["matched"].append(float((np.linalg.norm(at - places[seen], axis=1) < NEAR).mean()))
