"""Train the dense encoder: `python -m robodistill.training.image --views DIR --validation DIR --out FILE`.

Cross-entropy of cosines with the concepts of each role, pixels weighted by one over the root of their piece's size so
that a handle counts beside a wall; InfoNCE (van den Oord et al., 2018) between two views of one place for the features
of correspondence. The file it writes every few minutes is all that a later run needs to go on.
"""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro
from torch import Tensor, nn
from torch.nn import functional

from robodistill.errors import BadInput
from robodistill.teachers.builtin.image_net import Concepts, ImageNet, unit_blocks
from robodistill.training.crops import Crop, draw_crop, draw_pair
from robodistill.training.labels import IGNORE, ROLES
from robodistill.training.loop import Schedule, run_steps
from robodistill.training.scores import score_views
from robodistill.training.views import load_shard

_WEIGHTS = {"thing": 1.0, "color": 0.4, "surface": 0.3, "material": 0.1, "pattern": 0.1, "part": 0.5}
_VISUAL = 2.0
_SMOOTHED = 0.05  # label smoothing
_BLUR = 0.5  # cells, of the place that is wanted
_NEGATIVES = 1024  # cells of other crops that a place must be told from


@dataclass(frozen=True)
class Arguments:
    """Train the dense encoder."""

    views: Path
    """Folder of training views."""
    validation: Path
    """Folder of views to choose by."""
    out: Path
    """Checkpoint (safetensors); continued where it is there."""
    steps: int = 9600
    """Length of the whole schedule, over all runs."""
    singles: int = 16
    """Crops of one place in a batch."""
    pairs: int = 6
    """Pairs in a batch."""
    rate: float = 0.0025
    """Highest learning rate."""
    report: int = 350
    """Steps between two looks at the validation views."""
    device: str = "cpu"
    seed: int = 0


class Views:
    """The shards of a folder, kept in memory."""

    def __init__(self, folder: Path) -> None:
        """Read them all.

        Raises:
            BadInput: There are none.
        """
        self.shards = [load_shard(path) for path in sorted(folder.glob("*.safetensors"))]
        if not self.shards:
            raise BadInput(f"{folder}: no views; make them with python -m robodistill.training.views")

    def batch(self, singles: int, pairs: int, rng: np.random.Generator) -> tuple[list[Crop], list[Crop], list]:
        """Single crops; pairs, one after the other; and cells with their places for each pair."""
        paired, matches = [], []
        while len(matches) < pairs:
            found = draw_pair(self._any(rng), rng)
            if found is not None and len(found[2]) >= 8:
                paired += found[:2]
                matches.append(found[2:])
        return [draw_crop(self._any(rng), rng) for _ in range(singles)], paired, matches

    def _any(self, rng: np.random.Generator) -> dict:
        return self.shards[rng.integers(len(self.shards))]


class Learner(nn.Module):
    """Encoder, concepts and scales of the losses: all that is learned."""

    def __init__(self) -> None:
        super().__init__()
        self.net = ImageNet()
        self.concepts = Concepts({role: len(names) for role, names in ROLES.items()})
        self.scales = nn.ParameterDict({role: torch.tensor(2.5) for role in [*ROLES, "visual"]})
        del self.net.landmarks  # learned afterwards, by `training.visual`

    def loss(
        self, singles: list[Crop], paired: list[Crop], matches: list, device: str
    ) -> tuple[Tensor, dict[str, float]]:
        """The weighted sum, and each of its terms."""
        seen = [self._look(crops, device) for crops in (singles, paired)]
        features = torch.cat([words.permute(0, 2, 3, 1).flatten(0, 2) for words, _ in seen])
        blocks, crops = unit_blocks(features), [*singles, *paired]
        labels = np.concatenate([crop.labels.reshape(-1, 7) for crop in crops]).astype(np.int64)
        labels, weights = torch.from_numpy(labels).to(device), torch.from_numpy(_cell_weights(crops)).to(device)
        terms = {}
        for column, role in enumerate(ROLES):
            known = (labels[:, column] != IGNORE).nonzero()[:, 0]
            logits = self.scales[role].exp() * blocks[role][known] @ self.concepts(role).mT
            each = functional.cross_entropy(logits, labels[known, column], reduction="none", label_smoothing=_SMOOTHED)
            terms[role] = (each * weights[known]).sum() / weights[known].sum().clamp_min(1e-6)
        terms["visual"] = self._visual(functional.normalize(seen[1][1], dim=1), matches)
        total = sum(weight * terms[role] for role, weight in (_WEIGHTS | {"visual": _VISUAL}).items())
        return total, {name: float(term.detach()) for name, term in terms.items()}

    def _look(self, crops: list[Crop], device: str) -> tuple[Tensor, Tensor]:
        """Both features of crops of one size."""
        x = torch.from_numpy(np.stack([crop.channels for crop in crops])).to(device)
        with torch.autocast(device, torch.bfloat16):
            words, visual = self.net(x.contiguous(memory_format=torch.channels_last))
        return words.float(), visual.float()

    def _visual(self, visual: Tensor, matches: list) -> Tensor:
        """How surely each cell of a pair's first crop finds its place in the second one."""
        size, losses = visual.shape[-1], []
        cells = visual.flatten(2).mT  # (crops, cells, dims)
        others = cells[1 : 2 * len(matches) : 2].flatten(0, 1)
        others = others[torch.randperm(len(others), device=others.device)[:_NEGATIVES]]
        rows, columns = (grid.flatten() for grid in torch.meshgrid(*[torch.arange(size)] * 2, indexing="ij"))
        for k, (at, places) in enumerate(matches):
            chosen, places = torch.from_numpy(at), torch.from_numpy(places)
            logits = self.scales["visual"].exp() * cells[2 * k][chosen] @ torch.cat([cells[2 * k + 1], others]).mT
            far = (rows - places[:, :1]) ** 2 + (columns - places[:, 1:]) ** 2
            wanted = torch.softmax(-far / (2 * _BLUR**2), 1).to(logits)
            losses.append(-(wanted * functional.log_softmax(logits, 1)[:, : size * size]).sum(1).mean())
        return torch.stack(losses).mean()


def _cell_weights(crops: list[Crop]) -> np.ndarray:
    """(cells,) float32, each one over the root of how many cells of the crop its piece has."""
    weights = []
    for crop in crops:
        _, which, counts = np.unique(crop.rows, return_inverse=True, return_counts=True)
        weights.append(counts[which.ravel()] ** -0.5)
    return np.concatenate(weights).astype(np.float32)


def train(arguments: Arguments) -> None:
    """Train until the schedule ends, reporting and saving on the way."""
    torch.manual_seed(arguments.seed)
    learner = Learner().to(arguments.device, memory_format=torch.channels_last)
    decayed = [p for p in learner.parameters() if p.ndim > 1]
    plain = [p for p in learner.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": 0.02}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=arguments.rate)
    views, validation = Views(arguments.views), Views(arguments.validation)

    def loss(step: int, rng: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        return learner.loss(*views.batch(arguments.singles, arguments.pairs, rng), arguments.device)

    def score(averaged: dict[str, Tensor]) -> dict[str, float]:
        return _scores(averaged, validation, arguments.device)

    schedule = Schedule(arguments.steps, arguments.rate, arguments.report)
    run_steps(arguments.out, learner, optimizer, schedule, arguments.seed, loss, score)


def _scores(averaged: dict[str, Tensor], validation: Views, device: str) -> dict[str, float]:
    """Of the averaged weights, on the validation views."""
    learner = Learner()
    learner.load_state_dict(averaged)
    learner.to(device).eval()
    return score_views(learner.net, learner.concepts, validation.shards, device)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    train(tyro.cli(Arguments))
