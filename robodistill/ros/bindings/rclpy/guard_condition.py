"""Guard conditions, as rclpy.guard_condition."""

from collections.abc import Callable
from typing import Any


class GuardCondition:
    """Its callback runs in the executor after `trigger`, from whichever thread that comes."""

    def __init__(self, node: Any, callback: Callable, group: Any) -> None:
        self._node, self.callback, self.callback_group = node, callback, group

    def trigger(self) -> None:
        """Have it called."""
        if self._node.executor is not None:
            self._node.executor.create_task(self.callback)
