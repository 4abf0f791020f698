"""Processes that tests talk to: `python ros_peers.py ROLE`. Each says "up" when it is ready."""

import sys
import time

from robodistill.ros.use import use_ros

use_ros()

import rclpy  # noqa: E402
from example_interfaces.action import Fibonacci  # noqa: E402
from example_interfaces.srv import AddTwoInts  # noqa: E402
from rclpy.action import ActionServer, CancelResponse  # noqa: E402
from rclpy.callback_groups import ReentrantCallbackGroup  # noqa: E402
from rclpy.executors import ExternalShutdownException, MultiThreadedExecutor  # noqa: E402
from rclpy.node import Node  # noqa: E402
from rclpy.qos import QoSProfile  # noqa: E402
from sensor_msgs.msg import Image  # noqa: E402
from std_msgs.msg import String  # noqa: E402
from std_srvs.srv import SetBool  # noqa: E402


class Server(Node):
    """Adds, flips, counts rabbits, and says what it hears with a tick."""

    def __init__(self):
        super().__init__("server")
        group = ReentrantCallbackGroup()
        self.declare_parameter("gain", 1.5)
        self.create_service(AddTwoInts, "add", self.add)
        self.create_service(SetBool, "flip", self.flip)
        self.ticks = self.create_publisher(String, "ticks", 10)
        self.count = 0
        self.create_timer(0.02, self.tick)
        self.images = 0
        self.create_subscription(Image, "images", self.image, QoSProfile(depth=10))
        ActionServer(self, Fibonacci, "fibonacci", self.rabbits, callback_group=group, cancel_callback=self.cancel)

    def add(self, request, response):
        response.sum = request.a + request.b
        return response

    def flip(self, request, response):
        response.success, response.message = not request.data, "gewählt ✓"
        return response

    def tick(self):
        self.count += 1
        self.ticks.publish(String(data=f"{self.count} {self.images}"))

    def image(self, message):
        assert message.encoding == "rgb8" and len(message.data) == message.step * message.height
        self.images += 1

    def cancel(self, goal):
        return CancelResponse.ACCEPT

    def rabbits(self, goal):
        sequence = [0, 1]
        while len(sequence) < goal.request.order:
            if goal.is_cancel_requested:
                goal.canceled()
                return Fibonacci.Result(sequence=sequence)
            sequence.append(sequence[-1] + sequence[-2])
            goal.publish_feedback(Fibonacci.Feedback(sequence=sequence))
            time.sleep(0.01)
        goal.succeed()
        return Fibonacci.Result(sequence=sequence)


def say(word):
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def main():
    rclpy.init()
    node = {"server": Server}[sys.argv[1]]()
    executor = MultiThreadedExecutor(3)
    try:
        say("up")  # from here on signals may come
        rclpy.spin(node, executor)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    say("gone")


if __name__ == "__main__":
    main()
