"""Simulated tables for `bench grasp`: scanned, fitted, with features of two teachers; kept in a folder, made once."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from robodistill.bench.scans import EVERY, Scan, make_scan
from robodistill.capture.open import open_capture
from robodistill.capture.read import read_json
from robodistill.config import FeaturesConfig
from robodistill.features.shape import add_shape
from robodistill.features.uplift import uplift
from robodistill.field.gaussians import GaussianField
from robodistill.pipeline.build import is_held_out
from robodistill.teachers.builtin.teacher import Builtin
from robodistill.teachers.truth import TruthTeacher

_NOISE = "stride=4,noise=5.4"  # as in `bench language`


def asked_table(parent: Path, seed: int) -> Scan:
    """A table whose field has the layers `truth`, noisy, and `builtin`."""
    folder = parent / f"{seed}_table"
    asked, labels = parent / f"{seed}_asked.field", parent / f"{seed}_labels.npz"
    if not asked.exists():
        scan = make_scan(parent, seed)
        layers = {}
        for teacher in (TruthTeacher(_NOISE, folder), Builtin()):
            maps = [teacher.encode(frame) for frame in scan.frames]
            layer = uplift(scan.field, scan.views, maps, FeaturesConfig().uplift, teacher.spec)
            if isinstance(teacher, Builtin):
                layer = add_shape(scan.field, layer, teacher, FeaturesConfig().shape)
            layers[teacher.spec.partition(":")[0]] = layer
        np.savez(labels, objects=scan.objects, parts=scan.parts)
        replace(scan.field, features=layers).save(asked)  # last: what is there is whole
    field = GaussianField.load(asked)
    frames = list(open_capture(folder).frames())
    used = [k for k in range(len(frames)) if not is_held_out(k, EVERY)]
    with np.load(labels) as ids:
        return Scan(
            seed,
            folder,
            read_json(folder / "truth.json"),
            field,
            [frames[k] for k in used],
            [field.views[k] for k in used],
            [frame for k, frame in enumerate(frames) if is_held_out(k, EVERY)],
            ids["objects"],
            ids["parts"],
        )
