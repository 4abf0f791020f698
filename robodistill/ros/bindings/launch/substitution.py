"""Text that is known only when it is needed."""

from collections.abc import Iterable
from typing import Any


class Substitution:
    """Base."""

    def perform(self, context: Any) -> str:
        """The text."""
        raise NotImplementedError(type(self).__name__)

    def describe(self) -> str:
        """For people."""
        return type(self).__name__


def perform(value: Any, context: Any) -> str:
    """The text of a string, a substitution, or several of them one after the other."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, Substitution):
        return value.perform(context)
    if isinstance(value, Iterable):
        return "".join(perform(item, context) for item in value)
    return str(value)


def is_true(value: Any, context: Any) -> bool:
    """Whether a text means yes.

    Raises:
        ValueError: It means neither yes nor no.
    """
    text = perform(value, context).strip().lower()
    if text in ("true", "1"):
        return True
    if text in ("false", "0"):
        return False
    raise ValueError(f"{text!r} is neither true nor false")
