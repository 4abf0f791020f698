"""Logging, as rclpy.logging: lines on stderr in the form of ROS, and /rosout."""

import os
import sys
import threading
import time
from collections.abc import Callable
from enum import IntEnum
from typing import Any

_FORMAT = "[{severity}] [{time}] [{name}]: {message}"


class LoggingSeverity(IntEnum):
    """How bad it is."""

    UNSET = 0
    DEBUG = 10
    INFO = 20
    WARN = 30
    ERROR = 40
    FATAL = 50


_levels: dict[str, LoggingSeverity] = {}
_sinks: dict[str, Callable[..., None]] = {}
_lock = threading.Lock()


def get_logging_severity_from_string(text: str) -> LoggingSeverity:
    """Of a name such as info.

    Raises:
        RuntimeError: There is none.
    """
    try:
        return LoggingSeverity[text.upper()]
    except KeyError:
        raise RuntimeError(f"log level {text!r}: one of {', '.join(LoggingSeverity.__members__)} is needed") from None


def set_logger_level(name: str, level: LoggingSeverity | int, detailed_error: bool = False) -> None:
    """What is told from now on; "" is all loggers."""
    _levels[name] = LoggingSeverity(level)


def get_logger_effective_level(name: str) -> LoggingSeverity:
    """Its own level, or that of the nearest above it."""
    while name:
        if _levels.get(name):
            return _levels[name]
        name = name.rpartition(".")[0]
    return _levels.get("") or LoggingSeverity.INFO


def get_logger(name: str) -> "RcutilsLogger":
    """The logger of a name."""
    if not name:
        raise ValueError("Logger name must not be empty.")
    return RcutilsLogger(name)


class RcutilsLogger:
    """A named logger."""

    _seen: dict[tuple, Any] = {}

    def __init__(self, name: str) -> None:
        self.name = name

    def get_child(self, name: str) -> "RcutilsLogger":
        """One below it."""
        return RcutilsLogger(f"{self.name}.{name}")

    def set_level(self, level: LoggingSeverity | int) -> None:
        """What it tells from now on."""
        set_logger_level(self.name, level)

    def get_effective_level(self) -> LoggingSeverity:
        """What it tells."""
        return get_logger_effective_level(self.name)

    def is_enabled_for(self, severity: LoggingSeverity | int) -> bool:
        """Whether it tells that."""
        return severity >= self.get_effective_level()

    def log(
        self,
        message: Any,
        severity: LoggingSeverity | int,
        *,
        once: bool = False,
        skip_first: bool = False,
        throttle_duration_sec: float | None = None,
        throttle_time_source_type: Any = None,
        _depth: int = 1,
    ) -> bool:
        """Tell, where the level and the filters let it through."""
        severity = LoggingSeverity(severity)
        if not self.is_enabled_for(severity):
            return False
        caller = sys._getframe(_depth)
        filtered = once or skip_first or throttle_duration_sec
        if filtered and not self._passes(caller, once, skip_first, throttle_duration_sec):
            return False
        _emit(self.name, severity, str(message), caller)
        return True

    def _passes(self, caller: Any, once: bool, skip_first: bool, throttle: float | None) -> bool:
        key = (self.name, caller.f_code.co_filename, caller.f_lineno)
        with _lock:
            last = self._seen.get(key)
            now = time.monotonic()
            if last is None:
                self._seen[key] = now
                return not skip_first
            if once or (throttle and now - last < throttle):
                return False
            self._seen[key] = now
        return True

    def debug(self, message: Any, **filters: Any) -> bool:
        """For developers."""
        return self.log(message, LoggingSeverity.DEBUG, _depth=2, **filters)

    def info(self, message: Any, **filters: Any) -> bool:
        """For all."""
        return self.log(message, LoggingSeverity.INFO, _depth=2, **filters)

    def warning(self, message: Any, **filters: Any) -> bool:
        """Something may go wrong."""
        return self.log(message, LoggingSeverity.WARN, _depth=2, **filters)

    warn = warning

    def error(self, message: Any, **filters: Any) -> bool:
        """Something went wrong."""
        return self.log(message, LoggingSeverity.ERROR, _depth=2, **filters)

    def fatal(self, message: Any, **filters: Any) -> bool:
        """All went wrong."""
        return self.log(message, LoggingSeverity.FATAL, _depth=2, **filters)


def add_sink(name: str, sink: Callable[..., None]) -> None:
    """Also tell this function what a logger, and those below it, tell."""
    with _lock:
        _sinks[name] = sink


def remove_sink(name: str) -> None:
    """No more."""
    with _lock:
        _sinks.pop(name, None)


def _emit(name: str, severity: LoggingSeverity, message: str, caller: Any) -> None:
    now = time.time_ns()
    form = os.environ.get("RCUTILS_CONSOLE_OUTPUT_FORMAT", _FORMAT)
    words = {"severity": severity.name, "time": f"{now // 10**9}.{now % 10**9:09d}", "name": name}
    for word, value in {**words, "message": message}.items():
        form = form.replace(f"{{{word}}}", value)
    sys.stderr.write(form + "\n")
    sys.stderr.flush()
    above = name
    while above:
        sink = _sinks.get(above)
        if sink is not None:
            sink(now, severity, name, message, caller)
            return
        above = above.rpartition(".")[0]
