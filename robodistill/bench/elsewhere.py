"""How the teacher does on what it was not made for: `python -m robodistill.bench.elsewhere`.

`--meshes mug=FILE,0.11,z duck=FILE,0.09,y`: meshes of another maker, by a word, their longest side in metres and the
axis that is up, painted by us and scattered on our tables. `--photographs DIR`: frames 470 to 540 of the red kitchen of
7-Scenes; where the things in five of them are was marked by hand. Nothing is tuned on either; the table that is printed
stands in the card. Both are read where they are and never become a part of the project.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import trimesh
import tyro

from robodistill.bench.figures import Figures
from robodistill.bench.rows import as_table
from robodistill.bench.teacher import peak
from robodistill.capture.frame import Frame
from robodistill.capture.open import open_capture
from robodistill.geometry.camera import Camera
from robodistill.sim.noise import noisy_color, noisy_depth
from robodistill.sim.objects import CATEGORIES
from robodistill.sim.render import Painter
from robodistill.sim.scene import make_scene
from robodistill.sim.shapes import Solid
from robodistill.sim.spec import ObjectSpec, Piece, assemble
from robodistill.sim.views import hemisphere_views
from robodistill.teachers.builtin.teacher import Builtin
from robodistill.training.scores import margins

_VIEWS = 12  # a table
_LEAST = 30  # pixels of what is asked for
_CAMERA = Camera.from_fov(np.radians(50), 320, 240)

_MUGS = {
    470: [(0, 260, 32, 306), (288, 430, 336, 478)],
    488: [(124, 266, 160, 310), (443, 430, 490, 480)],
    505: [(117, 249, 156, 294), (478, 382, 523, 438)],
    522: [(124, 243, 163, 291), (530, 340, 582, 400)],
    540: [(138, 265, 182, 318), (571, 360, 625, 420)],
}
_BOOKS = {
    470: [(0, 292, 138, 362), (0, 388, 145, 480)],
    488: [(138, 296, 262, 362), (146, 385, 294, 480), (298, 105, 338, 168)],
    505: [(138, 277, 270, 337), (172, 363, 316, 480), (279, 74, 319, 134)],
    522: [(158, 267, 290, 322), (224, 352, 362, 480), (263, 40, 305, 104)],
    540: [(190, 290, 308, 350), (262, 380, 398, 480), (268, 56, 310, 122)],
}
"""Left, top, right, bottom of each by frame, pixels of 640x480."""
_TABLE_TOP = 330  # rows of those frames from which on the table is the only large thing
_ABSENT = ("bottle", "duck", "hammer", "banana", "teapot")


@dataclass(frozen=True)
class Arguments:
    """Score what the teacher was not made for."""

    meshes: tuple[str, ...] = ()
    """WORD=FILE,SIZE,UP each."""
    photographs: Path | None = None
    """Folder of the frames."""
    seeds: tuple[int, ...] = (2100, 2101, 2102, 2103)
    """Tables that meshes are scattered on."""


def main(arguments: Arguments) -> None:
    """Print the figures."""
    figures, teacher = Figures(), Builtin()
    if arguments.meshes:
        kinds = dict(_read_mesh(entry) for entry in arguments.meshes)
        for seed in arguments.seeds:
            _on_table(figures, teacher, kinds, seed)
    if arguments.photographs:
        _photographs(figures, teacher, arguments.photographs)
    sys.stdout.write("\n".join(as_table(figures.rows())) + "\n")


def _read_mesh(entry: str) -> tuple[str, ObjectSpec]:
    word, _, rest = entry.partition("=")
    path, size, up = rest.rsplit(",", 2)
    mesh = trimesh.load(path, force="mesh")
    mesh = trimesh.Trimesh(mesh.vertices, mesh.faces, process=True)
    mesh.apply_scale(float(size) / mesh.extents.max())
    if up == "y":
        mesh.apply_transform(trimesh.transformations.rotation_matrix(np.pi / 2, [1, 0, 0]))
    finishes = ("matte", "glossy")
    return word, assemble(word, Piece("body", Solid(mesh, (mesh.convex_hull.vertices,))), finishes=finishes)


def _on_table(figures: Figures, teacher: Builtin, kinds: dict[str, ObjectSpec], seed: int) -> None:
    """Peaks of "mug" and "red mug" in views of a table with one of each."""
    unknown = [word for word in kinds if word not in CATEGORIES]
    scene = make_scene(seed, list(kinds), {word: lambda _, it=spec: it for word, spec in kinds.items()})
    rng = np.random.default_rng(seed)
    with Painter(scene.model, _CAMERA) as painter:
        for T in hemisphere_views(_VIEWS, rng):
            painter.look(scene.data, T)
            rgb, (depth, geoms) = painter.color(), painter.depth_and_geoms()
            frame = Frame(noisy_color(rgb, rng), noisy_depth(depth, _CAMERA, rng), _CAMERA, T)
            seen, objects = teacher.encode(frame), scene.to_object[geoms]
            for it in scene.objects:
                mask = objects == it.id
                if mask.sum() < _LEAST or it.spec.category in unknown:
                    continue
                color = it.paint["main"].word
                for case, phrase in (("thing", it.spec.category), ("color+thing", f"{color} {it.spec.category}")):
                    hit = float(mask[peak(margins(teacher, seen, phrase), mask.shape)])
                    figures.add(f"other meshes, {case}", it.spec.category, "localisation", hit)
                    figures.add(f"other meshes, {case}", "all", "localisation", hit)


def _photographs(figures: Figures, teacher: Builtin, folder: Path) -> None:
    """Peaks in the marked frames, and how sure of itself the teacher is of what is not there."""
    for frame in _frames(folder):
        seen, number = teacher.encode(frame), int(frame.name.rpartition("-")[2])
        shape = frame.rgb.shape[:2]
        mugs, table = _MUGS[number], [(0, _TABLE_TOP, shape[1], shape[0])]
        for phrase, boxes in (("mug", mugs), ("white mug", mugs), ("book", _BOOKS[number]), ("table", table)):
            v, u = peak(margins(teacher, seen, phrase), shape)
            hit = any(left <= u <= right and top <= v <= bottom for left, top, right, bottom in boxes)
            figures.add("photographs", phrase, "localisation", float(hit))
        for phrase in _ABSENT:
            score = teacher.calibration.score(float(margins(teacher, seen, phrase).max()))
            figures.add("photographs, absent", phrase, "refused", float(score < 0.5))
            figures.add("photographs, absent", "all", "refused", float(score < 0.5))


def _frames(folder: Path) -> Iterator[Frame]:
    yield from (frame for frame in open_capture(folder).frames() if int(frame.name.rpartition("-")[2]) in _MUGS)


if __name__ == "__main__":
    main(tyro.cli(Arguments))
