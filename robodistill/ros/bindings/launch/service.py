"""Carrying out a description: processes, their output, their ends, and that of all."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from robodistill.ros.bindings.launch.context import LaunchContext
from robodistill.ros.bindings.launch.description import LaunchDescription
from robodistill.ros.bindings.launch.events import ProcessExited, ProcessStarted, Shutdown


class LaunchService:
    """Starts what descriptions say, and waits for its end. SIGINT reaches every process; then SIGTERM, then SIGKILL."""

    def __init__(self, *, argv: list[str] | None = None, out: TextIO | None = None, **_: Any) -> None:
        self.context = LaunchContext(argv=argv)
        self.context.service = self
        self._out = out or sys.stdout
        self._descriptions: list[LaunchDescription] = []
        self._running: dict[subprocess.Popen, tuple[Any, str, Callable[[], None] | None]] = {}
        self._timers: list[tuple[float, Callable[[], None]]] = []
        self._stopping = False
        self._stop_asked = threading.Event()
        self._started = 0
        self._code = 0
        self.temporary: list[Path] = []
        """Files of parameters, gone after the end."""
        self._lock = threading.Lock()

    def include_launch_description(self, description: LaunchDescription) -> None:
        """One more to carry out."""
        self._descriptions.append(description)

    def shutdown(self) -> None:
        """End all."""
        self._stop_asked.set()

    def run(self) -> int:
        """Until every process has ended; 0, or 1 where one failed."""
        before = signal.getsignal(signal.SIGTERM)
        in_main = threading.current_thread() is threading.main_thread()
        if in_main:
            signal.signal(signal.SIGTERM, lambda *_: self._stop_asked.set())
        try:
            for description in self._descriptions:
                description.visit(self.context)
            self._loop()
        except KeyboardInterrupt:
            self._end("SIGINT")
        except Exception:
            self._end("an error")
            raise
        finally:
            if in_main:
                signal.signal(signal.SIGTERM, before)
            for path in self.temporary:
                path.unlink(missing_ok=True)
        return self._code

    def _loop(self) -> None:
        while self._running or self._timers:
            if self._stop_asked.wait(0.02):
                self._end("asked to")
                return
            now = time.monotonic()
            for entry in [entry for entry in self._timers if entry[0] <= now]:
                self._timers.remove(entry)
                entry[1]()
            self._reap()

    def _reap(self) -> None:
        for process in [process for process in self._running if process.poll() is not None]:
            action, label, again = self._running.pop(process)
            code = process.returncode
            if code and not self._stopping:
                self._code = 1
                self.tell(f"[{label}] process has died [pid {process.pid}, exit code {code}]", error=True)
            else:
                self.tell(f"[{label}] process has finished cleanly [pid {process.pid}]")
            if self._stopping:
                continue
            self.happen(ProcessExited(action, process.pid, code))
            on_exit = action.on_exit
            then = on_exit(ProcessExited(action, process.pid, code), self.context) if _is_function(on_exit) else on_exit
            for entity in then if isinstance(then, list | tuple) else [then] if then is not None else []:
                entity.visit(self.context)
            if again is not None and not self._stopping and not self._stop_asked.is_set():
                self.later(action.respawn_delay or 0.0, again)

    def start(
        self, action: Any, words: list[str], label: str, env: dict, cwd: str | None, respawn: bool, context: Any
    ) -> None:
        """Start a process in a group of its own."""
        self._started += 1
        label = f"{label}-{self._started}"

        def begin() -> None:
            try:
                process = subprocess.Popen(
                    " ".join(words) if action.shell else words,
                    shell=action.shell,
                    env=env,
                    cwd=cwd,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    errors="replace",
                    start_new_session=True,
                )
            except OSError as error:
                raise RuntimeError(f"{words[0]} cannot be started: {error}") from None
            action.process = process
            self._running[process] = (action, label, begin if respawn else None)
            self.tell(f"[{label}]: process started with pid [{process.pid}]")
            threading.Thread(target=self._show, args=(process, label), daemon=True).start()
            self.happen(ProcessStarted(action, process.pid))

        begin()

    def _show(self, process: subprocess.Popen, label: str) -> None:
        for line in process.stdout:
            self._write(f"[{label}] {line.rstrip()}")

    def tell(self, message: str, error: bool = False) -> None:
        """A line of launch's own."""
        self._write(f"[{'ERROR' if error else 'INFO'}] {message}")

    def _write(self, line: str) -> None:
        with self._lock:
            self._out.write(line + "\n")
            self._out.flush()

    def later(self, seconds: float, job: Callable[[], None]) -> None:
        """Do something when some time has passed."""
        self._timers.append((time.monotonic() + seconds, job))

    def happen(self, event: Any) -> None:
        """Tell all handlers."""
        for handler in list(self.context.handlers):
            handler.handle(event, self.context)
        if isinstance(event, Shutdown):
            self._stop_asked.set()

    def _end(self, why: str) -> None:
        if self._stopping:
            return
        self._stopping = True
        self._timers.clear()
        self.tell(f"ending all processes: {why}")
        for handler in list(self.context.handlers):
            handler.handle(Shutdown(why), self.context)
        for sent, seconds in ((signal.SIGINT, 5.0), (signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
            for process in self._running:
                _signal(process, sent)
            end = time.monotonic() + seconds
            while self._running and time.monotonic() < end:
                try:
                    self._reap()
                    time.sleep(0.02)
                except KeyboardInterrupt:  # the user is impatient
                    break
            if not self._running:
                return


def _is_function(value: Any) -> bool:
    return callable(value) and not hasattr(value, "visit")


def _signal(process: subprocess.Popen, sent: int) -> None:
    try:
        os.killpg(process.pid, sent)
    except (ProcessLookupError, PermissionError):
        return


def launch_file(path: Path, arguments: dict[str, str], out: TextIO | None = None) -> int:
    """Carry out a launch file; returns the exit code."""
    from robodistill.ros.bindings.launch.launch_description_sources import load_description

    service = LaunchService(out=out)
    service.context.launch_configurations |= arguments
    service.context.locals["file"] = path
    service.include_launch_description(load_description(path))
    return service.run()
