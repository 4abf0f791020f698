"""Executors, as rclpy.executors: who runs callbacks, and when."""

import collections
import concurrent.futures
import inspect
import threading
import time
from collections.abc import Callable
from typing import Any

from robodistill.ros.bindings.rclpy.exceptions import NotInitializedException
from robodistill.ros.bindings.rclpy.task import Future, Task
from robodistill.ros.bindings.rclpy.utilities import get_default_context

_SLICE = 0.2
"""Longest wait in one go, seconds: between two, Python runs its signal handlers."""


class ShutdownException(Exception):
    """The executor was shut down."""


class ExternalShutdownException(Exception):
    """The context ended while it was spun."""

    def __init__(self) -> None:
        super().__init__("Context is shut down")


class TimeoutException(Exception):
    """Nothing became ready."""


class Executor:
    """Runs what is ready, one after the other, in the thread that spins."""

    def __init__(self, *, context: Any = None) -> None:
        self._context = context or get_default_context()
        self._nodes: dict[Any, None] = {}
        self._tasks: collections.deque[Task] = collections.deque()
        self._waitset: Any = None
        self._watched: dict[Any, int] = {}
        """Entity -> its condition."""
        self._held: set[Any] = set()
        """Entities that may not run now, and are not waited for."""
        self._changed = True
        self._lock = threading.RLock()
        self._shut = False
        self._context.on_shutdown(self.wake)

    @property
    def context(self) -> Any:
        """Its context."""
        return self._context

    def add_node(self, node: Any) -> bool:
        """Serve a node; False where it is served already."""
        with self._lock:
            if node in self._nodes:
                return False
            self._nodes[node] = None
            node.executor = self
            self._changed = True
        self.wake()
        return True

    def remove_node(self, node: Any) -> None:
        """Serve it no more."""
        with self._lock:
            if self._nodes.pop(node, node) is None:
                node._executor = None
            self._changed = True
        self.wake()

    def get_nodes(self) -> list[Any]:
        """Those that are served."""
        return list(self._nodes)

    def create_task(self, callback: Any, *args: Any, **kwargs: Any) -> Task:
        """Run a function or coroutine when there is time."""
        task = Task(callback, args, kwargs, executor=self)
        self._resume(task)
        return task

    def _resume(self, task: Task) -> None:
        self._tasks.append(task)
        self.wake()

    def wake(self) -> None:
        """Look again."""
        if self._waitset is not None and self._context.ok():
            self._waitset.wake()

    def entities_changed(self) -> None:
        """A node has new entities, or fewer."""
        self._changed = True
        self.wake()

    def shutdown(self, timeout_sec: float | None = None) -> bool:
        """Stop."""
        self._shut = True
        self.wake()
        for node in self.get_nodes():
            self.remove_node(node)
        return True

    def spin(self) -> None:
        """Until shutdown.

        Raises:
            ExternalShutdownException: The context ended.
        """
        while self._context.ok() and not self._shut:
            self.spin_once()
        if not self._shut:
            raise ExternalShutdownException()

    def spin_until_future_complete(self, future: Future, timeout_sec: float | None = None) -> None:
        """Until it is done, or for a time."""
        future.add_done_callback(lambda _: self.wake())
        end = None if timeout_sec is None or timeout_sec < 0 else time.monotonic() + timeout_sec
        while self._context.ok() and not future.done() and not self._shut:
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                return
            self._spin_once(left, future.done)

    def spin_once(self, timeout_sec: float | None = None) -> None:
        """Run one thing, waiting for it."""
        if not self._context.ok():
            raise ExternalShutdownException()
        self._spin_once(timeout_sec, lambda: False)

    def _spin_once(self, timeout_sec: float | None, enough: Callable[[], bool]) -> None:
        from robodistill.ros.bindings.dds.library import DdsError

        try:
            ready = self._next(timeout_sec, enough)
        except (DdsError, NotInitializedException):
            if self._context.ok():
                raise
            return  # the participant went with its context, which a signal may end between any two steps
        if ready is not None:
            self._execute(*ready)

    def _execute(self, work: Callable[[], Any], entity: Any) -> None:
        self._run(work, entity)

    def _run(self, work: Callable[[], Any], entity: Any) -> None:
        """In the thread that is to run it; exceptions of callbacks go to whoever spins."""
        task = work if isinstance(work, Task) else None
        try:
            result = work()
            if task is None and inspect.iscoroutine(result):
                task = Task(result, executor=self)
                task()
        except Exception:
            # what was under way when its node or its context went may fail
            if self._context.ok() and (entity is None or entity._alive):
                raise
        finally:
            if entity is not None:
                entity.callback_group.ending_execution(entity)
                with self._lock:
                    if self._held:
                        self._held.clear()
                        self._changed = True
                        self.wake()
        if task is not None and task.done() and task.exception() is not None:
            raise task.exception()

    def _next(self, timeout_sec: float | None, enough: Callable[[], bool]) -> tuple[Callable, Any] | None:
        """(what to run, of which entity), whose group has been entered; None after the time, or when it is enough."""
        end = None if timeout_sec is None or timeout_sec < 0 else time.monotonic() + timeout_sec
        first = True
        while self._context.ok() and not self._shut and not enough():
            if self._tasks:
                return self._tasks.popleft(), None
            until_timer, ready = self._timers()
            if ready is not None:
                return ready
            self._watch()
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0 and not first:
                return None
            waits = [_SLICE, *(w for w in (left, until_timer) if w is not None)]
            for entity in self._waitset.wait(max(0.0, min(waits))):
                ready = self._begin(entity)
                if ready is not None:
                    return ready
            first = False
        return None

    def _begin(self, entity: Any) -> tuple[Callable, Any] | None:
        group = entity.callback_group
        if not group.beginning_execution(entity):
            with self._lock:
                self._held.add(entity)
                self._changed = True
            return None
        work = None
        try:
            work = entity.take() if entity._alive else None
        finally:
            if work is None:
                group.ending_execution(entity)
        return None if work is None else (work, entity)

    def _timers(self) -> tuple[float | None, tuple[Callable, Any] | None]:
        """Seconds until the next, and one that is ready."""
        soonest = None
        for node in list(self._nodes):
            for timer in list(node.timers):
                left = timer.time_until_next_call()
                if left is None:
                    continue
                if timer.is_ready():
                    if timer.callback_group.can_execute(timer):
                        ready = self._begin(timer)
                        if ready is not None:
                            return None, ready
                    continue  # its group's end wakes us
                seconds = left / 1e9 if timer.clock.follows_wall else _SLICE
                soonest = seconds if soonest is None else min(soonest, seconds)
        return soonest, None

    def _watch(self) -> None:
        """Wait for what the nodes have now."""
        from robodistill.ros.bindings.dds.library import Waitset

        if not self._changed:
            return
        with self._lock:
            self._changed = False
            if self._waitset is None:
                self._waitset = Waitset(self._context.participant.entity)
            wanted = {
                entity: entity.condition
                for node in list(self._nodes)
                for entity in node._waited()
                if entity not in self._held and entity._alive
            }
            for entity in [entity for entity in self._watched if entity not in wanted]:
                self._waitset.remove(self._watched.pop(entity))
            for entity, condition in wanted.items():
                if entity not in self._watched:
                    self._waitset.add(condition, entity)
                    self._watched[entity] = condition


class SingleThreadedExecutor(Executor):
    """All in the thread that spins."""


class MultiThreadedExecutor(Executor):
    """Callbacks run in a pool; mutually exclusive groups keep theirs apart."""

    def __init__(self, num_threads: int | None = None, *, context: Any = None) -> None:
        super().__init__(context=context)
        self._pool = concurrent.futures.ThreadPoolExecutor(num_threads or 4, thread_name_prefix="executor")
        self._running: set[concurrent.futures.Future] = set()

    def _execute(self, work: Callable[[], Any], entity: Any) -> None:
        running = self._pool.submit(self._run, work, entity)
        self._running.add(running)
        for done in [future for future in self._running if future.done()]:
            self._running.discard(done)
            if done.exception() is not None:
                raise done.exception()

    def shutdown(self, timeout_sec: float | None = None) -> bool:
        """Stop; what runs ends first."""
        done = super().shutdown(timeout_sec)
        self._pool.shutdown(wait=timeout_sec is None or timeout_sec > 0)
        return done
