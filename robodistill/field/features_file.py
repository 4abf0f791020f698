"""`features.safetensors` of a field folder: codes of each teacher, the small decoders, and part labels."""

from pathlib import Path

import pydantic
import torch
from torch import Tensor

from robodistill.capture.write import write_whole
from robodistill.errors import BadInput
from robodistill.field.features import Decoder, FeatureLayer

NAME = "features.safetensors"
_GROUPS = "groups"


class LayerEntry(pydantic.BaseModel, extra="forbid"):
    """A teacher's features in `field.json`; the tensors' names begin with `name`."""

    name: str
    teacher: str
    way: str
    codec: str
    """For people: how many numbers a Gaussian keeps, and of which type."""
    dim: int
    maps: int
    """Linear maps of the decoder."""


def write_features(folder: Path, layers: dict[str, FeatureLayer], groups: Tensor | None) -> list[LayerEntry]:
    """Write the file, where there is anything to write; the layers' entries of the index."""
    from safetensors.torch import save

    tensors, entries = {}, []
    for name, layer in layers.items():
        tensors[f"{name}/codes"] = layer.codes
        for k, (weight, bias) in enumerate(zip(layer.decoder.weights, layer.decoder.biases, strict=True)):
            tensors[f"{name}/{k}/weight"] = weight
            if bias is not None:
                tensors[f"{name}/{k}/bias"] = bias
        codec = f"{layer.codes.shape[1]} x {str(layer.codes.dtype).removeprefix('torch.')}"
        entries.append(
            LayerEntry(
                name=name,
                teacher=layer.teacher,
                way=layer.way,
                codec=codec,
                dim=layer.dim,
                maps=len(layer.decoder.weights),
            )
        )
    if groups is not None:
        tensors[_GROUPS] = groups
    if tensors:
        write_whole(folder / NAME, save({name: t.detach().cpu().contiguous() for name, t in tensors.items()}))
    return entries


def read_features(
    folder: Path, entries: list[LayerEntry], gaussians: int
) -> tuple[dict[str, FeatureLayer], Tensor | None]:
    """Layers by name, and part labels or None.

    Raises:
        BadInput: A tensor is missing or does not fit the field.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    path = folder / NAME
    if not path.exists():
        if entries:
            raise BadInput(f"{path} is missing; field.json names features of {', '.join(e.name for e in entries)}")
        return {}, None
    try:
        tensors = load(path.read_bytes())
        layers = {entry.name: _layer(entry, tensors) for entry in entries}
    except (SafetensorError, OSError, KeyError) as error:
        raise BadInput(f"{path} is broken: {type(error).__name__} {error}; build the field again") from None
    groups = tensors.get(_GROUPS)
    for what, t in [(layer.teacher, layer.codes) for layer in layers.values()] + [(_GROUPS, groups)]:
        if t is not None and (t.ndim != 2 or len(t) != gaussians):
            raise BadInput(f"{path}: {what} is {tuple(t.shape)}, the field has {gaussians} Gaussians")
    return layers, groups


def _layer(entry: LayerEntry, tensors: dict[str, torch.Tensor]) -> FeatureLayer:
    weights = tuple(tensors[f"{entry.name}/{k}/weight"] for k in range(entry.maps))
    biases = tuple(tensors.get(f"{entry.name}/{k}/bias") for k in range(entry.maps))
    return FeatureLayer(entry.teacher, entry.way, tensors[f"{entry.name}/codes"], Decoder(weights, biases))
