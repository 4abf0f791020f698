"""Substitutions of launch_ros."""

from typing import Any

from robodistill.ros.bindings.ament_index_python.packages import get_package_prefix, get_package_share_directory
from robodistill.ros.bindings.launch.substitution import Substitution, perform


class FindPackageShare(Substitution):
    """The folder of a package's shared files."""

    def __init__(self, package: Any) -> None:
        self.package = package

    def perform(self, context: Any) -> str:
        """Its path."""
        return get_package_share_directory(perform(self.package, context))

    def __truediv__(self, part: Any) -> Substitution:
        from robodistill.ros.bindings.launch.substitutions import PathJoinSubstitution

        return PathJoinSubstitution([self, part])


class FindPackagePrefix(Substitution):
    """The prefix that a package was installed to."""

    def __init__(self, package: Any) -> None:
        self.package = package

    def perform(self, context: Any) -> str:
        """Its path."""
        return get_package_prefix(perform(self.package, context))


FindPackage = FindPackagePrefix
