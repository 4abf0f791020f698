"""A small textured field and pictures of it from known poses: what inversion is tested on."""

import numpy as np
import torch

from robodistill.capture.frame import Frame
from robodistill.field.gaussians import FieldView, GaussianField
from robodistill.field.render import render
from robodistill.geometry.camera import Camera
from robodistill.raster.sh import rgb_to_sh0
from robodistill.sim.views import look_at

CAMERA = Camera.from_fov(0.9, 160, 120)
SPACING = 0.012


def look(x: float, y: float, z: float, roll: float = 0.0) -> np.ndarray:
    """(4, 4) T_world_camera at a place above the ground, looking at the middle."""
    return look_at(np.array([x, y, z]), np.zeros(3), roll)


def textured_field(seed: int = 0) -> GaussianField:
    """A ground of 1 x 1 m with blots of random colour, and two blocks on it; ten views from above."""
    random = np.random.default_rng(seed)
    step = np.arange(-0.5, 0.5, SPACING)
    ground = np.stack([*(g.ravel() for g in np.meshgrid(step, step)), np.zeros(len(step) ** 2)], 1)
    parts, turns = [ground], [np.tile([1.0, 0, 0, 0], (len(ground), 1))]
    flat = {0: [2**-0.5, 0, 2**-0.5, 0], 1: [2**-0.5, 2**-0.5, 0, 0], 2: [1.0, 0, 0, 0]}  # thin axis x, y, z
    for center, size in (((-0.15, 0.1), 0.2), ((0.2, -0.1), 0.12)):
        side = np.arange(-size / 2, size / 2, SPACING)
        a, b = (g.ravel() for g in np.meshgrid(side, side))
        for axis, sign in ((0, -1), (0, 1), (1, -1), (1, 1), (2, 1)):
            face = np.insert(np.stack([a, b], 1), axis, sign * size / 2, axis=1)
            parts.append(face + [*center, size / 2])
            turns.append(np.tile(flat[axis], (len(face), 1)))
    means = np.concatenate(parts)
    blots, colors = random.uniform(-0.6, 0.6, (500, 3)) * [1, 1, 0.4], random.uniform(0.05, 0.95, (500, 3))
    nearest = np.linalg.norm(means[:, None] - blots[None], axis=2).argmin(1)
    n = len(means)
    return GaussianField(
        means=torch.from_numpy(means).float(),
        quats_wxyz=torch.from_numpy(np.concatenate(turns)).float(),
        scales=torch.tensor([0.7, 0.7, 0.1]).repeat(n, 1) * SPACING,
        opacities=torch.full((n,), 0.95),
        sh=rgb_to_sh0(torch.from_numpy(colors[nearest]).float())[:, None],
        views=tuple(
            FieldView(f"{k}", CAMERA, look(0.75 * np.cos(a), 0.75 * np.sin(a), 0.65 + 0.1 * (k % 2)))
            for k, a in enumerate(np.arange(10) * 2 * np.pi / 10)
        ),
    )


@torch.no_grad()
def photo(
    field: GaussianField,
    T_world_camera: np.ndarray,
    camera: Camera = CAMERA,
    noise: float = 0.01,
    gain: float = 1.0,
    offset: float = 0.0,
    seed: int = 0,
) -> Frame:
    """What a camera records there; the frame knows its pose, which nothing that is tested may look at."""
    random = np.random.default_rng(seed)
    seen = render(field, camera, T_world_camera)
    rgb = gain * seen.rgb.numpy() + offset + noise * random.standard_normal(seen.rgb.shape)
    depth = seen.depth.numpy() * (1 + 0.2 * noise * random.standard_normal(seen.depth.shape))
    return Frame((255 * rgb.clip(0, 1)).round().astype(np.uint8), depth.astype(np.float32), camera, T_world_camera)
