"""What is known while a description is carried out."""

import os
from collections.abc import Callable
from typing import Any


class LaunchContext:
    """Values of arguments, scopes of names and settings, and where actions leave processes and timers."""

    def __init__(self, *, argv: list[str] | None = None, **_: Any) -> None:
        self.argv = argv or []
        self.launch_configurations: dict[str, str] = {}
        self.environment: dict[str, str] = dict(os.environ)
        self.locals: dict[str, Any] = {"namespace": "", "parameters": [], "remaps": [], "file": None}
        self._scopes: list[tuple[dict, dict, dict]] = []
        self.service: Any = None
        self.handlers: list[Any] = []

    def push(self) -> None:
        """Begin a scope: what is set until `pop` holds no longer then."""
        kept = {k: list(v) if isinstance(v, list) else v for k, v in self.locals.items()}
        self._scopes.append((dict(self.launch_configurations), dict(self.environment), kept))

    def pop(self, forwarding: bool = True) -> None:
        """End it."""
        self.launch_configurations, self.environment, self.locals = self._scopes.pop()

    def perform_substitution(self, substitution: Any) -> str:
        """Its text."""
        return substitution.perform(self)

    def asyncio_loop(self) -> None:
        """There is none."""

    def later(self, seconds: float, job: Callable[[], None]) -> None:
        """Do something when some time has passed."""
        self.service.later(seconds, job)
