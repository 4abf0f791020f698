"""The verbs: each reads files, does the work, writes files; the command line and the ROS nodes call these."""
