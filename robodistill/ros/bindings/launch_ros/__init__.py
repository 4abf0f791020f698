"""launch_ros: nodes in launch descriptions."""
