"""Where definitions come from: our own interface folders, the standard services, and rosbags for standard messages."""

import functools
from pathlib import Path

from robodistill.ros.bindings.idl.spec import EMPTY, Field, FieldType, MessageSpec, parse_interface
from robodistill.ros.bindings.idl.standard import DEFAULTS, STANDARD


class UnknownInterface(KeyError):
    """Nothing of that name is known."""

    def __str__(self) -> str:
        return str(self.args[0])


class Store:
    """Definitions by name, read when they are asked for."""

    def __init__(self) -> None:
        self._texts: dict[str, tuple[str, list[str]]] = {}
        """pkg/kind/Name -> (text, names of what it defines); parsed on demand."""
        self._specs: dict[str, MessageSpec] = {}
        self._standard: dict | None = None
        for full, text in STANDARD.items():
            self._texts[full] = text, []

    def add_folder(self, folder: Path, package: str) -> None:
        """Know the files of an interface package: FOLDER/msg/*.msg, FOLDER/srv/*.srv, FOLDER/action/*.action."""
        for kind in ("msg", "srv", "action"):
            for path in sorted((Path(folder) / kind).glob(f"*.{kind}")):
                self._texts[f"{package}/{kind}/{path.stem}"] = path.read_text(), []

    def add_rosbags(self, definitions: dict) -> None:
        """Know what a recording brings along, as rosbags' type stores hold it; what is known already stays."""
        self._standard = {**definitions, **self._bags()}

    @property
    def packages(self) -> set[str]:
        """Of all that is known."""
        return {name.split("/")[0] for name in [*self._texts, *self._bags()]}

    def names(self, package: str, kind: str) -> list[str]:
        """Interfaces of a package: messages, services or actions by their own names."""
        start = f"{package}/{kind}/"
        return sorted({full.removeprefix(start) for full in [*self._texts, *self._bags()] if full.startswith(start)})

    def spec(self, name: str) -> MessageSpec:
        """A structure such as sensor_msgs/msg/Image or std_srvs/srv/Trigger_Request.

        Raises:
            UnknownInterface: Not known.
        """
        if name not in self._specs:
            self._read(name)
        return self._specs[name]

    def _read(self, name: str) -> None:
        parts = name.split("/")
        if len(parts) != 3:
            raise UnknownInterface(f"{name!r} is not an interface; pkg/msg/Name is needed")
        full = name if parts[1] == "msg" else "/".join([*parts[:2], parts[2].split("_")[0]])
        if full in self._texts:
            for spec in parse_interface(self._texts[full][0], parts[0], parts[1], full.split("/")[2]):
                self._specs[spec.name] = spec
        elif name in self._bags():
            self._specs[name] = _from_rosbags(name, self._bags()[name])
        if name not in self._specs:
            raise UnknownInterface(f"no interface {name!r}; known packages are {', '.join(sorted(self.packages))}")

    def _bags(self) -> dict:
        if self._standard is None:
            from rosbags.typesys import Stores, get_typestore

            self._standard = get_typestore(Stores.ROS2_JAZZY).fielddefs
        return self._standard


def _from_rosbags(name: str, definition: tuple) -> MessageSpec:
    constants, fields = definition
    made = [Field(label, _type(node), DEFAULTS.get((name, label))) for label, node in fields if label != EMPTY]
    return MessageSpec(name, tuple(made), tuple((label, kind, value) for label, kind, value in constants))


def _type(node: tuple) -> FieldType:
    """rosbags' description of a type: (1 base, (name, bound)), (2 name, ...), (3 array or 4 sequence, (node, size))."""
    kind, value = node
    if kind == 1:
        return FieldType(value[0], value[1] or 0)
    if kind == 2:
        return FieldType(value)
    element, size = _type(value[0]), value[1]
    array = "fixed" if kind == 3 else "bounded" if size else "unbounded"
    return FieldType(element.base, element.bound, array, size)


@functools.cache
def store() -> Store:
    """The one of this process."""
    return Store()
