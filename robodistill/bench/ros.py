"""Topics and services between two processes on loopback; and what asking for grasps over ROS adds to the asking.

Bars: 640x480 rgb8 at 30 Hz without a loss, p95 10 ms, 15 % of a core each side; an empty service p50 2 ms, p95 8 ms;
memory flat within 5 % over ten minutes; a grasp query the library's own time and 20 ms.
"""

import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from robodistill.bench.ros_peer import growth, resident
from robodistill.bench.rows import BenchResult, Row
from robodistill.progress import Progress
from robodistill.resources import find_resource
from robodistill.ros.use import use_ros

_WIDTH, _HEIGHT, _RATE = 640, 480, 30
_QUERIES = 12
_METHOD = "bindings"


def bench_ros(seeds: Iterable[int], quick: bool, progress: Progress) -> BenchResult:
    """Rows of all cases. Seeds choose nothing here."""
    method = _METHOD if use_ros() else "rclpy"
    lengths = {"rgb8": 5, "rgbd": 5, "soak": 10} if quick else {"rgb8": 60, "rgbd": 60, "soak": 600}
    rows: list[Row] = []
    with _domain(), _peer([sys.executable, "-m", "robodistill.bench.ros_peer"]):
        with _Source() as source:
            rows += [Row("empty", method, *values) for values in source.services(500 if not quick else 100)]
            for case, seconds in lengths.items():
                found = source.stream(case, seconds, progress)
                rows += [Row(case, method, *values) for values in found]
    rows += [Row("grasp", method, *values) for values in _grasps(4 if quick else _QUERIES, progress)]
    return BenchResult(rows)


@contextlib.contextmanager
def _domain() -> Iterator[None]:
    """A domain of our own, on loopback only."""
    wanted = {"ROS_DOMAIN_ID": str(random.SystemRandom().randrange(1, 101)), "ROS_LOCALHOST_ONLY": "1"}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


@contextlib.contextmanager
def _peer(command: list[str]) -> Iterator[subprocess.Popen]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


class _Source:
    """Sends images, and asks."""

    def __enter__(self) -> "_Source":
        import rclpy
        from rclpy.executors import SingleThreadedExecutor
        from rclpy.qos import QoSProfile
        from sensor_msgs.msg import Image
        from std_srvs.srv import Empty, Trigger

        self._rclpy, self._Image, self._Empty, self._Trigger = rclpy, Image, Empty, Trigger
        self.context = rclpy.Context()
        rclpy.init(args=["bench"], context=self.context)
        self.node = rclpy.create_node("bench_source", context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self._senders = {n: self.node.create_publisher(Image, f"bench/{n}", QoSProfile(depth=10)) for n in _PIXELS}
        kinds = {"nothing": Empty, "reset": Empty, "report": Trigger}
        self._clients = {name: self.node.create_client(kind, f"bench/{name}") for name, kind in kinds.items()}
        for client in self._clients.values():
            assert client.wait_for_service(120), f"{client.srv_name} did not come up"
        while any(sender.get_subscription_count() < 1 for sender in self._senders.values()):
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        self.node.destroy_node()
        self.executor.shutdown(timeout_sec=0)
        self._rclpy.try_shutdown(context=self.context)

    def ask(self, name: str, timeout: float = 10.0) -> tuple[Any, float]:
        """The answer, and how long it took, seconds."""
        client = self._clients[name]
        start = time.perf_counter()
        future = client.call_async(client.srv_type.Request())
        self.executor.spin_until_future_complete(future, timeout_sec=timeout)
        return future.result(), time.perf_counter() - start

    def services(self, count: int) -> list[tuple[str, float, str, int]]:
        """Round trips of the empty service, one after the other."""
        took = [1000 * self.ask("nothing")[1] for _ in range(count + 5)][5:]
        return [(f"service_p{q}_ms", float(np.percentile(took, q)), "ms", count) for q in (50, 95)]

    def stream(self, case: str, seconds: int, progress: Progress) -> list[tuple[str, float, str, int]]:
        """Images at 30 Hz; but for rgb8 alone, with depth, and a question each second."""
        sides = ("color",) if case == "rgb8" else ("color", "depth")
        images = {name: self._image(name) for name in sides}
        self.ask("reset")
        memory, took, count = [], [], seconds * _RATE
        cpu, start = time.process_time(), time.monotonic()
        for number in range(count):
            time.sleep(max(0.0, start + number / _RATE - time.monotonic()))
            for name, message in images.items():
                message.header.frame_id = str(number)
                message.header.stamp = self.node.get_clock().now().to_msg()
                self._senders[name].publish(message)
            if number % _RATE == 0:
                memory.append(resident())
                if case != "rgb8":
                    took.append(1000 * self.ask("nothing")[1])
                progress(case, number, count)
        sent_cpu = 100 * (time.process_time() - cpu) / (time.monotonic() - start)
        progress(case, count, count)
        time.sleep(0.5)
        told = json.loads(self.ask("report")[0].message)
        rows = [
            ("lost", float(sum(count - told[name]["count"] for name in sides)), "messages", count * len(sides)),
            ("p50_ms", told["color"]["p50_ms"], "ms", count),
            ("p95_ms", told["color"]["p95_ms"], "ms", count),
            ("cpu_percent", max(sent_cpu, told["color"]["cpu_percent"]), "%", 1),
            ("cpu_percent_sender", sent_cpu, "%", 1),
            ("cpu_percent_receiver", told["color"]["cpu_percent"], "%", 1),
        ]
        if case != "rgb8":
            rows.append(("service_p95_ms", float(np.percentile(took, 95)), "ms", len(took)))
        if case == "soak":
            rows.append(("memory_growth", max(growth(memory), told["color"]["memory_growth"]), "", 1))
        return rows

    def _image(self, name: str) -> Any:
        encoding, size = _PIXELS[name]
        data = np.random.default_rng(0).integers(0, 256, _WIDTH * _HEIGHT * size).astype(np.uint8)
        import array

        made = self._Image(height=_HEIGHT, width=_WIDTH, encoding=encoding, step=_WIDTH * size)
        made.data = array.array("B", data.tobytes())
        return made


_PIXELS = {"color": ("rgb8", 3), "depth": ("16UC1", 2)}


def _grasps(count: int, progress: Progress) -> list[tuple[str, float, str, int]]:
    """How much longer grasp_node's answers take than the library in it needs, with the sample's field loaded."""
    from dataclasses import replace

    import rclpy
    from rclpy.executors import SingleThreadedExecutor

    from robodistill.config import BuildConfig
    from robodistill.pipeline.build import build_field

    capture = find_resource("assets/demo/tabletop")
    config = BuildConfig()
    config = replace(
        config,
        fit=replace(config.fit, steps=60),
        seed=replace(config.seed, gaussians=10_000),
        features=replace(config.features, teacher="builtin"),
    )
    phrases = [it["phrases"][0] for it in json.loads((capture / "truth.json").read_text())["objects"] if it["phrases"]]
    with tempfile.TemporaryDirectory() as folder, _domain():
        path = build_field(capture, Path(folder) / "sample.field", config, progress=progress).path
        command = [sys.executable, "-m", "robodistill.ros.nodes.grasp_node", "--ros-args", "-p", f"field:={path}"]
        with _peer(command):
            from robodistill_interfaces.srv import GraspQuery

            context = rclpy.Context()
            rclpy.init(args=["bench"], context=context)
            node = rclpy.create_node("bench_asker", context=context)
            executor = SingleThreadedExecutor(context=context)
            executor.add_node(node)
            client = node.create_client(GraspQuery, "/grasp_node/grasp")
            assert client.wait_for_service(120), "grasp_node did not come up"
            added, own = [], []
            for number in range(count + 1):
                start = time.perf_counter()
                future = client.call_async(GraspQuery.Request(text=phrases[number % len(phrases)]))
                executor.spin_until_future_complete(future, timeout_sec=60)
                took = time.perf_counter() - start
                if number:  # the first waits for the field
                    added.append(1000 * (took - future.result().seconds))
                    own.append(1000 * future.result().seconds)
                progress("grasp", number, count)
            node.destroy_node()
            rclpy.try_shutdown(context=context)
    return [
        ("grasp_overhead_ms", float(np.median(added)), "ms", len(added)),
        ("grasp_overhead_p95_ms", float(np.percentile(added, 95)), "ms", len(added)),
        ("grasp_own_ms", float(np.median(own)), "ms", len(own)),
    ]
