"""Futures and tasks, as rclpy.task: coroutines that the executor drives."""

import inspect
import threading
from collections.abc import Callable, Generator
from typing import Any


class Future:
    """A value that is not there yet. Thread-safe."""

    def __init__(self, *, executor: Any = None) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._result: Any = None
        self._exception: BaseException | None = None
        self._cancelled = False
        self._callbacks: list[Callable[[Future], None]] = []
        self._executor = executor

    def __await__(self) -> Generator["Future", None, Any]:
        while not self._event.is_set():
            yield self
        return self.result()

    def done(self) -> bool:
        """Whether there is a result, an exception or a cancellation."""
        return self._event.is_set()

    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self._cancelled

    def cancel(self) -> None:
        """Give up."""
        with self._lock:
            if self._event.is_set():
                return
            self._cancelled = True
        self._finish()

    def result(self) -> Any:
        """The value, None while there is none; raises the exception where there is one."""
        if self._exception is not None:
            raise self._exception
        return self._result

    def exception(self) -> BaseException | None:
        """The exception, where there is one."""
        return self._exception

    def set_result(self, result: Any) -> None:
        """Done."""
        self._result = result
        self._finish()

    def set_exception(self, exception: BaseException) -> None:
        """Failed."""
        self._exception = exception
        self._finish()

    def add_done_callback(self, callback: Callable[["Future"], None]) -> None:
        """Called when it is done, at once where it is already."""
        with self._lock:
            if not self._event.is_set():
                self._callbacks.append(callback)
                return
        callback(self)

    def _finish(self) -> None:
        with self._lock:
            self._event.set()
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(self)

    def wait(self, seconds: float | None) -> bool:
        """Block until it is done."""
        return self._event.wait(seconds)


class Task(Future):
    """A function or coroutine that an executor runs; its result is that of the future."""

    def __init__(self, handler: Any, args: tuple = (), kwargs: dict | None = None, executor: Any = None) -> None:
        super().__init__(executor=executor)
        self._handler, self._args, self._kwargs = handler, args, kwargs or {}
        self._coroutine = handler if inspect.iscoroutine(handler) else None

    def __call__(self) -> None:
        """Run until it ends or waits for a future, after which the executor calls again."""
        if self.done():
            return
        try:
            if self._coroutine is None:
                result = self._handler(*self._args, **self._kwargs)
                if not inspect.iscoroutine(result):
                    self.set_result(result)
                    return
                self._coroutine = result
            awaited = self._coroutine.send(None)
        except StopIteration as stop:
            self.set_result(stop.value)
        except Exception as error:
            self.set_exception(error)
        else:
            again = self._executor._resume
            if isinstance(awaited, Future):
                awaited.add_done_callback(lambda _: again(self))
            else:  # `yield` of nothing: next turn
                again(self)
