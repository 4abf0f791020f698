"""URDF of a tracked object: its parts as links with surfaces, convex pieces and inertia, its joints with their ranges.

The root link's frame is the field's; each other link has its origin on its joint's axis, unturned at rest. URDF has no
screw and no free joint: a screw is a turn with a slide that mimics it, a free part hangs on three slides and three
turns. The file reads in MuJoCo, roboticstoolbox and ROS; mesh paths are relative to it.
"""

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import trimesh

from robodistill.capture.write import make_output, write_whole
from robodistill.errors import BadInput
from robodistill.field.gaussians import GaussianField
from robodistill.tracking.motion import Joint, PartMotion
from robodistill.tracking.part_mesh import PartMesh, part_mesh

_DENSITY = 500.0  # kg/m^3 of the convex pieces: between wood and thin-walled plastic
_LIGHT = (1e-3, 1e-7)  # kg and kg m^2 of links that only carry a joint
_AWAY = (0.5, np.pi)  # metres and rad that a free part may go from rest
_EFFORT, _SPEED = 10.0, 3.0


def export_urdf(field: GaussianField, motion: PartMotion, out: Path, density: float = _DENSITY) -> Path:
    """Write `out/object.urdf` and `out/meshes/`; the URDF comes last.

    Args:
        out: A folder that does not exist yet, or is empty.
        density: Of the parts' convex pieces, kg/m^3.

    Returns:
        Path of the URDF.

    Raises:
        BadInput: `out` holds something, the motion is of another field, or a part has too few Gaussians.
        MissingPart: Open3D cannot be loaded.
    """
    if len(motion.labels) != len(field):
        raise BadInput(f"the motion labels {len(motion.labels)} Gaussians, the field has {len(field)}")
    return write_urdf([part_mesh(field, motion.labels == k) for k in range(len(motion.parts))], motion, out, density)


def write_urdf(meshes: Sequence[PartMesh], motion: PartMotion, out: Path, density: float = _DENSITY) -> Path:
    """`export_urdf` of parts whose meshes there are already.

    Raises:
        BadInput: `out` holds something.
    """
    out = make_output(out)
    names = _names(motion.parts)
    origins = {motion.root: np.zeros(3)} | {joint.child: joint.origin for joint in motion.joints}
    robot = ET.Element("robot", name="object")
    # what MuJoCo needs to know; others skip the element
    ET.SubElement(ET.SubElement(robot, "mujoco"), "compiler", strippath="false", balanceinertia="true")
    for k, name in enumerate(names):
        _add_link(robot, name, meshes[k], origins[k], out, density)
    for joint in motion.joints:
        _add_joint(robot, joint, names, joint.origin - origins[joint.parent])
    ET.indent(robot)
    write_whole(out / "object.urdf", ET.tostring(robot, encoding="utf-8", xml_declaration=True))
    return out / "object.urdf"


def _names(parts: tuple[str, ...]) -> list[str]:
    """Part names as link names: words joined, each once."""
    names: list[str] = []
    for k, part in enumerate(parts):
        name = "".join(c if c.isalnum() else "_" for c in part) or f"part{k}"
        names.append(name if name not in names else f"{name}_{k}")
    return names


def _add_link(robot: ET.Element, name: str, mesh: PartMesh, origin: np.ndarray, out: Path, density: float) -> None:
    link = ET.SubElement(robot, "link", name=name)
    mass, center, inertia = mesh.inertia(density)
    _inertial(link, mass, center - origin, inertia)
    visual = ET.SubElement(link, "visual")
    _mesh(visual, mesh.surface, origin, out, f"meshes/{name}.obj")
    material = ET.SubElement(visual, "material", name=f"{name}_color")
    ET.SubElement(material, "color", rgba=_text([*mesh.color, 1.0]))
    for k, piece in enumerate(mesh.pieces):
        _mesh(ET.SubElement(link, "collision"), piece, origin, out, f"meshes/{name}_{k}.stl")


def _mesh(parent: ET.Element, mesh: trimesh.Trimesh, origin: np.ndarray, out: Path, path: str) -> None:
    moved = mesh.copy()
    moved.apply_translation(-origin)
    data = moved.export(file_type=Path(path).suffix[1:])
    write_whole(out / path, data if isinstance(data, bytes) else data.encode())
    ET.SubElement(ET.SubElement(parent, "geometry"), "mesh", filename=path)


def _inertial(link: ET.Element, mass: float, center: np.ndarray, inertia: np.ndarray) -> None:
    inertial = ET.SubElement(link, "inertial")
    ET.SubElement(inertial, "origin", xyz=_text(center))
    ET.SubElement(inertial, "mass", value=_text([mass]))
    keys = {"ixx": (0, 0), "ixy": (0, 1), "ixz": (0, 2), "iyy": (1, 1), "iyz": (1, 2), "izz": (2, 2)}
    ET.SubElement(inertial, "inertia", {key: _text([inertia[at]]) for key, at in keys.items()})


def _add_joint(robot: ET.Element, joint: Joint, names: list[str], offset: np.ndarray) -> None:
    """One URDF joint, or a chain of them through links that only carry a joint."""
    parent, child = names[joint.parent], names[joint.child]
    low, high = joint.range
    if joint.kind == "fixed":
        _one(robot, child, "fixed", parent, child, offset)
    elif joint.kind in ("revolute", "prismatic"):
        _one(robot, child, joint.kind, parent, child, offset, joint.axis, (low, high))
    elif joint.kind == "screw":
        middle = _carrier(robot, f"{child}_turn")
        _one(robot, f"{child}_turn", "revolute", parent, middle, offset, joint.axis, (low, high))
        rise = sorted((joint.pitch * low, joint.pitch * high))
        slide = _one(robot, f"{child}_rise", "prismatic", middle, child, np.zeros(3), joint.axis, (rise[0], rise[1]))
        ET.SubElement(slide, "mimic", joint=f"{child}_turn", multiplier=_text([joint.pitch]), offset="0")
    else:
        steps = [("prismatic", axis) for axis in "xyz"] + [("revolute", axis) for axis in "xyz"]
        for k, (kind, letter) in enumerate(steps):
            name = f"{child}_{kind}_{letter}"
            end = child if k == 5 else _carrier(robot, name)
            far = _AWAY[kind == "revolute"]
            _one(robot, name, kind, parent, end, offset, np.eye(3)["xyz".index(letter)], (-far, far))
            parent, offset = end, np.zeros(3)


def _carrier(robot: ET.Element, name: str) -> str:
    """A link of next to no mass; its name."""
    link = ET.SubElement(robot, "link", name=f"{name}_link")
    _inertial(link, _LIGHT[0], np.zeros(3), _LIGHT[1] * np.eye(3))
    return f"{name}_link"


def _one(
    robot: ET.Element,
    name: str,
    kind: str,
    parent: str,
    child: str,
    offset: np.ndarray,
    axis: np.ndarray | None = None,
    limits: tuple[float, float] = (0.0, 0.0),
) -> ET.Element:
    element = ET.SubElement(robot, "joint", name=f"{name}_joint" if kind == "fixed" else name, type=kind)
    ET.SubElement(element, "origin", xyz=_text(offset), rpy="0 0 0")
    ET.SubElement(element, "parent", link=parent)
    ET.SubElement(element, "child", link=child)
    if axis is not None:
        ET.SubElement(element, "axis", xyz=_text(axis))
        span = {"lower": _text([limits[0]]), "upper": _text([limits[1]])}
        ET.SubElement(element, "limit", span | {"effort": _text([_EFFORT]), "velocity": _text([_SPEED])})
    return element


def _text(values: object) -> str:
    return " ".join(f"{float(value):.9g}" for value in values)
