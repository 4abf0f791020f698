"""Scene updates against ground truth: a thing is moved in the simulator, five new views are given, and the updated
field is compared with one that is built anew from as many views as the first, around the old and the new place.
"""

import time
from dataclasses import replace

import numpy as np
import torch

from robodistill.bench.figures import Figures
from robodistill.bench.scans import Scan
from robodistill.capture.frame import Frame
from robodistill.config import BuildConfig, FeaturesConfig
from robodistill.edit.update import update_scene
from robodistill.errors import BadInput, HonestNo
from robodistill.field.fit import Fit
from robodistill.field.gaussians import GaussianField
from robodistill.field.losses import psnr
from robodistill.field.render import render
from robodistill.field.seed import seed_field
from robodistill.geometry.camera import Camera
from robodistill.sim.moved import scene_moved
from robodistill.sim.noise import noisy_color, noisy_depth
from robodistill.sim.render import Painter
from robodistill.sim.scene import Scene
from robodistill.sim.views import hemisphere_views

_NEW, _JUDGED = 5, 4  # views
_AROUND = 1.5  # radii of the thing around both places that are compared


def bench_update(figures: Figures, scan: Scan, scene: Scene) -> None:
    """Rows of one scene: the middle-sized thing that fits elsewhere is moved."""
    order = sorted(scene.objects, key=lambda it: abs(float(it.spec.size.max()) - 0.12))
    for thing in order:
        try:
            moved, T = scene_moved(scene, thing.id, scan.seed)
            break
        except BadInput:
            continue
    else:
        return
    camera = scan.frames[0].camera
    rng = np.random.default_rng((scan.seed, 7))
    frames = shots(moved, camera, hemisphere_views(len(scan.frames), rng), rng)
    new, judged = shots(moved, camera, hemisphere_views(_NEW, rng), rng), hemisphere_views(_JUDGED, rng)
    truth = shots(moved, camera, judged, None)
    masks = [_around(thing, T, frame) for frame in truth]
    selection = torch.from_numpy(scan.objects == thing.id)
    start = time.perf_counter()
    told = update_scene(scan.field, new, selection, T)
    figures.add("known motion", "ours", "update_s", time.perf_counter() - start, "s")
    only = update_scene(scan.field, (), selection, T).field
    config = replace(BuildConfig(), features=FeaturesConfig(way="none"))
    fit = Fit(seed_field(frames, config.seed), frames, config.fit)
    while not fit.is_done:
        fit.step()
    for name, field in (
        ("ours", told.field),
        ("without views", only),
        ("old field", scan.field),
        ("rebuilt", fit.field()),
    ):
        figures.add("known motion", name, "psnr_db", _psnr(field, truth, masks), "dB")
    try:
        start = time.perf_counter()
        found = update_scene(scan.field, new, selection)
        figures.add("found motion", "ours", "update_s", time.perf_counter() - start, "s")
        figures.add("found motion", "ours", "psnr_db", _psnr(found.field, truth, masks), "dB")
        off = np.linalg.inv(T) @ found.T_world_world
        center = thing.T_world_object[:3, 3]
        figures.add(
            "found motion", "ours", "mm", 1000 * float(np.linalg.norm(off[:3, :3] @ center + off[:3, 3] - center))
        )
        figures.add("found motion", "ours", "found", 1.0)
    except HonestNo:
        figures.add("found motion", "ours", "found", 0.0)


def shots(scene: Scene, camera: Camera, Ts: np.ndarray, rng: np.random.Generator | None) -> list[Frame]:
    """Frames of a scene, with a sensor's noise where a generator is given."""
    frames = []
    with Painter(scene.model, camera) as painter:
        for k, T in enumerate(Ts):
            painter.look(scene.data, T)
            rgb, (depth, _) = painter.color(), painter.depth_and_geoms()
            if rng is not None:
                rgb, depth = noisy_color(rgb, rng), noisy_depth(depth, camera, rng)
            frames.append(Frame(rgb, depth, camera, T, f"{k:04d}"))
    return frames


def _around(thing: object, T: np.ndarray, frame: Frame) -> np.ndarray:
    """(H, W) bool: pixels whose surface is near the thing's old or new place."""
    radius = _AROUND * float(np.linalg.norm(thing.spec.size)) / 2
    points = frame.camera.unproject(frame.depth) @ frame.T_world_camera[:3, :3].T + frame.T_world_camera[:3, 3]
    places = (thing.T_world_object[:3, 3], (T @ thing.T_world_object)[:3, 3])
    return np.any([np.linalg.norm(points - place, axis=-1) < radius for place in places], axis=0)


@torch.no_grad()
def _psnr(field: GaussianField, frames: list[Frame], masks: list[np.ndarray]) -> float:
    values = []
    for frame, mask in zip(frames, masks, strict=True):
        seen = render(field, frame.camera, frame.T_world_camera).rgb.clamp(0, 1)
        values.append(psnr(seen, torch.from_numpy(frame.rgb).to(seen) / 255, torch.from_numpy(mask)))
    return float(np.mean(values))
