"""Deletion by words: what is left must look like the scene rendered without the thing."""

from collections.abc import Callable

import numpy as np
import torch

from robodistill.bench.scans import Scan
from robodistill.config import QueryConfig
from robodistill.edit.edit import delete
from robodistill.field.features import FeatureLayer
from robodistill.field.render import render
from robodistill.language.query import Querier
from robodistill.teachers.truth import TruthTeacher

_OBJECTS = 4  # of a scene
_LEAST = 60  # pixels of a thing in a view


@torch.no_grad()
def bench_edits(add: Callable, scan: Scan, layer: FeatureLayer, teacher: TruthTeacher) -> None:
    """`edit_psnr_db`: inside the old mask in views kept out, of things deleted by their phrase."""
    from robodistill.sim.render import Painter
    from robodistill.sim.scene import make_scene
    from robodistill.sim.without import scene_without

    querier = Querier(scan.field, layer, teacher, QueryConfig())
    scene = make_scene(scan.seed)
    for thing in scan.truth["objects"][:_OBJECTS]:
        if not thing["phrases"]:
            continue  # no phrase names it alone
        found = querier(thing["phrases"][0])
        if not found.found:
            add("edit", "uplift", "edit_found", 0.0)
            continue
        add("edit", "uplift", "edit_found", 1.0)
        edited = delete(scan.field, found.mask(len(scan.field))).field
        empty = scene_without(scene, thing["id"])
        errors = []
        with Painter(empty.model, scan.kept_out[0].camera) as painter:
            for frame in scan.kept_out:
                mask = scan.mask("masks", frame.name) == thing["id"]
                if mask.sum() < _LEAST:
                    continue
                painter.look(empty.data, frame.T_world_camera)
                shown = render(edited, frame.camera, frame.T_world_camera).rgb.clamp(0, 1).numpy()
                errors.append(((shown - painter.color() / 255.0) ** 2)[mask])
        if errors:
            add("edit", "uplift", "edit_psnr_db", float(-10 * np.log10(np.concatenate(errors).mean())), "dB")
