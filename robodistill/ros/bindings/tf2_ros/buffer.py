"""The buffer of transforms: positions are interpolated linearly, rotations by slerp, as in tf2."""

import bisect
import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from robodistill.ros.bindings.idl.classes import message_class
from robodistill.ros.bindings.rclpy.duration import Duration
from robodistill.ros.bindings.rclpy.task import Future
from robodistill.ros.bindings.rclpy.time import Time


class TransformException(Exception):
    """Base."""


class LookupException(TransformException):
    """A frame is not known."""


class ConnectivityException(TransformException):
    """The frames are not linked."""


class ExtrapolationException(TransformException):
    """Nothing is known of that time."""


class InvalidArgumentException(TransformException):
    """A transform that cannot be."""


class TimeoutException(TransformException):
    """It did not come in time."""


class _Track:
    """One link over time."""

    def __init__(self, static: bool) -> None:
        self.static = static
        self.stamps: list[int] = []
        self.poses: list[tuple[np.ndarray, np.ndarray]] = []

    def add(self, stamp: int, pose: tuple, keep: int) -> None:
        if self.static:
            self.stamps, self.poses = [stamp], [pose]
            return
        at = bisect.bisect_left(self.stamps, stamp)
        if at < len(self.stamps) and self.stamps[at] == stamp:
            self.poses[at] = pose
            return
        self.stamps.insert(at, stamp)
        self.poses.insert(at, pose)
        while self.stamps[0] < self.stamps[-1] - keep:
            del self.stamps[0], self.poses[0]

    def at(self, stamp: int, link: str) -> np.ndarray:
        """(4, 4) parent from child."""
        if self.static or stamp == 0:
            return _matrix(*self.poses[-1])
        if not self.stamps[0] <= stamp <= self.stamps[-1]:
            where = "past" if stamp < self.stamps[0] else "future"
            raise ExtrapolationException(
                f"Lookup would require extrapolation into the {where}. Requested time {stamp / 1e9:.6f} but the "
                f"data of {link} is from {self.stamps[0] / 1e9:.6f} to {self.stamps[-1] / 1e9:.6f}"
            )
        right = bisect.bisect_left(self.stamps, stamp)
        if self.stamps[right] == stamp:
            return _matrix(*self.poses[right])
        (p0, q0), (p1, q1) = self.poses[right - 1 : right + 1]
        share = (stamp - self.stamps[right - 1]) / (self.stamps[right] - self.stamps[right - 1])
        return _matrix(p0 + share * (p1 - p0), _slerp(q0, q1, share))


def _slerp(a: np.ndarray, b: np.ndarray, share: float) -> np.ndarray:
    cosine = float(a @ b)
    b, cosine = (-b, -cosine) if cosine < 0 else (b, cosine)
    if cosine > 0.9995:
        mixed = a + share * (b - a)
        return mixed / np.linalg.norm(mixed)
    angle = np.arccos(cosine)
    return (np.sin((1 - share) * angle) * a + np.sin(share * angle) * b) / np.sin(angle)


def _matrix(position: np.ndarray, xyzw: np.ndarray) -> np.ndarray:
    x, y, z, w = xyzw
    T = np.eye(4)
    T[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    T[:3, 3] = position
    return T


def _quaternion(R: np.ndarray) -> np.ndarray:
    """xyzw of a rotation, by its largest component (Shepperd 1978)."""
    trace = np.trace(R)
    squares = np.array([1 + 2 * R[0, 0] - trace, 1 + 2 * R[1, 1] - trace, 1 + 2 * R[2, 2] - trace, 1 + trace])
    k = int(squares.argmax())
    rows = [
        [squares[0], R[0, 1] + R[1, 0], R[0, 2] + R[2, 0], R[2, 1] - R[1, 2]],
        [R[0, 1] + R[1, 0], squares[1], R[1, 2] + R[2, 1], R[0, 2] - R[2, 0]],
        [R[0, 2] + R[2, 0], R[1, 2] + R[2, 1], squares[2], R[1, 0] - R[0, 1]],
        [R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1], squares[3]],
    ]
    q = np.array(rows[k])
    return q / np.linalg.norm(q)


class Buffer:
    """Transforms of the last seconds; a lookup that cannot be answered raises."""

    def __init__(self, cache_time: Duration | None = None, node: Any = None) -> None:
        self._keep = (cache_time or Duration(seconds=10)).nanoseconds
        self._tracks: dict[str, tuple[str, _Track]] = {}
        """child -> (parent, track)."""
        self._lock = threading.RLock()
        self._waiting: list[tuple[Future, str, str, Any]] = []

    def set_transform(self, transform: Any, authority: str = "") -> None:
        """From geometry_msgs/msg/TransformStamped."""
        self._set(transform, static=False)

    def set_transform_static(self, transform: Any, authority: str = "") -> None:
        """One that holds for all times."""
        self._set(transform, static=True)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._tracks.clear()

    def _set(self, message: Any, static: bool) -> None:
        parent, child = message.header.frame_id.lstrip("/"), message.child_frame_id.lstrip("/")
        move, turn = message.transform.translation, message.transform.rotation
        position, xyzw = np.array([move.x, move.y, move.z]), np.array([turn.x, turn.y, turn.z, turn.w])
        norm = np.linalg.norm(xyzw)
        if not parent or not child or parent == child:
            raise InvalidArgumentException(f"a transform from {parent!r} to {child!r}")
        if not np.isfinite([*position, *xyzw]).all() or abs(norm - 1) > 1e-2:
            raise InvalidArgumentException(f"{parent} -> {child}: not finite, or a quaternion of length {norm:.3g}")
        stamp = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
        with self._lock:
            known = self._tracks.get(child)
            if known is None or known[0] != parent or known[1].static != static:
                self._tracks[child] = known = (parent, _Track(static))
            known[1].add(stamp, (position, xyzw / norm), self._keep)
            waiting, self._waiting = self._waiting, []
        for entry in waiting:
            future, target, source, at = entry
            if future.done():
                continue
            if self.can_transform(target, source, at):
                future.set_result(True)
            else:
                self._waiting.append(entry)

    def lookup_transform(
        self, target_frame: str, source_frame: str, time: Time, timeout: Duration | None = None
    ) -> Any:
        """geometry_msgs/msg/TransformStamped that maps source coordinates to target ones.

        Raises:
            LookupException: A frame is not known.
            ConnectivityException: They are not linked.
            ExtrapolationException: Nothing is known of that time.
        """
        self._wait(target_frame, source_frame, time, timeout)
        with self._lock:
            T, stamp = self._lookup(target_frame.lstrip("/"), source_frame.lstrip("/"), _nanoseconds(time))
        made = message_class("geometry_msgs/msg/TransformStamped")(child_frame_id=source_frame)
        made.header.frame_id = target_frame
        made.header.stamp.sec, made.header.stamp.nanosec = divmod(stamp, 10**9)
        t, q = made.transform.translation, made.transform.rotation
        t.x, t.y, t.z = map(float, T[:3, 3])
        q.x, q.y, q.z, q.w = map(float, _quaternion(T[:3, :3]))
        return made

    def can_transform(
        self,
        target_frame: str,
        source_frame: str,
        time: Time,
        timeout: Duration | None = None,
        return_debug_tuple: bool = False,
    ) -> Any:
        """Whether a lookup would be answered."""
        self._wait(target_frame, source_frame, time, timeout)
        try:
            with self._lock:
                self._lookup(target_frame.lstrip("/"), source_frame.lstrip("/"), _nanoseconds(time))
        except TransformException as error:
            return (False, str(error)) if return_debug_tuple else False
        return (True, "") if return_debug_tuple else True

    def wait_for_transform_async(self, target_frame: str, source_frame: str, time: Time) -> Future:
        """Done when a lookup would be answered."""
        future = Future()
        if self.can_transform(target_frame, source_frame, time):
            future.set_result(True)
        else:
            self._waiting.append((future, target_frame, source_frame, time))
        return future

    def all_frames_as_string(self) -> str:
        """The links, for people."""
        with self._lock:
            links = [f"Frame {child} exists with parent {parent}." for child, (parent, _) in self._tracks.items()]
        return "\n".join(links)

    def _wait(self, target: str, source: str, at: Time, timeout: Duration | None) -> None:
        if timeout is None or timeout.nanoseconds <= 0:
            return
        end = time.monotonic() + timeout.nanoseconds / 1e9
        while not self.can_transform(target, source, at) and time.monotonic() < end:
            time.sleep(0.005)

    def _lookup(self, target: str, source: str, stamp: int) -> tuple[np.ndarray, int]:
        known = {*self._tracks, *(parent for parent, _ in self._tracks.values())}
        for frame in (target, source):
            if frame not in known and target != source:
                raise LookupException(
                    f'"{frame}" passed to lookupTransform argument does not exist; known frames: '
                    f"{', '.join(sorted(known)) or 'none'}"
                )
        up_target, up_source = self._chain(target), self._chain(source)
        common = next((frame for frame in up_target if frame in up_source), None)
        if common is None:
            raise ConnectivityException(f"{target} and {source} are not part of the same tree")
        chains = [up[: up.index(common)] for up in (up_target, up_source)]
        if stamp == 0:  # the latest that all links know of
            latest = [t.stamps[-1] for chain in chains for f in chain if not (t := self._tracks[f][1]).static]
            stamp = min(latest, default=0)
        T_common_target, T_common_source = (self._product(chain, stamp) for chain in chains)
        return np.linalg.inv(T_common_target) @ T_common_source, stamp

    def _chain(self, frame: str) -> list[str]:
        chain = [frame]
        while chain[-1] in self._tracks:
            parent = self._tracks[chain[-1]][0]
            if parent in chain:
                raise ConnectivityException(f"the frames form a ring: {' -> '.join([*chain, parent])}")
            chain.append(parent)
        return chain

    def _product(self, chain: Sequence[str], stamp: int) -> np.ndarray:
        T = np.eye(4)
        for child in chain:
            parent, track = self._tracks[child]
            T = track.at(stamp, f"{parent} -> {child}") @ T
        return T


def _nanoseconds(at: Any) -> int:
    return at.nanoseconds if hasattr(at, "nanoseconds") else at.sec * 10**9 + at.nanosec
