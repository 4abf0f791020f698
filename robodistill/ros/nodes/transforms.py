"""Coordinate frames of other machines, by tf2."""

from typing import Any

import numpy as np
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.time import Time
from tf2_ros import Buffer, TransformException, TransformListener

from robodistill.errors import BadPose
from robodistill.ros.nodes.convert import from_pose


class Transforms:
    """Where a message's frame is in another frame."""

    def __init__(self, node: Node, wait: float) -> None:
        """Listen from now on; `wait` is how long, in seconds, a transform that is not there yet is waited for."""
        self._wait = Duration(seconds=wait)
        self._buffer = Buffer(cache_time=Duration(seconds=30.0))
        self._listener = TransformListener(self._buffer, node)

    def find(self, target: str, header: Any) -> np.ndarray:
        """(4, 4) T_target_frame at the header's stamp; a stamp of zero is the latest. May block; not for executors.

        Raises:
            BadPose: It is not known.
        """
        stamp = Time.from_msg(header.stamp)
        try:
            found = self._buffer.lookup_transform(target, header.frame_id, stamp, timeout=self._wait)
        except TransformException as error:
            raise BadPose(f"no transform from {target!r} to {header.frame_id!r}: {error}") from None
        return from_pose(found.transform, f"{target} -> {header.frame_id}")
