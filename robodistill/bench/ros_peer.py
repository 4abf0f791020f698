"""The other process of `bench ros`: takes images, answers an empty service, and tells what it measured."""

import json
import sys
import time
from collections.abc import Sequence

import numpy as np

from robodistill.ros.use import use_ros


def resident() -> int:
    """Memory of this process, bytes."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


class Tally:
    """Numbered messages that came, when, and at what cost."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin anew."""
        self.numbers: list[int] = []
        self.late: list[float] = []
        self.memory: list[int] = []
        self.begun = time.process_time(), time.monotonic()

    def add(self, number: int, sent: float) -> None:
        """One more; `sent` in seconds."""
        self.late.append(1000 * (time.time() - sent))
        self.numbers.append(number)
        if len(self.numbers) % 30 == 0:
            self.memory.append(resident())

    def report(self) -> dict[str, float]:
        """What came, in all."""
        cpu, wall = time.process_time() - self.begun[0], time.monotonic() - self.begun[1]
        return {
            "count": len(set(self.numbers)),
            "p50_ms": float(np.percentile(self.late, 50)) if self.late else 0.0,
            "p95_ms": float(np.percentile(self.late, 95)) if self.late else 0.0,
            "cpu_percent": 100 * cpu / max(wall, 1e-9),
            "memory_growth": growth(self.memory),
        }


def growth(memory: Sequence[int]) -> float:
    """Share by which memory is higher in the last fifth than in the second."""
    if len(memory) < 5:
        return 0.0
    fifth = len(memory) // 5
    return float(np.median(memory[-fifth:]) / np.median(memory[fifth : 2 * fifth]) - 1)


def main() -> int:
    """Serve until told to stop."""
    use_ros()
    import rclpy
    from rclpy.executors import ExternalShutdownException
    from rclpy.qos import QoSProfile
    from sensor_msgs.msg import Image
    from std_srvs.srv import Empty, Trigger

    rclpy.init()
    node = rclpy.create_node("bench_sink")
    tallies = {"color": Tally(), "depth": Tally()}

    def listen(name: str) -> None:
        def heard(message: Image) -> None:
            stamp = message.header.stamp
            tallies[name].add(int(message.header.frame_id), stamp.sec + stamp.nanosec / 1e9)

        node.create_subscription(Image, f"bench/{name}", heard, QoSProfile(depth=10))

    def reset(_: Empty.Request, response: Empty.Response) -> Empty.Response:
        for tally in tallies.values():
            tally.reset()
        return response

    def report(_: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success = True
        response.message = json.dumps({name: tally.report() for name, tally in tallies.items()})
        return response

    for name in tallies:
        listen(name)
    node.create_service(Empty, "bench/nothing", lambda request, response: response)
    node.create_service(Empty, "bench/reset", reset)
    node.create_service(Trigger, "bench/report", report)
    sys.stdout.write("up\n")
    sys.stdout.flush()
    try:
        rclpy.spin(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
