"""Train the shape encoder: `python -m robodistill.training.shape --out FILE`.

Clouds are drawn while it learns, until there are enough to be shown again in ever other views. A third of the samples
hold a second thing that touches the first, or are cut, as the segments of a field may be.
"""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro
from torch import Tensor
from torch.nn import functional

from robodistill.teachers.builtin.shape_net import POINTS, ShapeNet
from robodistill.teachers.teacher import shape_inputs
from robodistill.training.clouds import Cloud, draw_cloud, show
from robodistill.training.labels import IGNORE, ROLES
from robodistill.training.loop import Schedule, run_steps

_THING, _PART = (list(ROLES).index(role) for role in ("thing", "part"))
_VALIDATION = 10_000_000
"""Seeds of clouds to look at on the way start here."""
_FIRST, _NEW = 200, 6  # clouds to start with, and drawn at a step while the pool grows
_TWO, _CUT = 0.22, 0.12  # share of samples of two things, and with a piece cut off


@dataclass(frozen=True)
class Arguments:
    """Train the shape encoder."""

    out: Path
    """Checkpoint (safetensors); continued where it is there."""
    steps: int = 8000
    """Length of the whole schedule, over all runs."""
    pool: int = 12_000
    """Clouds kept."""
    batch: int = 24
    rate: float = 0.002
    """Highest learning rate."""
    report: int = 400
    """Steps between two looks at the validation clouds."""
    validation: int = 300
    """Clouds to look at."""
    device: str = "cpu"
    seed: int = 0


def draw_sample(pool: list[Cloud], rng: np.random.Generator) -> tuple[Tensor, np.ndarray]:
    """(384, 7) inputs and (384, 2) labels of thing and part, 255 = not told."""
    cloud = pool[rng.integers(len(pool))]
    kind = rng.random()
    if kind < _TWO:
        share = int(POINTS * rng.uniform(0.4, 0.85))
        first, its = show(cloud, share, rng)
        other, others = show(pool[rng.integers(len(pool))], POINTS - share, rng)
        angle = rng.uniform(0, 2 * np.pi)
        toward = np.array([np.cos(angle), np.sin(angle)])
        reach = (first[:, :2] @ toward).max() - (other[:, :2] @ toward).min() + rng.uniform(-0.012, 0.004)
        other[:, :2] += reach * toward
        values, labels = np.concatenate([first, other]), np.concatenate([its, others])
    else:
        values, labels = show(cloud, POINTS, rng)
        if kind > 1 - _CUT:
            direction = rng.normal(size=3)
            level = values[:, :3] @ direction
            kept = np.flatnonzero(level < np.quantile(level, rng.uniform(0.4, 0.95)))
            chosen = rng.choice(kept, POINTS)
            values, labels = values[chosen], labels[chosen]
    values = torch.from_numpy(values).float()
    return shape_inputs(values[:, :3], values[:, 3:6], values[:, 6]), labels[:, [_THING, _PART]].astype(np.int64)


def shape_loss(net: ShapeNet, samples: list) -> Tensor:
    """Cross-entropy of things and, rarer ones weighted up, of parts."""
    device = next(net.parameters()).device
    things, parts = net(torch.stack([points for points, _ in samples]).to(device))
    labels = np.stack([it for _, it in samples])
    weights = np.ones(labels.shape[:2], np.float32)
    for row, part in zip(weights, labels[..., 1], strict=True):
        _, which, counts = np.unique(part, return_inverse=True, return_counts=True)
        row[:] = counts[which.ravel()] ** -0.5
    wanted = torch.from_numpy(labels).to(device)
    thing = functional.cross_entropy(things.flatten(0, 1), wanted[..., 0].flatten(), label_smoothing=0.03)
    each = functional.cross_entropy(
        parts.flatten(0, 1), wanted[..., 1].flatten(), ignore_index=IGNORE, reduction="none", label_smoothing=0.03
    )
    told = torch.from_numpy(weights).to(device).flatten() * (wanted[..., 1].flatten() != IGNORE)
    return thing + 0.6 * (each * told).sum() / told.sum().clamp_min(1e-6)


@torch.no_grad()
def score_shapes(net: ShapeNet, clouds: list[Cloud]) -> dict[str, float]:
    """Share of clouds whose thing is right by the mean of its points, and of points whose part is right."""
    rng = np.random.default_rng(0)
    thing, part, device = [], [], next(net.parameters()).device
    for cloud in clouds:
        values, labels = show(cloud, POINTS, rng)
        values = torch.from_numpy(values).float()
        inputs = shape_inputs(values[:, :3], values[:, 3:6], values[:, 6])
        things, parts = net(inputs[None].to(device))
        thing.append(int(things[0].softmax(-1).mean(0).argmax()) == labels[0, _THING])
        told = (labels[:, _PART] != IGNORE) & (labels[:, _PART] != 0)
        if told.any():
            part.append((parts[0].argmax(-1).cpu().numpy() == labels[:, _PART])[told].mean())
    return {"thing_right": float(np.mean(thing)), "part_right": float(np.mean(part))}


def train(arguments: Arguments) -> None:
    """Train until the schedule ends, reporting and saving on the way."""
    torch.manual_seed(arguments.seed)
    net = ShapeNet(len(ROLES["thing"]), len(ROLES["part"])).to(arguments.device)
    optimizer = torch.optim.AdamW(net.parameters(), lr=arguments.rate, weight_decay=0.02)
    validation = [draw_cloud(_VALIDATION + k) for k in range(arguments.validation)]
    pool: list[Cloud] = []

    def loss(step: int, rng: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        size = min(_FIRST + _NEW * step, arguments.pool)  # hangs on the step alone, for a run that goes on
        pool.extend(draw_cloud(k) for k in range(len(pool), size))
        total = shape_loss(net, [draw_sample(pool, rng) for _ in range(arguments.batch)])
        return total, {"loss": float(total.detach())}

    def score(averaged: dict[str, Tensor]) -> dict[str, float]:
        judged = ShapeNet(len(ROLES["thing"]), len(ROLES["part"])).to(arguments.device)
        judged.load_state_dict(averaged)
        return {"pool": len(pool), **score_shapes(judged.eval(), validation)}

    schedule = Schedule(arguments.steps, arguments.rate, arguments.report)
    run_steps(arguments.out, net, optimizer, schedule, arguments.seed, loss, score)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    train(tyro.cli(Arguments))
