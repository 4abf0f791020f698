"""Which topics of a recording are colour, depth and their calibration."""

import logging
from dataclasses import dataclass

import numpy as np

from robodistill.capture.bag_log import BagLog
from robodistill.capture.ros_image import encoding, is_depth
from robodistill.errors import BadMetadata
from robodistill.geometry.camera import Camera

log = logging.getLogger(__name__)

IMAGE_TYPES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
INFO_TYPE = "sensor_msgs/msg/CameraInfo"
_LENSES = ("plumb_bob", "rational_polynomial", "")


@dataclass(frozen=True)
class Stream:
    """One camera's images."""

    topic: str
    frame: str
    """Coordinate frame of the images, as their header says."""
    camera: Camera
    lens: np.ndarray
    """OpenCV's distortion coefficients; all zero where the images are rectified."""


def find_streams(
    bag: BagLog, color: str | None, depth: str | None, color_info: str | None, depth_info: str | None
) -> tuple[Stream, Stream | None]:
    """Colour and depth streams; a topic that is not given is chosen by what the first message of each topic holds.

    Depth that is already registered to colour is preferred, then what is not compressed, then the first by name.

    Raises:
        BadMetadata: A topic that was given is not there, or none is found; the message lists what there is.
    """
    firsts = {topic: message for topic in bag.of_type(*IMAGE_TYPES) if (message := bag.first(topic)) is not None}
    for topic in (color, depth):
        if topic is not None and topic not in firsts:
            raise BadMetadata(f"{bag.name} has no image on {topic!r}; it has {_listed(firsts)}")

    def frame(topic: str) -> str:
        return firsts[topic].header.frame_id.lstrip("/")

    colors = [topic for topic, message in firsts.items() if not is_depth(message)]
    colors.sort(key=lambda topic: (encoding(firsts[topic]) in ("mono8", "8UC1"), hasattr(firsts[topic], "format")))
    color = color or next(iter(colors), None)
    if color is None:
        raise BadMetadata(f"{bag.name} has no colour image; it has {_listed(firsts)}; name it by color_topic")
    color_stream = _stream(bag, color, frame(color), color_info)
    depths = [topic for topic, message in firsts.items() if is_depth(message) and topic != color]
    depths.sort(key=lambda topic: (frame(topic) != frame(color), hasattr(firsts[topic], "format")))
    depth = depth or next(iter(depths), None)
    log.info("%s: colour on %s, depth on %s", bag.name, color, depth)
    if depth is None:
        return color_stream, None
    try:
        depth_stream = _stream(bag, depth, frame(depth), depth_info)
    except BadMetadata:
        if depth_info is not None or frame(depth) != frame(color):
            raise
        depth_stream = Stream(depth, frame(depth), color_stream.camera, color_stream.lens)  # registered, same camera
    return color_stream, depth_stream


def _listed(topics: object) -> str:
    return ", ".join(sorted(topics)) or "none"


def _stream(bag: BagLog, topic: str, frame: str, info_topic: str | None) -> Stream:
    infos = bag.of_type(INFO_TYPE)
    if info_topic is None:
        # By convention a sibling of the image topic; compressed transports add one more level.
        siblings = [f"{topic.rsplit('/', levels)[0]}/camera_info" for levels in (1, 2)]
        info_topic = next((sibling for sibling in siblings if sibling in infos), None)
    if info_topic not in infos:
        wanted = repr(info_topic) if info_topic else f"beside {topic!r}"
        raise BadMetadata(f"{bag.name} has no CameraInfo {wanted}; it has {_listed(infos)}")
    info = bag.first(info_topic)
    if info is None:
        raise BadMetadata(f"{bag.name}: {info_topic} holds no message")
    K, lens = np.reshape(info.k, (3, 3)), np.asarray(info.d, dtype=np.float64)
    if "/image_rect" in topic:  # image_rect, image_rect_color, image_rect_raw: the lens is already taken out
        K, lens = np.reshape(info.p, (3, 4))[:, :3], np.zeros(5)
    if lens.any() and info.distortion_model not in _LENSES:
        raise BadMetadata(f"{bag.name}: distortion model {info.distortion_model!r}; plumb_bob or rational_polynomial")
    return Stream(topic, frame, Camera(K, int(info.width), int(info.height)), lens if lens.any() else np.zeros(5))
