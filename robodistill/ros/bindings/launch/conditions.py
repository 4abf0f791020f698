"""Conditions, as launch.conditions."""

from typing import Any

from robodistill.ros.bindings.launch.substitution import is_true, perform


class Condition:
    """Base."""

    def __init__(self, *, predicate: Any = None) -> None:
        self._predicate = predicate or (lambda context: True)

    def evaluate(self, context: Any) -> bool:
        """Whether it holds."""
        return self._predicate(context)


class IfCondition(Condition):
    """Where a text says yes."""

    def __init__(self, predicate_expression: Any) -> None:
        super().__init__(predicate=lambda context: is_true(predicate_expression, context))


class UnlessCondition(Condition):
    """Where a text says no."""

    def __init__(self, predicate_expression: Any) -> None:
        super().__init__(predicate=lambda context: not is_true(predicate_expression, context))


class LaunchConfigurationEquals(Condition):
    """Where an argument has a value."""

    def __init__(self, launch_configuration_name: str, expected_value: Any) -> None:
        def holds(context: Any) -> bool:
            wanted = None if expected_value is None else perform(expected_value, context)
            return context.launch_configurations.get(launch_configuration_name) == wanted

        super().__init__(predicate=holds)
