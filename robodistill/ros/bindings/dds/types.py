"""The type objects that Cyclone DDS wants of a topic, made of our definitions; the bytes are never theirs."""

import functools
import types
from typing import Any

import cyclonedds.idl as idl
import cyclonedds.idl.types as idl_types

from robodistill.ros.bindings.idl.spec import FieldType
from robodistill.ros.bindings.idl.store import store

_NUMBERS = {name: getattr(idl_types, name) for name in ("int8", "int16", "int32", "int64", "float32", "float64")}
_NUMBERS |= {name: getattr(idl_types, name) for name in ("uint8", "uint16", "uint32", "uint64", "byte")}
_NUMBERS |= {"char": idl_types.uint8, "bool": bool}


def wire_type_name(name: str) -> str:
    """`sensor_msgs::msg::dds_::Image_` of sensor_msgs/msg/Image."""
    package, kind, own = name.split("/")
    return f"{package}::{kind}::dds_::{own}_"


@functools.cache
def wire_type(name: str, asked: bool = False) -> type:
    """The type object of a structure; Cyclone DDS checks what is written and read against it.

    Args:
        asked: With the header of requests and replies, of which ROS's own types say nothing.
    """
    annotations = dict.fromkeys(("asked_by", "question"), idl_types.uint64) if asked else {}
    annotations |= {field.name: _member(field.type) for field in store().spec(name).wire_fields}
    namespace = {"__annotations__": annotations, "__module__": __name__}
    # Calling the metaclass instead would drop `typename` without a word, and no ROS node would ever match.
    made = types.new_class(
        name.split("/")[2] + "_",
        (idl.IdlStruct,),
        {"typename": wire_type_name(name)},
        lambda body: body.update(namespace),
    )
    made.__idl__.populate()
    made.__idl__.fill_type_data()
    return made


def _member(kind: FieldType) -> Any:
    if kind.array == "fixed":
        return idl_types.array[_member(kind.element), kind.size]
    if kind.array:
        limit = (kind.size,) if kind.array == "bounded" and kind.size < 65536 else ()
        return idl_types.sequence[(_member(kind.element), *limit)]
    if kind.base == "string":
        return idl_types.bounded_str[kind.bound] if kind.bound else str
    if kind.base == "wstring":
        return idl_types.sequence[idl_types.uint16]
    return _NUMBERS.get(kind.base) or wire_type(kind.base)
