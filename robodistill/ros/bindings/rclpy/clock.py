"""Clocks, as rclpy.clock: system, steady, and ROS time that a simulator's /clock may set."""

import threading
import time

from robodistill.ros.bindings.rclpy.clock_type import ClockType
from robodistill.ros.bindings.rclpy.duration import Duration
from robodistill.ros.bindings.rclpy.time import Time


class Clock:
    """A clock; `Clock(clock_type=ClockType.ROS_TIME)` makes a `ROSClock`."""

    def __new__(cls, *, clock_type: ClockType = ClockType.SYSTEM_TIME) -> "Clock":
        made = super().__new__(ROSClock if clock_type == ClockType.ROS_TIME else cls)
        made.clock_type = ClockType(clock_type)
        return made

    def now(self) -> Time:
        """The time."""
        read = time.monotonic_ns if self.clock_type == ClockType.STEADY_TIME else time.time_ns
        return Time(nanoseconds=read(), clock_type=self.clock_type)

    def sleep_until(self, until: Time, context: object = None) -> bool:
        """Sleep; False where the context ended before."""
        from robodistill.ros.bindings.rclpy.utilities import get_default_context

        context = context or get_default_context()
        while (left := (until - self.now()).nanoseconds / 1e9) > 0:
            if not context.ok():
                return False
            time.sleep(min(left, 0.1 if self.follows_wall else 0.005))
        return context.ok()

    def sleep_for(self, rel_time: Duration, context: object = None) -> bool:
        """Sleep."""
        return self.sleep_until(self.now() + rel_time, context)

    @property
    def follows_wall(self) -> bool:
        """Whether it advances by itself."""
        return True


class ROSClock(Clock):
    """System time, or what /clock says where `use_sim_time` is set."""

    def __new__(cls, **_: object) -> "ROSClock":
        made = object.__new__(cls)
        made.clock_type = ClockType.ROS_TIME
        return made

    def __init__(self, **_: object) -> None:
        self._override: int | None = None
        self._active = False
        self._lock = threading.Lock()

    @property
    def ros_time_is_active(self) -> bool:
        """Whether /clock is followed."""
        return self._active

    @property
    def follows_wall(self) -> bool:
        """Whether it advances by itself."""
        return not self._active

    def _set_ros_time_is_active(self, active: bool) -> None:
        self._active = active

    def set_ros_time_override(self, at: Time) -> None:
        """What /clock said."""
        with self._lock:
            self._override = at.nanoseconds

    def now(self) -> Time:
        """The time; 0 where /clock has not spoken yet."""
        if not self._active:
            return Time(nanoseconds=time.time_ns(), clock_type=ClockType.ROS_TIME)
        with self._lock:
            return Time(nanoseconds=self._override or 0, clock_type=ClockType.ROS_TIME)
