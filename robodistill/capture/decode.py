"""Encoded images to checked arrays: uint8 RGB, and float32 metres with 0 = no measurement.

Recorders disagree about depth (millimetres or metres, 16-bit or float, 0 or 65535 or NaN for "nothing measured"); the
disagreement ends here. What cannot be told apart from a mistake in the unit is refused rather than guessed.
"""

from pathlib import Path

import cv2
import numpy as np

from robodistill.capture.read import read_file
from robodistill.errors import BadDepth, UnreadableImage

NEAR, FAR = 0.01, 100.0
"""Metres between which the median of a depth image must lie; outside, its unit is wrong (see `as_depth`)."""
_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8"


def decode_image(data: bytes, name: str) -> np.ndarray:
    """Array as stored in the PNG, JPEG, … `data`: (H, W) or (H, W, C) in OpenCV's channel order.

    Raises:
        UnreadableImage: Truncated, damaged, or not an image.
    """
    # OpenCV before 5 returns the upper part of a truncated image and says nothing.
    cut = (data.startswith(_PNG) and b"IEND" not in data[-64:]) or (
        data.startswith(_JPEG) and b"\xff\xd9" not in data[-4096:]
    )
    if cut:
        raise UnreadableImage(f"{name} is truncated: its {len(data)} bytes lack the end of a PNG or JPEG image")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise UnreadableImage(f"{name} cannot be decoded: {error}") from None
    if image is None:
        raise UnreadableImage(f"{name} ({len(data)} bytes) is damaged or not an image; PNG or JPEG is needed")
    return image


def as_rgb(image: np.ndarray, name: str) -> np.ndarray:
    """(H, W, 3) uint8 RGB from grey, BGR or BGRA of 8 bits.

    Raises:
        UnreadableImage: Other channels or more than 8 bits.
    """
    channels = 1 if image.ndim == 2 else image.shape[2]
    codes = {1: cv2.COLOR_GRAY2RGB, 3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGB}
    if image.dtype != np.uint8 or channels not in codes:
        raise UnreadableImage(
            f"{name} is not a colour image: {image.dtype} with {channels} channel(s); uint8 with 1, 3 or 4 is needed"
        )
    return cv2.cvtColor(image, codes[channels])


def as_depth(raw: np.ndarray, unit: float, name: str) -> np.ndarray:
    """(H, W) float32 metres, 0 = no measurement, from what a sensor or file gives.

    Args:
        raw: (H, W) uint16 in units of `unit`, where 0 and 65535 mean "no measurement"; or float32/float64 metres, where
            NaN, infinite and not positive mean it (`unit` is not used).
        unit: Metres per count, 0.001 for millimetres.

    Raises:
        BadDepth: Another type or shape, a unit that is obviously not this one, or not one measurement.
    """
    if raw.ndim != 2 or raw.dtype not in (np.uint16, np.float32, np.float64):
        raise BadDepth(f"{name}: depth is {raw.dtype} {raw.shape}; one channel of uint16 or float is needed")
    if raw.dtype == np.uint16:
        depth = np.where(raw == 65535, 0, raw) * np.float32(unit)
        given = f"uint16 in units of {unit:g} m"
    else:
        depth = np.where(np.isfinite(raw) & (raw > 0), raw, 0)
        given = "float, which means metres"
    depth = depth.astype(np.float32)
    measured = depth[depth > 0]
    if not measured.size:
        raise BadDepth(f"{name}: depth holds no measurement at all")
    median = float(np.median(measured))
    if not NEAR <= median <= FAR:
        hint = "; it looks like millimetres" if NEAR <= median / 1000 <= FAR else ""
        raise BadDepth(
            f"{name}: depth is {given}, so its median would be {median:.4g} m{hint}; {NEAR:g} to {FAR:g} m is valid"
        )
    return depth


def read_rgb(path: Path) -> np.ndarray:
    """(H, W, 3) uint8 RGB of an image file."""
    return as_rgb(decode_image(read_file(path), str(path)), str(path))


def read_depth(path: Path, unit: float) -> np.ndarray:
    """(H, W) float32 metres of a one-channel image file; see `as_depth`."""
    return as_depth(decode_image(read_file(path), str(path)), unit, str(path))
