#!/usr/bin/env python3
"""Write assets/robots/*.urdf. Joint origins, axes and limits are published facts of the robots; shapes are our own.

python scripts/make_robots.py [FOLDER]
"""

import sys
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np
from scipy.spatial.transform import Rotation

# ABB IRB 14000 (YuMi): name, xyz, rpy, lower, upper, rad/s, N m; in the order of the chain, which is 1 2 7 3 4 5 6
YUMI = [
    ("2", "0.03 0 0.1", "1.5707963 0 0", -2.5045, 0.7592, 3.14, 14),
    ("7", "-0.03 0.17283 0", "-1.5707963 0 0", -2.9409, 2.9409, 3.14, 14),
    ("3", "-0.04188 0 0.07873", "1.5707963 -1.5707963 0", -2.1555, 1.3963, 3.14, 9),
    ("4", "0.0405 0.16461 0", "-1.5707963 0 0", -5.0615, 5.0615, 6.98, 4),
    ("5", "-0.027 0 0.10039", "1.5707963 0 0", -1.5359, 2.4086, 6.98, 4),
    ("6", "0.027 0.029 0", "-1.5707963 0 0", -3.9968, 3.9968, 6.98, 4),
]
YUMI_FIRST = {
    "left": ("0.05355 0.0725 0.41492", "0.9781 -0.5716 2.3180"),
    "right": ("0.05355 -0.0725 0.41492", "-0.9795 -0.5682 -2.3155"),
}
# capsules of a link: from, to, radius
YUMI_SHAPES = {
    "1": [((0, 0, 0.02), (0.015, 0, 0.1), 0.052)],
    "2": [((0, 0, 0), (-0.03, 0.15, 0), 0.05)],
    "7": [((0, 0, 0), (-0.042, 0, 0.079), 0.045)],
    "3": [((0, 0, 0), (0.0405, 0.14, 0), 0.043)],
    "4": [((0, 0, -0.02), (-0.027, 0, 0.1), 0.036)],
    "5": [((0, 0, 0), (0.027, 0.005, 0), 0.035)],
}
# Franka Emika Panda: xyz, rpy, lower, upper, rad/s, N m
PANDA = [
    ("0 0 0.333", "0 0 0", -2.8973, 2.8973, 2.175, 87),
    ("0 0 0", "-1.5707963 0 0", -1.7628, 1.7628, 2.175, 87),
    ("0 -0.316 0", "1.5707963 0 0", -2.8973, 2.8973, 2.175, 87),
    ("0.0825 0 0", "1.5707963 0 0", -3.0718, -0.0698, 2.175, 87),
    ("-0.0825 0.384 0", "-1.5707963 0 0", -2.8973, 2.8973, 2.61, 12),
    ("0 0 0", "1.5707963 0 0", -0.0175, 3.7525, 2.61, 12),
    ("0.088 0 0", "1.5707963 0 0", -2.8973, 2.8973, 2.61, 12),
]
PANDA_SHAPES = {
    "0": [((-0.08, 0, 0.06), (0, 0, 0.06), 0.06)],
    "1": [((0, 0, -0.19), (0, 0, -0.05), 0.06)],
    "2": [((0, 0, -0.06), (0, 0, 0.06), 0.06)],
    "3": [((0, 0, -0.145), (0, 0, -0.07), 0.06), ((0.08, 0, 0), (0.0825, 0.04, 0), 0.055)],
    "4": [((0, 0, -0.05), (0, 0, 0.05), 0.06), ((-0.08, 0.03, 0), (-0.0825, 0.1, 0), 0.055)],
    "5": [((0, 0, -0.26), (0, 0.04, -0.13), 0.055), ((0, 0.07, -0.1), (0, 0.07, 0), 0.04)],
    "6": [((0, 0, -0.01), (0.07, 0, 0), 0.05)],
    "7": [((0, 0, 0.03), (0, 0, 0.075), 0.045)],
}


class Robot:
    """URDF under construction."""

    def __init__(self, name: str, note: str) -> None:
        self.name, self.lines = name, [f"  <!-- {note} Written by scripts/make_robots.py. -->"]

    def link(self, name: str, shapes: list = (), color: str = "0.85 0.85 0.83 1") -> None:
        """A link of capsules (from, to, radius) and boxes (center, lengths)."""
        self.lines.append(f"  <link name={quoteattr(name)}>")
        for shape in shapes:
            for xyz, rpy, geometry in _pieces(shape):
                for kind in ("visual", "collision"):
                    paint = f'<material name="{name}"><color rgba="{color}"/></material>' if kind == "visual" else ""
                    self.lines.append(
                        f'    <{kind}><origin xyz="{xyz}" rpy="{rpy}"/><geometry>{geometry}</geometry>{paint}</{kind}>'
                    )
        self.lines.append("  </link>")

    def joint(self, name: str, kind: str, parent: str, child: str, xyz: str, rpy: str = "0 0 0", axis: str = "0 0 1",
              limits: tuple | None = None) -> None:  # fmt: skip
        """A joint; limits are lower, upper, velocity, effort."""
        self.lines += [
            f'  <joint name="{name}" type="{kind}">',
            f'    <parent link="{parent}"/><child link="{child}"/><origin xyz="{xyz}" rpy="{rpy}"/>',
        ]
        if limits:
            low, high, velocity, effort = limits
            self.lines.append(
                f'    <axis xyz="{axis}"/><limit lower="{low}" upper="{high}" velocity="{velocity}" effort="{effort}"/>'
            )
        self.lines.append("  </joint>")

    def fingers(self, side: str, hand: str, reach: float, stroke: float, size: tuple, force: float) -> None:
        """Two parallel fingers that close along x; the tool is midway between their pads, `reach` along z.

        `size` is a finger's thickness, width and length; its tip is 10 mm beyond the tool.
        """
        thick, wide, long = size
        for tag, sign in (("a", 1), ("b", -1)):
            center = (sign * thick / 2, 0, reach + 0.010 - long / 2)
            self.link(f"{side}_finger_{tag}", [(center, (thick, wide, long))], "0.25 0.25 0.27 1")
            self.joint(f"{side}_finger_{tag}", "prismatic", hand, f"{side}_finger_{tag}", "0 0 0",
                       axis=f"{sign} 0 0", limits=(0, stroke, 0.2, force))  # fmt: skip
        self.link(f"{side}_tool")
        self.joint(f"{side}_tool", "fixed", hand, f"{side}_tool", f"0 0 {reach}")

    def write(self, folder: Path) -> None:
        """Write FOLDER/NAME.urdf."""
        text = "\n".join(['<?xml version="1.0"?>', f'<robot name="{self.name}">', *self.lines, "</robot>", ""])
        (folder / f"{self.name}.urdf").write_text(text)


def _pieces(shape: tuple) -> list[tuple[str, str, str]]:
    """(xyz, rpy, geometry) elements: a box, or a cylinder with a sphere at both ends."""
    if len(shape) == 2:
        center, size = shape
        return [(_text(center), "0 0 0", f'<box size="{_text(size)}"/>')]
    a, b, radius = np.array(shape[0], float), np.array(shape[1], float), shape[2]
    length = float(np.linalg.norm(b - a))
    x, y, z = (b - a) / length
    rpy = np.array([0.0, np.arccos(np.clip(z, -1, 1)), np.arctan2(y, x)])  # turns z along the capsule
    a, b = ((a + b) / 2 + s * length / 2 * Rotation.from_euler("xyz", rpy).as_matrix()[:, 2] for s in (-1, 1))
    cylinder = f'<cylinder radius="{radius:.6g}" length="{length:.8f}"/>'
    sphere = f'<sphere radius="{radius:.6g}"/>'
    return [
        (_text((a + b) / 2), _text(rpy), cylinder),
        (_text(a), "0 0 0", sphere),
        (_text(b), "0 0 0", sphere),
    ]


def _text(values: tuple) -> str:
    return " ".join(f"{x:.8f}".rstrip("0").rstrip(".") for x in values)


def make_yumi() -> Robot:
    """Two arms of seven joints on a body, two parallel grippers of 50 mm stroke."""
    robot = Robot("yumi", "ABB IRB 14000 (YuMi): its published kinematics, in shapes of our own.")
    robot.link("body", [((-0.07, 0, 0.24), (0.2, 0.2, 0.48)), ((-0.02, -0.05, 0.42), (-0.02, 0.05, 0.42), 0.08)])
    for side, (xyz, rpy) in YUMI_FIRST.items():
        robot.link(f"{side}_link_1", YUMI_SHAPES["1"])
        robot.joint(
            f"{side}_joint_1", "revolute", "body", f"{side}_link_1", xyz, rpy, limits=(-2.9409, 2.9409, 3.14, 14)
        )
        above = f"{side}_link_1"
        for number, xyz, rpy, *limits in YUMI:
            link = f"{side}_link_{number}"
            hand = [((0, 0, 0.012), (0.06, 0.06, 0.024)), ((0, 0, 0.054), (0.09, 0.056, 0.06))]
            robot.link(link, YUMI_SHAPES.get(number, hand))
            robot.joint(f"{side}_joint_{number}", "revolute", above, link, xyz, rpy, limits=tuple(limits))
            above = link
        robot.fingers(side, above, reach=0.125, stroke=0.025, size=(0.008, 0.016, 0.051), force=20)
    return robot


def make_pandas() -> Robot:
    """Two Pandas side by side, 0.8 m apart, with their own hands of 80 mm stroke."""
    robot = Robot("two_pandas", "Two Franka Emika Pandas: their published kinematics, in shapes of our own.")
    robot.link("mount")
    for side, y in (("left", 0.4), ("right", -0.4)):
        above = f"{side}_link_0"
        robot.link(above, PANDA_SHAPES["0"])
        robot.joint(f"{side}_mount", "fixed", "mount", above, f"0 {y} 0")
        for number, (xyz, rpy, *limits) in enumerate(PANDA, start=1):
            link = f"{side}_link_{number}"
            robot.link(link, PANDA_SHAPES[str(number)])
            robot.joint(f"{side}_joint_{number}", "revolute", above, link, xyz, rpy, limits=tuple(limits))
            above = link
        robot.link(f"{side}_hand", [((0, 0, 0.033), (0.2, 0.06, 0.066))])
        robot.joint(f"{side}_hand", "fixed", above, f"{side}_hand", "0 0 0.107", "0 0 0.78539816")  # closes along x
        robot.fingers(side, f"{side}_hand", reach=0.1034, stroke=0.04, size=(0.012, 0.02, 0.047), force=70)
    return robot


def main() -> None:
    """Write all."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent / "assets" / "robots"
    folder.mkdir(parents=True, exist_ok=True)
    for robot in (make_yumi(), make_pandas()):
        robot.write(folder)


if __name__ == "__main__":
    main()
