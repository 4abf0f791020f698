"""Definitions that no library brings: the standard services and an action to try things with, in a few words each."""

_RESULT = "bool success\nstring message"

STANDARD = {
    "std_srvs/srv/Empty": "---",
    "std_srvs/srv/Trigger": f"---\n{_RESULT}",
    "std_srvs/srv/SetBool": f"bool data\n---\n{_RESULT}",
    "rcl_interfaces/srv/DescribeParameters": "string[] names\n---\nParameterDescriptor[] descriptors",
    "rcl_interfaces/srv/GetParameters": "string[] names\n---\nParameterValue[] values",
    "rcl_interfaces/srv/GetParameterTypes": "string[] names\n---\nuint8[] types",
    "rcl_interfaces/srv/ListParameters": (
        "uint64 DEPTH_RECURSIVE=0\nstring[] prefixes\nuint64 depth\n---\nListParametersResult result"
    ),
    "rcl_interfaces/srv/SetParameters": "Parameter[] parameters\n---\nSetParametersResult[] results",
    "rcl_interfaces/srv/SetParametersAtomically": "Parameter[] parameters\n---\nSetParametersResult result",
    "action_msgs/srv/CancelGoal": (
        "GoalInfo goal_info\n---\nint8 ERROR_NONE=0\nint8 ERROR_REJECTED=1\nint8 ERROR_UNKNOWN_GOAL_ID=2\n"
        "int8 ERROR_GOAL_TERMINATED=3\nint8 return_code\nGoalInfo[] goals_canceling"
    ),
    "example_interfaces/srv/AddTwoInts": "int64 a\nint64 b\n---\nint64 sum",
    "example_interfaces/action/Fibonacci": "int32 order\n---\nint32[] sequence\n---\nint32[] sequence",
}

DEFAULTS = {("geometry_msgs/msg/Quaternion", "w"): 1.0}
"""Default values of standard messages, which the library that brings their definitions leaves out."""
