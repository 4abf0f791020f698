"""Durations, as rclpy.duration."""

from robodistill.ros.bindings.idl.classes import message_class


class Duration:
    """A span of time, nanoseconds."""

    def __init__(self, *, seconds: float = 0, nanoseconds: int = 0) -> None:
        self.nanoseconds = int(seconds * 1_000_000_000) + int(nanoseconds)
        if abs(self.nanoseconds) >= 2**63:
            raise OverflowError("Total nanoseconds value is too large to store in C duration.")

    def __repr__(self) -> str:
        return f"Duration(nanoseconds={self.nanoseconds})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Duration) and self.nanoseconds == other.nanoseconds

    def __hash__(self) -> int:
        return hash(self.nanoseconds)

    def __lt__(self, other: "Duration") -> bool:
        return self.nanoseconds < other.nanoseconds

    def __le__(self, other: "Duration") -> bool:
        return self.nanoseconds <= other.nanoseconds

    def __gt__(self, other: "Duration") -> bool:
        return self.nanoseconds > other.nanoseconds

    def __ge__(self, other: "Duration") -> bool:
        return self.nanoseconds >= other.nanoseconds

    def to_msg(self) -> object:
        """builtin_interfaces/msg/Duration."""
        sec, nanosec = divmod(self.nanoseconds, 1_000_000_000)
        return message_class("builtin_interfaces/msg/Duration")(sec=sec, nanosec=nanosec)

    @classmethod
    def from_msg(cls, msg: object) -> "Duration":
        """From builtin_interfaces/msg/Duration."""
        return cls(nanoseconds=msg.sec * 1_000_000_000 + msg.nanosec)


Infinite = Duration(nanoseconds=2**63 - 1)
