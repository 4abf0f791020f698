"""The weights that ship with the package, and the card of what they are: read once, checked against this version."""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor, nn

from robodistill.errors import BadInput
from robodistill.resources import find_resource
from robodistill.teachers.builtin import words
from robodistill.teachers.builtin.image_net import BLOCKS, Concepts, ImageNet
from robodistill.teachers.builtin.shape_net import ShapeNet
from robodistill.teachers.teacher import Calibration

FILE = "assets/teacher/builtin.safetensors"
VERSION = 2
CONCEPTS = {
    "thing": (*words.THINGS, words.UNKNOWN),
    "color": tuple(words.COLORS),
    "surface": tuple(words.COLORS),
    "material": tuple(words.MATERIALS),
    "pattern": tuple(words.PATTERNS),
    "part": tuple(words.PARTS),
}
"""Concepts of each role, in the order of the networks' classes."""


@dataclass(frozen=True, eq=False)
class Weights:
    """What the teacher is made of, ready to answer."""

    image: ImageNet
    shape: ShapeNet
    directions: dict[str, Tensor]
    """(concepts, dims) unit vectors by role."""
    calibration: Calibration


@lru_cache(maxsize=2)
def load_weights(device: str, path: Path | None = None) -> Weights:
    """Read the shipped weights.

    Raises:
        BadInput: The file is missing, broken or of another version.
    """
    path = path or find_resource(FILE)
    try:
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
            card = json.loads((file.metadata() or {}).get("card", "{}"))
    except Exception as error:  # safetensors' error has no public base
        raise BadInput(f"{path}: not the weights of the built-in teacher: {error}") from None
    if card.get("version") != VERSION or {role: tuple(it) for role, it in card["concepts"].items()} != CONCEPTS:
        raise BadInput(f"{path}: weights of version {card.get('version')}, this is version {VERSION}; install again")
    image, shape = ImageNet(), ShapeNet(len(CONCEPTS["thing"]), len(CONCEPTS["part"]))
    concepts = Concepts({role: len(names) for role, names in CONCEPTS.items()})
    for name, module in (("image", image), ("shape", shape), ("concepts", concepts)):
        _fill(module, {k.removeprefix(f"{name}/"): v for k, v in tensors.items() if k.startswith(f"{name}/")})
        module.to(device).eval().requires_grad_(False)
    _fuse(image)
    image.to(memory_format=torch.channels_last)
    return Weights(image, shape, {role: concepts(role) for role in BLOCKS}, Calibration(**card["calibration"]))


def _fill(module: nn.Module, tensors: dict[str, Tensor]) -> None:
    counters = {name: value for name, value in module.state_dict().items() if name.endswith("num_batches_tracked")}
    module.load_state_dict(counters | tensors)


def _fuse(module: nn.Module) -> None:
    """Put each batch norm into the convolution before it."""
    for name, child in module.named_children():
        if isinstance(child, nn.Sequential) and len(child) == 2 and isinstance(child[1], nn.BatchNorm2d):
            setattr(module, name, torch.nn.utils.fuse_conv_bn_eval(child[0], child[1]))
        else:
            _fuse(child)
