"""`bench teacher`: the built-in teacher on simulated tables that it never saw, in single views and in fields.

44 views a table at 320x240 with sensor noise, 40 of them in the field, 2D figures of fields from the four kept out. A
phrase is asked of a view when the view shows 30 pixels of what it names; it is placed right when the highest relevancy
lies on that thing. Cases: `color+thing` ("red mug"; `rival`: with another thing of that colour in view; `unseen pair`:
the colour and thing were never shown together in training), `thing` ("mug"), `part` ("handle of the mug", by the words
of the teacher: a left blade is a blade).

So that enough can be asked, the tables are full: a dozen things, two of them of a kind on four of ten; and their fields
are fitted in 60 steps instead of 300. What the views alone give, without shape, is asked of every fourth field.
"""

import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from robodistill.bench.figures import Figures, mean_iou
from robodistill.bench.matches import add_matches
from robodistill.bench.rows import BenchResult
from robodistill.bench.scans import Scan, make_scan
from robodistill.config import BuildConfig, FeaturesConfig, QueryConfig
from robodistill.config.build import FitConfig
from robodistill.features.shape import add_shape
from robodistill.features.uplift import uplift
from robodistill.field.features import FeatureLayer
from robodistill.language.query import Querier
from robodistill.language.segment import label_gaussians, segment
from robodistill.progress import Progress, silent
from robodistill.sim.objects import CATEGORIES
from robodistill.teachers.builtin import words
from robodistill.teachers.builtin.teacher import Builtin
from robodistill.training.labels import held_out, part_word

_LEAST = 30  # pixels of what is asked for
_EVERY = 4  # of the views is asked by itself
_FIT = BuildConfig(fit=FitConfig(steps=60))
_ALONE = 4  # of the fields is asked for what the views alone give
_ABSENT = 36  # absent phrases a field, evenly taken
_FULL, _TWINS = 12, 0.4  # things on a table, and share of tables with two of a kind


@dataclass(frozen=True)
class Asked:
    """A phrase and what it names."""

    case: str
    phrase: str
    object: int
    part: int | None = None
    rival: bool = False
    unseen: bool = False


def bench_teacher(seeds: Iterable[int], quick: bool = False, progress: Progress = silent) -> BenchResult:
    """All rows; `quick` takes two scenes."""
    seeds = list(seeds)[: 2 if quick else None]
    figures, teacher, visual = Figures(), Builtin(), Builtin("head=visual")
    with tempfile.TemporaryDirectory() as folder:
        for k, seed in enumerate(seeds):
            progress("teacher", k, len(seeds), f"seed {seed}")
            scan = make_scan(Path(folder), seed, full_table(seed), _FIT)
            measure(figures, scan, teacher, visual, k % _ALONE == 0)
            shutil.rmtree(folder)
            Path(folder).mkdir()
        progress("teacher", len(seeds), len(seeds))
    return BenchResult(figures.rows())


def full_table(seed: int) -> list[str]:
    """Categories of a dozen things."""
    rng = np.random.default_rng(seed)
    names = [str(name) for name in rng.choice(sorted(CATEGORIES), _FULL, replace=False)]
    return [*names[:-1], names[0]] if rng.random() < _TWINS else names


def measure(figures: Figures, scan: Scan, teacher: Builtin, visual: Builtin, alone: bool) -> None:
    """All figures of one scene; with `alone`, those of the field without shape, too."""
    asked = list(phrases_of(scan))
    maps = []
    for frame in scan.frames:
        start, worked = time.perf_counter(), time.process_time()
        maps.append(teacher.encode(frame))
        figures.add("single view", "image", "encode_ms", 1000 * (time.perf_counter() - start), "ms")
        figures.add("single view", "image", "encode_core_ms", 1000 * (time.process_time() - worked), "ms")
    _single_views(figures, scan, teacher, maps, asked)
    add_matches(figures, scan, visual)
    config = FeaturesConfig()
    plain = uplift(scan.field, scan.views, maps, config.uplift, teacher.spec)
    start = time.perf_counter()
    shaped = add_shape(scan.field, plain, teacher, config.shape)
    figures.add("field", "image and shape", "shape_s", time.perf_counter() - start, "s")
    in_field(figures, scan, teacher, shaped, asked, "image and shape")
    if alone:
        in_field(figures, scan, teacher, plain, asked, "image")


def phrases_of(scan: Scan) -> Iterable[Asked]:
    """The scene's phrases in the words of the teacher."""
    objects = {it["id"]: it for it in scan.truth["objects"]}
    said = set()
    for entry in scan.truth["phrases"]:
        it, part = objects[entry["object"]], entry.get("part")
        colored = entry["phrase"].rpartition(" of the ")[2] != it["category"]
        unseen = held_out(it["color"], it["category"])
        if part is None:
            rival = colored and any(o["color"] == it["color"] and o is not it for o in objects.values())
            yield Asked("color+thing" if colored else "thing", entry["phrase"], it["id"], None, rival, unseen)
        elif not colored:
            name = next(p["name"] for p in it["parts"] if p["id"] == part)
            phrase = f"{part_word(name)} of the {it['category']}"
            if phrase not in said:
                said.add(phrase)
                yield Asked("part", phrase, it["id"], part)


def _parts(scan: Scan, asked: Asked) -> list[int]:
    """Ids of all parts that go by the word."""
    it = next(o for o in scan.truth["objects"] if o["id"] == asked.object)
    word = next(part_word(p["name"]) for p in it["parts"] if p["id"] == asked.part)
    return [p["id"] for p in it["parts"] if part_word(p["name"]) == word]


def _single_views(
    figures: Figures, scan: Scan, teacher: Builtin, maps: Sequence[Tensor], asked: Sequence[Asked]
) -> None:
    """Does the peak of relevancy lie on what was asked for?"""
    texts = {it.phrase: torch.cat([teacher.encode_text([it.phrase]), teacher.contrasts(it.phrase)]) for it in asked}
    colors = {o["id"]: o["color"] for o in scan.truth["objects"]}
    for frame, seen in list(zip(scan.frames, maps, strict=True))[::_EVERY]:
        objects, parts = scan.mask("masks", frame.name), scan.mask("parts", frame.name)
        visible = np.bincount(objects.ravel(), minlength=len(colors) + 1) >= _LEAST
        for it in asked:
            wanted = objects == it.object if it.part is None else np.isin(parts, _parts(scan, it))
            if wanted.sum() < _LEAST:
                continue
            fits = seen @ texts[it.phrase].mT
            hit = float(wanted[peak(fits[..., 0] - fits[..., 1:].amax(-1), wanted.shape)])
            figures.add("single view", it.case, "localisation", hit)
            rivals = [k for k, color in colors.items() if color == colors[it.object] and k != it.object and visible[k]]
            if it.case == "color+thing" and rivals:
                figures.add("single view", "color+thing, rival", "localisation", hit)
            if it.unseen and it.case == "color+thing":
                figures.add("single view", "color+thing, unseen pair", "localisation", hit)
    names, ids = _categories(scan)
    said = [*words.ROOM, *names[1:], "clutter"]
    directions = torch.nn.functional.normalize(teacher.encode_text(said), dim=-1)
    found = [(seen @ directions.mT).argmax(-1).numpy() - len(words.ROOM) + 1 for seen in maps[::_EVERY]]
    found = [_unclutter(it.clip(0), names) for it in found]
    shape = scan.frames[0].rgb.shape[1::-1]
    shown = np.stack([cv2.resize(it, shape, interpolation=cv2.INTER_NEAREST) for it in found])
    masks = np.stack([ids[scan.mask("masks", frame.name)] for frame in scan.frames[::_EVERY]])
    figures.add("single view", "image", "miou", mean_iou(shown, masks, len(names)))


def in_field(
    figures: Figures, scan: Scan, teacher: Builtin, layer: FeatureLayer, asked: Sequence[Asked], method: str
) -> None:
    """Phrases in 3D, absent phrases, and labels of views kept out."""
    querier = Querier(scan.field, layer, teacher, QueryConfig())
    refused_present = defaultdict(list)
    for it in asked:
        wanted = scan.objects == it.object if it.part is None else np.isin(scan.parts, _parts(scan, it))
        if wanted.sum() < querier.config.least:
            continue
        found = querier(it.phrase)
        chosen = found.mask(len(scan.field)).numpy() if found.found else np.zeros(len(scan.field), bool)
        right = bool(chosen.any()) and int(np.bincount(scan.objects[chosen]).argmax()) == it.object
        cases = [it.case]
        if it.case == "color+thing":
            cases += ["color+thing, rival"] * it.rival + ["color+thing, unseen pair"] * it.unseen
        for case in cases:
            figures.add(f"field, {case}", method, "right_object", float(right))
            figures.add(f"field, {case}", method, "iou_3d", (chosen & wanted).sum() / (chosen | wanted).sum())
        refused_present[it.case].append(float(not found.found))
        if it.part is not None:
            on = bool(chosen.any()) and (chosen & wanted).sum() > 0.5 * chosen.sum()
            figures.add("field, part", method, "right_part", float(on))
    figures.add("field", method, "present_refused", refused_present["color+thing"] + refused_present["thing"])
    figures.add("field, part", method, "present_refused", refused_present["part"])
    absent = scan.truth["absent_phrases"]
    absent = [absent[k] for k in np.linspace(0, len(absent) - 1, min(_ABSENT, len(absent))).astype(int)]
    refused = [float(not querier(phrase).found) for phrase in absent]
    figures.add("field", method, "absent_refused", refused)
    names, ids = _categories(scan)
    said = [*names, "clutter"]
    labels = label_gaussians(layer, teacher, said)
    seen = (segment(scan.field, labels, said, frame.camera, frame.T_world_camera) for frame in scan.kept_out)
    shown = [_unclutter(it.labels, names) for it in seen]
    masks = [ids[scan.mask("masks", frame.name)] for frame in scan.kept_out]
    figures.add("field", method, "field_miou", mean_iou(np.stack(shown), np.stack(masks), len(names)))


def _unclutter(labels: np.ndarray, names: list[str]) -> np.ndarray:
    """Things without a name are background."""
    return np.where(labels == len(names), 0, labels).astype(np.uint8)


def _categories(scan: Scan) -> tuple[list[str], np.ndarray]:
    """Labels to choose from, "background" first, and (objects + 1,) the label of each object id."""
    names = ["background", *sorted({it["category"] for it in scan.truth["objects"]})]
    ids = np.zeros(len(scan.truth["objects"]) + 1, np.int64)
    for it in scan.truth["objects"]:
        ids[it["id"]] = names.index(it["category"])
    return names, ids


def peak(relevancy: Tensor, shape: tuple[int, int]) -> tuple[int, int]:
    """Pixel (v, u) in the middle of the highest cell."""
    row, column = divmod(int(relevancy.argmax()), relevancy.shape[1])
    return int((row + 0.5) * shape[0] / relevancy.shape[0]), int((column + 0.5) * shape[1] / relevancy.shape[1])
