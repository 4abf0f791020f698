"""Message classes as rclpy's are: keyword arguments, defaults, constants, no unknown attributes."""

import array
import copy
import functools
from types import SimpleNamespace
from typing import Any

import numpy as np

from robodistill.ros.bindings.idl.cdr import Codec
from robodistill.ros.bindings.idl.spec import NUMBERS, TEXTS, Field, FieldType
from robodistill.ros.bindings.idl.store import store


class Message:
    """Base of all message classes."""

    __slots__ = ()
    _name: str
    """pkg/msg/Name."""
    _defaults: dict[str, Any]
    """Field -> a value that is copied, or a class that is called."""
    _types: dict[str, str]

    def __init__(self, **values: Any) -> None:
        for name, default in self._defaults.items():
            if name in values:
                setattr(self, name, values.pop(name))
            else:
                setattr(self, name, default() if isinstance(default, type) else copy.copy(default))
        if values:
            raise AssertionError(f"Invalid arguments passed to constructor of {self._name}: {', '.join(values)}")

    @classmethod
    def get_fields_and_field_types(cls) -> dict[str, str]:
        """Field -> type, as rosidl writes it."""
        return dict(cls._types)

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return all(_equal(getattr(self, name), getattr(other, name)) for name in self._types)

    __hash__ = None

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._types)
        package, kind, name = self._name.split("/")
        return f"{package}.{kind}.{name}({values})"


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return np.array_equal(np.asarray(a), np.asarray(b))
    return a == b


@functools.cache
def message_class(name: str) -> type[Message]:
    """The class of a structure.

    Raises:
        UnknownInterface: It is not known.
    """
    spec = store().spec(name)
    body: dict[str, Any] = {label: bytes([v]) if kind == "byte" else v for label, kind, v in spec.constants}
    body |= {
        "__slots__": tuple(field.name for field in spec.fields),
        "__module__": ".".join(name.split("/")[:2]),
        "_name": name,
        "_defaults": {field.name: _default(field) for field in spec.fields},
        "_types": {field.name: str(field.type) for field in spec.fields},
    }
    return type(name.split("/")[2], (Message,), body)


def _default(field: Field) -> Any:
    kind = field.type
    if kind.array:
        return _default_array(kind, field.default)
    if field.default is not None:
        return field.default
    return _zero(kind)


def _zero(kind: FieldType) -> Any:
    if kind.base == "byte":
        return b"\0"
    if kind.base == "bool":
        return False
    if kind.base in TEXTS:
        return ""
    if kind.base in NUMBERS:
        return 0.0 if kind.base.startswith("float") else 0
    return message_class(kind.base)


def _default_array(kind: FieldType, given: list | None) -> Any:
    numeric = kind.base in NUMBERS and kind.base != "bool"
    if kind.array == "fixed":
        if numeric:
            return np.zeros(kind.size, NUMBERS[kind.base]) if given is None else np.array(given, NUMBERS[kind.base])
        zero = _zero(kind.element)
        if isinstance(zero, type):  # a class of this shape: each message needs elements of its own
            return type(f"{zero.__name__}s", (list,), {"__init__": _filler(zero, kind.size)})
        return given or [zero] * kind.size
    if numeric:
        return array.array(NUMBERS[kind.base], given or [])
    return given or []


def _filler(cls: type, count: int) -> Any:
    def fill(self: list) -> None:
        list.__init__(self, [cls() for _ in range(count)])

    return fill


@functools.cache
def codec(name: str) -> Codec:
    """How a structure is written and read."""
    return Codec(store().spec(name), message_class(name), codec)


def service_type(full: str) -> type:
    """A class with `Request` and `Response`, from pkg/srv/Name."""
    parts = {side: message_class(f"{full}_{side}") for side in ("Request", "Response")}
    return _holder(full, parts)


def action_type(full: str) -> type:
    """A class with `Goal`, `Result`, `Feedback`, and `Impl` with what carries them, from pkg/action/Name."""
    parts: dict[str, Any] = {side: message_class(f"{full}_{side}") for side in ("Goal", "Result", "Feedback")}
    services = {
        f"{side}Service": _holder(f"{full}_{side}", {p: message_class(f"{full}_{side}_{p}") for p in _SIDES})
        for side in ("SendGoal", "GetResult")
    }
    parts["Impl"] = SimpleNamespace(
        **services,
        FeedbackMessage=message_class(f"{full}_FeedbackMessage"),
        CancelGoalService=service_type("action_msgs/srv/CancelGoal"),
        GoalStatusMessage=message_class("action_msgs/msg/GoalStatusArray"),
    )
    return _holder(full, parts)


_SIDES = ("Request", "Response")
_holders: dict[str, type] = {}


def _holder(full: str, parts: dict[str, Any]) -> type:
    if full not in _holders:
        module = ".".join(full.split("/")[:2])
        _holders[full] = type(full.split("/")[2], (), {**parts, "_name": full, "__module__": module})
    return _holders[full]


def serialize_message(message: Message) -> bytes:
    """As rclpy.serialization."""
    return codec(message._name).encode(message)


def deserialize_message(data: bytes, message_type: type[Message]) -> Message:
    """As rclpy.serialization."""
    return codec(message_type._name).decode(data)
