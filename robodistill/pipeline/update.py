"""Scene update of field folders."""

import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from robodistill.capture.open import open_capture
from robodistill.capture.read import read_json
from robodistill.config import BuildConfig, QueryConfig
from robodistill.edit.update import update_scene
from robodistill.errors import BadInput, BadMetadata
from robodistill.field.gaussians import GaussianField
from robodistill.language.query import Querier
from robodistill.pipeline.build import read_frames
from robodistill.pipeline.language import Answer, not_found, open_language


@dataclass(frozen=True)
class UpdateResult:
    """What an update gave."""

    gaussians: int
    seconds: float
    """From the loaded field and frames to the new field."""
    moved: int
    gone: int
    added: int
    T_world_world: list[list[float]] | None


def update_field(
    path: Path,
    out: Path,
    *,
    moved: str | None = None,
    transform: Path | None = None,
    views: Path | None = None,
    teacher: str | None = None,
    overwrite: bool = False,
) -> UpdateResult:
    """Bring a field up to date and save it as `out`.

    Args:
        moved: Phrase of what was moved.
        transform: JSON with the (4, 4) `T_world_world` of the motion; found in the views where it is not given.
        views: Capture with a few new posed RGB-D views.

    Raises:
        BadInput: An argument is not valid, or `out` exists.
        HonestNo: The phrase names nothing, or no motion explains the views.
    """
    if Path(out).exists() and not overwrite:
        raise BadInput(f"{out} exists; give another name or --overwrite")
    if views is None and (moved is None or transform is None):
        raise BadInput("an update needs --views, or --moved with --transform, or all of them")
    if transform is not None and moved is None:
        raise BadInput("--transform needs --moved: what went that way")
    T = None if transform is None else read_transform(transform)
    frames = [] if views is None else read_frames(open_capture(views), BuildConfig().max_side)
    selection = None
    if moved is None:
        field = GaussianField.load(path)
    else:
        field, layer, text = open_language(path, teacher)
        found = Querier(field, layer, text, QueryConfig())(moved)
        if not found.found:
            raise not_found(Answer(found, 0.0))
        selection = found.mask(len(field))
    start = time.perf_counter()
    done = update_scene(field, frames, selection, T)
    seconds = time.perf_counter() - start
    done.field.save(out, overwrite)
    motion = None if done.T_world_world is None else np.asarray(done.T_world_world).tolist()
    return UpdateResult(len(done.field), seconds, done.moved, done.gone, done.added, motion)


def read_transform(path: Path) -> np.ndarray:
    """(4, 4) from a JSON file: the matrix itself, or an object with it as `T_world_world`.

    Raises:
        BadInput: Something else.
    """
    try:
        text = Path(path).read_text()
        values = json.loads(text) if text.lstrip().startswith("[") else read_json(path)["T_world_world"]
        T = np.array(values, float)
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError, BadMetadata) as error:
        raise BadInput(f"transform {path}: a 4 x 4 matrix or {{'T_world_world': ...}} is needed ({error})") from None
    if T.shape != (4, 4):
        raise BadInput(f"transform {path}: a 4 x 4 matrix is needed, got shape {T.shape}")
    return T
