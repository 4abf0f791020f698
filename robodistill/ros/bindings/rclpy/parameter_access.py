"""What a node can be asked and told about its parameters."""

from collections.abc import Callable, Sequence
from typing import Any

from robodistill.ros.bindings.rclpy.parameter import Parameter
from robodistill.ros.bindings.rclpy.parameters import Parameters


class ParameterAccess:
    """Mixed into Node."""

    _parameters: Parameters

    def declare_parameter(
        self, name: str, value: Any = None, descriptor: Any = None, ignore_override: bool = False
    ) -> Parameter:
        """Declare one, with its default or only its type."""
        return self._parameters.declare(name, value, descriptor, ignore_override)

    def declare_parameters(
        self, namespace: str, parameters: Sequence[tuple], ignore_override: bool = False
    ) -> list[Parameter]:
        """Several, as (name), (name, value) or (name, value, descriptor)."""
        start = f"{namespace}." if namespace else ""
        made = []
        for entry in parameters:
            name, value, descriptor = (*entry, None, None)[:3]
            made.append(self._parameters.declare(start + name, value, descriptor, ignore_override))
        return made

    def undeclare_parameter(self, name: str) -> None:
        """Forget one."""
        self._parameters.undeclare(name)

    def has_parameter(self, name: str) -> bool:
        """Whether it is declared."""
        return self._parameters.has(name)

    def get_parameter(self, name: str) -> Parameter:
        """One."""
        return self._parameters.get(name)

    def get_parameters(self, names: Sequence[str]) -> list[Parameter]:
        """Several."""
        return [self._parameters.get(name) for name in names]

    def get_parameter_or(self, name: str, alternative_value: Parameter | None = None) -> Parameter:
        """One, or something else where it has no value."""
        if self.has_parameter(name) and self._parameters._values[name].type_ != Parameter.Type.NOT_SET:
            return self._parameters.get(name)
        return alternative_value or Parameter(name, Parameter.Type.NOT_SET)

    def get_parameters_by_prefix(self, prefix: str) -> dict[str, Parameter]:
        """Those below a prefix."""
        return self._parameters.by_prefix(prefix)

    def set_parameters(self, parameter_list: Sequence[Parameter]) -> list[Any]:
        """Each by itself."""
        return self._parameters.set_one_by_one(parameter_list, strict=True)

    def set_parameters_atomically(self, parameter_list: Sequence[Parameter]) -> Any:
        """All or none."""
        return self._parameters.set_together(parameter_list)

    def describe_parameter(self, name: str) -> Any:
        """Its descriptor."""
        return self._parameters.descriptor(name)

    def describe_parameters(self, names: Sequence[str]) -> list[Any]:
        """Their descriptors."""
        return [self._parameters.descriptor(name) for name in names]

    def set_descriptor(self, name: str, descriptor: Any, alternative_value: Any = None) -> Any:
        """Another one; returns the value."""
        self._parameters.set_descriptor(name, descriptor)
        return self.get_parameter_or(name).get_parameter_value()

    def add_on_set_parameters_callback(self, callback: Callable) -> None:
        """May refuse new values."""
        self._parameters._checks.insert(0, callback)

    def remove_on_set_parameters_callback(self, callback: Callable) -> None:
        """No more."""
        self._parameters._checks.remove(callback)

    def add_pre_set_parameters_callback(self, callback: Callable) -> None:
        """May change what is to be set."""
        self._parameters._pre.insert(0, callback)

    def add_post_set_parameters_callback(self, callback: Callable) -> None:
        """Is told what was set."""
        self._parameters._post.insert(0, callback)
