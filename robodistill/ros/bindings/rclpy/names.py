"""Names of nodes, topics and services: what is valid, how they are expanded and remapped (design.ros2.org, names)."""

import re
from collections.abc import Sequence

from robodistill.ros.bindings.rclpy.exceptions import (
    InvalidNamespaceException,
    InvalidNodeNameException,
    InvalidServiceNameException,
    InvalidTopicNameException,
)

_TOKEN = r"[A-Za-z_][A-Za-z0-9_]*"
_NODE = re.compile(rf"{_TOKEN}$")
_FULL = re.compile(rf"(/{_TOKEN})+$")
_NAMESPACE = re.compile(rf"/$|(/{_TOKEN})+$")


def validate_node(name: str) -> str:
    """The name, if it is valid."""
    if not _NODE.match(name):
        raise InvalidNodeNameException(name, "letters, digits and _ only, not beginning with a digit", _first(name))
    return name


def validate_namespace(name: str) -> str:
    """The namespace with the slash it begins with, if it is valid."""
    name = name if name.startswith("/") else f"/{name}"
    if not _NAMESPACE.match(name):
        raise InvalidNamespaceException(name, "tokens of letters, digits and _ between slashes", _first(name))
    return name


def _first(name: str) -> int:
    wrong = re.search(r"[^A-Za-z0-9_/~{}]", name)
    return wrong.start() if wrong else 0


def expand(name: str, node: str, namespace: str, service: bool = False) -> str:
    """A full name: ~ is the node's, a relative name is in the namespace."""
    full = name.replace("{node}", node).replace("{ns}", namespace).replace("{namespace}", namespace)
    own = f"{namespace.rstrip('/')}/{node}"
    if full == "~" or full.startswith("~/"):
        full = own + full[1:]
    elif not full.startswith("/"):
        full = f"{namespace.rstrip('/')}/{full}"
    if not _FULL.match(full):
        kind = InvalidServiceNameException if service else InvalidTopicNameException
        raise kind(name, "tokens of letters, digits and _ between slashes", _first(name))
    return full


def remap(full: str, rules: Sequence[tuple[str | None, str, str]], node: str, namespace: str) -> str:
    """The first rule (node or None, from, to) that fits is followed."""
    for only, source, target in rules:
        if only in (None, node) and not source.startswith("__") and expand(source, node, namespace) == full:
            return expand(target, node, namespace)
    return full
