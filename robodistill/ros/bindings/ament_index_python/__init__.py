"""ament_index_python: where packages are."""

from robodistill.ros.bindings.ament_index_python.packages import (
    PackageNotFoundError,
    get_package_prefix,
    get_package_share_directory,
    get_package_share_path,
)

__all__ = ["PackageNotFoundError", "get_package_prefix", "get_package_share_directory", "get_package_share_path"]
