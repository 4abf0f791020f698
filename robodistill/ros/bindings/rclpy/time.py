"""Points in time, as rclpy.time."""

from robodistill.ros.bindings.idl.classes import message_class
from robodistill.ros.bindings.rclpy.clock_type import ClockType
from robodistill.ros.bindings.rclpy.duration import Duration


class Time:
    """Nanoseconds of a clock of some type; those of different types cannot be compared."""

    def __init__(self, *, seconds: float = 0, nanoseconds: int = 0, clock_type: ClockType = ClockType.SYSTEM_TIME):
        total = int(seconds * 1_000_000_000) + int(nanoseconds)
        if seconds < 0 or nanoseconds < 0:
            raise ValueError("Seconds value must not be negative")
        self.nanoseconds, self.clock_type = total, ClockType(clock_type)

    def seconds_nanoseconds(self) -> tuple[int, int]:
        """Whole seconds, and the rest."""
        return divmod(self.nanoseconds, 1_000_000_000)

    def __repr__(self) -> str:
        return f"Time(nanoseconds={self.nanoseconds}, clock_type={self.clock_type.name})"

    def __add__(self, other: Duration) -> "Time":
        if not isinstance(other, Duration):
            return NotImplemented
        return Time(nanoseconds=self.nanoseconds + other.nanoseconds, clock_type=self.clock_type)

    __radd__ = __add__

    def __sub__(self, other: "Time | Duration") -> "Time | Duration":
        if isinstance(other, Time):
            self._check(other)
            return Duration(nanoseconds=self.nanoseconds - other.nanoseconds)
        if isinstance(other, Duration):
            return Time(nanoseconds=self.nanoseconds - other.nanoseconds, clock_type=self.clock_type)
        return NotImplemented

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Time):
            return NotImplemented
        self._check(other)
        return self.nanoseconds == other.nanoseconds

    def __hash__(self) -> int:
        return hash((self.nanoseconds, self.clock_type))

    def __lt__(self, other: "Time") -> bool:
        self._check(other)
        return self.nanoseconds < other.nanoseconds

    def __le__(self, other: "Time") -> bool:
        return self < other or self == other

    def __gt__(self, other: "Time") -> bool:
        return not self <= other

    def __ge__(self, other: "Time") -> bool:
        return not self < other

    def _check(self, other: "Time") -> None:
        if self.clock_type != other.clock_type:
            raise TypeError("Can't compare times with different clock types")

    def to_msg(self) -> object:
        """builtin_interfaces/msg/Time."""
        sec, nanosec = self.seconds_nanoseconds()
        return message_class("builtin_interfaces/msg/Time")(sec=sec, nanosec=nanosec)

    @classmethod
    def from_msg(cls, msg: object, clock_type: ClockType = ClockType.ROS_TIME) -> "Time":
        """From builtin_interfaces/msg/Time."""
        return cls(seconds=msg.sec, nanoseconds=msg.nanosec, clock_type=clock_type)
