"""The views of many seeds as files, one a seed: `python -m robodistill.training.views --out DIR --seeds 0:800`.

Seeds that are there already are passed over, so an interrupted run goes on.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from safetensors.numpy import load, save

from robodistill.capture.write import write_whole
from robodistill.teachers.builtin.inputs import shape_channels
from robodistill.training.scenes import draw_views

LAYOUTS, VIEWS = 6, 3
VALIDATION = 1_000_000
"""Seeds from here on are for choosing checkpoints and calibrating; training takes those below."""


@dataclass(frozen=True)
class Arguments:
    """Draw views."""

    out: Path
    """Folder of the files."""
    seeds: str = "0:800"
    """First and last + 1."""


def make_shard(seed: int, folder: Path) -> Path:
    """Write the views of one seed; the file, which may have been there.

    Arrays: rgb (V, H, W, 3) and rows (V, H, W) uint8; depth (V, H, W) uint16 mm; shape (V, 5, H, W) int8, the channels
    after "measured" times 127; table (V, R, 7), K (V, 3, 3), T_world_camera (V, 4, 4), layout (V,).
    """
    path = folder / f"{seed:07d}.safetensors"
    if path.exists():
        return path
    views = list(draw_views(seed, LAYOUTS, VIEWS))
    if not views:
        return path
    shapes = [shape_channels(view.depth, view.camera) for view in views]
    arrays = {
        "rgb": np.stack([view.rgb for view in views]),
        "rows": np.stack([view.rows for view in views]),
        "depth": np.stack([np.rint(view.depth * 1000) for view in views]).astype(np.uint16),
        "shape": np.stack([np.rint(127 * shape[1:]) for shape in shapes]).astype(np.int8),
        "table": np.stack([view.table for view in views]),
        "K": np.stack([view.camera.K for view in views]),
        "T_world_camera": np.stack([view.T_world_camera for view in views]),
        "layout": np.array([view.layout for view in views]),
    }
    write_whole(path, save({name: np.ascontiguousarray(array) for name, array in arrays.items()}))
    return path


def load_shard(path: Path) -> dict[str, np.ndarray]:
    """The arrays of `make_shard`."""
    return load(path.read_bytes())


def main(arguments: Arguments) -> None:
    """Draw what is missing."""
    from rich.progress import track

    first, last = (int(number) for number in arguments.seeds.split(":"))
    arguments.out.mkdir(parents=True, exist_ok=True)
    for seed in track(range(first, last), "views"):
        make_shard(seed, arguments.out)


if __name__ == "__main__":
    main(tyro.cli(Arguments))
