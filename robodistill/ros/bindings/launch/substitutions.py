"""Substitutions, as launch.substitutions."""

import ast
import math
import operator
import os
import shlex
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from robodistill.ros.bindings.launch.substitution import Substitution, is_true, perform


class TextSubstitution(Substitution):
    """Plain text."""

    def __init__(self, *, text: str) -> None:
        self.text = text

    def perform(self, context: Any) -> str:
        """The text."""
        return self.text


class LaunchConfiguration(Substitution):
    """The value of an argument."""

    def __init__(self, variable_name: Any, *, default: Any = None) -> None:
        self.variable_name, self.default = variable_name, default

    def perform(self, context: Any) -> str:
        """Its value.

        Raises:
            KeyError: It has none.
        """
        name = perform(self.variable_name, context)
        if name in context.launch_configurations:
            return context.launch_configurations[name]
        if self.default is None:
            raise KeyError(f"launch configuration '{name}' does not exist")
        return perform(self.default, context)


class PathJoinSubstitution(Substitution):
    """Parts of a path."""

    def __init__(self, substitutions: Iterable[Any]) -> None:
        self.substitutions = list(substitutions)

    def perform(self, context: Any) -> str:
        """The path."""
        return os.path.join(*(perform(part, context) for part in self.substitutions))

    def __truediv__(self, part: Any) -> "PathJoinSubstitution":
        return PathJoinSubstitution([*self.substitutions, part])


class EnvironmentVariable(Substitution):
    """A variable of the environment."""

    def __init__(self, name: Any, *, default_value: Any = None) -> None:
        self.name, self.default_value = name, default_value

    def perform(self, context: Any) -> str:
        """Its value.

        Raises:
            KeyError: It is not set.
        """
        name = perform(self.name, context)
        if name in context.environment:
            return context.environment[name]
        if self.default_value is None:
            raise KeyError(f"environment variable '{name}' does not exist")
        return perform(self.default_value, context)


class ThisLaunchFileDir(Substitution):
    """The folder of the launch file."""

    def perform(self, context: Any) -> str:
        """The folder."""
        return str(Path(context.locals["file"]).parent)


class ThisLaunchFile(Substitution):
    """The launch file."""

    def perform(self, context: Any) -> str:
        """Its path."""
        return str(context.locals["file"])


class FindExecutable(Substitution):
    """A program on PATH."""

    def __init__(self, *, name: Any) -> None:
        self.name = name

    def perform(self, context: Any) -> str:
        """Its path."""
        import shutil

        name = perform(self.name, context)
        found = shutil.which(name, path=context.environment.get("PATH"))
        if found is None:
            raise FileNotFoundError(f"executable '{name}' not found on the PATH")
        return found


class Command(Substitution):
    """What a program prints."""

    def __init__(self, command: Any, *, on_stderr: Any = "fail") -> None:
        self.command = command

    def perform(self, context: Any) -> str:
        """Its output."""
        words = shlex.split(perform(self.command, context))
        done = subprocess.run(words, capture_output=True, text=True, check=False, env=context.environment)
        if done.returncode:
            raise RuntimeError(f"{' '.join(words)} failed: {done.stderr.strip()}")
        return done.stdout


_OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Not: operator.not_,
    ast.USub: operator.neg,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}


class PythonExpression(Substitution):
    """An expression of literals, comparisons, arithmetic and the names of math; nothing can be called."""

    def __init__(self, expression: Any, python_modules: Any = ("math",)) -> None:
        self.expression = expression

    def perform(self, context: Any) -> str:
        """Its value as text."""
        text = perform(self.expression, context)
        return str(_value(ast.parse(text, mode="eval").body, text))


def _value(node: ast.AST, text: str) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name) and hasattr(math, node.id):
        return getattr(math, node.id)
    if isinstance(node, ast.UnaryOp):
        return _OPERATORS[type(node.op)](_value(node.operand, text))
    if isinstance(node, ast.BinOp):
        return _OPERATORS[type(node.op)](_value(node.left, text), _value(node.right, text))
    if isinstance(node, ast.BoolOp):
        values = [_value(value, text) for value in node.values]
        return all(values) if isinstance(node.op, ast.And) else any(values)
    if isinstance(node, ast.Compare):
        sides = [_value(side, text) for side in (node.left, *node.comparators)]
        return all(_OPERATORS[type(o)](a, b) for o, a, b in zip(node.ops, sides, sides[1:], strict=False))
    if isinstance(node, ast.IfExp):
        return _value(node.body if _value(node.test, text) else node.orelse, text)
    if isinstance(node, ast.List | ast.Tuple):
        return [_value(item, text) for item in node.elts]
    raise ValueError(f"PythonExpression {text!r}: {type(node).__name__} is not supported without ROS 2")


class _Logic(Substitution):
    def __init__(self, *values: Any) -> None:
        self.values = values


class EqualsSubstitution(_Logic):
    """Whether two texts are equal."""

    def perform(self, context: Any) -> str:
        """true or false."""
        left, right = (perform(value, context) for value in self.values)
        return str(left == right).lower()


class NotSubstitution(_Logic):
    """The opposite."""

    def perform(self, context: Any) -> str:
        """true or false."""
        return str(not is_true(self.values[0], context)).lower()


class AndSubstitution(_Logic):
    """Both."""

    def perform(self, context: Any) -> str:
        """true or false."""
        return str(all(is_true(value, context) for value in self.values)).lower()


class OrSubstitution(_Logic):
    """Either."""

    def perform(self, context: Any) -> str:
        """true or false."""
        return str(any(is_true(value, context) for value in self.values)).lower()
