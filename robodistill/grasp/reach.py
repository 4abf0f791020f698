"""Can an arm bring its gripper there: inverse kinematics of pre-grasp, grasp and lift, free of contact all the way."""

from dataclasses import dataclass, replace

import numpy as np

from robodistill.config import GraspConfig
from robodistill.grasp.grasp import Grasp
from robodistill.grasp.surface import Surface
from robodistill.robots.collision import Collision
from robodistill.robots.ik import InverseKinematics
from robodistill.robots.obstacles import points_obstacle, shape_obstacle
from robodistill.robots.pairs import with_ignored
from robodistill.robots.robot import Robot
from robodistill.robots.urdf import Shape

_STRAIGHT = 5  # poses looked at on a straight way
_STEP = 0.04  # rad between configurations that are looked at on the way from home: a hand goes 2 cm then
_LEAP = 0.8  # rad that a joint may change between two poses of a straight way
_SLAB = 0.4  # metres that the support is thick
_FLAT = 0.004  # metres above the support that are part of it for the arms
_BRANCHES = 3  # answers of inverse kinematics that are tried
_CELL = 0.006  # metres


REASONS = ("out of reach", "the arm would touch something", "no free way")
"""Why an arm does not get there, the nearer to success the later."""


@dataclass(frozen=True)
class NotReached:
    """Why no arm gets there."""

    reason: str


class Reach:
    """A robot before a scene: arms, and what they must not touch. Made once for many grasps of one thing."""

    def __init__(self, robot: Robot, place: Surface, thing: np.ndarray, config: GraspConfig) -> None:
        """Prepare.

        Args:
            place: All points around.
            thing: (n,) bool over them: what will be held, which the hand may touch.

        Raises:
            MissingPart: roboticstoolbox or coal is not installed.
        """
        self.robot, self.config, self.up = with_ignored(robot), config, place.up
        self.solvers = {name: InverseKinematics(self.robot, name, seeds=6) for name in robot.arms}
        above = place.heights(place.points) > _FLAT
        obstacles = [shape_obstacle("support", _slab(place.plane))]
        if (above & ~thing).any():
            obstacles.append(points_obstacle("scene", place.points[above & ~thing], _CELL))
        if (above & thing).any():
            obstacles.append(points_obstacle("thing", place.points[above & thing], _CELL))
        self._collisions = {
            name: Collision(self.robot, obstacles, [(link, "thing") for link in arm.hand])
            for name, arm in self.robot.arms.items()
        }
        self._on_the_way = Collision(self.robot, obstacles)  # where nothing may be touched yet

    def __call__(self, grasp: Grasp) -> Grasp | NotReached:
        """The grasp with the arm and the ways it goes, or why not: the reason of the arm that came furthest."""
        T = grasp.T_world_grasp
        answers = []
        for name in self._nearest_first(T):
            for turned in (T, T @ np.diag([-1.0, -1.0, 1.0, 1.0])):  # the gripper is the same the other way round
                found = self._with(name, replace(grasp, T_world_grasp=turned))
                if isinstance(found, Grasp):
                    return found
                answers.append(found.reason)
        return NotReached(max(answers, key=REASONS.index))

    def _nearest_first(self, T: np.ndarray) -> list[str]:
        away = {
            name: np.linalg.norm(self.robot.tool_poses(name, arm.home)[:3, 3] - T[:3, 3])
            for name, arm in self.robot.arms.items()
        }
        return sorted(away, key=away.get)

    def _with(self, name: str, grasp: Grasp) -> Grasp | NotReached:
        T = grasp.T_world_grasp
        before, above = T.copy(), T.copy()
        before[:3, 3] -= self.config.retreat * T[:3, 2]
        above[:3, 3] += self.config.lift * self.up
        furthest = 0
        for start in self.solvers[name](before, most=_BRANCHES):
            reach = self._straight(name, start, before, T)
            lift = None if reach is None else self._straight(name, reach[-1], T, above)
            if lift is None:
                continue
            furthest = max(furthest, 1)
            openings = {name: grasp.opening}
            closed = {name: grasp.width}
            near = self._collisions[name]
            if any(self._hits(name, q, openings, near) for q in reach):
                continue
            if any(self._hits(name, q, closed, near) for q in lift):
                continue
            furthest = 2
            approach = self._free_way(name, start, openings)
            if approach is not None:
                return replace(
                    grasp, arm=name, T_world_pregrasp=before, T_world_lift=above,
                    approach=approach, reach=reach, raise_=lift,
                )  # fmt: skip
        return NotReached(REASONS[furthest])

    def _straight(self, name: str, start: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray | None:
        """(K, J) along the line between two poses that differ in place only, from a solution of the first."""
        ways = [start]
        for share in np.linspace(0, 1, _STRAIGHT)[1:]:
            T = a.copy()
            T[:3, 3] += share * (b[:3, 3] - a[:3, 3])
            q = self.solvers[name].nearest(T, ways[-1])
            if q is None or np.abs(q - ways[-1]).max() > _LEAP:
                return None
            ways.append(q)
        return np.array(ways)

    def _hits(self, name: str, q_arm: np.ndarray, openings: dict[str, float], collision: Collision) -> bool:
        q = self.robot.home.copy()
        q[self.robot.arms[name].columns] = q_arm
        return collision.collides(q, openings)

    def _free_way(self, name: str, goal: np.ndarray, openings: dict[str, float]) -> np.ndarray | None:
        """(K, J) from home: straight in joint space, or over a pose above the goal."""
        home = self.robot.arms[name].home
        for via in (None, 0.10, 0.20):
            stops = [home, goal]
            if via is not None:
                T = np.array(self.robot.tool_poses(name, goal))
                T[:3, 3] += via * self.up
                q = self.solvers[name].nearest(T, goal)
                if q is None:
                    continue
                stops = [home, q, goal]
            way = np.concatenate([_between(a, b) for a, b in zip(stops, stops[1:], strict=False)])
            if not any(self._hits(name, q, openings, self._on_the_way) for q in _coarse_first(way)):
                return way
        return None


def _between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(K, J) configurations from one to another, both included."""
    count = max(2, int(np.ceil(np.abs(b - a).max() / _STEP)) + 1)
    return a + np.linspace(0, 1, count)[:, None] * (b - a)


def _coarse_first(way: np.ndarray) -> np.ndarray:
    """The same configurations (K, J), those far from each other first: what is in the way is met soon."""
    return np.concatenate([way[k::8] for k in (0, 4, 2, 6, 1, 3, 5, 7)])


def _slab(plane: np.ndarray) -> Shape:
    """The support as a wide box below its plane (4,)."""
    n = plane[:3]
    x = np.cross(n, [1.0, 0, 0] if abs(n[0]) < 0.9 else [0, 1.0, 0])
    x /= np.linalg.norm(x)
    T = np.eye(4)
    T[:3, :3] = np.column_stack([x, np.cross(n, x), n])
    T[:3, 3] = -(plane[3] + _SLAB / 2) * n
    return Shape("box", T, (4.0, 4.0, _SLAB))
