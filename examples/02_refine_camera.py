"""The rasteriser is differentiable in the camera: put a displaced camera back by descending the image error.

python examples/02_refine_camera.py SCENE.field CAPTURE
"""

import sys
from pathlib import Path

import torch

from robodistill.capture.open import open_capture
from robodistill.field.gaussians import GaussianField
from robodistill.field.render import render
from robodistill.geometry import se3

field = GaussianField.load(Path(sys.argv[1]))
frame = open_capture(Path(sys.argv[2]))[0]
truth = torch.from_numpy(frame.rgb) / 255
T_true = se3.from_matrix(torch.from_numpy(frame.T_world_camera).float())
T_start = se3.compose(T_true, se3.exp(torch.tensor([0.01, -0.01, 0.01, 0.01, 0.0, -0.01])))

twist = torch.zeros(6, requires_grad=True)
optimizer = torch.optim.Adam([twist], lr=1e-3)
for step in range(41):
    T = se3.compose(T_start, se3.exp(twist))
    loss = (render(field, frame.camera, se3.as_matrix(T)).rgb - truth).abs().mean()
    if step % 10 == 0:
        error = se3.log(se3.compose(se3.inverse(T_true), T.detach()))
        mm, degrees = 1000 * error[:3].norm(), torch.rad2deg(error[3:].norm())
        sys.stdout.write(f"step {step:2d}  loss {loss:.4f}  off by {mm:.1f} mm, {degrees:.2f} degrees\n")
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
