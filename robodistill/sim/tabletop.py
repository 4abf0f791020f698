"""`sim tabletop`: a settled table scene of named, coloured objects as a capture folder with ground truth.

Beside the capture's own files there are `masks/` and `parts/` (16-bit PNG of object and part ids, 0 = none) and
`truth.json`. The same seed gives the same scene whatever the views; the same arguments give the same bytes on one
machine.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from robodistill.capture.folder import CaptureWriter
from robodistill.capture.frame import Frame
from robodistill.capture.write import write_png, write_whole
from robodistill.geometry.camera import Camera
from robodistill.sim.noise import noisy_color, noisy_depth
from robodistill.sim.objects import CATEGORIES
from robodistill.sim.output import check_arguments, whole_folder
from robodistill.sim.render import Painter
from robodistill.sim.scene import make_scene
from robodistill.sim.truth import describe
from robodistill.sim.views import hemisphere_views

_FOV_Y = np.radians(50)
_SCAN = 1  # apart from the streams of the scene, which hang on the seed alone


@dataclass(frozen=True)
class TabletopResult:
    """What was written."""

    capture: Path
    objects: int
    frames: int


def make_tabletop(
    seed: int,
    views: int,
    width: int,
    height: int,
    noise: Literal["none", "sensor"],
    out: Path,
    objects: Sequence[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> TabletopResult:
    """Generate a scene and scan it.

    Args:
        views: Number of frames.
        width: Pixels.
        height: Pixels.
        noise: "sensor" adds what a depth camera adds, see `noise.SensorNoise`.
        out: A folder that does not exist yet, or is empty.
        objects: Categories to put on the table, instead of 6 to 12 random ones; one may come twice.
        progress: Called with (frames done, frames in all).

    Raises:
        BadInput: An argument is not valid, or `out` holds something.
        MissingPart: MuJoCo is not installed or cannot draw here.
    """
    out = Path(out)
    check_arguments(seed, views, width, height, noise, out)
    camera = Camera.from_fov(_FOV_Y, width, height)
    scene = make_scene(seed, objects)
    moving, sensing = (np.random.default_rng(stream) for stream in np.random.SeedSequence((seed, _SCAN)).spawn(2))
    with whole_folder(out) as partial:
        names, pixels = [], []
        with CaptureWriter(partial) as writer, Painter(scene.model, camera) as painter:
            for k, T_world_camera in enumerate(hemisphere_views(views, moving)):
                painter.look(scene.data, T_world_camera)
                rgb, (depth, geoms) = painter.color(), painter.depth_and_geoms()
                if noise == "sensor":
                    rgb, depth = noisy_color(rgb, sensing), noisy_depth(depth, camera, sensing)
                name = writer.add(Frame(rgb, depth, camera, T_world_camera, f"{k:04d}"))
                masks = scene.to_object[geoms]
                write_png(partial / "masks" / f"{name}.png", masks)
                write_png(partial / "parts" / f"{name}.png", scene.to_part[geoms])
                names.append(name)
                pixels.append(np.bincount(masks.ravel(), minlength=len(scene.objects) + 1)[1:])
                if progress:
                    progress(k + 1, views)
            truth = describe(scene.objects, names, np.stack(pixels), tuple(CATEGORIES), seed=seed, noise=noise)
            write_whole(partial / "truth.json", json.dumps(truth, indent=1).encode())
    return TabletopResult(out, len(scene.objects), len(names))
