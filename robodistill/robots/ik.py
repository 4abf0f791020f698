"""Inverse kinematics of an arm by roboticstoolbox: Levenberg-Marquardt from several seeds, distinct answers kept."""

from types import ModuleType

import numpy as np

from robodistill.errors import MissingPart
from robodistill.robots.description import HINT
from robodistill.robots.robot import Robot

_STEPS = 40  # of a descent
_TOLERANCE = 1e-7  # of the solver's half squared error, metres and rad: below 0.5 mm and 0.03 degrees
_APART = 0.2  # rad, in one joint: from which two answers are different


def load_toolbox() -> ModuleType:
    """`roboticstoolbox`.

    Raises:
        MissingPart: It is not installed.
    """
    try:
        import roboticstoolbox
    except (ImportError, OSError) as error:
        raise MissingPart(f"{HINT}; loading it failed: {error}") from None
    return roboticstoolbox


class InverseKinematics:
    """An arm's solver, made once; the robot's place is that when it was made."""

    def __init__(self, robot: Robot, arm: str, seeds: int = 24, seed: int = 0) -> None:
        """Prepare.

        Args:
            seeds: Random starts that are tried after those given.
            seed: Of their draw.

        Raises:
            MissingPart: roboticstoolbox is not installed.
        """
        it = robot.arm(arm)
        chain = robot.model.chain(robot.model.root, it.tool)
        self._ets = _ets(load_toolbox(), robot, it.joints, chain, it.T_tool_grasp)
        self._T_base_world = np.linalg.inv(robot.T_world_base)
        self.limits, self.home = it.limits, it.home
        draws = np.random.default_rng(seed).uniform(size=(seeds, len(it.joints)))
        self._starts = self.limits[:, 0] + draws * np.ptp(self.limits, axis=1)

    def __call__(self, T_world_grasp: np.ndarray, near: np.ndarray | None = None, most: int = 4) -> np.ndarray:
        """Joint values that bring the grasp frame to a pose.

        Args:
            T_world_grasp: (4, 4).
            near: (J,) or (n, J) starts that are tried first; the home pose follows them.
            most: Distinct answers after which the search ends.

        Returns:
            (n, J) within the limits, n from 0 to `most`; the answer of the first start that gave one is first.
        """
        first = self.home[None] if near is None else np.concatenate([np.atleast_2d(near), self.home[None]])
        T = self._T_base_world @ T_world_grasp
        found: list[np.ndarray] = []
        for start in np.concatenate([first, self._starts]):
            q = self._descend(T, start)
            if q is not None and all(np.abs(q - other).max() > _APART for other in found):
                found.append(q)
                if len(found) == most:
                    break
        return np.array(found).reshape(-1, len(self.home))

    def nearest(self, T_world_grasp: np.ndarray, start: np.ndarray) -> np.ndarray | None:
        """The answer (J,) that one descent from `start` (J,) ends in; None where it fails. For paths."""
        return self._descend(self._T_base_world @ T_world_grasp, start)

    def _descend(self, T_base_grasp: np.ndarray, start: np.ndarray) -> np.ndarray | None:
        # the solver turns answers by whole turns into the limits, or rejects them
        found = self._ets.ik_LM(T_base_grasp, q0=start, ilimit=_STEPS, slimit=1, tol=_TOLERANCE, joint_limits=True)
        q = np.asarray(found.q, float)
        inside = (q >= self.limits[:, 0]).all() and (q <= self.limits[:, 1]).all()
        return q if found.success and inside else None


def _ets(toolbox: ModuleType, robot: Robot, joints: tuple[str, ...], chain: tuple, T_tool_grasp: np.ndarray) -> object:
    """The chain as elementary transforms: a joint turns about z or slides along it, between fixed ones."""
    parts, fixed = [], np.eye(4)
    for joint in chain:
        fixed = fixed @ joint.T_parent_joint
        if joint.name not in joints:
            continue
        turn = np.eye(4)
        turn[:3, :3] = _z_to(joint.axis)
        parts.append(toolbox.ET.SE3(fixed @ turn))
        make = toolbox.ET.tz if joint.kind == "prismatic" else toolbox.ET.Rz
        parts.append(make(qlim=list(joint.limits)))
        fixed = turn.T
    parts.append(toolbox.ET.SE3(fixed @ T_tool_grasp))
    return toolbox.ETS(parts)


def _z_to(axis: np.ndarray) -> np.ndarray:
    """(3, 3) a rotation that turns z to a unit axis."""
    helper = np.array([1.0, 0, 0]) if abs(axis[0]) < 0.9 else np.array([0, 1.0, 0])
    x = np.cross(helper, axis)
    x /= np.linalg.norm(x)
    return np.column_stack([x, np.cross(axis, x), axis])
