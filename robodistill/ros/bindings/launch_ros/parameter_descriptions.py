"""Parameters in launch files, as launch_ros.parameter_descriptions."""

from typing import Any

import yaml

from robodistill.ros.bindings.launch.substitution import Substitution, perform


class ParameterValue:
    """A value with a type."""

    def __init__(self, value: Any, *, value_type: Any = None) -> None:
        self.value, self.value_type = value, value_type

    def evaluate(self, context: Any) -> Any:
        """The value."""
        text = evaluate(self.value, context)
        if self.value_type is None:
            return text
        if self.value_type is str:
            return text if isinstance(text, str) else perform(self.value, context)
        if self.value_type is bool:
            return str(text).lower() in ("true", "1")
        return self.value_type(text)


class ParameterFile:
    """A file of parameters."""

    def __init__(self, param_file: Any, *, allow_substs: Any = False) -> None:
        self.param_file = param_file


def evaluate(value: Any, context: Any) -> Any:
    """A value: plain ones as they are, the text of substitutions as YAML reads it."""
    if isinstance(value, ParameterValue):
        return value.evaluate(context)
    if isinstance(value, Substitution):
        return yaml.safe_load(perform(value, context))
    if isinstance(value, list | tuple):
        if value and all(isinstance(item, Substitution | str) for item in value):
            if any(isinstance(item, Substitution) for item in value):
                return yaml.safe_load(perform(value, context))
        return [evaluate(item, context) for item in value]
    return value


def evaluate_dict(values: dict, context: Any) -> dict[str, Any]:
    """Names and values; nested mappings stay nested."""
    return {
        perform(name, context): evaluate_dict(value, context) if isinstance(value, dict) else evaluate(value, context)
        for name, value in values.items()
    }
