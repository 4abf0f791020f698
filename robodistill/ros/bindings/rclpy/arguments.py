"""What a command line tells a node: `--ros-args -r from:=to -p name:=value --params-file F --log-level L`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml


class RosArgsError(ValueError):
    """rclpy's UnknownROSArgsError and the like: an argument after --ros-args cannot be understood."""


@dataclass(eq=False)
class Arguments:
    """Parsed."""

    remaps: list[tuple[str | None, str, str]] = field(default_factory=list)
    """(node or None for all, from, to); __node and __ns are among them."""
    parameters: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """(pattern of full node names, values), later ones win."""
    log_levels: list[tuple[str | None, str]] = field(default_factory=list)
    rest: list[str] = field(default_factory=list)
    """What is not ROS's, the program's name among it."""

    def rename(self, key: str, name: str) -> str | None:
        """What -r __node:= or __ns:= says of the node that the program calls `name`."""
        return next((to for only, source, to in self.remaps if source == key and only in (None, name)), None)

    def values_for(self, full: str) -> dict[str, Any]:
        """Parameters for a node, by full name."""
        found: dict[str, Any] = {}
        for pattern, values in self.parameters:
            if _fits(pattern, full):
                found |= values
        return found


def parse(argv: Sequence[str]) -> Arguments:
    """Take apart what stands after --ros-args, up to a -- where there is one.

    Raises:
        RosArgsError: Something there cannot be understood.
    """
    out, words, ours = Arguments(), list(argv), False
    while words:
        word = words.pop(0)
        if word == "--ros-args":
            ours = True
        elif not ours:
            out.rest.append(word)
        elif word == "--":
            ours = False
        else:
            _flag(out, word, words)
    return out


_VALUED = {"-r": "remap", "--remap": "remap", "-p": "param", "--param": "param", "--params-file": "file"}
_VALUED |= {"--log-level": "level", "-e": "ignored", "--enclave": "ignored", "--log-file-name": "ignored"}
_VALUED |= {"--log-config-file": "ignored"}
_SWITCHES = ("rosout-logs", "stdout-logs", "external-lib-logs")


def _flag(out: Arguments, word: str, words: list[str]) -> None:
    if word in {f"--{state}-{name}" for state in ("enable", "disable") for name in _SWITCHES}:
        return
    kind = _VALUED.get(word)
    if kind is None:
        raise RosArgsError(f"{word!r} after --ros-args; known are {', '.join(_VALUED)}")
    if not words:
        raise RosArgsError(f"{word} needs a value")
    value = words.pop(0)
    if kind == "remap":
        out.remaps.append(_rule(value))
    elif kind == "param":
        only, name, text = _rule(value)
        pattern = f"/**/{only}" if only else "/**"
        out.parameters.append((pattern, {name: yaml.safe_load(text)}))
    elif kind == "file":
        out.parameters += read_parameters(Path(value))
    elif kind == "level":
        only, named, level = value.rpartition(":=")
        out.log_levels.append((only if named else None, level))


def _rule(text: str) -> tuple[str | None, str, str]:
    source, between, target = text.partition(":=")
    if not between or not source:
        raise RosArgsError(f"{text!r}: from:=to is needed")
    only, colon, name = source.rpartition(":")
    return (only, name, target) if colon else (None, source, target)


def read_parameters(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """(pattern, values) of a ROS parameter file.

    Raises:
        RosArgsError: Not there, not YAML, or without ros__parameters.
    """
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RosArgsError(f"parameter file {path} cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise RosArgsError(f"parameter file {path}: nodes with ros__parameters are needed")
    found: list[tuple[str, dict[str, Any]]] = []
    _collect(content, "", found, path)
    return found


def _collect(content: dict, at: str, found: list, path: Path) -> None:
    for key, inner in content.items():
        if not isinstance(inner, dict):
            raise RosArgsError(f"parameter file {path}: {key!r} holds no ros__parameters")
        if key == "ros__parameters":
            found.append((at or "/**", flatten(inner)))
            continue
        key = str(key)
        _collect(inner, key if key.startswith("/") else f"{at}/{key}", found, path)


def flatten(values: dict, prefix: str = "") -> dict[str, Any]:
    """Nested mappings with dots between their keys."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        flat |= flatten(value, f"{name}.") if isinstance(value, dict) else {name: value}
    return flat


def _fits(pattern: str, full: str) -> bool:
    """`*` is one token, `**` any number of them."""
    words, names = pattern.strip("/").split("/"), full.strip("/").split("/")

    def match(i: int, j: int) -> bool:
        if i == len(words):
            return j == len(names)
        if words[i] == "**":
            return any(match(i + 1, k) for k in range(j, len(names) + 1))
        return j < len(names) and words[i] in ("*", names[j]) and match(i + 1, j + 1)

    return match(0, 0)
