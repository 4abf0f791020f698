"""`bench language`: words in fields of simulated tables, judged by ground truth.

Features are the `truth` teacher's (`teachers/truth.py`): exact, or with noise, or with objects taken for others in a
share of the views, both such that one view alone, labelled by its nearest words, reaches a mean IoU of about 0.60
(`single_view` rows say what it was). 44 views at 320x240 with sensor noise; four are kept out, and 2D figures are
theirs. Labels of Gaussians, for 3D figures, are what most of their pixels have in the exact masks.
"""

import gc
import tempfile
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from robodistill.bench.edits import bench_edits
from robodistill.bench.figures import Figures, mean_iou
from robodistill.bench.memory import peak_of_uplift
from robodistill.bench.parts import bench_parts
from robodistill.bench.rows import BenchResult
from robodistill.bench.scans import Scan, make_scan
from robodistill.config import FeaturesConfig, QueryConfig
from robodistill.errors import BadInput
from robodistill.features.contrastive import contrastive
from robodistill.features.distill import distill
from robodistill.features.shape import add_shape
from robodistill.features.uplift import uplift
from robodistill.field.features import FeatureLayer
from robodistill.field.gaussians import GaussianField
from robodistill.language.query import Querier
from robodistill.language.segment import label_gaussians, segment
from robodistill.progress import Progress, silent
from robodistill.teachers.builtin.teacher import Builtin
from robodistill.teachers.superpixels import Superpixels
from robodistill.teachers.teacher import ShapeTeacher
from robodistill.teachers.truth import TruthTeacher

CASES = {"noisy": "stride=4,noise=5.4", "clean": "stride=4", "inconsistent": "stride=4,confusion=0.15"}
_FIRST = 8  # scenes on which all is run; the others have the noisy case
_COMPARED = 3  # scenes on which the slow ways run
_STEPS = 10  # of training at the teacher's own dimension, from which the time of all is told
_SHORT = 5  # runs of what takes less than a second, whose median counts
_LARGE = 100_000  # Gaussians of the field that is asked for time


def bench_language(seeds: Iterable[int], quick: bool = False, progress: Progress = silent) -> BenchResult:
    """All rows; `quick` has two scenes and one of each thing with parts."""
    seeds = list(seeds)[: 2 if quick else None]
    figures = Figures()
    with tempfile.TemporaryDirectory() as folder:
        for k, seed in enumerate(seeds):
            progress("tables", k, len(seeds), f"seed {seed}")
            scan = make_scan(Path(folder), seed)
            for case, options in CASES.items():
                if case != "noisy" and k >= _FIRST:
                    continue
                teacher = TruthTeacher(options, scan.folder)
                maps, layer = _case(figures, case, teacher, scan)
                if case != "noisy":
                    continue
                noisy = layer, teacher
                if k < (1 if quick else _COMPARED):
                    _compare(figures, teacher, scan, maps)
                if k < _FIRST:
                    bench_edits(figures.add, scan, *noisy)
            if k < _FIRST:
                _case(figures, "builtin", Builtin(), scan)
        progress("tables", len(seeds), len(seeds))
        _speed(figures, scan, *noisy)
        bench_parts(figures.add, Path(folder), seeds[: 1 if quick else 3], progress)
    views = 40 if quick else 200
    figures.add(f"{views} views 640x480, 512-d, 200k Gaussians", "uplift", "peak_gb", peak_of_uplift(views), "GB")
    return BenchResult(figures.rows())


def _case(
    figures: Figures, case: str, teacher: TruthTeacher | Builtin, scan: Scan
) -> tuple[list[Tensor], FeatureLayer]:
    maps = [teacher.encode(frame) for frame in scan.frames]
    start = time.perf_counter()
    layer = uplift(scan.field, scan.views, maps, FeaturesConfig().uplift, teacher.spec)
    figures.add(case, "uplift", "uplift_s", time.perf_counter() - start, "s")
    if isinstance(teacher, ShapeTeacher):
        layer = add_shape(scan.field, layer, teacher, FeaturesConfig().shape)
    figures.add(case, "single_view", "miou_2d", _single_view(teacher, scan, maps))
    miou_2d, miou_3d = _miou(scan, layer, teacher)
    figures.add(case, "uplift", "miou_2d", miou_2d)
    figures.add(case, "uplift", "miou_3d", miou_3d)
    _ask(figures, case, scan, layer, teacher)
    if case == "noisy":
        config = FeaturesConfig().uplift
        raw = uplift(scan.field, scan.views, maps, replace(config, dims=0))
        figures.add(case, "uplift", "codec_loss", _miou(scan, raw, teacher)[1] - miou_3d)
        saved = replace(scan.field, features={"truth": layer}).save(scan.folder.with_suffix(".stored.field"))
        figures.add(case, "uplift", "field_mb", sum(f.stat().st_size for f in saved.iterdir()) / 1e6, "MB")
    return maps, layer


def _ask(figures: Figures, case: str, scan: Scan, layer: FeatureLayer, teacher: TruthTeacher | Builtin) -> None:
    """Phrases that name one thing, and phrases that name nothing; what the teacher cannot read is counted apart."""
    querier = Querier(scan.field, layer, teacher, QueryConfig())
    for entry in scan.truth["phrases"]:
        part = entry.get("part")
        wanted = scan.parts == part if part else scan.objects == entry["object"]
        if wanted.sum() < querier.config.least:
            continue  # too small for the field to hold
        try:
            found = querier(entry["phrase"])
        except BadInput:
            figures.add(case, "uplift", "not_read", 1.0)
            continue
        figures.add(case, "uplift", "not_read", 0.0)
        chosen = found.mask(len(scan.field)).numpy() if found.found else np.zeros(len(scan.field), bool)
        iou = (chosen & wanted).sum() / (chosen | wanted).sum()
        right = chosen.any() and np.bincount(scan.objects[chosen]).argmax() == entry["object"]
        kind = "_part" if part else ""
        figures.add(case, "uplift", f"iou_3d{kind}", float(iou))
        figures.add(case, "uplift", f"right_object{kind}", float(right))
    refused = [float(not querier(phrase).found) for phrase in scan.truth["absent_phrases"]]
    figures.add(case, "uplift", "absent_refused", refused)


def _compare(figures: Figures, teacher: TruthTeacher, scan: Scan, maps: list[Tensor]) -> None:
    """The ways on the same maps, one after the other in one run."""
    config, times = FeaturesConfig(), {}

    def timed(name: str, make, runs: int = 1) -> FeatureLayer:
        found = []
        for _ in range(runs):
            gc.collect()
            gc.disable()  # a full collection takes a sixth of the time of an uplift, and falls on any of the ways
            start = time.perf_counter()
            try:
                layer = make()
            finally:
                gc.enable()
            found.append(time.perf_counter() - start)
        times[name] = float(np.median(found))
        return layer

    layers = {"uplift": timed("uplift", lambda: uplift(scan.field, scan.views, maps, config.uplift), _SHORT)}
    short = replace(config.uplift, dims=config.distill.dim)
    as_short = f"uplift {short.dims}-d"
    layers[as_short] = timed(as_short, lambda: uplift(scan.field, scan.views, maps, short), _SHORT)
    layers["distill"] = timed("distill", lambda: distill(scan.field, scan.views, maps, config.distill))
    wide = replace(config.distill, dim=64)
    layers["distill 64-d"] = timed("distill 64-d", lambda: distill(scan.field, scan.views, maps, wide))
    masks = [Superpixels().propose(frame) for frame in scan.frames]
    trained = lambda: contrastive(scan.field, scan.views, maps, masks, config.contrastive)  # noqa: E731
    layers["contrastive"] = timed("contrastive", trained)
    # at the teacher's dimension every step costs the same, so a few tell the time of all
    equal = replace(config.distill, dim=0, decoder=False, steps=_STEPS)
    timed("distill 512-d", lambda: distill(scan.field, scan.views, maps, equal))
    times["distill 512-d"] *= config.distill.steps / _STEPS
    for name, seconds in times.items():
        figures.add("same maps", name, "seconds", seconds, "s")
        if not name.startswith("uplift"):
            figures.add("same maps", name, "times_uplift", seconds / times["uplift"], "x")
            figures.add("same maps", name, f"times_uplift_{short.dims}d", seconds / times[as_short], "x")
    for name, layer in layers.items():
        miou_2d, miou_3d = _miou(scan, layer, teacher)
        figures.add("same maps", name, "miou_2d", miou_2d)
        figures.add("same maps", name, "miou_3d", miou_3d)


def _labels(scan: Scan) -> list[str]:
    return ["background", *(f"{it['color']} {it['category']}" for it in scan.truth["objects"])]


def _miou(scan: Scan, layer: FeatureLayer, teacher: TruthTeacher) -> tuple[float, float]:
    """Mean IoU of colour and category of each object, and of the background: in views kept out, and over Gaussians."""
    names = _labels(scan)
    labels = label_gaussians(layer, teacher, names)
    shown = [segment(scan.field, labels, names, frame.camera, frame.T_world_camera).labels for frame in scan.kept_out]
    masks = [scan.mask("masks", frame.name) for frame in scan.kept_out]
    return mean_iou(np.stack(shown), np.stack(masks), len(names)), mean_iou(labels.numpy(), scan.objects, len(names))


def _single_view(teacher: TruthTeacher, scan: Scan, maps: list[Tensor]) -> float:
    """Mean IoU of the teacher's own maps, each cell labelled by its nearest words."""
    names, found, masks = _labels(scan), [], []
    directions = teacher.encode_text(names)
    for frame, seen in zip(scan.frames[::5], maps[::5], strict=True):
        best = (torch.nn.functional.normalize(seen, dim=-1) @ directions.mT).argmax(-1).numpy().astype(np.uint8)
        found.append(cv2.resize(best, frame.rgb.shape[1::-1], interpolation=cv2.INTER_NEAREST))
        masks.append(scan.mask("masks", frame.name))
    return mean_iou(np.stack(found), np.stack(masks), len(names))


def _speed(figures: Figures, scan: Scan, layer: FeatureLayer, teacher: TruthTeacher) -> None:
    """Median time of a question to a field of 100,000 Gaussians."""
    ids = torch.arange(_LARGE) % len(scan.field)
    shift = 0.001 * torch.randn(_LARGE, 3, generator=torch.Generator().manual_seed(0))
    shift[: len(scan.field)] = 0
    large: GaussianField = scan.field.select(ids)
    large = replace(large, means=large.means + shift)
    querier = Querier(large, layer.select(ids), teacher, QueryConfig())
    objects = [entry["phrase"] for entry in scan.truth["phrases"] if "part" not in entry]
    times = []
    for phrase in objects * 3:
        start = time.perf_counter()
        querier(phrase)
        times.append(1000 * (time.perf_counter() - start))
    figures.add("100k Gaussians", "uplift", "query_ms", float(np.median(times[len(objects) :])), "ms")
    figures.add("100k Gaussians", "uplift", "first_query_ms", float(np.median(times[: len(objects)])), "ms")
