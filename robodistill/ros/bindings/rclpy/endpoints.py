"""Publishers, subscriptions, services and clients: messages on one side, the wire on the other."""

import abc
import collections
import inspect
import itertools
import struct
import threading
import time
from collections.abc import Callable
from typing import Any

from robodistill.ros.bindings.idl.cdr import BadMessage
from robodistill.ros.bindings.idl.classes import codec
from robodistill.ros.bindings.rclpy.exceptions import InvalidHandle, NotInitializedException
from robodistill.ros.bindings.rclpy.task import Future

_HEADER = struct.Struct("<Qq")
"""Of every request and reply of rmw_cyclonedds: who asked, and the how manieth question."""
_REPLY_WAIT = 0.1
"""Seconds that a server waits until a client's reader of replies is known, as rmw_cyclonedds does."""


class Entity(abc.ABC):
    """What a node has made."""

    callback_group: Any = None
    condition: int | None = None
    """Of the DDS layer, true while there is something to take; None where nothing comes in."""

    def __init__(self, node: Any, callback_group: Any) -> None:
        self.node, self.callback_group, self._alive = node, callback_group, True
        if callback_group is not None:
            callback_group.add_entity(self)

    def take(self) -> Callable[[], Any] | None:
        """What is to be run for what has come; None where nothing has, as for what only sends."""
        return None

    @abc.abstractmethod
    def _endpoints(self) -> tuple[tuple, tuple]:
        """Readers and writers."""

    def destroy(self) -> None:
        """Take it off the network."""
        if not self._alive:
            return
        self._alive = False
        self.node._forget(self)
        readers, writers = self._endpoints()
        self.node._tell_graph(readers, writers, gone=True)
        for end in (*readers, *writers):
            end.close()

    def _check(self) -> None:
        if not self._alive:
            raise InvalidHandle(f"{type(self).__name__} was destroyed")
        if not self.node.context.ok():
            raise NotInitializedException()

    def __enter__(self) -> "Entity":
        return self

    def __exit__(self, *_: object) -> None:
        self.destroy()


class Publisher(Entity):
    """Sends messages of one type."""

    def __init__(self, node: Any, msg_type: type, topic: str, qos: Any, callback_group: Any) -> None:
        super().__init__(node, callback_group)
        self.msg_type, self.topic, self.topic_name, self.qos_profile = msg_type, topic, topic, qos
        self._codec = codec(msg_type._name)
        prefix = "" if qos.avoid_ros_namespace_conventions else "rt"
        self._writer = node.context.participant.writer(prefix + topic, msg_type._name, qos)

    def publish(self, msg: Any) -> None:
        """Send a message, or bytes that are one already.

        Raises:
            TypeError: Of another type.
            BadMessage: A value does not fit.
        """
        self._check()
        if isinstance(msg, bytes):
            self._writer.write(msg)
            return
        if not isinstance(msg, self.msg_type):
            raise TypeError(f"Expected {self.msg_type._name}, got {type(msg).__name__}")
        self._writer.write(self._codec.encode(msg))

    def get_subscription_count(self) -> int:
        """Matched readers."""
        self._check()
        return len(self._writer.matched())

    def assert_liveliness(self) -> None:
        """Nothing: the network does it."""

    def wait_for_all_acked(self, timeout: Any = None) -> bool:
        """Until reliable readers have all."""
        nanoseconds = 2**63 - 1 if timeout is None else timeout.nanoseconds
        return bool(self._writer.entity._wait_for_acks(self._writer.entity._ref, nanoseconds) == 0)

    def _endpoints(self) -> tuple[tuple, tuple]:
        return (), (self._writer,)


class Subscription(Entity):
    """Receives messages of one type."""

    def __init__(
        self, node: Any, msg_type: type, topic: str, callback: Callable, qos: Any, callback_group: Any, raw: bool
    ) -> None:
        super().__init__(node, callback_group)
        self.msg_type, self.topic, self.topic_name, self.qos_profile = msg_type, topic, topic, qos
        self.callback, self.raw = callback, raw
        self._codec = codec(msg_type._name)
        self._with_info = _count_arguments(callback) == 2
        prefix = "" if qos.avoid_ros_namespace_conventions else "rt"
        self._reader = node.context.participant.reader(prefix + topic, msg_type._name, qos)
        self.condition = self._reader.condition

    def take(self) -> Callable[[], Any] | None:
        """The callback with the oldest message."""
        for data, info in self._reader.take():
            try:
                message = data if self.raw else self._codec.decode(data)
            except BadMessage as error:
                self.node.get_logger().error(f"{self.topic}: a message cannot be read: {error}")
                return None
            if self._with_info:
                told = {"source_timestamp": info.source_timestamp, "received_timestamp": time.time_ns()}
                return lambda: self.callback(message, told)
            return lambda: self.callback(message)
        return None

    def get_publisher_count(self) -> int:
        """Matched writers."""
        self._check()
        return len(self._reader.matched())

    def _endpoints(self) -> tuple[tuple, tuple]:
        return (self._reader,), ()


def _count_arguments(callback: Callable) -> int:
    try:
        parameters = inspect.signature(callback).parameters.values()
    except (TypeError, ValueError):
        return 1
    needed = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.default is p.empty]
    return len(needed)


def _ids(role: str, gid: bytes) -> str:
    return f"{role}={'.'.join(f'{byte:x}' for byte in gid)};"


_counter = itertools.count(1)


def _new_id(participant: Any) -> bytes:
    """16 bytes that nobody else has: as the real one, the participant's and a number."""
    return participant.gid[:12] + struct.pack(">I", 0x10000 + next(_counter))


class _Pair(Entity):
    """A reader and a writer that belong together."""

    def __init__(self, node: Any, srv_type: type, name: str, qos: Any, callback_group: Any, server: bool) -> None:
        super().__init__(node, callback_group)
        self.srv_type, self.srv_name, self.service_name, self.qos_profile = srv_type, name, name, qos
        participant = node.context.participant
        self._id = _ids("serviceid" if server else "clientid", _new_id(participant))
        request, reply = f"rq{name}Request", f"rr{name}Reply"
        ask, answer = (f"{srv_type._name}_{side}" for side in ("Request", "Response"))
        self._ask, self._answer = codec(ask), codec(answer)
        if server:
            self._reader = participant.reader(request, ask, qos, self._id)
            self._writer = participant.writer(reply, answer, qos, self._id)
        else:
            self._reader = participant.reader(reply, answer, qos, self._id)
            self._writer = participant.writer(request, ask, qos, self._id)
        self.condition = self._reader.condition

    def _endpoints(self) -> tuple[tuple, tuple]:
        return (self._reader,), (self._writer,)


def _entry(endpoint: Any, key: str) -> str | None:
    from robodistill.ros.bindings.dds.graph import user_data_of

    return None if endpoint is None else user_data_of(endpoint.qos).get(key)


class Service(_Pair):
    """Answers requests. The callback may be a coroutine; then the answer goes when it has ended."""

    def __init__(self, node: Any, srv_type: type, name: str, callback: Callable, qos: Any, callback_group: Any):
        super().__init__(node, srv_type, name, qos, callback_group, server=True)
        self.callback = callback
        self._known: dict[int, float] = {}
        """Handles of requesting writers whose reader of replies is known."""

    def take(self) -> Callable[[], Any] | None:
        """The callback with the oldest request."""
        for data, info in self._reader.take():
            if len(data) < 4 + _HEADER.size:
                return None
            header = data[4 : 4 + _HEADER.size]
            try:
                request = self._ask.decode(data, skip=_HEADER.size)
            except BadMessage as error:
                self.node.get_logger().error(f"{self.service_name}: a request cannot be read: {error}")
                return None
            return lambda: self._run(request, header, info.publication_handle)
        return None

    def _run(self, request: Any, header: bytes, handle: int) -> Any:
        answer = self.callback(request, self.srv_type.Response())
        if inspect.iscoroutine(answer):

            async def later() -> None:
                self._send(await answer, header, handle)

            return later()
        self._send(answer, header, handle)
        return None

    def _send(self, response: Any, header: bytes, handle: int) -> None:
        if not self._alive or not self.node.context.ok():
            return
        if not isinstance(response, self.srv_type.Response):
            raise TypeError(f"{self.service_name}: the callback returned {type(response).__name__}, not a Response")
        self._wait_for_reader(handle)
        self._writer.write(self._answer.encode(response, header))

    def _wait_for_reader(self, handle: int) -> None:
        """Discovery of a client's writer may be ahead of that of its reader: a reply would be lost."""
        if handle in self._known:
            return
        client = _entry(self._reader.matched_data(handle), "clientid")
        end = time.monotonic() + _REPLY_WAIT
        while client is not None and time.monotonic() < end:
            readers = (self._writer.matched_data(reader) for reader in self._writer.matched())
            if any(_entry(reader, "clientid") == client for reader in readers):
                self._known[handle] = time.monotonic()
                return
            time.sleep(0.002)


class Client(_Pair):
    """Asks a service."""

    def __init__(self, node: Any, srv_type: type, name: str, qos: Any, callback_group: Any) -> None:
        super().__init__(node, srv_type, name, qos, callback_group, server=False)
        self._numbers = itertools.count(1)
        self._waiting: dict[int, Future] = collections.OrderedDict()
        self._lock = threading.Lock()
        self._guid = self._writer.handle & (2**64 - 1)

    def call_async(self, request: Any) -> Future:
        """The answer comes as the future's result.

        Raises:
            TypeError: The request is of another type.
        """
        self._check()
        if not isinstance(request, self.srv_type.Request):
            raise TypeError(f"Expected {self.srv_type._name} request, got {type(request).__name__}")
        number, future = next(self._numbers), Future(executor=self.node.executor)
        with self._lock:
            self._waiting[number] = future
        future.add_done_callback(lambda _: self._waiting.pop(number, None))
        self._writer.write(self._ask.encode(request, _HEADER.pack(self._guid, number)))
        return future

    def call(self, request: Any, timeout_sec: float | None = None) -> Any:
        """Ask and wait; another thread must spin the node. None after `timeout_sec`."""
        future = self.call_async(request)
        end = None if timeout_sec is None else time.monotonic() + timeout_sec
        while not future.wait(0.1 if end is None else max(0, min(0.1, end - time.monotonic()))):
            if not self.node.context.ok() or (end is not None and time.monotonic() >= end):
                future.cancel()
                return None
        return future.result()

    def remove_pending_request(self, future: Future) -> None:
        """Expect its answer no more."""
        with self._lock:
            for number, waiting in list(self._waiting.items()):
                if waiting is future:
                    del self._waiting[number]

    def take(self) -> Callable[[], Any] | None:
        """Give an answer to whom it belongs."""
        for data, _ in self._reader.take():
            if len(data) < 4 + _HEADER.size:
                return None
            guid, number = _HEADER.unpack_from(data, 4)
            future = self._waiting.pop(number, None) if guid == self._guid else None
            if future is None:
                return None  # another client's
            try:
                answer = self._answer.decode(data, skip=_HEADER.size)
            except BadMessage as error:
                problem = error
                return lambda: future.set_exception(problem)
            return lambda: future.set_result(answer)
        return None

    def service_is_ready(self) -> bool:
        """Whether a server has both its ends matched to ours."""
        self._check()
        heard = {_entry(self._reader.matched_data(h), "serviceid") for h in self._reader.matched()}
        hears = {_entry(self._writer.matched_data(h), "serviceid") for h in self._writer.matched()}
        if not heard or not hears:
            return False
        return bool((heard & hears) - {None}) or None in heard & hears

    def wait_for_service(self, timeout_sec: float | None = None) -> bool:
        """Until a server is there."""
        end = None if timeout_sec is None else time.monotonic() + timeout_sec
        while self.node.context.ok():
            if self.service_is_ready():
                return True
            if end is not None and time.monotonic() >= end:
                return False
            time.sleep(0.02)
        return False
