"""ament_index_python.packages."""

import os
from pathlib import Path

KNOWN: dict[str, Path] = {}
"""Packages that were not installed through ament, and their folder of shared files."""
_INDEX = "share/ament_index/resource_index/packages"


class PackageNotFoundError(KeyError):
    """No prefix has it."""

    def __str__(self) -> str:
        prefixes = os.environ.get("AMENT_PREFIX_PATH", "")
        return f"package '{self.args[0]}' not found, searching: [{prefixes}]"


def _prefixes() -> list[Path]:
    return [Path(prefix) for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if prefix]


def get_package_prefix(package_name: str) -> str:
    """The prefix that a package was installed to.

    Raises:
        PackageNotFoundError: To none.
    """
    for prefix in _prefixes():
        if (prefix / _INDEX / package_name).is_file():
            return str(prefix)
    if package_name in KNOWN:
        return str(KNOWN[package_name].parent.parent)
    raise PackageNotFoundError(package_name)


def get_package_share_path(package_name: str) -> Path:
    """Its folder of shared files.

    Raises:
        PackageNotFoundError: It is in no prefix.
    """
    if package_name in KNOWN and not any((p / _INDEX / package_name).is_file() for p in _prefixes()):
        return KNOWN[package_name]
    return Path(get_package_prefix(package_name)) / "share" / package_name


def get_package_share_directory(package_name: str) -> str:
    """The same as text."""
    return str(get_package_share_path(package_name))
