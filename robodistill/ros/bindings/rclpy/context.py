"""What lives from init to shutdown, as rclpy.context."""

import signal
import sys
import threading
from collections.abc import Callable, Sequence

from robodistill.ros.bindings.rclpy.arguments import Arguments, parse
from robodistill.ros.bindings.rclpy.exceptions import NotInitializedException

_FAREWELL = 5.0
"""Seconds that a process waits for its own leaving of the network."""


class Context:
    """Arguments, the participant with its graph, and who wants to know of the end."""

    def __init__(self) -> None:
        self._ok = False
        self._lock = threading.RLock()
        self._participant = self._graph = None
        self._left = threading.Event()
        self._left.set()
        self._callbacks: list[Callable[[], None]] = []
        self.arguments = Arguments()
        self._domain: int | None = None

    def init(
        self, args: Sequence[str] | None = None, *, initialize_logging: bool = True, domain_id: int | None = None
    ) -> None:
        """Read the arguments; the network is joined with the first node.

        Raises:
            RuntimeError: Already done.
            RosArgsError: An argument cannot be understood.
        """
        from robodistill.ros.bindings.dds.settings import domain_id as from_environment
        from robodistill.ros.bindings.rclpy import logging

        with self._lock:
            if self._ok:
                raise RuntimeError("Context.init() must only be called once")
            self.arguments = parse(sys.argv if args is None else args)
            self._domain = from_environment() if domain_id is None else domain_id
            for name, level in self.arguments.log_levels:
                logging.set_logger_level(name or "", logging.get_logging_severity_from_string(level))
            self._ok = True
            self._left.clear()

    def __enter__(self) -> "Context":
        if not self._ok:
            self.init()
        return self

    def __exit__(self, *_: object) -> None:
        self.try_shutdown()

    def ok(self) -> bool:
        """Between init and shutdown."""
        return self._ok

    def get_domain_id(self) -> int:
        """ROS_DOMAIN_ID, or what `init` was told."""
        self._check()
        return self._domain

    @property
    def participant(self) -> object:
        """Of the DDS layer; made when it is first needed."""
        from robodistill.ros.bindings.dds.graph import Graph
        from robodistill.ros.bindings.dds.participant import Participant

        with self._lock:
            self._check()
            if self._participant is None:
                self._participant = Participant(self._domain)
                self._graph = Graph(self._participant)
            return self._participant

    @property
    def graph(self) -> object:
        """What is known of nodes."""
        _ = self.participant
        return self._graph

    def on_shutdown(self, callback: Callable[[], None]) -> None:
        """Called once, at the end."""
        with self._lock:
            self._callbacks.append(callback)

    def shutdown(self) -> None:
        """End.

        Raises:
            RuntimeError: It has ended already.
        """
        if not self.try_shutdown():
            raise RuntimeError("Context must be initialized before it can be shutdown")

    def try_shutdown(self) -> bool:
        """End, if that has not happened yet. Entities live on until `destroy`, so that callbacks can finish."""
        with self._lock:
            mine, self._ok = self._ok, False
            callbacks, self._callbacks = self._callbacks, []
        if not mine:
            # another thread, that of a signal, may be at it: a process that ends before has not said good-bye
            self._left.wait(_FAREWELL)
            return False
        for callback in callbacks:
            callback()
        with self._lock:
            graph, participant, self._graph, self._participant = self._graph, self._participant, None, None
        if participant is not None:
            graph.close()
            participant.close()
        self._left.set()
        return True

    def destroy(self) -> None:
        """End, as the real one frees memory."""
        self.try_shutdown()

    def _check(self) -> None:
        if not self._ok:
            raise NotInitializedException()


def install_signal_handlers(context: Context) -> Callable[[], None]:
    """SIGTERM ends the context; SIGINT stays Python's, which raises KeyboardInterrupt. Returns what undoes it."""
    if threading.current_thread() is not threading.main_thread():
        return lambda: None
    before = signal.getsignal(signal.SIGTERM)
    if before not in (signal.SIG_DFL, None):
        return lambda: None

    def stop(*_: object) -> None:
        # what holds locks may be interrupted anywhere: end from another thread
        threading.Thread(target=context.try_shutdown, name="shutdown", daemon=True).start()

    signal.signal(signal.SIGTERM, stop)

    def undo() -> None:
        if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is stop:
            signal.signal(signal.SIGTERM, before)

    return undo
