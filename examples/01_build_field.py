"""Frames in memory to a field, without the command line: seed from depth, fit, render a view nobody took.

python examples/01_build_field.py CAPTURE OUT.field
"""

import sys
from pathlib import Path

import numpy as np
import torch

from robodistill.capture.open import open_capture
from robodistill.config import FitConfig, SeedConfig
from robodistill.field.fit import Fit
from robodistill.field.render import render
from robodistill.field.seed import seed_field

capture, out = Path(sys.argv[1]), Path(sys.argv[2])
frames = list(open_capture(capture).frames())

fit = Fit(seed_field(frames, SeedConfig(gaussians=30_000)), frames, FitConfig(steps=150))
while not fit.is_done:
    fit.step()
field = fit.field()
field.save(out)

# halfway between the first two cameras, with the first one's orientation
T_world_camera = frames[0].T_world_camera.copy()
T_world_camera[:3, 3] = (frames[0].T_world_camera[:3, 3] + frames[1].T_world_camera[:3, 3]) / 2
with torch.no_grad():
    view = render(field, frames[0].camera, T_world_camera)
sys.stdout.write(f"{len(field)} Gaussians; the view is {float(np.median(view.depth)):.3f} m away (median)\n")
