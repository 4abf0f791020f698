"""Put trained weights into the file that ships: `python -m robodistill.training.export --image A --shape B --visual C`.

What is not given stays as it is in the file.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import tyro
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from robodistill.capture.write import write_whole
from robodistill.teachers.builtin.weights import CONCEPTS, FILE, VERSION
from robodistill.teachers.teacher import Calibration


@dataclass(frozen=True)
class Arguments:
    """Write the file of weights."""

    image: Path | None = None
    """Checkpoint of `training.image`."""
    shape: Path | None = None
    """Checkpoint of `training.shape`."""
    visual: Path | None = None
    """Checkpoint of `training.visual`."""
    places: float = 1.0
    """How many times more a place counts beside looks than it did in training; with `visual`."""
    out: Path = Path(FILE)
    scale: float = 20.0
    """Of the calibration, set on tuning tables; as the two below."""
    offset: float = -0.1
    floor: float = -0.18


def averaged(path: Path, prefix: str = "") -> dict[str, Tensor]:
    """Averaged weights of a checkpoint whose names start with a prefix, without it."""
    start = f"averaged/{prefix}"
    with safe_open(path, "pt") as file:
        return {name.removeprefix(start): file.get_tensor(name) for name in file.keys() if name.startswith(start)}  # noqa: SIM118


def shipped(path: Path) -> dict[str, Tensor]:
    """What the file holds now."""
    with safe_open(path, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def main(arguments: Arguments) -> None:
    """Gather, halve and write."""
    tensors = shipped(arguments.out) if arguments.out.exists() else {}
    if arguments.image:
        tensors |= {f"image/{name}": value for name, value in averaged(arguments.image, "net.").items()}
        tensors |= {f"concepts/{name}": value for name, value in averaged(arguments.image, "concepts.").items()}
    if arguments.shape:
        tensors |= {f"shape/{name}": value for name, value in averaged(arguments.shape).items()}
    if arguments.visual:
        landmarks = averaged(arguments.visual, "landmarks.")
        landmarks["weight"] = landmarks["weight"] * arguments.places
        tensors |= {f"image/landmarks.{name}": value for name, value in landmarks.items()}
    kept = {name: value.half() if value.ndim > 1 else value for name, value in tensors.items()}
    kept = {name: value.contiguous() for name, value in kept.items() if not name.endswith("num_batches_tracked")}
    assert all(torch.isfinite(value).all() for value in kept.values())
    calibration = asdict(Calibration(arguments.scale, arguments.offset, arguments.floor, ()))
    card = {"version": VERSION, "concepts": CONCEPTS, "calibration": calibration}
    write_whole(arguments.out, save(kept, {"card": json.dumps(card)}))


if __name__ == "__main__":
    main(tyro.cli(Arguments))
