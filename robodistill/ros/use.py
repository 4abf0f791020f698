"""The one door to ROS 2: the real rclpy where there is one, the package's own bindings elsewhere."""

import importlib.util
from pathlib import Path

from robodistill.errors import MissingPart
from robodistill.resources import find_resource

INTERFACES = "robodistill_interfaces"
_NEEDED = ("cyclonedds", "rosbags")


def use_ros() -> bool:
    """Make `import rclpy` work; returns whether it is the package's own bindings that answer.

    Raises:
        MissingPart: There is neither; or a real rclpy without this package's interfaces.
    """
    from robodistill.ros.bindings.finder import install, is_genuine

    if is_genuine():
        if importlib.util.find_spec(INTERFACES) is None:
            raise MissingPart(
                f"ROS 2 is here but {INTERFACES} is not: colcon build --base-paths . interfaces, and source the result"
            )
        return False
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingPart(
            f"ROS 2 without a ROS installation needs {', '.join(missing)}: pip install 'robodistill[ros]'"
        )
    # Their modules may not be imported yet, but what cannot be imported should be told now and in one line.
    try:
        importlib.import_module("cyclonedds.internal")
    except Exception as error:  # a wheel for another system fails in its own way
        raise MissingPart(f"cyclonedds cannot be loaded: {error}") from None
    return install({INTERFACES: find_resource("interfaces")}, {"robodistill": _share(), INTERFACES: _share()})


def _share() -> Path:
    """The folder that holds launch/ and config/."""
    return find_resource("launch").parent
