"""Peak of memory of an uplift, measured in a process of its own."""

import subprocess
import sys

from robodistill.errors import MissingPart

# VmHWM, because ru_maxrss survives exec and would be the parent's. The maps are made when asked for, as a teacher does.
_CHILD = """
import re, sys
from pathlib import Path
import numpy as np, torch
from robodistill.config import UpliftConfig
from robodistill.features.uplift import uplift
from robodistill.field.gaussians import FieldView, GaussianField
from robodistill.geometry.camera import Camera
views, n, rows, columns, dim = int(sys.argv[1]), 200_000, 30, 40, 512
random = np.random.default_rng(0)
points = random.uniform([-1, -1, 0], [1, 1, 0.3], (n, 3))
random_t = lambda *shape: torch.from_numpy(random.random(shape, np.float32))
field = GaussianField(torch.from_numpy(points).float(), torch.nn.functional.normalize(random_t(n, 4), dim=-1),
                      0.002 + 0.004 * random_t(n, 3), torch.full((n,), 0.8), random_t(n, 1, 3))
camera, made = Camera.from_fov(0.9, 640, 480), []
for k in range(views):
    angle = 2 * np.pi * k / views
    z = -np.array([np.cos(angle), np.sin(angle), 0.7]); z /= np.linalg.norm(z)
    x = np.cross(z, [0, 0, 1.0]); x /= np.linalg.norm(x)
    T = np.eye(4); T[:3, :3] = np.stack([x, np.cross(z, x), z], 1); T[:3, 3] = -1.5 * z
    made.append(FieldView(str(k), camera, T))
class Maps:
    def __len__(self): return views
    def __getitem__(self, k):
        if k >= views: raise IndexError
        return torch.randn(rows, columns, dim, generator=torch.Generator().manual_seed(k))
layer = uplift(field, made, Maps(), UpliftConfig())
assert layer.codes.any()
print(int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1e6)
"""


def peak_of_uplift(views: int) -> float:
    """GB that a process with everything in it takes at most: 640x480, 40x30 cells of 512 numbers, 200k Gaussians.

    Raises:
        MissingPart: The process failed; the message is its last line.
    """
    done = subprocess.run([sys.executable, "-c", _CHILD, str(views)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise MissingPart(f"the memory run failed: {(done.stderr.strip().splitlines() or [done.returncode])[-1]}")
    return float(done.stdout.split()[-1])
