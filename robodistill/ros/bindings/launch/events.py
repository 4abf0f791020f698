"""Events, as launch.events: what handlers are told."""

from dataclasses import dataclass
from typing import Any


@dataclass
class Shutdown:
    """All is to end."""

    reason: str = ""
    due_to_sigint: bool = False


@dataclass
class ProcessStarted:
    """A process runs."""

    action: Any
    pid: int


@dataclass
class ProcessExited:
    """A process has ended."""

    action: Any
    pid: int
    returncode: int
