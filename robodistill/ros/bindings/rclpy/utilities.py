"""rclpy.utilities: the default context."""

from collections.abc import Sequence

from robodistill.ros.bindings.rclpy.arguments import parse
from robodistill.ros.bindings.rclpy.context import Context

_default: list[Context] = []


def get_default_context(*, shutting_down: bool = False) -> Context:
    """The one that is used where none is named."""
    if not _default:
        _default.append(Context())
    return _default[0]


def ok(*, context: Context | None = None) -> bool:
    """Between init and shutdown."""
    return (context or get_default_context()).ok()


def shutdown(*, context: Context | None = None) -> None:
    """End; raises where it has ended already."""
    (context or get_default_context()).shutdown()


def try_shutdown(*, context: Context | None = None) -> None:
    """End where it has not ended yet."""
    (context or get_default_context()).try_shutdown()


def remove_ros_args(args: Sequence[str] | None = None) -> list[str]:
    """Arguments without those of ROS."""
    import sys

    return parse(sys.argv if args is None else args).rest


def get_rmw_implementation_identifier() -> str:
    """The implementation whose wire this is."""
    return "rmw_cyclonedds_cpp"


def timeout_sec_to_nsec(timeout_sec: float | None) -> int:
    """None and negative ones are forever, -1."""
    return -1 if timeout_sec is None or timeout_sec < 0 else int(timeout_sec * 1e9)
