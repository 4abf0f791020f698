"""Files appear whole or not at all."""

import os
from pathlib import Path

import cv2
import numpy as np

from robodistill.errors import BadInput


def make_output(out: Path) -> Path:
    """Make the folder `out`.

    Raises:
        BadInput: It exists and is not an empty folder, or cannot be made.
    """
    out = Path(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"{out} cannot be made: {error}; give a new or empty folder") from None
    if any(out.iterdir()):
        raise BadInput(f"{out} exists and is not empty; give a new or empty folder")
    return out


def write_whole(path: Path, data: bytes) -> None:
    """Write under a temporary name in the same folder, then rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_bytes(data)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_png(path: Path, image: np.ndarray) -> None:
    """Write (H, W) or (H, W, C) uint8 or uint16, channels in OpenCV's order, without loss."""
    assert image.dtype in (np.uint8, np.uint16), image.dtype
    _, data = cv2.imencode(".png", image)
    write_whole(path, data.tobytes())
