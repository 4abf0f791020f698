"""Which callbacks may run at the same time, as rclpy.callback_groups."""

import threading
import weakref
from typing import Any


class CallbackGroup:
    """Base."""

    def __init__(self) -> None:
        self.entities: set[weakref.ref] = set()

    def add_entity(self, entity: Any) -> None:
        """An entity of the group."""
        self.entities.add(weakref.ref(entity))

    def has_entity(self, entity: Any) -> bool:
        """Whether it is of the group."""
        return weakref.ref(entity) in self.entities

    def can_execute(self, entity: Any) -> bool:
        """Whether its callback may begin now."""
        raise NotImplementedError

    def beginning_execution(self, entity: Any) -> bool:
        """Begin, where that is allowed."""
        raise NotImplementedError

    def ending_execution(self, entity: Any) -> None:
        """It ended."""
        raise NotImplementedError


class ReentrantCallbackGroup(CallbackGroup):
    """All at once."""

    def can_execute(self, entity: Any) -> bool:
        """Always."""
        return True

    def beginning_execution(self, entity: Any) -> bool:
        """Always."""
        return True

    def ending_execution(self, entity: Any) -> None:
        """Nothing to note."""


class MutuallyExclusiveCallbackGroup(CallbackGroup):
    """One after the other."""

    def __init__(self) -> None:
        super().__init__()
        self._active: Any = None
        self._lock = threading.Lock()

    def can_execute(self, entity: Any) -> bool:
        """While none runs."""
        return self._active is None

    def beginning_execution(self, entity: Any) -> bool:
        """Where none runs."""
        with self._lock:
            if self._active is not None:
                return False
            self._active = entity
            return True

    def ending_execution(self, entity: Any) -> None:
        """The next may begin."""
        with self._lock:
            self._active = None
