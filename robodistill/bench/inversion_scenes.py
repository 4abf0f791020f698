"""Fields of simulated tables and pictures taken of them from anywhere above, for `bench inversion`."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from robodistill.capture.frame import Frame
from robodistill.capture.open import open_capture
from robodistill.config import BuildConfig, FeaturesConfig
from robodistill.field.gaussians import GaussianField
from robodistill.geometry.camera import Camera
from robodistill.pipeline.build import build_field, is_held_out, read_frames
from robodistill.progress import Progress

BUILT_FROM, WIDTH, HEIGHT = 40, 320, 240
_FOV_Y = np.radians(50)
_LOWEST = np.radians(15)  # above the table; lower, a camera at 0.4 m stands among the objects
_QUERIES = 7  # apart from the streams that make the scene and its scan


@dataclass(frozen=True, eq=False)
class Located:
    """A field, the frames it was made from, and frames of known pose that it has not seen."""

    field: GaussianField
    frames: list[Frame]
    queries: list[Frame]


def make_table(parent: Path, seed: int, queries: int) -> Located:
    """A table with sensor noise, its field, and `queries` random views of it, noisy too."""
    from robodistill.sim.tabletop import make_tabletop

    folder = parent / f"{seed}"
    make_tabletop(seed, BUILT_FROM, WIDTH, HEIGHT, "sensor", folder)
    config = replace(BuildConfig(), hold_out=0, features=FeaturesConfig(way="none"))
    field = GaussianField.load(build_field(folder, folder.with_suffix(".field"), config).path)
    return Located(field, list(open_capture(folder).frames()), random_views(seed, queries))


def random_views(seed: int, count: int) -> list[Frame]:
    """Pictures of a table: evenly over the upper hemisphere from 15 degrees up, 0.4 to 1.2 m away, rolled up to 30."""
    from robodistill.sim.noise import noisy_color, noisy_depth
    from robodistill.sim.render import Painter
    from robodistill.sim.scene import make_scene
    from robodistill.sim.views import look_at

    scene, camera = make_scene(seed), Camera.from_fov(_FOV_Y, WIDTH, HEIGHT)
    placing, sensing = (np.random.default_rng(s) for s in np.random.SeedSequence((seed, _QUERIES)).spawn(2))
    made = []
    with Painter(scene.model, camera) as painter:
        for k in range(count):
            azimuth = placing.uniform(0, 2 * np.pi)
            elevation = np.arcsin(placing.uniform(np.sin(_LOWEST), 1))
            distance = placing.uniform(0.4, 1.2)
            target = np.array([*placing.uniform(-0.06, 0.06, 2), placing.uniform(0, 0.06)])
            away = [np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation)]
            T = look_at(target + distance * np.array(away), target, placing.uniform(-np.pi / 6, np.pi / 6))
            painter.look(scene.data, T)
            rgb, (depth, _) = painter.color(), painter.depth_and_geoms()
            made.append(Frame(noisy_color(rgb, sensing), noisy_depth(depth, camera, sensing), camera, T, f"{k:04d}"))
    return made


def read_kitchen(path: Path, folder: Path, progress: Progress) -> Located:
    """The red kitchen: a field of three of four frames, and every fourth."""
    config = replace(BuildConfig(), hold_out=4, max_side=WIDTH, features=FeaturesConfig(way="none"))
    built = build_field(path, folder / "kitchen.field", config, progress=progress)
    frames = read_frames(open_capture(path), config.max_side)
    kept = [is_held_out(k, 4) for k in range(len(frames))]
    field = GaussianField.load(built.path)
    used = [v for v, out in zip(field.views, kept, strict=True) if not out]
    # a field lists every frame of its capture; those asked for must not be among its views
    return Located(
        replace(field, views=tuple(used)),
        [f for f, out in zip(frames, kept, strict=True) if not out],
        [f for f, out in zip(frames, kept, strict=True) if out],
    )
