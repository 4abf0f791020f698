"""ROS 2: nodes over the library's verbs, and bindings for machines without a ROS installation."""
