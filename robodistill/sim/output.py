"""A simulated data set's folder: it appears whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from robodistill.errors import BadInput


def check_arguments(seed: int, views: int, width: int, height: int, noise: str, out: Path) -> None:
    """Raise `BadInput` unless these can be simulated and `out` can be written."""
    if seed < 0:
        raise BadInput(f"seed is {seed}; a whole number >= 0 is needed")
    if views < 1:
        raise BadInput(f"views is {views}; at least 1 is needed")
    if not (16 <= width <= 4096 and 16 <= height <= 4096):
        raise BadInput(f"image size is {width}x{height}; 16 to 4096 pixels each way are possible")
    if noise not in ("none", "sensor"):
        raise BadInput(f"noise is {noise!r}; 'none' and 'sensor' are known")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadInput(f"{out} exists and is not an empty folder; give a new or empty folder")


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """A folder to write into, which becomes `out` when the block ends well and vanishes otherwise.

    Raises:
        BadInput: `out` cannot be made.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".partial", dir=out.parent))
    except OSError as error:
        raise BadInput(f"{out} cannot be made: {error}; give a folder that can be written") from None
    try:
        yield partial
        mask = os.umask(0)
        os.umask(mask)
        partial.chmod(0o777 & ~mask)  # mkdtemp makes folders for one user only
        if out.is_dir():
            out.rmdir()  # empty, or this fails
        os.rename(partial, out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
