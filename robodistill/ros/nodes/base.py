"""What all nodes share: parameters from settings, a worker for heavy work, errors as answers, diagnostics, the end."""

import concurrent.futures
import dataclasses
import logging
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import ExternalShutdownException, MultiThreadedExecutor
from rclpy.node import Node
from rclpy.task import Future

from robodistill.errors import RobodistillError
from robodistill.ros.settings import descriptions

Settings = TypeVar("Settings")


class Cancelled(RobodistillError):
    """Somebody asked to stop."""


class BaseNode(Node):
    """A node whose callbacks convert, hand work to the worker, and convert back."""

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, **options)
        self.group = ReentrantCallbackGroup()
        self.counts: Counter[str] = Counter()
        """What happened, for the diagnostics."""
        self._gone = False
        self.trouble = ""
        """The last problem that someone should know of; empty when all is well."""
        self._worker = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix=f"{name}_work")
        self._done = self.create_guard_condition(lambda: None, self.group)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.create_timer(1.0, self._diagnose, self.group)
        self._forward_log()

    def settings(self, kind: type[Settings]) -> Settings:
        """Declare a parameter for each field, and read them."""
        told = descriptions(kind)
        values = {}
        for field in dataclasses.fields(kind):
            descriptor = ParameterDescriptor(description=told.get(field.name, ""))
            values[field.name] = self.declare_parameter(field.name, field.default, descriptor).value
        return kind(**values)

    def current(self, kind: type[Settings]) -> Settings:
        """As they are now."""
        return kind(**{field.name: self.get_parameter(field.name).value for field in dataclasses.fields(kind)})

    def work(self, job: Callable[..., Any], *args: Any, **kwargs: Any) -> Future:
        """Run in the worker, one job after the other; await the answer."""
        future = Future()

        def run() -> None:
            try:
                result = job(*args, **kwargs)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)
            if rclpy.ok(context=self.context):
                self._done.trigger()  # an executor that sleeps does not look at futures

        self._worker.submit(run)
        return future

    def in_background(self, job: Callable[..., Any], *args: Any) -> None:
        """Run in the worker without anybody waiting; problems are told."""

        def run() -> None:
            try:
                job(*args)
            except RobodistillError as error:
                self.complain(str(error))
            except Exception as error:
                if not self._gone:  # else the node went under it
                    self.get_logger().error(f"a defect: {''.join(traceback.format_exception(error))}")

        self._worker.submit(run)

    async def answer(self, response: Any, job: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """The job's result; where it fails None, with the reason in the response and the log."""
        try:
            result = await self.work(job, *args, **kwargs)
        except RobodistillError as error:
            self.complain(str(error))
            response.success, response.message = False, str(error)
            return None
        except Exception as error:
            self.get_logger().error(f"a defect: {''.join(traceback.format_exception(error))}")
            response.success, response.message = False, f"a defect, see the log: {type(error).__name__}: {error}"
            return None
        self.trouble = ""
        response.success = True
        return result

    async def carry_out(self, goal: Any, result: Any, feedback: type, job: Callable[..., Any]) -> Any:
        """A goal of an action by `job(request, progress)`: feedback, cancelling, how it ended; the job's result."""
        told = [0.0]

        def progress(stage: str, done: int, total: int, note: str = "") -> None:
            if goal.is_cancel_requested:
                raise Cancelled(f"cancelled at {stage} {done} of {total}")
            if time.monotonic() - told[0] > 0.2 or done == total:
                told[0] = time.monotonic()
                goal.publish_feedback(feedback(stage=stage, done=int(done), total=int(total), note=note))

        found = await self.answer(result, job, goal.request, progress)
        if found is not None:
            goal.succeed()
        elif goal.is_cancel_requested:
            goal.canceled()
        else:
            goal.abort()
        return found

    def complain(self, message: str, kind: str = "refused") -> None:
        """Count and tell a problem; the same place is not told more than once a second."""
        self.counts[kind] += 1
        self.trouble = message
        now = time.monotonic()
        if now - getattr(self, "_complained", 0.0) > 1.0 or kind == "refused":
            self._complained = now
            self.get_logger().warning(message)

    def status(self) -> dict[str, Any]:
        """Further values for the diagnostics."""
        return {}

    def _diagnose(self) -> None:
        values = {**self.counts, **self.status()}
        state = DiagnosticStatus(
            level=DiagnosticStatus.WARN if self.trouble else DiagnosticStatus.OK,
            name=f"robodistill: {self.get_fully_qualified_name()}",
            message=self.trouble or "ok",
            hardware_id="",
            values=[KeyValue(key=str(key), value=str(value)) for key, value in values.items()],
        )
        made = DiagnosticArray(status=[state])
        made.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(made)

    def _forward_log(self) -> None:
        """What the library logs goes where the node's own words go."""
        node = self

        class Handler(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                tell = node.get_logger().error if record.levelno >= logging.ERROR else node.get_logger().warning
                if rclpy.ok(context=node.context):
                    tell(record.getMessage())

        self._handler = Handler(logging.WARNING)
        logging.getLogger("robodistill").addHandler(self._handler)

    def destroy_node(self) -> None:
        """The worker ends after its job; what waits in line is dropped."""
        self._gone = True
        logging.getLogger("robodistill").removeHandler(self._handler)
        self._worker.shutdown(wait=False, cancel_futures=True)
        super().destroy_node()


def run_node(make: Callable[[], Node], args: list[str] | None = None) -> int:
    """`main` of a node: spin until SIGINT or SIGTERM, then leave the network. Returns the exit code."""
    rclpy.init(args=args)
    node = None
    executor = MultiThreadedExecutor(4)
    try:
        node = make()
        executor.add_node(node)
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except RobodistillError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    finally:
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
        executor.shutdown(timeout_sec=0)
        _leave(threading.main_thread())
    return 0


def _leave(main: threading.Thread) -> None:
    """Do not wait at exit for a job that runs for minutes more: worker threads are let go."""
    from concurrent.futures import thread

    if threading.current_thread() is main:
        thread._threads_queues.clear()
