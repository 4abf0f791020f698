"""Two boxes joined by a hinge, as a model and as a film, for tests of tracking."""

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from robodistill.field.gaussians import GaussianField
from robodistill.geometry.camera import Camera
from robodistill.raster.sh import rgb_to_sh0
from robodistill.tracking.articulation import Articulation, State
from robodistill.tracking.layers import Window
from robodistill.tracking.model import PartModel
from robodistill.tracking.motion import Joint

CAMERA = Camera.from_fov(np.radians(45), 160, 120)
FRAMES = 14


def box(center: tuple, half: tuple, tones: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Points and colours on a box's faces, 4 mm apart, in blotches of 2 cm."""
    points = []
    for axis in range(3):
        a, b = (k for k in range(3) if k != axis)
        grid = np.stack(np.meshgrid(np.arange(-half[a], half[a], 0.004), np.arange(-half[b], half[b], 0.004)), -1)
        for side in (-1, 1):
            face = np.zeros((grid[..., 0].size, 3))
            face[:, a], face[:, b], face[:, axis] = grid[..., 0].ravel(), grid[..., 1].ravel(), side * half[axis]
            points.append(face)
    points = np.concatenate(points)
    blotch = np.floor(points / 0.02).astype(int)
    palette = tones.uniform(0.1, 0.9, (4096, 3))
    return points + center, palette[(blotch @ [1, 31, 977]) % 4096]


def make_model() -> PartModel:
    """A base and a lid on it, 16 cm wide."""
    tones = np.random.default_rng(1)
    base, lid = box((0, 0, 0), (0.08, 0.05, 0.03), tones), box((0, 0, 0.042), (0.08, 0.05, 0.01), tones)
    points, colors = (np.concatenate(both) for both in zip(base, lid, strict=True))
    n = len(points)
    field = GaussianField(
        torch.from_numpy(points).float(),
        torch.tensor([1.0, 0, 0, 0]).repeat(n, 1),
        torch.full((n, 3), 0.003),
        torch.full((n,), 0.95),
        rgb_to_sh0(torch.from_numpy(colors).float())[:, None],
    )
    return PartModel(field, np.repeat([0, 1], [len(base[0]), len(lid[0])]))


HINGE = Joint("revolute", 0, 1, np.array([1.0, 0, 0]), np.array([0, 0.05, 0.032]), 0.0, np.zeros(FRAMES), (0.0, 1.0))


def start() -> np.ndarray:
    """(4, 4) half a metre away, seen from above."""
    T = np.eye(4)
    T[:3, :3] = Rotation.from_euler("xyz", [2.2, 0.15, 0.3]).as_matrix()
    T[:3, 3] = [0.0, 0.0, 0.5]
    return T


def make_film(model: PartModel) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Frames of the lid opening by 0.9 rad while all moves, a blot over a corner; the poses; the angles."""
    noise = np.random.default_rng(0)
    behind = np.kron(noise.uniform(0.2, 0.8, (12, 16, 3)), np.ones((10, 10, 1))).astype(np.float32)
    tree = Articulation((HINGE,), model.centers)
    frames, poses, angles = [], [], []
    for k in range(FRAMES):
        way = k / (FRAMES - 1)
        T = start()
        T[:3, :3] = Rotation.from_rotvec([0.0, 0.3 * way, 0.1 * way]).as_matrix() @ T[:3, :3]
        T[:3, 3] += [0.06 * way, -0.03 * way, 0.04 * np.sin(np.pi * way)]
        angles.append(-0.9 * np.sin(0.5 * np.pi * way))
        Ts = tree.poses(State(T, np.array(angles[-1:]), np.eye(4)[None]))
        layers = model.draw(Ts, Window(CAMERA, 0, 0, 160, 120))
        image = layers.over(layers.color, behind) + noise.normal(0, 0.01, behind.shape)
        if k > 2:  # something that the scan does not know covers a part of it
            u, v = (int(x) for x in (CAMERA.K @ T[:3, 3])[:2] / T[2, 3])
            image[v : v + 22, u - 30 : u - 12] = [0.8, 0.6, 0.5]
        frames.append((np.clip(image, 0, 1) * 255).astype(np.uint8))
        poses.append(Ts)
    return frames, np.stack(poses), np.array(angles)
