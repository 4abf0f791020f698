"""The object in the robot's hands as geometry: surface points of each part, and what the arms must not touch."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from robodistill.grasp.surface import Surface
from robodistill.robots.collision import Collision
from robodistill.robots.obstacles import Obstacle, points_obstacle, table_obstacle
from robodistill.robots.robot import Robot

CELL = 0.0025
"""Side of the cells that stand for a surface, metres."""
_TABLE = "table"


@dataclass(frozen=True, eq=False)
class Workpiece:
    """Points on the parts' surfaces, in the field's coordinates with all parts at rest."""

    points: np.ndarray
    """(n, 3) metres."""
    normals: np.ndarray
    """(n, 3) unit, outwards."""
    owners: np.ndarray
    """(n,) number of the part."""

    def of(self, part: int) -> np.ndarray:
        """(m, 3) points of a part."""
        return self.points[self.owners == part]

    @classmethod
    def of_surface(cls, surface: Surface, labels: np.ndarray) -> "Workpiece":
        """Of a field's surface and the (N,) part of each Gaussian, -1 for none."""
        owners = labels[surface.ids]
        keep = owners >= 0
        return cls(surface.points[keep], surface.normals[keep], owners[keep])


class Surroundings:
    """A robot with the table, the parts where they are at some time, and whatever else stands around."""

    def __init__(
        self,
        robot: Robot,
        workpiece: Workpiece,
        parts: Sequence[str],
        holds: dict[str, int],
        others: Sequence[Obstacle] = (),
        table: float | None = 0.0,
        ignored_arms: Iterable[str] = (),
    ) -> None:
        """Prepare.

        Args:
            holds: Part by arm, which that arm's hand may touch.
            others: Obstacles that stand still.
            table: Height of the table's top, metres; None for no table.
            ignored_arms: Arms that are not looked at.
        """
        self.robot = robot
        self._names = [f"part {k}" for k in range(len(parts))]
        bodies = [
            points_obstacle(name, workpiece.of(k), CELL)
            for k, name in enumerate(self._names)
            if (workpiece.owners == k).any()
        ]
        self._centers = {it.name: it.center for it in bodies}
        fixed = ([] if table is None else [table_obstacle(_TABLE, table)]) + list(others)
        allowed = [(link, self._names[part]) for arm, part in holds.items() for link in robot.arms[arm].hand]
        every = [*robot.model.links, *(it.name for it in (*bodies, *fixed))]
        for arm in ignored_arms:
            links = _links(robot, arm)
            allowed += [(link, name) for link in links for name in every]
        self._collision = Collision(robot, [*bodies, *fixed], allowed)

    def put(self, Ts_world_part: np.ndarray) -> None:
        """Move the parts (P, 4, 4)."""
        for name, T in zip(self._names, Ts_world_part, strict=True):
            if name in self._centers:
                self._collision.move(name, T, self._centers[name])

    def touching(self, q: np.ndarray, openings: dict[str, float]) -> tuple[str, str] | None:
        """What touches in a configuration (J,)."""
        return self._collision.touching(q, openings)

    def clearance(self, q: np.ndarray, openings: dict[str, float], most: float = np.inf) -> float:
        """Metres to the nearest thing that must not be touched, or at most so many."""
        return self._collision.clearance(q, openings, most)


def _links(robot: Robot, arm: str) -> list[str]:
    """The links below an arm's first joint."""
    first = robot.model.joint(robot.arms[arm].joints[0]).child
    found = [first]
    for joint in robot.model.joints:
        if joint.parent in found:
            found.append(joint.child)
    return found
