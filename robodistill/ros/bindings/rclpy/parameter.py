"""Parameters, as rclpy.parameter."""

import array
from enum import Enum
from typing import Any

import numpy as np

from robodistill.ros.bindings.idl.classes import message_class


class Parameter:
    """A name, a type and a value."""

    class Type(Enum):
        """As rcl_interfaces/msg/ParameterType."""

        NOT_SET = 0
        BOOL = 1
        INTEGER = 2
        DOUBLE = 3
        STRING = 4
        BYTE_ARRAY = 5
        BOOL_ARRAY = 6
        INTEGER_ARRAY = 7
        DOUBLE_ARRAY = 8
        STRING_ARRAY = 9

        @classmethod
        def from_parameter_value(cls, value: Any) -> "Parameter.Type":
            """The type of a Python value.

            Raises:
                TypeError: None fits.
            """
            return type_of(value)

        def check(self, value: Any) -> bool:
            """Whether a value is of this type."""
            try:
                return type_of(value) == self or (isinstance(value, list) and not value and self.value >= 5)
            except TypeError:
                return False

    def __init__(self, name: str, type_: "Parameter.Type | None" = None, value: Any = None) -> None:
        if type_ is None:
            type_ = type_of(value)
        if not isinstance(type_, Parameter.Type):
            raise TypeError("type must be an instance of rclpy.Parameter.Type")
        if value is not None and not type_.check(value):
            raise ValueError(f"Type '{type_}' and value '{value}' do not agree")
        self.name, self.type_, self.value = name, type_, value

    @classmethod
    def from_parameter_msg(cls, msg: Any) -> "Parameter":
        """From rcl_interfaces/msg/Parameter."""
        kind = Parameter.Type(msg.value.type)
        return cls(msg.name, kind, parameter_value_to_python(msg.value))

    def to_parameter_msg(self) -> Any:
        """rcl_interfaces/msg/Parameter."""
        return message_class("rcl_interfaces/msg/Parameter")(name=self.name, value=self.get_parameter_value())

    def get_parameter_value(self) -> Any:
        """rcl_interfaces/msg/ParameterValue."""
        made = message_class("rcl_interfaces/msg/ParameterValue")(type=self.type_.value)
        if self.type_ != Parameter.Type.NOT_SET:
            value = self.value
            if self.type_ == Parameter.Type.BYTE_ARRAY:
                value = np.frombuffer(b"".join(value), np.uint8)
            setattr(made, _SLOTS[self.type_.value], value)
        return made

    def __repr__(self) -> str:
        return f"Parameter({self.name!r}, {self.type_}, {self.value!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Parameter) and repr(self) == repr(other)

    __hash__ = None


_SLOTS = ["", "bool_value", "integer_value", "double_value", "string_value", "byte_array_value", "bool_array_value"]
_SLOTS += ["integer_array_value", "double_array_value", "string_array_value"]
_SINGLE = {bool: Parameter.Type.BOOL, int: Parameter.Type.INTEGER, float: Parameter.Type.DOUBLE}
_SINGLE |= {str: Parameter.Type.STRING}
_SEVERAL = {bool: Parameter.Type.BOOL_ARRAY, int: Parameter.Type.INTEGER_ARRAY, float: Parameter.Type.DOUBLE_ARRAY}
_SEVERAL |= {str: Parameter.Type.STRING_ARRAY, bytes: Parameter.Type.BYTE_ARRAY}


def type_of(value: Any) -> Parameter.Type:
    """The type of a Python value.

    Raises:
        TypeError: None fits.
    """
    if value is None:
        return Parameter.Type.NOT_SET
    if type(value) in _SINGLE:
        return _SINGLE[type(value)]
    if isinstance(value, array.array):
        return Parameter.Type.DOUBLE_ARRAY if value.typecode in "fd" else Parameter.Type.INTEGER_ARRAY
    if isinstance(value, list | tuple):
        kinds = {type(item) for item in value}
        if not kinds:
            return Parameter.Type.BYTE_ARRAY  # as rclpy
        if len(kinds) == 1 and next(iter(kinds)) in _SEVERAL:
            return _SEVERAL[kinds.pop()]
    raise TypeError(f"The given value {value!r} is not one of the allowed types of a parameter")


def parameter_value_to_python(value: Any) -> Any:
    """The value that rcl_interfaces/msg/ParameterValue holds."""
    if not 0 <= value.type < len(_SLOTS):
        raise RuntimeError(f"unexpected parameter type {value.type}")
    if value.type == 0:
        return None
    found = getattr(value, _SLOTS[value.type])
    if value.type == 5:
        return [bytes([byte]) for byte in found]
    return list(found) if value.type > 5 else found


def get_parameter_value(string_value: str) -> Any:
    """rcl_interfaces/msg/ParameterValue of YAML text, as the command line gives it."""
    import yaml

    value = yaml.safe_load(string_value)
    try:
        return Parameter("", value=value).get_parameter_value()
    except (TypeError, ValueError):
        return Parameter("", value=string_value).get_parameter_value()
