"""Event handlers, as launch.event_handlers."""

from collections.abc import Callable
from typing import Any

from robodistill.ros.bindings.launch.events import ProcessExited, ProcessStarted, Shutdown


class _Handler:
    event: type

    def __init__(self, target: Any, then: Any) -> None:
        self._target, self._then = target, then

    def handle(self, event: Any, context: Any) -> None:
        """Do what is to be done, where the event is meant."""
        if not isinstance(event, self.event):
            return
        action = getattr(event, "action", None)
        if self._target is not None and action is not self._target:
            if not (callable(self._target) and not hasattr(self._target, "visit") and self._target(action)):
                return
        then = self._then
        found = then(event, context) if isinstance(then, Callable) and not hasattr(then, "visit") else then
        for entity in found if isinstance(found, list | tuple) else [found] if found is not None else []:
            entity.visit(context)


class OnProcessExit(_Handler):
    """When a process has ended."""

    event = ProcessExited

    def __init__(self, *, target_action: Any = None, on_exit: Any, **_: Any) -> None:
        super().__init__(target_action, on_exit)


class OnProcessStart(_Handler):
    """When a process runs."""

    event = ProcessStarted

    def __init__(self, *, target_action: Any = None, on_start: Any, **_: Any) -> None:
        super().__init__(target_action, on_start)


class OnShutdown(_Handler):
    """When all ends."""

    event = Shutdown

    def __init__(self, *, on_shutdown: Any, **_: Any) -> None:
        super().__init__(None, on_shutdown)
