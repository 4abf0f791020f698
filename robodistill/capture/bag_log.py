"""A rosbag2 recording as topics of messages: the only file that knows the `rosbags` library."""

import struct
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from robodistill.errors import BadMetadata, MissingPart, UnreadableImage


class BagLog:
    """An open recording. Messages are read from disk when asked for."""

    def __init__(self, path: Path):
        """Open a rosbag2 folder, or an .mcap or .db3 file.

        Raises:
            MissingPart: The library `rosbags` is not installed.
            BadMetadata: Not a recording, or a damaged one.
        """
        try:
            from rosbags.highlevel import AnyReader
            from rosbags.typesys import Stores, get_typestore
        except ImportError:
            raise MissingPart("reading rosbag2 and MCAP needs rosbags: pip install 'robodistill[ros]'") from None
        self.name = str(path)
        try:
            # Recordings made before ROS 2 Iron hold no message definitions; the standard ones have not changed since.
            self._reader = AnyReader([Path(path)], default_typestore=get_typestore(Stores.ROS2_HUMBLE))
            self._reader.open()
            self.types = {connection.topic: connection.msgtype for connection in self._reader.connections}
        except Exception as error:  # a damaged file makes the library raise almost anything
            raise BadMetadata(f"{path} cannot be read as a rosbag2 recording: {error!r}") from None
        weakref.finalize(self, self._reader.close)

    def of_type(self, *types: str) -> list[str]:
        """Topics of these message types, such as "sensor_msgs/msg/Image", by name."""
        return sorted(topic for topic, kind in self.types.items() if kind in types)

    def first(self, topic: str) -> Any | None:
        """The first message; None where there is none."""
        return next(self.messages(topic), (0, None))[1]

    def messages(self, topic: str) -> Iterator[tuple[int, Any]]:
        """(receive time, ns; message) in the order they were recorded."""
        for received, data in self._raw(topic):
            yield received, self._decode(topic, data)

    def index(self, topic: str) -> list[tuple[float, int]]:
        """Sorted (header stamp, seconds; receive time, ns), decoding nothing but the stamp.

        A header with the stamp zero, which some drivers send, counts as stamped when it was received.
        """
        return sorted((_stamp(data) or received / 1e9, received) for received, data in self._raw(topic))

    def at(self, topic: str, stamp: float, received: int) -> Any:
        """The message that `index` listed.

        Raises:
            UnreadableImage: It cannot be decoded.
        """
        for _, data in self._raw(topic, start=received, stop=received + 1):
            if (_stamp(data) or received / 1e9) == stamp:
                return self._decode(topic, data)
        raise UnreadableImage(f"{self.name}: {topic} at {stamp:.6f} s is gone; was the file changed?")

    def _raw(self, topic: str, **limits: int) -> Iterator[tuple[int, bytes]]:
        connections = [connection for connection in self._reader.connections if connection.topic == topic]
        try:
            for _, received, data in self._reader.messages(connections, **limits):
                yield received, data
        except Exception as error:
            raise BadMetadata(f"{self.name}: {topic} cannot be read: {error!r}") from None

    def _decode(self, topic: str, data: bytes) -> Any:
        try:
            return self._reader.deserialize(data, self.types[topic])
        except Exception as error:
            raise UnreadableImage(f"{self.name}: a message of {topic} cannot be decoded: {error!r}") from None


def _stamp(data: bytes) -> float:
    """Seconds of the header with which a CDR message begins, after 4 bytes that tell the byte order."""
    if len(data) < 12:
        return 0.0
    seconds, nanoseconds = struct.unpack_from("<iI" if data[1] & 1 else ">iI", data, 4)
    return seconds + nanoseconds / 1e9
