"""The nodes. They read as any node of rclpy; importing this package makes sure that one is there."""

from robodistill.ros.use import use_ros

use_ros()
