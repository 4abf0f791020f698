"""RIHS01, the hash by which ROS 2 names a type's structure (REP 2016): SHA-256 of a description in JSON."""

import functools
import hashlib
import json
from typing import Any

from robodistill.ros.bindings.idl.spec import FieldType, MessageSpec
from robodistill.ros.bindings.idl.store import store

_IDS = {
    "int8": 2,
    "uint8": 3,
    "int16": 4,
    "uint16": 5,
    "int32": 6,
    "uint32": 7,
    "int64": 8,
    "uint64": 9,
    "float32": 10,
    "float64": 11,
    "char": 3,  # rosidl replaces it by uint8 before it hashes
    "bool": 15,
    "byte": 16,
    "string": 17,
    "wstring": 18,
}
_NESTED, _BOUNDED_TEXT = 1, 4  # added to the id of a text without bound
_ARRAYS = {"": 0, "fixed": 48, "bounded": 96, "unbounded": 144}


@functools.cache
def type_hash(name: str) -> str:
    """`RIHS01_` and 64 hexadecimal digits of a structure such as sensor_msgs/msg/Image."""
    found: dict[str, dict] = {}
    _describe(store().spec(name), found)
    own = found.pop(name)
    description = {
        "type_description": own,
        "referenced_type_descriptions": [found[other] for other in sorted(found)],
    }
    text = json.dumps(description, separators=(", ", ": "), ensure_ascii=True)
    return "RIHS01_" + hashlib.sha256(text.encode()).hexdigest()


def _describe(spec: MessageSpec, found: dict[str, dict]) -> None:
    """Add the description of a structure and of all that it holds."""
    if spec.name in found:
        return
    fields = [{"name": field.name, "type": _type(field.type)} for field in spec.wire_fields]
    found[spec.name] = {"type_name": spec.name, "fields": fields}
    for field in spec.wire_fields:
        if field.type.base not in _IDS:
            _describe(store().spec(field.type.base), found)


def _type(kind: FieldType) -> dict[str, Any]:
    nested = kind.base not in _IDS
    number = _NESTED if nested else _IDS[kind.base] + (_BOUNDED_TEXT if kind.bound else 0)
    return {
        "type_id": number + _ARRAYS[kind.array],
        "capacity": kind.size if kind.array in ("fixed", "bounded") else 0,
        "string_capacity": kind.bound,
        "nested_type_name": kind.base if nested else "",
    }
