"""What an interface is made of, and the parser of .msg, .srv and .action text (ROS 2 interface definition format)."""

import ast
import re
from dataclasses import dataclass, field
from typing import Any

INTEGERS = {
    "int8": "b",
    "uint8": "B",
    "int16": "h",
    "uint16": "H",
    "int32": "i",
    "uint32": "I",
    "int64": "q",
    "uint64": "Q",
    "char": "B",
    "byte": "B",
}
"""Name -> letter of `struct`. In ROS 2 a char is a uint8 on the wire, in Python and in hashes."""
NUMBERS = {**INTEGERS, "float32": "f", "float64": "d", "bool": "?"}
TEXTS = ("string", "wstring")
EMPTY = "structure_needs_at_least_one_member"
"""The one uint8 by which an interface without fields is represented on the wire."""


class BadDefinition(ValueError):
    """An interface's text, or its name, is not valid."""


@dataclass(frozen=True)
class FieldType:
    """The type of a field."""

    base: str
    """A key of `NUMBERS`, one of `TEXTS`, or pkg/msg/Name."""
    bound: int = 0
    """Of a text's length; 0 is none."""
    array: str = ""
    """"" for one value, "fixed", "bounded" or "unbounded" for several."""
    size: int = 0
    """Of a fixed or bounded array."""

    @property
    def element(self) -> "FieldType":
        """The type of an array's elements."""
        return FieldType(self.base, self.bound)

    def __str__(self) -> str:
        base = self.base + (f"<{self.bound}>" if self.bound else "")
        base = base.replace("/msg/", "/") if "/msg/" in base else base
        if not self.array:
            return base
        if self.array == "fixed":
            return f"{base}[{self.size}]"
        return f"sequence<{base}{f', {self.size}' if self.size else ''}>"


@dataclass(frozen=True)
class Field:
    """One field of a message."""

    name: str
    type: FieldType
    default: Any = None
    """None where the definition gives none."""


@dataclass(frozen=True)
class MessageSpec:
    """A structure: a message, or a part of a service or an action."""

    name: str
    """pkg/msg/Name, pkg/srv/Name_Request, pkg/action/Name_Feedback and so on."""
    fields: tuple[Field, ...]
    constants: tuple[tuple[str, str, Any], ...] = field(default=())
    """(name, type, value)."""

    @property
    def wire_fields(self) -> tuple[Field, ...]:
        """The fields as they are sent: never none."""
        return self.fields or (Field(EMPTY, FieldType("uint8"), 0),)


_NAME = r"[A-Za-z][A-Za-z0-9_]*"
_TYPE = re.compile(
    rf"(?P<base>{_NAME}(?:/{_NAME}){{0,2}})(?:<=(?P<bound>\d+))?(?P<array>\[(?:<=)?\d*\])?$",
)


def parse_type(text: str, package: str) -> FieldType:
    """A type as it is written in a definition; a name without a package is of `package`, but Header of std_msgs."""
    match = _TYPE.match(text)
    if not match:
        raise BadDefinition(f"{text!r} is not a type")
    base, bound, array = match["base"], int(match["bound"] or 0), match["array"]
    if base not in NUMBERS and base not in TEXTS:
        parts = base.split("/")
        package = "std_msgs" if base == "Header" else package
        base = {1: f"{package}/msg/{base}", 2: f"{parts[0]}/msg/{parts[-1]}"}.get(len(parts), base)
    if array is None:
        return FieldType(base, bound)
    if array == "[]":
        return FieldType(base, bound, "unbounded")
    return FieldType(base, bound, "bounded" if "<=" in array else "fixed", int(array.strip("[]<=")))


def parse_fields(text: str, name: str) -> MessageSpec:
    """One structure of a definition.

    Args:
        name: As of `MessageSpec.name`; tells the package.
    """
    fields, constants = [], []
    for number, line in enumerate(text.splitlines(), 1):
        line = _without_comment(line)
        if not line:
            continue
        try:
            kind, rest = line.split(None, 1)
            type_ = parse_type(kind, name.split("/")[0])
            constant = re.match(rf"({_NAME})\s*=\s*(.+)$", rest)
            if constant:
                constants.append((constant[1], type_.base, _value(constant[2], type_)))
                continue
            label, _, default = rest.partition(" ")
            if not re.fullmatch(_NAME, label):
                raise BadDefinition(f"{label!r} is not a field's name")
            fields.append(Field(label, type_, _value(default.strip(), type_) if default.strip() else None))
        except (ValueError, SyntaxError) as error:
            raise BadDefinition(f"{name}, line {number}: {line!r}: {error}") from None
    return MessageSpec(name, tuple(fields), tuple(constants))


def _without_comment(line: str) -> str:
    quoted = re.match(r"""((?:[^#"']|"[^"]*"|'[^']*')*)""", line)
    return quoted[1].strip() if quoted else ""


def _value(text: str, kind: FieldType) -> Any:
    if kind.array:
        return [_value(str(item), kind.element) for item in ast.literal_eval(text)]
    if kind.base in TEXTS:
        return ast.literal_eval(text) if text[:1] in "\"'" else text
    if kind.base == "bool":
        return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
    return int(text, 0) if kind.base in INTEGERS else float(text)


def parse_interface(text: str, package: str, kind: str, name: str) -> list[MessageSpec]:
    """All structures of a file.

    Args:
        kind: msg, srv or action.

    Returns:
        One for a message; _Request and _Response for a service; for an action its three parts, and the services and
        the message that carry them.
    """
    parts = re.split(r"^---\s*$", text, flags=re.MULTILINE)
    full = f"{package}/{kind}/{name}"
    needed = {"msg": 1, "srv": 2, "action": 3}[kind]
    if len(parts) != needed:
        raise BadDefinition(f"{full} has {len(parts)} parts between lines of ---; a .{kind} has {needed}")
    if kind == "msg":
        return [parse_fields(text, full)]
    if kind == "srv":
        return [parse_fields(part, f"{full}_{side}") for part, side in zip(parts, ("Request", "Response"), strict=True)]
    sides = ("Goal", "Result", "Feedback")
    own = [parse_fields(part, f"{full}_{side}") for part, side in zip(parts, sides, strict=True)]
    uuid = Field("goal_id", FieldType("unique_identifier_msgs/msg/UUID"))
    stamp, accepted = FieldType("builtin_interfaces/msg/Time"), FieldType("bool")
    wrapped = {
        "SendGoal_Request": (uuid, Field("goal", FieldType(f"{full}_Goal"))),
        "SendGoal_Response": (Field("accepted", accepted), Field("stamp", stamp)),
        "GetResult_Request": (uuid,),
        "GetResult_Response": (Field("status", FieldType("int8")), Field("result", FieldType(f"{full}_Result"))),
        "FeedbackMessage": (uuid, Field("feedback", FieldType(f"{full}_Feedback"))),
    }
    return own + [MessageSpec(f"{full}_{side}", fields) for side, fields in wrapped.items()]
