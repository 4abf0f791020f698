"""rclpy: what a node and its main function need of it."""

from collections.abc import Sequence
from typing import Any

from robodistill.ros.bindings.rclpy.context import Context, install_signal_handlers
from robodistill.ros.bindings.rclpy.executors import Executor, SingleThreadedExecutor
from robodistill.ros.bindings.rclpy.node import Node
from robodistill.ros.bindings.rclpy.parameter import Parameter
from robodistill.ros.bindings.rclpy.signals import SignalHandlerOptions
from robodistill.ros.bindings.rclpy.task import Future
from robodistill.ros.bindings.rclpy.utilities import get_default_context, get_rmw_implementation_identifier, ok
from robodistill.ros.bindings.rclpy.utilities import remove_ros_args as _remove

__all__ = ["Context", "Executor", "Future", "Node", "Parameter", "SignalHandlerOptions", "get_default_context"]
__all__ += ["get_rmw_implementation_identifier", "ok"]

_state: dict[str, Any] = {}


def init(
    *,
    args: Sequence[str] | None = None,
    context: Context | None = None,
    domain_id: int | None = None,
    signal_handler_options: SignalHandlerOptions | None = None,
) -> "InitContextManager":
    """Begin."""
    chosen = context or get_default_context()
    chosen.init(args, domain_id=domain_id)
    wanted = signal_handler_options
    if wanted is None:
        wanted = SignalHandlerOptions.ALL if context is None else SignalHandlerOptions.NO
    if wanted in (SignalHandlerOptions.ALL, SignalHandlerOptions.SIGTERM):
        chosen.on_shutdown(install_signal_handlers(chosen))
    return InitContextManager(chosen)


class InitContextManager:
    """`with rclpy.init():`"""

    def __init__(self, context: Context) -> None:
        self.context = context

    def __enter__(self) -> "InitContextManager":
        return self

    def __exit__(self, *_: object) -> None:
        self.context.try_shutdown()


def get_global_executor() -> Executor:
    """The one that `spin` uses where none is named; a new one after each shutdown."""
    context = get_default_context()
    executor = _state.get("executor")
    if executor is None or executor._shut:
        executor = _state["executor"] = SingleThreadedExecutor(context=context)
        context.on_shutdown(lambda: _state.pop("executor", None))
    return executor


def shutdown(*, context: Context | None = None, uninstall_handlers: bool | None = None) -> None:
    """End; raises where it has ended already."""
    (context or get_default_context()).shutdown()


def try_shutdown(*, context: Context | None = None, uninstall_handlers: bool | None = None) -> None:
    """End where it has not ended yet."""
    (context or get_default_context()).try_shutdown()


def create_node(node_name: str, **options: Any) -> Node:
    """A node without a class of its own."""
    return Node(node_name, **options)


def spin(node: Node, executor: Executor | None = None) -> None:
    """Serve a node until shutdown."""
    chosen = executor or get_global_executor()
    try:
        chosen.add_node(node)
        while chosen.context.ok() and not chosen._shut:
            chosen.spin_once()
    finally:
        chosen.remove_node(node)


def spin_once(node: Node, *, executor: Executor | None = None, timeout_sec: float | None = None) -> None:
    """Run one thing."""
    chosen = executor or get_global_executor()
    added = chosen.add_node(node)
    try:
        chosen.spin_once(timeout_sec)
    finally:
        if added and executor is not None:  # the global one keeps it, which spares building its wait set anew
            chosen.remove_node(node)


def spin_until_future_complete(
    node: Node, future: Future, executor: Executor | None = None, timeout_sec: float | None = None
) -> None:
    """Until it is done, or for a time."""
    chosen = executor or get_global_executor()
    chosen.add_node(node)
    chosen.spin_until_future_complete(future, timeout_sec)


def remove_ros_args(args: Sequence[str] | None = None) -> list[str]:
    """Arguments without those of ROS."""
    return _remove(args)
