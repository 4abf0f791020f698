"""Where a training stands, in one safetensors file: weights, their running mean, the optimiser, the curve."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

from robodistill.capture.write import write_whole

_MOMENTS = ("exp_avg", "exp_avg_sq", "step")


@dataclass
class Progressed:
    """How far a training is."""

    spent: float = 0.0
    """Minutes."""
    step: int = 0
    curve: list[dict[str, float]] = field(default_factory=list)
    """Losses and scores at each report."""


def save_checkpoint(
    path: Path, model: nn.Module, averaged: dict[str, Tensor], optimizer: torch.optim.Optimizer, at: Progressed
) -> None:
    """Write all that a later run needs to go on."""
    tensors = {f"model/{name}": value for name, value in model.state_dict().items()}
    tensors |= {f"averaged/{name}": value for name, value in averaged.items()}
    for number, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{number}/{name}": torch.as_tensor(moments[name]) for name in _MOMENTS}
    facts = {"spent": at.spent, "step": at.step, "curve": at.curve}
    whole = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    write_whole(path, save(whole, {"progress": json.dumps(facts)}))


def load_checkpoint(
    path: Path, model: nn.Module, averaged: dict[str, Tensor], optimizer: torch.optim.Optimizer
) -> Progressed:
    """Put model, averaged weights and optimiser where a file left them."""
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        facts = json.loads(file.metadata()["progress"])
    model.load_state_dict({n.removeprefix("model/"): v for n, v in tensors.items() if n.startswith("model/")})
    for name, value in averaged.items():
        value.copy_(tensors[f"averaged/{name}"])
    state = optimizer.state_dict()
    for name, value in tensors.items():
        if name.startswith("optimizer/"):
            _, number, moment = name.split("/")
            state["state"].setdefault(int(number), {})[moment] = value
    optimizer.load_state_dict(state)
    return Progressed(**facts)


def average(averaged: dict[str, Tensor], model: nn.Module, step: int, memory: float) -> None:
    """Let the running mean of the weights follow; it follows faster in the first steps."""
    memory = min(memory, (step + 1) / (step + 20))
    for name, value in model.state_dict().items():
        if value.dtype.is_floating_point:
            averaged[name].lerp_(value, 1 - memory)
        else:
            averaged[name].copy_(value)
