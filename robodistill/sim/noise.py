"""What a depth camera adds to an ideal picture.

Axial noise grows with the square of distance (Khoshelham and Elberink, Sensors 2012) and towards grazing incidence
(Nguyen, Izadi and Lovell, 3DIMPVT 2012); depth is lost at edges and at grazing incidence, and quantised. Colour gets a
slight blur, shot noise and read noise. Differs from the papers: one set of round numbers for a generic short-range
camera, not a fit to one device.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from robodistill.geometry.camera import Camera


@dataclass(frozen=True)
class SensorNoise:
    """Strengths; the defaults are a short-range structured-light or time-of-flight camera."""

    axial: float = 0.0035
    """Sigma of depth at 1 m, metres; grows with the square of depth: 1.3 mm at 0.6 m."""
    correlation: float = 0.7
    """Pixels over which depth noise is alike: matching windows smooth it."""
    step: float = 0.001
    """Quantisation of depth, metres."""
    edge: float = 0.02
    """A jump of depth to a neighbour, relative to depth, beyond which a pixel may be lost."""
    edge_loss: float = 0.7
    """Share of pixels beside a jump that are lost."""
    grazing: float = 1.35
    """Angle between ray and normal from which depth is lost, rad."""
    shot: float = 0.018
    """Sigma of colour at full brightness, of 1; falls with the root of brightness."""
    read: float = 0.006
    """Sigma of colour in the dark, of 1."""
    blur: float = 0.45
    """Sigma of the lens blur, pixels."""


TYPICAL = SensorNoise()


def noisy_depth(
    depth: np.ndarray, camera: Camera, rng: np.random.Generator, noise: SensorNoise = TYPICAL
) -> np.ndarray:
    """(H, W) float32 measured depth, metres, of an ideal one; 0 where the camera would give none."""
    normal_cos = _incidence(depth, camera)
    slant = 1 + 0.25 * np.square(np.clip(np.arccos(normal_cos) / 1.2, 0, 1.1))
    kernel = cv2.getGaussianKernel(7, noise.correlation)
    grain = cv2.sepFilter2D(rng.standard_normal(depth.shape), -1, kernel, kernel) / (kernel**2).sum()  # sigma 1 again
    measured = depth + noise.axial * np.square(depth) * slant * grain
    measured = np.rint(measured / noise.step) * noise.step
    around = np.ones((3, 3), np.uint8)
    far, near = cv2.dilate(depth, around), cv2.erode(depth, around)
    jump = far - near > noise.edge * depth
    flat = np.abs(far + near - 2 * depth) < 0.25 * noise.edge * depth  # a slope, however steep, is no edge
    lost = (jump & ~flat & (rng.random(depth.shape) < noise.edge_loss)) | (normal_cos < np.cos(noise.grazing))
    return np.where(lost | (depth <= 0), 0, measured).astype(np.float32)


def noisy_color(rgb: np.ndarray, rng: np.random.Generator, noise: SensorNoise = TYPICAL) -> np.ndarray:
    """(H, W, 3) uint8 as a camera sees it."""
    image = cv2.GaussianBlur(rgb.astype(np.float64) / 255, (0, 0), noise.blur)
    sigma = np.sqrt(noise.read**2 + np.square(noise.shot) * image)
    return np.rint(255 * np.clip(image + sigma * rng.standard_normal(image.shape), 0, 1)).astype(np.uint8)


def _incidence(depth: np.ndarray, camera: Camera) -> np.ndarray:
    """(H, W) cosine between the ray and the surface normal, from the nearer of the two neighbours in each direction."""
    points = camera.unproject(depth)

    def slope(axis: int) -> np.ndarray:
        ahead, behind = (np.roll(points, -s, axis) - points for s in (1, -1))
        behind = -behind
        closer = np.abs(ahead[..., 2:]) < np.abs(behind[..., 2:])
        return np.where(closer, ahead, behind)

    normal = np.cross(slope(1), slope(0))
    length = np.linalg.norm(normal, axis=2) * np.linalg.norm(points, axis=2)
    return np.clip(np.abs((normal * points).sum(2)) / np.maximum(length, 1e-15), 0, 1)
