"""Where was this picture taken? No guess, nothing trained; and an honest no where it shows something else.

python examples/04_where_was_this_taken.py SCENE.field PICTURE.png [FOCAL_LENGTH_IN_PIXELS]
"""

import sys
from pathlib import Path

import numpy as np

from robodistill.capture.decode import read_rgb
from robodistill.capture.frame import Frame
from robodistill.config import InversionConfig
from robodistill.field.gaussians import GaussianField
from robodistill.geometry.camera import Camera
from robodistill.inversion.locator import Locator

field = GaussianField.load(Path(sys.argv[1]))
rgb = read_rgb(Path(sys.argv[2]))
height, width = rgb.shape[:2]
focal_known = len(sys.argv) > 3
focal = float(sys.argv[3]) if focal_known else float(width)
camera = Camera.from_focal(focal, focal, (width - 1) / 2, (height - 1) / 2, width, height)

locator = Locator(field, InversionConfig())  # once for a field; then any number of pictures
found = locator.locate(Frame(rgb, None, camera, None), focal_known=focal_known)
if found.converged:
    x, y, z = found.T_world_camera[:3, 3]
    sigma = 1000 * np.sqrt(np.trace(found.covariance[:3, :3]))
    sys.stdout.write(f"at ({x:.3f}, {y:.3f}, {z:.3f}) m, to {sigma:.1f} mm; focal length {found.K[0, 0]:.1f} pixels\n")
else:
    sys.stdout.write(f"not a picture of this field: {found.reason}\n")
