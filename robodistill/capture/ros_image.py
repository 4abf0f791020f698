"""ROS image messages to arrays. Takes any object with the fields of the message, so it needs no ROS.

Encodings: sensor_msgs/image_encodings.hpp; 16UC1 is millimetres and 32FC1 metres (REP 118). `compressedDepth` is what
compressed_depth_image_transport writes: a header of 12 bytes, then a PNG; 32FC1 is kept in it as A / (count - B).
"""

import struct
from typing import Any

import numpy as np

from robodistill.capture.decode import as_depth, as_rgb, decode_image
from robodistill.errors import BadDepth, UnreadableImage, WrongSize

DEPTH_ENCODINGS = ("16UC1", "mono16", "32FC1")
_COLOR = {"rgb8": 3, "bgr8": 3, "rgba8": 4, "bgra8": 4, "mono8": 1, "8UC1": 1, "8UC3": 3, "8UC4": 4}
_MILLIMETRE = 0.001


def encoding(message: Any) -> str:
    """The encoding of an Image, or of what a CompressedImage was made from ("" where it does not say)."""
    if hasattr(message, "encoding"):
        return message.encoding
    return message.format.split(";")[0].strip() if ";" in message.format else ""


def is_depth(message: Any) -> bool:
    """Whether an Image or CompressedImage holds depth."""
    return encoding(message) in DEPTH_ENCODINGS or "compressedDepth" in getattr(message, "format", "")


def rgb_of(message: Any, name: str) -> np.ndarray:
    """(H, W, 3) uint8 RGB of an Image or CompressedImage.

    Raises:
        UnreadableImage: Damaged, or an encoding that is not colour.
        WrongSize: Fewer bytes than its size needs.
    """
    if not hasattr(message, "encoding"):  # compressed: JPEG or PNG, which OpenCV gives as BGR
        return as_rgb(decode_image(bytes(message.data), name), name)
    if message.encoding not in _COLOR:
        raise UnreadableImage(f"{name} has the encoding {message.encoding!r}; colour is one of {', '.join(_COLOR)}")
    image = _rows(message, np.dtype(np.uint8), _COLOR[message.encoding], name)
    if message.encoding.startswith("rgb"):
        image = np.concatenate([image[..., 2::-1], image[..., 3:]], -1)
    return as_rgb(np.ascontiguousarray(image), name)


def depth_of(message: Any, name: str) -> np.ndarray:
    """(H, W) float32 metres of an Image or CompressedImage.

    Raises:
        BadDepth: An encoding that is not depth, or see `as_depth`.
        UnreadableImage: Damaged.
        WrongSize: Fewer bytes than its size needs.
    """
    if not hasattr(message, "encoding"):
        return _compressed_depth(message, name)
    if message.encoding not in DEPTH_ENCODINGS:
        raise BadDepth(f"{name} has the encoding {message.encoding!r}; depth is one of {', '.join(DEPTH_ENCODINGS)}")
    dtype = np.dtype(np.float32 if message.encoding == "32FC1" else np.uint16)
    return as_depth(_rows(message, dtype, 1, name)[..., 0], _MILLIMETRE, name)


def _rows(message: Any, dtype: np.dtype, channels: int, name: str) -> np.ndarray:
    """(H, W, C); rows may be padded to `step` bytes."""
    row = message.width * channels * dtype.itemsize
    data = np.frombuffer(message.data, np.uint8)
    if not message.width or not message.height or message.step < row or len(data) < message.step * message.height:
        raise WrongSize(
            f"{name}: {len(data)} bytes in rows of {message.step} do not hold "
            f"{message.width}x{message.height} {message.encoding}"
        )
    rows = data[: message.step * message.height].reshape(message.height, message.step)[:, :row]
    order = ">" if message.is_bigendian else "<"
    values = np.ascontiguousarray(rows).view(dtype.newbyteorder(order)).astype(dtype)
    return values.reshape(message.height, message.width, channels)


def _compressed_depth(message: Any, name: str) -> np.ndarray:
    data = bytes(message.data)
    if "compressedDepth" not in message.format:
        return as_depth(decode_image(data, name), _MILLIMETRE, name)
    if "rvl" in message.format.lower():
        raise BadDepth(f"{name} has the format {message.format!r}; compressedDepth can be read as PNG only")
    if len(data) <= 12:
        raise UnreadableImage(f"{name}: compressedDepth of {len(data)} bytes is shorter than its header")
    raw = decode_image(data[12:], name)
    if encoding(message) != "32FC1":
        return as_depth(raw, _MILLIMETRE, name)
    _, a, b = struct.unpack("<iff", data[:12])
    with np.errstate(divide="ignore"):
        return as_depth(np.where(raw > 0, a / (raw.astype(np.float64) - b), 0), 1.0, name)
