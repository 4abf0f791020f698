"""A recording as live topics: rosbag2 or MCAP, message by message at the pace of the recording."""

import importlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robodistill.errors import BadInput, BadMetadata, MissingPart
from robodistill.progress import Progress, silent
from robodistill.ros.use import use_ros


@dataclass(frozen=True)
class Replayed:
    """What was sent."""

    messages: dict[str, int]
    """By topic."""
    seconds: float


def replay_bag(
    path: Path,
    *,
    rate: float = 1.0,
    loop: bool = False,
    topics: Sequence[str] = (),
    clock: bool = False,
    delay: float = 1.0,
    remaps: Sequence[str] = (),
    progress: Progress = silent,
) -> Replayed:
    """Send what was recorded until its end, or until ROS is shut down.

    Args:
        rate: Speed relative to the recording.
        topics: Only these.
        clock: Tell the recording's time on /clock too.
        delay: Seconds before the first message, in which subscribers are found.
        remaps: from:=to.

    Raises:
        BadInput: The rate is not positive, or a topic is not in the recording.
        BadMetadata: It cannot be read.
    """
    if not 0 < rate < float("inf"):
        raise BadInput(f"rate {rate:g}: more than 0 is needed")
    bundled = use_ros()
    import rclpy
    from rclpy.executors import SingleThreadedExecutor

    reader = _open(Path(path))
    recorded = {connection.topic for connection in reader.connections}
    unknown = sorted(set(topics) - recorded)
    if unknown:
        raise BadInput(f"{path} has no topic {', '.join(unknown)}; it has {', '.join(sorted(recorded))}")
    if bundled:
        from robodistill.ros.bindings.idl.store import store

        store().add_rosbags(reader.typestore.fielddefs)
    context = rclpy.Context()
    rclpy.init(args=["replay", "--ros-args", *(word for rule in remaps for word in ("-r", rule))], context=context)
    executor = SingleThreadedExecutor(context=context)
    node = rclpy.create_node("replay_bag", context=context)
    executor.add_node(node)
    try:
        chosen = [connection for connection in reader.connections if not topics or connection.topic in topics]
        return _play(node, executor, reader, chosen, rate, loop, clock, delay, progress)
    finally:
        node.destroy_node()
        executor.shutdown(timeout_sec=0)
        rclpy.try_shutdown(context=context)
        reader.close()


def _play(
    node: Any,
    executor: Any,
    reader: Any,
    connections: list,
    rate: float,
    loop: bool,
    clock: bool,
    delay: float,
    progress: Progress,
) -> Replayed:
    import rclpy

    publishers = {c.topic: _publisher(node, c) for c in connections}
    teller = None
    if clock:
        from rosgraph_msgs.msg import Clock

        teller = node.create_publisher(Clock, "/clock", 10)
    context = node.context

    def wait(seconds: float) -> None:
        """Answer what others ask of the node meanwhile."""
        end = time.monotonic() + seconds
        while rclpy.ok(context=context) and (left := end - time.monotonic()) > 0:
            executor.spin_once(timeout_sec=left)

    wait(delay)
    sent = dict.fromkeys(publishers, 0)
    total, begun = max(reader.message_count, 1), time.monotonic()
    again = True
    while again and rclpy.ok(context=context):
        start, first = time.monotonic(), None
        for done, (connection, stamp, data) in enumerate(_messages(reader, connections), 1):
            first = stamp if first is None else first
            wait(start + (stamp - first) / 1e9 / rate - time.monotonic())
            if not rclpy.ok(context=context):
                break
            if teller is not None:
                from builtin_interfaces.msg import Time
                from rosgraph_msgs.msg import Clock

                teller.publish(Clock(clock=Time(sec=stamp // 10**9, nanosec=stamp % 10**9)))
            publishers[connection.topic].publish(bytes(data))
            sent[connection.topic] += 1
            progress("replay", done, total)
        again = loop
    wait(0.2)  # what was written last is on its way
    return Replayed(sent, time.monotonic() - begun)


def _open(path: Path) -> Any:
    try:
        from rosbags.highlevel import AnyReader
        from rosbags.typesys import Stores, get_typestore
    except ImportError:
        raise MissingPart("reading rosbag2 and MCAP needs rosbags: pip install 'robodistill[ros]'") from None
    try:
        reader = AnyReader([path], default_typestore=get_typestore(Stores.ROS2_JAZZY))
        reader.open()
    except Exception as error:  # a damaged file makes the library raise almost anything
        raise BadMetadata(f"{path} cannot be read as a rosbag2 recording: {error!r}") from None
    return reader


def _messages(reader: Any, connections: list) -> Any:
    try:
        yield from reader.messages(connections)
    except (OSError, ValueError, RuntimeError) as error:
        raise BadMetadata(f"the recording cannot be read on: {error!r}") from None


def _publisher(node: Any, connection: Any) -> Any:
    from rclpy.qos import DurabilityPolicy, QoSProfile

    package, _, name = connection.msgtype.split("/")
    try:
        kind = getattr(importlib.import_module(f"{package}.msg"), name)
    except (ImportError, AttributeError):
        raise BadInput(f"{connection.topic} is of type {connection.msgtype}, which is not known here") from None
    offered = getattr(getattr(connection, "ext", None), "offered_qos_profiles", None) or []
    latched = any(getattr(qos.durability, "name", "") == "TRANSIENT_LOCAL" for qos in offered)
    latched |= connection.topic.endswith("tf_static")
    qos = QoSProfile(depth=100)
    if latched:
        qos = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    return node.create_publisher(kind, connection.topic, qos)
