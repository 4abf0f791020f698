"""Opening whatever a path is: the results of all stages, recognised by what only they have."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from robodistill.capture.open import find_form, open_capture
from robodistill.errors import BadInput, RobodistillError, UnknownCaptureFormat
from robodistill.field.gaussians import GaussianField
from robodistill.grasp.grasp import GraspList
from robodistill.language.selection import Selection
from robodistill.planning.trajectory import KIND as FOLLOW
from robodistill.planning.trajectory import BimanualTrajectory
from robodistill.robots.trajectory import RobotTrajectory
from robodistill.tracking.motion import PartMotion
from robodistill.viewer.prepared import Prepared
from robodistill.viewer.video import Video

VIDEOS = (".mp4", ".mov", ".avi", ".mkv", ".webm")
CLOUDS = (".ply", ".xyz", ".obj", ".stl", ".glb", ".off")
_MOST_POINTS = 200_000


@dataclass(frozen=True, eq=False)
class Points:
    """A point cloud."""

    points: np.ndarray
    """(N, 3) float32 metres."""
    colors: np.ndarray
    """(N, 3) uint8."""


@dataclass(frozen=True, eq=False)
class Result:
    """Something to show."""

    name: str
    """For people and for names in the scene: that of the file."""
    path: Path
    kind: str
    """Key of `KINDS`."""
    value: object


@dataclass(frozen=True)
class Failure:
    """Something that could not be opened."""

    path: Path
    message: str


def open_results(path: Path) -> Iterator[Result | Failure]:
    """All that a path holds: itself, or, of a folder that is no result, everything in it that is one.

    Errors come as values, so that one broken file does not hide the others.
    """
    path = Path(path)
    try:
        kind = find_kind(path)
        if kind is not None:
            yield Result(path.name, path, kind, KINDS[kind][1](path))
            return
        inside = [child for child in sorted(path.iterdir(), key=_order) if _is_result(child)] if path.is_dir() else []
        if not inside:
            raise BadInput(f"{path} {'is nothing that can be shown' if path.exists() else 'does not exist'}; {_KNOWN}")
    except RobodistillError as error:
        yield Failure(path, str(error))
        return
    except OSError as error:
        yield Failure(path, f"{path} cannot be read: {error}")
        return
    for child in inside:
        yield from open_results(child)


def find_kind(path: Path) -> str | None:
    """Key of `KINDS` that a path is; None where it is none of them.

    Raises:
        BadInput: It is meant to be one and is broken.
    """
    suffix = path.suffix.lower()
    if path.is_dir():
        if (path / "field.json").is_file() or suffix == ".field":
            return "field"
    elif not path.is_file():
        return None
    elif suffix == ".json":
        return _json_kind(path)
    elif suffix in VIDEOS:
        return "video"
    elif suffix in CLOUDS:
        return "field" if suffix == ".ply" and b"f_dc_0" in path.open("rb").read(4096) else "points"
    try:
        find_form(path)
    except UnknownCaptureFormat:
        return None
    return "capture"


def _json_kind(path: Path) -> str | None:
    try:
        values = json.loads(path.read_text())
    except (UnicodeDecodeError, ValueError) as error:
        raise BadInput(f"{path} is no JSON: {error}") from None
    if not isinstance(values, dict):
        return None
    for kind, keys in _JSON_KEYS.items():
        if keys <= set(values):
            return kind
    if values.get("kind") == "trajectory" and isinstance(values.get("task"), dict):
        return "plan" if values["task"].get("kind") == FOLLOW else "trajectory"
    return values.get("kind") if values.get("kind") in KINDS else None


def _is_result(path: Path) -> bool:
    if path.name.startswith("."):
        return False
    try:
        return find_kind(path) is not None
    except BadInput:
        return True  # opening it tells what is wrong


def _order(path: Path) -> tuple[bool, str]:
    """Fields first: motions and grasps are of one."""
    return path.suffix != ".field", path.name


def _load_points(path: Path) -> Points:
    import trimesh

    try:
        loaded = trimesh.load(path, force=None if path.suffix in (".ply", ".xyz") else "mesh")
        points = np.asarray(loaded.vertices, np.float32)
        colors = getattr(getattr(loaded, "visual", None), "vertex_colors", None)
        colors = getattr(loaded, "colors", None) if colors is None else colors
    except Exception as error:  # each format's reader has its own
        raise BadInput(f"{path} cannot be read as points: {type(error).__name__} {error}") from None
    if not len(points) or not np.isfinite(points).all():
        raise BadInput(f"{path} holds {len(points)} points; finite ones are needed, one at least")
    shown = np.full((len(points), 3), 128, np.uint8) if colors is None or not len(colors) else np.asarray(colors)[:, :3]
    keep = slice(None, None, 1 + len(points) // _MOST_POINTS)
    return Points(points[keep], shown[keep].astype(np.uint8))


def _load_field(path: Path) -> Prepared:
    return Prepared(GaussianField.load(path), path.name)


KINDS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "field": ("a field folder or 3DGS PLY", _load_field),
    "motion": ("a motion (JSON of `track`)", PartMotion.load),
    "selection": ("a selection (JSON of `query -o`)", Selection.load),
    "grasps": ("grasps (JSON)", GraspList.load),
    "trajectory": ("a trajectory (JSON)", RobotTrajectory.load),
    "plan": ("a plan (JSON of `plan`)", BimanualTrajectory.load),
    "capture": ("a capture", open_capture),
    "video": ("a video", Video),
    "points": ("a point cloud or mesh", _load_points),
}
"""What can be shown: what it is, and how it is opened."""
_JSON_KEYS = {"motion": {"parts", "joints", "camera"}, "capture": {"frames"}}
_KNOWN = "what can be shown: " + "; ".join(what for what, _ in KINDS.values()) + "; a folder with any of these"
