"""Kinds of clocks, as rclpy.clock_type."""

from enum import IntEnum


class ClockType(IntEnum):
    """What a clock tells."""

    ROS_TIME = 1
    SYSTEM_TIME = 2
    STEADY_TIME = 3
