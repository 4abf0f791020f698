"""URDF read into plain tables: links with convex shapes, joints with origin, axis and limits.

Inertia, transmissions and looks are left out. A cylinder with a sphere of its radius at both ends is taken as the
capsule it is: URDF has none. Of meshes the convex hull is kept.
"""

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from robodistill.errors import BadInput

_MOVING = ("revolute", "continuous", "prismatic")
_FREE = np.pi  # rad, either way: limit of a continuous joint, which comes round to itself
_SAME = 1e-6


@dataclass(frozen=True, eq=False)
class Shape:
    """A convex body on a link."""

    kind: str
    """box, cylinder, capsule, sphere or hull."""
    T_link_shape: np.ndarray
    """(4, 4)."""
    size: tuple[float, ...]
    """Metres. box: full lengths; cylinder and capsule: radius, length along z (without caps); sphere: radius."""
    points: np.ndarray | None = None
    """(n, 3) of a hull, shape frame."""

    @property
    def radius(self) -> float:
        """Of the sphere around the shape's origin that holds it, metres."""
        if self.kind == "box":
            return float(np.linalg.norm(self.size)) / 2
        if self.kind == "cylinder":
            return float(np.hypot(self.size[0], self.size[1] / 2))
        if self.kind == "capsule":
            return self.size[0] + self.size[1] / 2
        return self.size[0] if self.kind == "sphere" else float(np.linalg.norm(self.points, axis=1).max())


@dataclass(frozen=True, eq=False)
class Joint:
    """How a link hangs on its parent."""

    name: str
    kind: str
    """fixed, revolute, continuous or prismatic."""
    parent: str
    child: str
    T_parent_joint: np.ndarray
    """(4, 4), with the joint at 0."""
    axis: np.ndarray
    """(3,) unit, joint frame."""
    limits: tuple[float, float]
    """rad or metres."""
    velocity: float
    """Greatest, rad/s or m/s."""
    effort: float
    """Greatest, N m or N."""

    @property
    def moves(self) -> bool:
        """Whether it has a value."""
        return self.kind != "fixed"


@dataclass(frozen=True, eq=False)
class Model:
    """A tree of links."""

    name: str
    root: str
    joints: tuple[Joint, ...]
    """Each after the one its parent hangs on."""
    shapes: dict[str, tuple[Shape, ...]]
    """By link; every link has an entry."""

    @property
    def links(self) -> tuple[str, ...]:
        """The root, then the child of each joint, in that order."""
        return (self.root, *(joint.child for joint in self.joints))

    def joint(self, name: str) -> Joint:
        """By name.

        Raises:
            BadInput: There is none.
        """
        for joint in self.joints:
            if joint.name == name:
                return joint
        raise BadInput(f"robot {self.name} has no joint {name!r}; it has {', '.join(j.name for j in self.joints)}")

    def chain(self, base: str, tip: str) -> tuple[Joint, ...]:
        """The joints from a link down to another.

        Raises:
            BadInput: A link is not there or the one does not hang on the other.
        """
        for link in (base, tip):
            if link not in self.shapes:
                raise BadInput(f"robot {self.name} has no link {link!r}; it has {', '.join(self.links)}")
        above = {joint.child: joint for joint in self.joints}
        found, link = [], tip
        while link != base:
            if link not in above:
                raise BadInput(f"robot {self.name}: link {tip} does not hang on {base}")
            found.append(above[link])
            link = above[link].parent
        return tuple(found[::-1])


def read_urdf(text: str, folder: Path | None = None) -> Model:
    """The model in a URDF's text, as of `/robot_description`.

    Args:
        folder: Where relative mesh files are looked for; of `package://NAME/...` any folder above it is tried.

    Raises:
        BadInput: Not URDF, not a tree, a joint or shape that is not known, or a mesh that is not there.
    """
    try:
        root = ET.fromstring(text)
    except ET.ParseError as error:
        raise BadInput(f"robot description: not XML: {error}") from None
    if root.tag != "robot":
        raise BadInput(f"robot description: the root element is {root.tag!r}, of a URDF it is 'robot'")
    name = root.get("name", "robot")
    shapes = {link.get("name"): _shapes(link, folder) for link in root.findall("link")}
    joints = [_joint(element, shapes) for element in root.findall("joint")]
    roots = set(shapes) - {joint.child for joint in joints}
    if len(roots) != 1:
        raise BadInput(f"robot {name}: one root link is needed, there are {len(roots)}: {', '.join(sorted(roots))}")
    return Model(name, next(iter(roots)), tuple(_ordered(next(iter(roots)), joints)), shapes)


def _ordered(root: str, joints: list[Joint]) -> list[Joint]:
    known, rest, found = {root}, list(joints), []
    while rest:
        ready = [joint for joint in rest if joint.parent in known]
        if not ready:
            raise BadInput(f"robot description: joint {rest[0].name} hangs on nothing, or in a loop")
        found += ready
        rest = [joint for joint in rest if joint.parent not in known]
        known |= {joint.child for joint in ready}
    return found


def _joint(element: ET.Element, links: dict) -> Joint:
    name, kind = element.get("name"), element.get("type")
    if kind not in (*_MOVING, "fixed"):
        raise BadInput(f"joint {name}: type {kind!r}; one of fixed, {', '.join(_MOVING)} is needed")
    ends = [element.find(end) for end in ("parent", "child")]
    ends = [None if end is None else end.get("link") for end in ends]
    if not all(end in links for end in ends):
        raise BadInput(f"joint {name}: parent and child must be links, got {ends[0]!r} and {ends[1]!r}")
    axis = _numbers(element.find("axis"), "xyz", (1.0, 0.0, 0.0))
    if kind != "fixed" and np.linalg.norm(axis) < _SAME:
        raise BadInput(f"joint {name}: its axis has no length")
    limit = element.find("limit")
    values = {} if limit is None else limit.attrib
    low, high = float(values.get("lower", 0)), float(values.get("upper", 0))
    if kind == "continuous":
        low, high = -_FREE, _FREE
    if kind in ("revolute", "prismatic") and not low < high:
        raise BadInput(f"joint {name}: limits {low} to {high} leave no way to move")
    velocity, effort = (float(values.get(key, 0)) or np.inf for key in ("velocity", "effort"))
    axis = axis / max(float(np.linalg.norm(axis)), _SAME)
    return Joint(name, kind, *ends, _origin(element), axis, (low, high), velocity, effort)


def _shapes(link: ET.Element, folder: Path | None) -> tuple[Shape, ...]:
    found = []
    for element in link.findall("collision") or link.findall("visual"):
        geometry = element.find("geometry")
        if geometry is None or not len(geometry):
            raise BadInput(f"link {link.get('name')}: a collision element without geometry")
        found.append(_shape(geometry[0], _origin(element), folder))
    return _with_capsules(found)


def _shape(element: ET.Element, T: np.ndarray, folder: Path | None) -> Shape:
    values = element.attrib
    try:
        if element.tag == "box":
            return Shape("box", T, tuple(float(x) for x in values["size"].split()))
        if element.tag in ("cylinder", "capsule"):
            return Shape(element.tag, T, (float(values["radius"]), float(values["length"])))
        if element.tag == "sphere":
            return Shape("sphere", T, (float(values["radius"]),))
        if element.tag == "mesh":
            points = _hull(values["filename"], _numbers(element, "scale", (1.0, 1.0, 1.0)), folder)
            middle = points.mean(0)
            shift = np.eye(4)
            shift[:3, 3] = middle
            return Shape("hull", T @ shift, (), points - middle)
    except (KeyError, ValueError) as error:
        raise BadInput(f"robot description: <{element.tag}> cannot be read: {error}") from None
    raise BadInput(f"robot description: shape {element.tag!r}; box, cylinder, capsule, sphere and mesh are known")


def _hull(filename: str, scale: np.ndarray, folder: Path | None) -> np.ndarray:
    import trimesh

    name = filename.removeprefix("file://")
    if "://" in name:  # package://NAME/PATH: NAME is a folder above the URDF, or its parent stands for it
        name = name.partition("://")[2]
    places = [Path(name)]
    for above in [] if folder is None else [folder, *folder.parents]:
        places += [above / name, above / Path(*Path(name).parts[1:])]
    for place in places:
        if place.is_file():
            return np.asarray(trimesh.load(place, force="mesh").convex_hull.vertices) * scale
    raise BadInput(f"mesh {filename} of the robot description is not there; looked in {folder} and above")


def _with_capsules(shapes: list[Shape]) -> tuple[Shape, ...]:
    """Cylinders with spheres on both ends as one shape each."""
    spheres = [shape for shape in shapes if shape.kind == "sphere"]
    used, made = [], []
    for shape in shapes:
        if shape.kind != "cylinder":
            continue
        radius, length = shape.size
        ends = [shape.T_link_shape[:3, 3] + s * length / 2 * shape.T_link_shape[:3, 2] for s in (-1, 1)]
        caps = [
            next(
                (s for s in spheres if abs(s.size[0] - radius) + np.abs(s.T_link_shape[:3, 3] - e).sum() < _SAME), None
            )
            for e in ends
        ]
        if None not in caps:
            used += [shape, *caps]
            made.append(Shape("capsule", shape.T_link_shape, shape.size))
    return (*made, *(shape for shape in shapes if not any(shape is other for other in used)))


def _origin(element: ET.Element) -> np.ndarray:
    origin = element.find("origin")
    T = np.eye(4)
    T[:3, 3] = _numbers(origin, "xyz", (0.0, 0.0, 0.0))
    T[:3, :3] = Rotation.from_euler("xyz", _numbers(origin, "rpy", (0.0, 0.0, 0.0))).as_matrix()
    return T


def _numbers(element: ET.Element | None, key: str, default: tuple) -> np.ndarray:
    text = None if element is None else element.get(key)
    try:
        values = np.array(default if text is None else [float(x) for x in text.split()], float)
    except ValueError:
        values = np.zeros(0)
    if values.shape != (len(default),):
        raise BadInput(f"robot description: {key}={text!r}; {len(default)} numbers are needed")
    return values
