"""Cyclone DDS as ROS 2 uses it: participants, endpoints with ROS names and QoS, the graph of nodes."""
