"""`Robot`: a URDF with arms named in it, where it stands, and its forward kinematics over many configurations at once.

A configuration `q` holds the joints of all arms, one arm after the other, in `Robot.joints`' order. Grippers are told
apart from it, by their opening in metres.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from robodistill.errors import BadInput
from robodistill.robots.description import ArmEntry, Placement, RobotEntry, read_entry
from robodistill.robots.urdf import Joint, Model, Shape, read_urdf


@dataclass(frozen=True, eq=False)
class Arm:
    """A chain of joints with a parallel gripper at its end."""

    name: str
    base: str
    """Link."""
    tool: str
    """Link."""
    T_tool_grasp: np.ndarray
    """(4, 4) the grasp frame in the tool link: z approach, x closing direction, origin midway between the pads."""
    joints: tuple[str, ...]
    limits: np.ndarray
    """(J, 2) rad."""
    velocity: np.ndarray
    """(J,) greatest, rad/s."""
    home: np.ndarray
    """(J,) rad."""
    fingers: tuple[str, ...]
    """Joints of the gripper."""
    opening: float
    """Between the pads when open, metres."""
    columns: slice
    """The arm's joints in a configuration of the robot."""
    hand: tuple[str, ...]
    """Links that move with the tool: the last of the arm, the gripper's body and fingers."""


@dataclass(frozen=True, eq=False)
class Robot:
    """A robot that stands somewhere."""

    name: str
    model: Model
    arms: dict[str, Arm]
    T_world_base: np.ndarray
    """(4, 4) of the root link."""
    ignored: frozenset[frozenset[str]] | None
    """Pairs of links whose contact says nothing; None: not looked for yet, see `pairs.find_ignored`."""

    @property
    def joints(self) -> tuple[str, ...]:
        """Names, in the order of a configuration."""
        return tuple(name for arm in self.arms.values() for name in arm.joints)

    @property
    def limits(self) -> np.ndarray:
        """(J, 2) rad."""
        return np.concatenate([arm.limits for arm in self.arms.values()])

    @property
    def home(self) -> np.ndarray:
        """(J,) rad."""
        return np.concatenate([arm.home for arm in self.arms.values()])

    def arm(self, name: str) -> Arm:
        """By name.

        Raises:
            BadInput: There is none.
        """
        if name not in self.arms:
            raise BadInput(f"robot {self.name} has no arm {name!r}; it has {', '.join(self.arms)}")
        return self.arms[name]

    def placed(self, T_world_base: np.ndarray) -> "Robot":
        """The same robot elsewhere."""
        return replace(self, T_world_base=np.asarray(T_world_base, float))

    def link_poses(self, q: np.ndarray, openings: dict[str, float] | None = None) -> dict[str, np.ndarray]:
        """Ts_world_link (..., 4, 4) of every link.

        Args:
            q: (..., J) configurations.
            openings: Of grippers by arm, metres; the others are open.
        """
        q = np.asarray(q, float)
        assert q.shape[-1] == len(self.joints), (q.shape, self.joints)
        values = {name: q[..., k] for k, name in enumerate(self.joints)}
        for arm in self.arms.values():
            values |= self.finger_values(arm.name, (openings or {}).get(arm.name, arm.opening))
        poses = {self.model.root: np.broadcast_to(self.T_world_base, (*q.shape[:-1], 4, 4))}
        for joint in self.model.joints:
            poses[joint.child] = poses[joint.parent] @ joint_transforms(joint, values.get(joint.name, 0.0))
        return poses

    def finger_values(self, arm: str, opening: float | np.ndarray) -> dict[str, np.ndarray]:
        """Values (...) of an arm's finger joints when its pads are `opening` (...) apart, metres."""
        it = self.arms[arm]
        share = np.clip(np.asarray(opening, float) / it.opening, 0.0, 1.0)
        limits = {name: self.model.joint(name).limits for name in it.fingers}
        return {name: low + share * (high - low) for name, (low, high) in limits.items()}

    def tool_poses(self, arm: str, q_arm: np.ndarray) -> np.ndarray:
        """Ts_world_grasp (..., 4, 4) of an arm's grasp frame for the arm's own joints (..., J)."""
        it = self.arms[arm]
        q_arm = np.asarray(q_arm, float)
        values = {name: q_arm[..., k] for k, name in enumerate(it.joints)}
        T = self.T_world_base
        for joint in self.model.chain(self.model.root, it.tool):
            T = T @ joint_transforms(joint, values.get(joint.name, 0.0))
        return T @ it.T_tool_grasp

    def hand_shapes(self, arm: str, opening: float | None = None) -> list[tuple[str, Shape]]:
        """(link, shape) of what moves with an arm's tool, each shape in the grasp frame, at an opening in metres."""
        it = self.arms[arm]
        poses = self.link_poses(self.home, {arm: it.opening if opening is None else opening})
        T_grasp_world = np.linalg.inv(poses[it.tool] @ it.T_tool_grasp)
        return [
            (link, replace(shape, T_link_shape=T_grasp_world @ poses[link] @ shape.T_link_shape))
            for link in it.hand
            for shape in self.model.shapes[link]
        ]


def joint_transforms(joint: Joint, values: np.ndarray | float) -> np.ndarray:
    """Ts_parent_child (..., 4, 4) of a joint at values (...)."""
    if not joint.moves:
        return joint.T_parent_joint
    values = np.asarray(values, float)
    T = np.zeros((*values.shape, 4, 4))
    T[..., [0, 1, 2, 3], [0, 1, 2, 3]] = 1
    if joint.kind == "prismatic":
        T[..., :3, 3] = values[..., None] * joint.axis
    else:  # Rodrigues' formula
        x, y, z = joint.axis
        K = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        T[..., :3, :3] += np.sin(values)[..., None, None] * K + (1 - np.cos(values))[..., None, None] * (K @ K)
    return joint.T_parent_joint @ T


def load_robot(name: str | Path) -> Robot:
    """A robot by the name of its file in `config/robots`, or by the path of such a file.

    Raises:
        BadInput: No such robot, or its files do not fit each other.
        MissingPart: Its URDF is of a package that is not installed.
    """
    entry, text, folder = read_entry(name)
    return make_robot(entry, text, folder)


def make_robot(entry: RobotEntry, urdf: str, folder: Path | None = None) -> Robot:
    """A robot from its entry and a URDF's text, such as `/robot_description`.

    Args:
        folder: Where the URDF's meshes are looked for.

    Raises:
        BadInput: They do not fit each other.
    """
    model = read_urdf(urdf, folder)
    arms, first = {}, 0
    for name, it in entry.arms.items():
        arms[name] = _arm(name, it, model, first)
        first += len(arms[name].joints)
    used = [joint for arm in arms.values() for joint in arm.joints]
    if len(set(used)) < len(used):
        raise BadInput(f"robot {model.name}: arms share joints; each needs a base below what they share")
    ignored = entry.ignored
    for link in {link for pair in ignored or () for link in pair} - set(model.links):
        raise BadInput(f"robot {model.name}: ignored pair with link {link!r}; there are {', '.join(model.links)}")
    pairs = None if ignored is None else frozenset(frozenset(pair) for pair in ignored)
    return Robot(model.name, model, arms, transform(entry.T_world_base), pairs)


def _arm(name: str, entry: ArmEntry, model: Model, first: int) -> Arm:
    moving = [joint for joint in model.chain(entry.base, entry.tool) if joint.moves]
    if not moving or len(entry.home) != len(moving):
        raise BadInput(
            f"robot {model.name}, arm {name}: home has {len(entry.home)} values, "
            f"the joints are {', '.join(joint.name for joint in moving) or 'none'}"
        )
    limits = np.array([joint.limits for joint in moving])
    home = np.array(entry.home)
    for joint, value, (low, high) in zip(moving, home, limits, strict=True):
        if not low <= value <= high:
            raise BadInput(f"robot {model.name}: home of {joint.name} is {value}; {low} to {high} is possible")
    for finger in entry.fingers:
        if not model.joint(finger).moves:
            raise BadInput(f"robot {model.name}: finger joint {finger} is fixed")
    if entry.opening <= 0:
        raise BadInput(f"robot {model.name}, arm {name}: opening is {entry.opening}; metres above 0 are needed")
    return Arm(
        name,
        entry.base,
        entry.tool,
        transform(entry.tool_offset),
        tuple(joint.name for joint in moving),
        limits,
        np.array([joint.velocity for joint in moving]),
        home,
        entry.fingers,
        entry.opening,
        slice(first, first + len(moving)),
        _hand(model, moving[-1].child, entry.fingers),
    )


def _hand(model: Model, last: str, fingers: Sequence[str]) -> tuple[str, ...]:
    """Links that hang on a link by fixed joints or by the fingers'."""
    links = [last]
    for joint in model.joints:
        if joint.parent in links and (not joint.moves or joint.name in fingers):
            links.append(joint.child)
    return tuple(links)


def transform(placement: Placement) -> np.ndarray:
    """(4, 4)."""
    T = np.eye(4)
    T[:3, :3] = Rotation.from_euler("xyz", placement.rpy).as_matrix()
    T[:3, 3] = placement.xyz
    return T
