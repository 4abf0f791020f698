"""Something that a description does."""

from collections.abc import Iterable
from typing import Any


class Action:
    """Base."""

    def __init__(self, *, condition: Any = None) -> None:
        self.condition = condition

    def visit(self, context: Any) -> None:
        """Do it where its condition holds, and then what it leads to."""
        if self.condition is None or self.condition.evaluate(context):
            for entity in self.execute(context) or ():
                entity.visit(context)

    def execute(self, context: Any) -> Iterable[Any] | None:
        """Do it; returns further things to do."""
        raise NotImplementedError(type(self).__name__)
