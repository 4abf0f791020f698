"""What the tests of ROS share: domains of their own on loopback, spinning, and peers in other processes."""

import contextlib
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

PEERS = Path(__file__).with_name("ros_peers.py")


def environment(domain: int) -> dict[str, str]:
    """For a process that is to see this domain, on loopback only."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("ROS_", "CYCLONEDDS", "RMW_"))}
    return {**kept, "ROS_DOMAIN_ID": str(domain), "ROS_LOCALHOST_ONLY": "1", "PYTHONPATH": str(PEERS.parent)}


def new_domain() -> int:
    """A domain that hardly anybody else has; above 101 its ports may be those of other programs."""
    return random.SystemRandom().randrange(1, 101)


def enter(monkeypatch, domain: int) -> None:
    """Have this process see the domain, on loopback only."""
    for name, value in environment(domain).items():
        monkeypatch.setenv(name, value)


@contextlib.contextmanager
def peer(role: str, domain: int, *arguments: str):
    """A process that plays a role of `ros_peers`; it is up when this is entered, and gone when it is left."""
    command = [sys.executable, str(PEERS), role, *arguments]
    process = subprocess.Popen(
        command, env=environment(domain), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        line = process.stdout.readline()
        assert line.startswith("up"), line + process.stdout.read()
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@contextlib.contextmanager
def spinning(executor):
    """Spin in a thread."""
    thread = threading.Thread(target=_spin, args=(executor,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        executor.shutdown(timeout_sec=0)
        thread.join(10)
        assert not thread.is_alive()


def _spin(executor) -> None:
    from rclpy.executors import ExternalShutdownException

    with contextlib.suppress(ExternalShutdownException):
        executor.spin()


def until(condition, seconds: float = 60.0, what: str = "") -> None:
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds:g} s: {what or condition}"
        time.sleep(0.01)


def result(future, seconds: float = 120.0):
    """Of a future that another thread completes."""
    until(future.done, seconds, "a result")
    return future.result()


def parameters(**values):
    """As a node's constructor takes them."""
    from rclpy.parameter import Parameter

    return [Parameter(name, value=value) for name, value in values.items()]


class Bench:
    """Nodes of a domain of their own, spun in a thread, and a node that asks them."""

    def __init__(self):
        import rclpy
        from rclpy.executors import MultiThreadedExecutor

        self.context = rclpy.Context()
        rclpy.init(args=["test"], context=self.context, domain_id=new_domain())
        self.executor = MultiThreadedExecutor(6, context=self.context)
        self.nodes = []
        self.asker = self.add(rclpy.create_node("asker", context=self.context))

    def add(self, node):
        self.nodes.append(node)
        self.executor.add_node(node)
        return node

    def start(self, kind, **values):
        return self.add(kind(context=self.context, parameter_overrides=parameters(**values)))

    def ask(self, kind, name, seconds=240.0, **values):
        client = self.asker.create_client(kind, name)
        assert client.wait_for_service(60), name
        return result(client.call_async(kind.Request(**values)), seconds)

    def hear(self, kind, topic, qos=10):
        heard = []
        self.asker.create_subscription(kind, topic, heard.append, qos)
        return heard

    def close(self):
        import rclpy

        for node in self.nodes:
            node.destroy_node()
        rclpy.try_shutdown(context=self.context)
