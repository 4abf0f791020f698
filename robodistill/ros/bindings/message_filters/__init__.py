"""message_filters: messages of several topics that belong together by their stamps."""

import threading
from collections.abc import Callable, Sequence
from typing import Any


class SimpleFilter:
    """Something that callbacks can be registered with."""

    def __init__(self) -> None:
        self._callbacks: list[tuple[Callable, tuple]] = []

    def registerCallback(self, callback: Callable, *args: Any) -> int:  # noqa: N802  the name of the original
        """Call this with each message, or each set of them."""
        self._callbacks.append((callback, args))
        return len(self._callbacks) - 1

    def signalMessage(self, *messages: Any) -> None:  # noqa: N802
        """Call them."""
        for callback, args in self._callbacks:
            callback(*messages, *args)


class Subscriber(SimpleFilter):
    """A subscription as a filter."""

    def __init__(self, node: Any, msg_type: type, topic: str, qos_profile: Any = 10, **options: Any) -> None:
        super().__init__()
        self.node, self.topic = node, topic
        self.sub = node.create_subscription(msg_type, topic, self.signalMessage, qos_profile, **options)

    def getTopic(self) -> str:  # noqa: N802
        """Its topic."""
        return self.topic


class TimeSynchronizer(SimpleFilter):
    """Sets of messages with the same stamp."""

    def __init__(self, fs: Sequence[SimpleFilter], queue_size: int) -> None:
        super().__init__()
        self.queues: list[dict[int, Any]] = [{} for _ in fs]
        self.queue_size, self.lock = queue_size, threading.Lock()
        for index, filter_ in enumerate(fs):
            filter_.registerCallback(self._add, index)

    def _stamp(self, message: Any) -> int | None:
        return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec

    def _add(self, message: Any, index: int) -> None:
        stamp = self._stamp(message)
        if stamp is None:
            return
        with self.lock:
            queue = self.queues[index]
            queue[stamp] = message
            while len(queue) > self.queue_size:
                del queue[min(queue)]
            found = self._match(stamp, index)
            if found is None:
                return
            messages = [queue.pop(key) for queue, key in zip(self.queues, found, strict=True)]
        self.signalMessage(*messages)

    def _match(self, stamp: int, index: int) -> list[int] | None:
        """Stamps, one of each queue, that make a set with the message that came."""
        return [stamp] * len(self.queues) if all(stamp in queue for queue in self.queues) else None


class ApproximateTimeSynchronizer(TimeSynchronizer):
    """Sets of messages whose stamps are no more than `slop` seconds from that of the one that came last."""

    def __init__(
        self,
        fs: Sequence[SimpleFilter],
        queue_size: int,
        slop: float,
        allow_headerless: bool = False,
        sync_arrival_time: bool = False,
    ) -> None:
        super().__init__(fs, queue_size)
        self.slop, self._headerless, self._arrival = round(slop * 1e9), allow_headerless, sync_arrival_time

    def _stamp(self, message: Any) -> int | None:
        import time

        if self._arrival or (self._headerless and not hasattr(message, "header")):
            return time.time_ns()
        return super()._stamp(message) if hasattr(message, "header") else None

    def _match(self, stamp: int, index: int) -> list[int] | None:
        found = []
        for number, queue in enumerate(self.queues):
            if not queue:
                return None
            nearest = stamp if number == index else min(queue, key=lambda other: abs(other - stamp))
            if abs(nearest - stamp) > self.slop:
                return None
            found.append(nearest)
        return found
