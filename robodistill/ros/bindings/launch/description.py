"""Launch descriptions."""

from collections.abc import Iterable
from typing import Any


class LaunchDescription:
    """Things to do in order."""

    def __init__(self, initial_entities: Iterable[Any] | None = None, **_: Any) -> None:
        self.entities = list(initial_entities or [])

    def add_action(self, action: Any) -> None:
        """One more."""
        self.entities.append(action)

    def add_entity(self, entity: Any) -> None:
        """One more."""
        self.entities.append(entity)

    def visit(self, context: Any) -> None:
        """Do them."""
        for entity in self.entities:
            entity.visit(context)

    def get_launch_arguments(self) -> list[Any]:
        """The arguments that it declares, also within groups."""
        found: list[Any] = []
        waiting = list(self.entities)
        while waiting:
            entity = waiting.pop(0)
            if hasattr(entity, "default_value") and hasattr(entity, "choices"):
                found.append(entity)
            waiting[:0] = getattr(entity, "actions", None) or []
        return found
