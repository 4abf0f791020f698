"""Where a robot's files are and what its own file `config/robots/NAME.yaml` says that a URDF does not."""

import importlib
from pathlib import Path

import pydantic

from robodistill.errors import BadInput, MissingPart
from robodistill.resources import MissingResource, find_resource

HINT = "robots need roboticstoolbox and coal: pip install robodistill[robot]"


class Placement(pydantic.BaseModel, extra="forbid", frozen=True):
    """A frame in another."""

    xyz: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Metres."""
    rpy: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Rotations about the fixed axes x, y, z in that order, rad."""


class ArmEntry(pydantic.BaseModel, extra="forbid", frozen=True):
    """One arm with a parallel gripper."""

    base: str
    """Link that the arm's joints begin after."""
    tool: str
    """Link whose frame is the grasp's, but for `tool_offset`."""
    tool_offset: Placement = Placement()
    """From the tool link to the grasp frame: z approach, x closing direction, origin midway between the pads."""
    fingers: tuple[str, ...]
    """Joints that open the gripper; all at their lower limit closed, at their upper limit open."""
    opening: float
    """Between the pads when open, metres; none when closed."""
    home: tuple[float, ...]
    """Values of the arm's joints, rad."""


class RobotEntry(pydantic.BaseModel, extra="forbid", frozen=True):
    """A robot's file."""

    urdf: str
    """A path, relative to this file or to the installation, or the name of a module of `robot_descriptions`."""
    T_world_base: Placement = Placement()
    """Where the URDF's root link stands; the simulated table's top is z = 0."""
    arms: dict[str, ArmEntry]
    ignored: list[tuple[str, str]] | None = None
    """Pairs of links whose contact says nothing, found by sampling (`robots.pairs`); looked for where absent."""


def read_entry(name: str | Path) -> tuple[RobotEntry, str, Path]:
    """A robot's entry, the text of its URDF, and the folder that is in.

    Args:
        name: Of a file in `config/robots`, or the path of such a file.

    Raises:
        BadInput: There is none, or it cannot be read.
        MissingPart: It names a package that is not installed.
    """
    import yaml

    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        folder = find_resource("config/robots")
        known = sorted(file.stem for file in folder.glob("*.yaml"))
        if str(name) not in known:
            raise BadInput(f"no robot {str(name)!r}; there are {', '.join(known)}, or give the path of a YAML file")
        path = folder / f"{name}.yaml"
    try:
        entry = RobotEntry.model_validate(yaml.safe_load(path.read_text()))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadInput(f"robot {path} cannot be read: {error}") from None
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        raise BadInput(f"robot {path}: {'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}") from None
    if not entry.arms:
        raise BadInput(f"robot {path}: at least one arm is needed")
    urdf = find_urdf(entry.urdf, path.parent)
    return entry, urdf.read_text(), urdf.parent


def find_urdf(name: str, beside: Path) -> Path:
    """A URDF: a file beside another, of the installation, anywhere, or of the package `robot_descriptions`.

    Raises:
        BadInput: There is none.
        MissingPart: `robot_descriptions` is not installed, or cannot get it.
    """
    if name.endswith(".urdf"):
        if (beside / name).is_file():
            return (beside / name).resolve()
        try:
            return find_resource(name)
        except MissingResource:
            raise BadInput(f"URDF {name} is neither in {beside} nor in the installation") from None
    try:
        return Path(importlib.import_module(f"robot_descriptions.{name}").URDF_PATH)
    except ModuleNotFoundError as error:
        if error.name == f"robot_descriptions.{name}":
            raise BadInput(f"robot_descriptions has no {name!r}; give one of its names or a .urdf file") from None
        raise MissingPart(f"{name} is of robot_descriptions: pip install robot_descriptions ({error})") from None
    except Exception as error:  # it clones a repository on import, in many ways
        raise MissingPart(f"robot_descriptions cannot get {name} here: {error}; give a .urdf file") from None
