"""rclpy and what belongs to it for machines without ROS 2, over Cyclone DDS, on the same wire."""
