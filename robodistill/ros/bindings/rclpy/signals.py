"""rclpy.signals."""

from enum import IntEnum


class SignalHandlerOptions(IntEnum):
    """Which signals end the context."""

    NO = 0
    SIGINT = 1
    SIGTERM = 2
    ALL = 3
