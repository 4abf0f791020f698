"""Actions of launch_ros: nodes, and what holds for those that follow."""

import importlib.metadata
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from robodistill.ros.bindings.ament_index_python.packages import PackageNotFoundError, get_package_prefix
from robodistill.ros.bindings.launch.action import Action
from robodistill.ros.bindings.launch.actions import ExecuteProcess
from robodistill.ros.bindings.launch.substitution import perform
from robodistill.ros.bindings.launch_ros.parameter_descriptions import ParameterFile, evaluate, evaluate_dict


class PushRosNamespace(Action):
    """A namespace of the nodes that follow in this scope."""

    def __init__(self, namespace: Any, **options: Any) -> None:
        super().__init__(**options)
        self._namespace = namespace

    def execute(self, context: Any) -> None:
        """Enter it."""
        context.locals["namespace"] = join(context.locals["namespace"], perform(self._namespace, context))


class SetParameter(Action):
    """A parameter of the nodes that follow in this scope."""

    def __init__(self, name: Any, value: Any, **options: Any) -> None:
        super().__init__(**options)
        self._name, self._value = name, value

    def execute(self, context: Any) -> None:
        """Remember it."""
        value = {perform(self._name, context): evaluate(self._value, context)}
        context.locals["parameters"] = [*context.locals["parameters"], value]


class SetRemap(Action):
    """A remapping of the nodes that follow in this scope."""

    def __init__(self, src: Any, dst: Any, **options: Any) -> None:
        super().__init__(**options)
        self._rule = src, dst

    def execute(self, context: Any) -> None:
        """Remember it."""
        rule = tuple(perform(side, context) for side in self._rule)
        context.locals["remaps"] = [*context.locals["remaps"], rule]


def join(namespace: str, inner: str) -> str:
    """A namespace within another; one that begins with a slash stands alone."""
    if not inner:
        return namespace
    return inner.rstrip("/") if inner.startswith("/") else f"{namespace.rstrip('/')}/{inner.strip('/')}"


def find_executable(package: str, executable: str) -> list[str]:
    """The command that starts a package's executable: from an ament prefix, or from an installed Python package.

    Raises:
        RuntimeError: There is none.
    """
    try:
        path = Path(get_package_prefix(package)) / "lib" / package / executable
        if path.is_file():
            return [str(path)]
    except PackageNotFoundError:
        pass
    for entry in importlib.metadata.entry_points(group="console_scripts", name=executable):
        if entry.dist is None or entry.dist.name.replace("-", "_") == package:
            return [sys.executable, "-c", f"import sys; from {entry.module} import {entry.attr} as m; sys.exit(m())"]
    for module in (f"{package}.{executable}", f"{package}.ros.nodes.{executable}"):
        if _has_module(module):
            return [sys.executable, "-m", module]
    raise RuntimeError(f"executable '{executable}' not found in package '{package}'")


def _has_module(name: str) -> bool:
    import importlib.util

    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


class Node(ExecuteProcess):
    """A node."""

    def __init__(
        self,
        *,
        executable: Any,
        package: Any = None,
        name: Any = None,
        namespace: Any = None,
        exec_name: Any = None,
        parameters: Iterable[Any] | None = None,
        remappings: Iterable[tuple] | None = None,
        ros_arguments: Iterable[Any] | None = None,
        arguments: Iterable[Any] | None = None,
        prefix: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(cmd=[], **options)
        self._package, self._executable, self._node_name, self._namespace = package, executable, name, namespace
        self._parameters, self._remappings = list(parameters or []), list(remappings or [])
        self._ros_arguments, self._arguments = list(ros_arguments or []), list(arguments or [])
        self._exec_name, self._prefix = exec_name, prefix

    def label(self, words: list[str], context: Any) -> str:
        """The executable's name."""
        return perform(self._exec_name, context) or perform(self._executable, context)

    def command(self, context: Any) -> list[str]:
        """As launch_ros builds it: names, parameter files, remappings, after --ros-args."""
        executable = perform(self._executable, context)
        package = perform(self._package, context)
        words = perform(self._prefix, context).split()
        words += find_executable(package, executable) if package else [executable]
        words += [perform(word, context) for word in self._arguments]
        ros = [perform(word, context) for word in self._ros_arguments]
        name = perform(self._node_name, context)
        namespace = join(context.locals["namespace"], perform(self._namespace, context))
        if name:
            ros += ["-r", f"__node:={name}"]
        if namespace:
            namespace = namespace if namespace.startswith("/") else f"/{namespace}"
            ros += ["-r", f"__ns:={namespace}"]
        for given in [*context.locals["parameters"], *self._parameters]:
            ros += ["--params-file", self._parameter_file(given, name, namespace, context)]
        for source, target in [*context.locals["remaps"], *self._remappings]:
            ros += ["-r", f"{perform(source, context)}:={perform(target, context)}"]
        return [*words, "--ros-args", *ros] if ros else words

    def _parameter_file(self, given: Any, name: str, namespace: str, context: Any) -> str:
        if isinstance(given, ParameterFile):
            return perform(given.param_file, context)
        if not isinstance(given, dict):
            return perform(given if not isinstance(given, Path) else str(given), context)
        target = f"{namespace}/{name}" if name else "/**"
        content = {target: {"ros__parameters": evaluate_dict(given, context)}}
        with tempfile.NamedTemporaryFile("w", prefix="launch_params_", suffix=".yaml", delete=False) as file:
            yaml.safe_dump(content, file)
        context.service.temporary.append(Path(file.name))
        return file.name


LifecycleNode = Node
