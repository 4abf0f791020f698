"""Does a configuration touch anything? A robot against itself and against obstacles, by coal.

Spheres around all shapes are compared first, in one numpy expression; coal looks at the few pairs that are left.
"""

from collections.abc import Sequence

import numpy as np

from robodistill.robots.obstacles import Obstacle, load_coal, shape_geometry
from robodistill.robots.robot import Robot


class Collision:
    """A robot with what is around it. Not for several threads at once."""

    def __init__(
        self, robot: Robot, obstacles: Sequence[Obstacle] = (), allowed: Sequence[tuple[str, str]] = ()
    ) -> None:
        """Prepare.

        Args:
            allowed: Further pairs (link or obstacle, link or obstacle) that may touch, such as a finger and what it
                holds. What cannot move never counts as touching an obstacle: a robot may stand on the table.

        Raises:
            MissingPart: coal is not installed.
        """
        self.robot = robot
        self._coal = load_coal()
        self._request, self._result = self._coal.CollisionRequest(), self._coal.CollisionResult()
        self._near = self._coal.CollisionRequest()
        self._distance, self._measured = self._coal.DistanceRequest(), self._coal.DistanceResult()
        shapes = [(link, shape) for link, found in robot.model.shapes.items() for shape in found]
        self._links = [link for link, _ in shapes]
        self._local = np.array([shape.T_link_shape for _, shape in shapes])
        self._count = len(shapes)
        self._radii = np.array([shape.radius for _, shape in shapes] + [it.radius for it in obstacles])
        self._names = self._links + [it.name for it in obstacles]
        self._bodies = [self._coal.CollisionObject(shape_geometry(shape)) for _, shape in shapes]
        self._bodies += [self._coal.CollisionObject(it.geometry) for it in obstacles]
        self._centers = np.zeros((len(self._names), 3))
        for k, it in enumerate(obstacles, start=self._count):
            self._place(k, it.T_world_obstacle)
            self._centers[k] = it.T_world_obstacle[:3, :3] @ it.center + it.T_world_obstacle[:3, 3]
        self._pairs = self._looked_at({frozenset(pair) for pair in allowed} | (robot.ignored or set()))

    def touching(self, q: np.ndarray, openings: dict[str, float] | None = None) -> tuple[str, str] | None:
        """Names of the first pair found that touches in a configuration (J,); None where none does."""
        for a, b in self._pairs[self._gaps(q, openings) < 0]:
            self._result.clear()
            if self._coal.collide(self._bodies[a], self._bodies[b], self._request, self._result):
                return self._names[a], self._names[b]
        return None

    def collides(self, q: np.ndarray, openings: dict[str, float] | None = None) -> bool:
        """Whether a configuration (J,) touches anything."""
        return self.touching(q, openings) is not None

    def clearance(self, q: np.ndarray, openings: dict[str, float] | None = None, most: float = np.inf) -> float:
        """Distance to the nearest thing, metres; at most 0 where something touches.

        Args:
            most: What is further away is told as this, and costs little: only whether it is there is looked at.
        """
        gaps = self._gaps(q, openings)
        nearest = most
        for k in np.argsort(gaps):
            if gaps[k] >= nearest:
                break
            a, b = self._pairs[k]
            if np.isfinite(nearest):
                self._near.security_margin = max(nearest, 0.0)
                self._result.clear()
                if not self._coal.collide(self._bodies[a], self._bodies[b], self._near, self._result):
                    continue
            self._measured.clear()
            found = self._coal.distance(self._bodies[a], self._bodies[b], self._distance, self._measured)
            nearest = min(nearest, found)
        return float(nearest)

    def touching_pairs(self, q: np.ndarray, openings: dict[str, float] | None = None) -> set[frozenset[str]]:
        """Names of all pairs that touch in a configuration (J,)."""
        found = set()
        for a, b in self._pairs[self._gaps(q, openings) < 0]:
            self._result.clear()
            if self._coal.collide(self._bodies[a], self._bodies[b], self._request, self._result):
                found.add(frozenset((self._names[a], self._names[b])))
        return found

    def move(self, name: str, T_world_obstacle: np.ndarray, center: np.ndarray | None = None) -> None:
        """Put an obstacle elsewhere; `center` (3,) is that of its sphere, obstacle frame, if not the origin."""
        k = self._names.index(name, self._count)
        self._place(k, np.asarray(T_world_obstacle, float))
        center = np.zeros(3) if center is None else center
        self._centers[k] = T_world_obstacle[:3, :3] @ center + T_world_obstacle[:3, 3]

    def _gaps(self, q: np.ndarray, openings: dict[str, float] | None) -> np.ndarray:
        """(pairs,) distance between the spheres around a pair, after putting the robot's shapes there."""
        poses = self.robot.link_poses(q, openings)
        Ts = np.array([poses[link] for link in self._links]) @ self._local
        for k, T in enumerate(Ts):
            self._place(k, T)
        self._centers[: self._count] = Ts[:, :3, 3]
        a, b = self._pairs.T
        return np.linalg.norm(self._centers[a] - self._centers[b], axis=1) - self._radii[a] - self._radii[b]

    def _place(self, k: int, T: np.ndarray) -> None:
        self._bodies[k].setTransform(self._coal.Transform3s(T[:3, :3], T[:3, 3]))
        self._bodies[k].computeAABB()

    def _looked_at(self, ignored: set[frozenset[str]]) -> np.ndarray:
        """(pairs, 2) of bodies that are worth looking at, those nearer to the tools first."""
        rigid = _rigid_groups(self.robot)
        root = rigid[self.robot.model.root]
        found = []
        for a in range(self._count):
            for b in range(a + 1, len(self._names)):
                one, other = self._names[a], self._names[b]
                fixed = rigid[one] == (rigid[other] if b < self._count else root)
                if not fixed and frozenset((one, other)) not in ignored:
                    found.append((a, b))
        return np.array(found[::-1], int).reshape(-1, 2)


def _rigid_groups(robot: Robot) -> dict[str, str]:
    """Of each link the uppermost one that it cannot move against."""
    groups = {robot.model.root: robot.model.root}
    for joint in robot.model.joints:
        groups[joint.child] = joint.child if joint.moves else groups[joint.parent]
    return groups
