"""Train landmarks, the last step of the features of correspondence: `python -m robodistill.training.visual`.

    --views DIR --validation DIR --image FILE --out FILE

InfoNCE (van den Oord et al., 2018) over all places of the other view, both ways, on pairs of whole views. The encoder
under it is kept as it is, so that what it says of words does not change by a bit.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn import functional

from robodistill.teachers.builtin.image_net import ImageNet
from robodistill.training.image import Views
from robodistill.training.loop import Schedule, run_steps
from robodistill.training.pairs import WholePair, draw_whole_pair
from robodistill.training.scores import score_matches

_WARM, _AVERAGED = 100, 0.998
_MOST = 320  # cells of a pair that are learned from at a step


@dataclass(frozen=True)
class Arguments:
    """Train what is told by place among landmarks."""

    views: Path
    """Folder of training views."""
    validation: Path
    """Folder of views to choose by."""
    image: Path
    """Checkpoint of `training.image`, or the file that ships: the encoder."""
    out: Path
    """Checkpoint (safetensors); continued where it is there."""
    steps: int = 800
    """Length of the whole schedule, over all runs."""
    pairs: int = 4
    """Pairs in a batch."""
    rate: float = 0.005
    """Highest learning rate."""
    report: int = 100
    """Steps between two looks at the validation views."""
    device: str = "cpu"
    seed: int = 0


class Matcher(nn.Module):
    """The landmarks and the scale of the loss: all that is learned."""

    def __init__(self, net: ImageNet) -> None:
        super().__init__()
        self.landmarks = net.landmarks
        self.scale = nn.Parameter(torch.tensor(3.0))
        self._net = [net]  # hidden from the parameters

    @property
    def net(self) -> ImageNet:
        """The encoder with these landmarks."""
        return self._net[0]

    def loss(self, pairs: list[WholePair], device: str, rng: np.random.Generator) -> Tensor:
        """How surely each place finds itself in the other view."""
        features = self._look(pairs, device)
        losses = []
        cells = features.flatten(2).mT  # (2 pairs, cells, dims)
        for k, pair in enumerate(pairs):
            picked = rng.permutation(len(pair.cells))[:_MOST]
            at = torch.from_numpy(pair.cells[picked]).to(device)
            around, shares = (
                torch.from_numpy(it).to(device) for it in _around(pair.places[picked], features.shape[2:])
            )
            first, second = cells[2 * k : 2 * k + 2]
            nearest = around.gather(1, shares.argmax(1, keepdim=True))[:, 0]
            there, back = self.scale.exp() * first[at] @ second.mT, self.scale.exp() * second[nearest] @ first.mT
            losses.append((there.logsumexp(1) - (shares * there.gather(1, around)).sum(1)).mean())
            losses.append((back.logsumexp(1) - back.gather(1, at[:, None])[:, 0]).mean())
        return torch.stack(losses).mean()

    def _look(self, pairs: list[WholePair], device: str) -> Tensor:
        net = self._net[0]
        channels = torch.from_numpy(np.stack([crop.channels for pair in pairs for crop in pair.crops])).to(device)
        points = torch.from_numpy(np.stack([it for pair in pairs for it in pair.points])).to(device)
        with torch.no_grad(), torch.autocast(device, torch.bfloat16):
            seen = net.visual[:2](net.trunk(channels.contiguous(memory_format=torch.channels_last)))
            looks = functional.normalize(net.visual[2](seen).float(), dim=1)
        places = self.landmarks(seen.float(), points)
        return functional.normalize(torch.cat([looks, places], 1), dim=1)


def _around(places: np.ndarray, size: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """(n, 4) cells around (n, 2) rows, columns in a map of a size, and the bilinear share of each, which adds to 1."""
    low = np.floor(places)
    part = places - low
    cells, shares = [], []
    for down in (0, 1):
        for across in (0, 1):
            row, column = (np.clip(low + [down, across], 0, np.array(size) - 1)).astype(np.int64).T
            cells.append(row * size[1] + column)
            shares.append(np.abs(1 - down - part[:, 0]) * np.abs(1 - across - part[:, 1]))
    return np.stack(cells, 1), np.stack(shares, 1).astype(np.float32)


def load_encoder(path: Path, device: str) -> ImageNet:
    """The encoder of a checkpoint of `training.image` or of the file that ships, for looking only."""
    with safe_open(path, "pt") as file:
        starts = ("averaged/net.", "image/")
        tensors = {
            name.removeprefix(start): file.get_tensor(name).float()
            for name in file.keys()  # noqa: SIM118
            for start in starts
            if name.startswith(start) and "landmarks." not in name
        }
    net = ImageNet()
    missing, unknown = net.load_state_dict(tensors, strict=False)
    left = [name for name in missing if not name.startswith("landmarks.") and not name.endswith("num_batches_tracked")]
    if left or unknown:
        raise ValueError(f"{path}: not a dense encoder of this version: {[*left, *unknown][:3]}")
    net.to(device, memory_format=torch.channels_last).eval().requires_grad_(False)
    net.landmarks.requires_grad_(True)
    return net


def draw_batch(shards: list[dict], count: int, rng: np.random.Generator) -> list[WholePair]:
    """Pairs of random shards."""
    found: list[WholePair] = []
    while len(found) < count:
        pair = draw_whole_pair(shards[rng.integers(len(shards))], rng)
        if pair is not None:
            found.append(pair)
    return found


def train(arguments: Arguments) -> None:
    """Train until the schedule ends, reporting and saving on the way."""
    torch.manual_seed(arguments.seed)
    matcher = Matcher(load_encoder(arguments.image, arguments.device)).to(arguments.device)
    optimizer = torch.optim.AdamW(matcher.parameters(), lr=arguments.rate, weight_decay=0.02)
    views, validation = Views(arguments.views), Views(arguments.validation)

    def loss(step: int, rng: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        total = matcher.loss(draw_batch(views.shards, arguments.pairs, rng), arguments.device, rng)
        return total, {"loss": float(total.detach())}

    def score(averaged: dict[str, Tensor]) -> dict[str, float]:
        judged = Matcher(load_encoder(arguments.image, arguments.device)).to(arguments.device)
        judged.load_state_dict(averaged)
        return {"matched": score_matches(judged.net, validation.shards, arguments.device)}

    schedule = Schedule(arguments.steps, arguments.rate, arguments.report, _WARM, _AVERAGED, 1.0)
    run_steps(arguments.out, matcher, optimizer, schedule, arguments.seed, loss, score)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    train(tyro.cli(Arguments))
