"""How `import rclpy` or `from sensor_msgs.msg import Image` reach the bindings where ROS 2 is not installed.

All or nothing: where a real rclpy can be found, nothing of this is used, for a message of ours can not be given to it.
"""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

OURS = ("rclpy", "tf2_ros", "message_filters", "ament_index_python", "launch", "launch_ros")
"""Packages that stand in this folder."""
_HERE = __name__.rpartition(".")[0]


def is_genuine() -> bool:
    """Whether this Python has a real rclpy."""
    spec = _elsewhere("rclpy")
    return spec is not None


def _elsewhere(name: str) -> importlib.machinery.ModuleSpec | None:
    for finder in sys.meta_path:
        if not isinstance(finder, Finder):
            spec = finder.find_spec(name, None)
            # a folder of that name without code, such as launch/ in a checkout, is found as a "namespace package"
            if spec is not None and spec.origin is not None:
                return spec
    return None


def install(interfaces: dict[str, Path] | None = None, shares: dict[str, Path] | None = None) -> bool:
    """Serve rclpy and all that belongs to it, unless a real one is there.

    Args:
        interfaces: Packages of definitions and their folders.
        shares: Packages and where their shared files are, for ament_index_python.

    Returns:
        Whether the bindings serve.
    """
    if any(isinstance(finder, Finder) for finder in sys.meta_path):
        return True
    if is_genuine():
        return False
    from robodistill.ros.bindings.ament_index_python import packages
    from robodistill.ros.bindings.idl.store import store

    for package, folder in (interfaces or {}).items():
        store().add_folder(folder, package)
    packages.KNOWN.update(shares or {})
    # before the finder of paths, or a folder launch/ in the working directory would be taken for the package
    sys.meta_path.insert(0, Finder())
    for name in [name for name in sys.modules if name.split(".")[0] in OURS]:
        del sys.modules[name]  # such a folder, imported before
    return True


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds our packages, and message packages in the store of definitions."""

    def find_spec(
        self, name: str, path: Any = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """A spec where the name is one of ours."""
        top, _, rest = name.partition(".")
        if top in OURS:
            if importlib.util.find_spec(f"{_HERE}.{name}") is None:
                return None
            return importlib.machinery.ModuleSpec(name, self, is_package=not rest)
        from robodistill.ros.bindings.idl.store import store

        if rest in ("", "msg", "srv", "action") and top.endswith(_ENDINGS) and top in store().packages:
            return importlib.machinery.ModuleSpec(name, self, is_package=not rest)
        return None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """The module in this folder itself, or one whose names are made when they are asked for."""
        top, _, rest = spec.name.partition(".")
        if top not in OURS:
            return _Interfaces(spec.name, top, rest)
        module = importlib.import_module(f"{_HERE}.{spec.name}")
        self._kept = {**getattr(self, "_kept", {}), spec.name: module.__spec__}
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is left to run; the module's own spec, which the import has replaced, is put back."""
        spec = getattr(self, "_kept", {}).pop(module.__spec__.name, None)
        if spec is not None:
            module.__spec__ = spec


_ENDINGS = ("_msgs", "_srvs", "_interfaces", "_common")


class _Interfaces(ModuleType):
    """`sensor_msgs` or `sensor_msgs.msg`: classes are made on first use."""

    def __init__(self, name: str, package: str, kind: str) -> None:
        super().__init__(name, f"Interfaces of {package}.")
        self._package, self._kind = package, kind

    def __getattr__(self, name: str) -> Any:
        from robodistill.ros.bindings.idl.classes import action_type, message_class, service_type
        from robodistill.ros.bindings.idl.store import UnknownInterface

        if name.startswith("__"):
            raise AttributeError(name)
        if not self._kind:
            if name in ("msg", "srv", "action"):
                return importlib.import_module(f"{self.__name__}.{name}")
            raise AttributeError(f"package {self._package} has no {name!r}")
        make = {"msg": message_class, "srv": service_type, "action": action_type}[self._kind]
        if "_" in name:  # the parts of services and actions are messages
            make = message_class
        try:
            made = make(f"{self._package}/{self._kind}/{name}")
        except UnknownInterface:
            raise AttributeError(f"{self.__name__} has no {name!r}; it has {', '.join(self.__dir__())}") from None
        setattr(self, name, made)
        return made

    def __dir__(self) -> list[str]:
        from robodistill.ros.bindings.idl.store import store

        return store().names(self._package, self._kind) if self._kind else ["msg", "srv", "action"]
