"""tf2_ros: the tree of coordinate frames over time, heard and told."""

from robodistill.ros.bindings.tf2_ros.broadcaster import StaticTransformBroadcaster, TransformBroadcaster
from robodistill.ros.bindings.tf2_ros.buffer import (
    Buffer,
    ConnectivityException,
    ExtrapolationException,
    InvalidArgumentException,
    LookupException,
    TimeoutException,
    TransformException,
)
from robodistill.ros.bindings.tf2_ros.listener import TransformListener

__all__ = [
    "Buffer",
    "ConnectivityException",
    "ExtrapolationException",
    "InvalidArgumentException",
    "LookupException",
    "StaticTransformBroadcaster",
    "TimeoutException",
    "TransformBroadcaster",
    "TransformException",
    "TransformListener",
]
