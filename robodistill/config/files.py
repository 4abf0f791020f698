"""Config dataclasses from YAML and into it."""

import dataclasses
from pathlib import Path
from typing import Any, TypeVar

from robodistill.errors import BadInput

T = TypeVar("T")


def from_dict(kind: type[T], values: Any, where: str = "") -> T:
    """A config dataclass from nested mappings.

    Raises:
        BadInput: An unknown key, or a value of the wrong type.
    """
    fields = {f.name: f for f in dataclasses.fields(kind)}
    if not isinstance(values, dict):
        raise BadInput(f"config {where or 'file'}: a mapping is needed, got {type(values).__name__}")
    unknown = sorted(set(map(str, values)) - set(fields))
    if unknown:
        raise BadInput(f"config {where or 'file'}: unknown key {', '.join(unknown)}; known are {', '.join(fields)}")
    made = {}
    for key, value in values.items():
        wanted = fields[key].type
        path = f"{where}.{key}" if where else key
        if dataclasses.is_dataclass(wanted):
            made[key] = from_dict(wanted, value, path)
        elif wanted is float and isinstance(value, int) and not isinstance(value, bool):
            made[key] = float(value)
        elif isinstance(value, wanted) and not (wanted is int and isinstance(value, bool)):
            made[key] = value
        else:
            raise BadInput(f"config {path}: {wanted.__name__} needed, got {value!r}")
    return kind(**made)


def load_config(kind: type[T], path: Path) -> T:
    """A config dataclass from a YAML file.

    Raises:
        BadInput: Not there, not YAML, an unknown key or a value of the wrong type.
    """
    import yaml

    try:
        values = yaml.safe_load(Path(path).read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadInput(f"config {path} cannot be read: {error}") from error
    return from_dict(kind, {} if values is None else values)


def dump_config(config: Any) -> str:
    """YAML text of a config dataclass."""
    import yaml

    return yaml.safe_dump(dataclasses.asdict(config), sort_keys=False)
