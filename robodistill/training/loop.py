"""The loop that all trainings share: the same steps from the same seeds, however often it is interrupted."""

import json
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from robodistill.training.checkpoint import Progressed, average, load_checkpoint, save_checkpoint

log = logging.getLogger(__name__)
_LEAST_RATE = 1e-5


@dataclass(frozen=True)
class Schedule:
    """How long, how fast, and how often to look."""

    steps: int
    """Over all runs."""
    rate: float
    """Highest learning rate; it falls as a cosine."""
    report: int
    """Steps between two looks at what is kept for choosing, and two files."""
    warm: int = 300
    """Steps in which the rate rises."""
    averaged: float = 0.999
    """Memory of the running mean of the weights."""
    clip: float = 2.0
    """Norm of the gradient, at most."""


@contextmanager
def _repeatable() -> Iterator[None]:
    """Sums of gradients in one order, however many threads there are; where there is only another way, it is told."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


@_repeatable()
def run_steps(
    out: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: Schedule,
    seed: int,
    loss: Callable[[int, np.random.Generator], tuple[Tensor, dict[str, float]]],
    score: Callable[[dict[str, Tensor]], dict[str, float]],
) -> None:
    """Train until the schedule ends, from where the file `out` stands.

    Args:
        loss: Of one step, from its number and its own random generator; and terms to report.
        score: Of averaged weights, on what is kept for choosing.
    """
    averaged = {name: value.clone() for name, value in model.state_dict().items()}
    at = load_checkpoint(out, model, averaged, optimizer) if out.exists() else Progressed()
    terms: dict[str, list[float]] = defaultdict(list)
    clock = time.monotonic()
    for step in range(at.step, schedule.steps):
        rate = schedule.rate * min(1, (step + 1) / schedule.warm) * (0.5 + 0.5 * np.cos(np.pi * step / schedule.steps))
        for group in optimizer.param_groups:
            group["lr"] = max(rate, _LEAST_RATE)
        torch.manual_seed(1_000_003 * seed + step)
        total, told = loss(step, np.random.default_rng((seed, step)))
        optimizer.zero_grad()
        total.backward()
        nn.utils.clip_grad_norm_(model.parameters(), schedule.clip)
        optimizer.step()
        average(averaged, model, step, schedule.averaged)
        for name, term in told.items():
            terms[name].append(term)
        if (step + 1) % schedule.report == 0 or step + 1 == schedule.steps:
            at.step, at.spent = step + 1, at.spent + (time.monotonic() - clock) / 60
            means = {name: float(np.mean(values)) for name, values in terms.items()}
            at.curve.append({"minutes": round(at.spent, 1), "step": at.step, **means, **score(averaged)})
            log.warning(json.dumps({key: round(float(value), 3) for key, value in at.curve[-1].items()}))
            save_checkpoint(out, model, averaged, optimizer, at)
            terms.clear()
            clock = time.monotonic()
