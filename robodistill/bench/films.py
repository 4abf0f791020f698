"""Simulated films of articulated objects with what is true of them, made once and kept, and our motion in each."""

import functools
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

import robodistill
from robodistill.bench.figures import Figures
from robodistill.bench.scans import true_parts
from robodistill.capture.open import open_capture
from robodistill.capture.read import read_json
from robodistill.capture.video import Video, read_video
from robodistill.capture.write import write_whole
from robodistill.config import BuildConfig, FeaturesConfig, ShapeConfig
from robodistill.errors import BadInput, HonestNo
from robodistill.field.gaussians import GaussianField
from robodistill.geometry.camera import Camera
from robodistill.pipeline.build import build_field
from robodistill.pipeline.track import read_film_camera
from robodistill.tracking.motion import PartMotion
from robodistill.tracking.track import track_parts

_CODE = (".py", ".cpp", ".hpp")
# features of correspondence have no kinds that shape could tell
_VISUAL = FeaturesConfig(teacher="builtin:head=looks", shape=ShapeConfig(weight=0.0))


@dataclass(frozen=True, eq=False)
class Demo:
    """A simulated scan and film with what is true of them."""

    folder: Path
    field: GaussianField
    labels: np.ndarray
    """(N,) true part of each Gaussian, -1 for none."""
    truth: dict
    Ts_camera_part: np.ndarray
    """(T, P, 4, 4)."""
    values: np.ndarray
    """(T, J)."""
    film: Video
    camera: Camera


def film_folder(parent: Path, name: str, seed: int) -> Path:
    """Where an object's film is kept."""
    return Path(parent) / f"{name}_{seed}"


def make_demo(parent: Path, name: str, seed: int) -> Demo:
    """Simulated, built and labelled, where it is not there already."""
    from robodistill.sim.articulated.make import make_articulated

    folder = film_folder(parent, name, seed)
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=parent) as room:
            made = Path(room) / "film"
            make_articulated(name, seed, made, hand=True)
            build_field(made / "scan", made / "object.field", BuildConfig(features=FeaturesConfig(way="none")))
            os.rename(made, folder)
    return read_demo(folder)


def read_demo(folder: Path) -> Demo:
    """What `make_demo` left in a folder."""
    truth = load_file(folder / "truth.safetensors")
    return Demo(
        folder,
        *_labelled(folder, "object.field"),
        read_json(folder / "truth.json"),
        truth["Ts_camera_part"],
        truth["values"],
        read_video(folder / "demo.mp4"),
        read_film_camera(folder / "demo_camera.json"),
    )


def with_looks(demo: Demo) -> Demo:
    """With the features that stand in for DINO in RSRD's way."""
    path = demo.folder / "looks.field"
    if not path.exists():
        build_field(demo.folder / "scan", path, BuildConfig(features=_VISUAL))
    field, labels = _labelled(demo.folder, path.name)
    return replace(demo, field=field, labels=labels)


def _labelled(folder: Path, name: str) -> tuple[GaussianField, np.ndarray]:
    """A field of the scan, and (N,) its true parts."""
    field = GaussianField.load(folder / name)
    return field, true_parts(folder / "scan", field, open_capture(folder / "scan").frames()).numpy() - 1


def follow_film(demo: Demo) -> tuple[PartMotion | None, float]:
    """The motion as found without any truth, None where the honest answer was that it was not; and seconds.

    Kept beside the film, and taken from there if it is of this very code.
    """
    told, found = demo.folder / "found.json", demo.folder / "found_motion.json"
    if not _of_this_code(told):
        start, motion, reason = time.perf_counter(), None, ""
        try:
            motion = track_parts(demo.field, None, None, demo.film.frames, demo.film.times, demo.camera)
        except HonestNo as no:
            reason = str(no)
        seconds = time.perf_counter() - start
        if motion is not None:
            motion.save(found, overwrite=True)
        write_whole(told, json.dumps({"code": _code(), "seconds": seconds, "no": reason}).encode())
    answer = read_json(told)
    return None if answer["no"] else PartMotion.load(found), answer["seconds"]


def kept(file: Path, measure: Callable[[Figures], None]) -> Figures:
    """Figures that a file has of this very code, or that are measured now and are in it from then on."""
    if not _of_this_code(file):
        figures = Figures()
        measure(figures)
        rows = [[*key, values] for key, values in figures.values.items()]
        write_whole(file, json.dumps({"code": _code(), "figures": rows}).encode())
    figures = Figures()
    for case, method, metric, unit, values in read_json(file)["figures"]:
        figures.add(case, method, metric, values, unit)
    return figures


def _of_this_code(told: Path) -> bool:
    """Whether a file is there and tells of what the code now does."""
    return told.exists() and read_json(told).get("code") == _code()


@functools.cache
def _code() -> str:
    """A fingerprint of all code of the package."""
    package, digest = Path(robodistill.__file__).parent, hashlib.sha256()
    for file in sorted(file for file in package.rglob("*") if file.suffix in _CODE):
        digest.update(f"{file.relative_to(package)}\n".encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def chosen(asked: Sequence[str], usual: tuple[str, ...], known: tuple[str, ...], what: str) -> tuple[str, ...]:
    """What is asked for, or the usual.

    Raises:
        BadInput: Something unknown is.
    """
    if unknown := set(asked) - set(known):
        raise BadInput(f"--{what} {','.join(sorted(unknown))}: there are {', '.join(known)}")
    return tuple(asked) or usual
