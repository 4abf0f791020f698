"""Timers and rates, as rclpy.timer."""

import threading
from collections.abc import Callable
from typing import Any

from robodistill.ros.bindings.rclpy.endpoints import Entity
from robodistill.ros.bindings.rclpy.exceptions import ROSInterruptException


class Timer(Entity):
    """Calls back every so often, by the time of its clock; what was missed is skipped."""

    def __init__(
        self, node: Any, callback: Callable, group: Any, period_ns: int, clock: Any, autostart: bool = True
    ) -> None:
        super().__init__(node, group)
        if period_ns < 0:
            raise ValueError("timer period must not be negative")
        self.callback, self.clock, self._period = callback, clock, int(period_ns)
        self._cancelled = not autostart
        self._last = clock.now().nanoseconds
        self._next = self._last + self._period

    @property
    def timer_period_ns(self) -> int:
        """Nanoseconds between calls."""
        return self._period

    @timer_period_ns.setter
    def timer_period_ns(self, value: int) -> None:
        self._period = int(value)
        self._next = self.clock.now().nanoseconds + self._period

    def time_until_next_call(self) -> int | None:
        """Nanoseconds, negative when late; None while cancelled."""
        return None if self._cancelled else self._next - self.clock.now().nanoseconds

    def time_since_last_call(self) -> int:
        """Nanoseconds."""
        return self.clock.now().nanoseconds - self._last

    def is_ready(self) -> bool:
        """Whether it is time."""
        left = self.time_until_next_call()
        if left is not None and left > self._period:  # the clock was set back
            self._next = self.clock.now().nanoseconds + self._period
            return False
        return left is not None and left <= 0

    def is_canceled(self) -> bool:
        """Whether it stands still."""
        return self._cancelled

    def cancel(self) -> None:
        """Stand still."""
        self._cancelled = True

    def reset(self) -> None:
        """Begin anew."""
        self._cancelled = False
        self._next = self.clock.now().nanoseconds + self._period
        self.node._wake()

    def take(self) -> Callable[[], Any] | None:
        """The callback, if it is time."""
        if not self.is_ready():
            return None
        now = self.clock.now().nanoseconds
        self._last = now
        self._next += self._period
        if self._next <= now:
            self._next = now + (self._period - (now - self._next) % self._period if self._period else 0)
        return self.callback

    def _endpoints(self) -> tuple[tuple, tuple]:
        return (), ()


class Rate:
    """`sleep()` returns at a rate; another thread must spin the node."""

    def __init__(self, make_timer: Callable[[Callable], Timer], context: Any) -> None:
        self._event = threading.Event()
        self._timer, self._context = make_timer(self._event.set), context

    def sleep(self) -> None:
        """Until the next turn.

        Raises:
            ROSInterruptException: The context ended.
        """
        self._event.clear()
        while not self._event.wait(0.1):
            if not self._context.ok():
                raise ROSInterruptException()

    def destroy(self) -> None:
        """Stop."""
        self._timer.destroy()
