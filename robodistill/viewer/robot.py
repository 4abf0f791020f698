"""A robot on a page: its collision shapes, posed link by link; and trajectories that move it."""

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np

from robodistill.errors import BadInput, RobodistillError
from robodistill.grasp.phrase import object_and_part
from robodistill.robots.robot import Robot, load_robot
from robodistill.robots.trajectory import RobotTrajectory
from robodistill.robots.urdf import Shape
from robodistill.viewer.cameras import wxyz_xyz
from robodistill.viewer.page import Page

_GREY, _DARK = (188, 192, 200), (70, 74, 84)


class ShownRobot:
    """One robot in one browser's scene."""

    def __init__(self, page: Page, name: str, robot: Robot) -> None:
        self._client, self.robot, scene = page.client, robot, page.client.scene
        self.root = scene.add_frame(f"/{name}", show_axes=False)
        self._links = {}
        hands = {link for arm in robot.arms.values() for link in arm.hand}
        for link, shapes in robot.model.shapes.items():
            if not shapes:
                continue
            mesh = shapes_mesh([(shape.T_link_shape, shape) for shape in shapes])
            color = _DARK if link in hands else _GREY
            self._links[link] = scene.add_mesh_simple(f"/{name}/{link}", mesh.vertices, mesh.faces, color=color)
        self.pose(robot.home)

    def pose(self, q: np.ndarray, openings: dict[str, float] | None = None) -> None:
        """Show a configuration (J,), with grippers' openings by arm, metres."""
        poses = self.robot.link_poses(q, openings)
        with self._client.atomic():
            for link, handle in self._links.items():
                handle.wxyz, handle.position = wxyz_xyz(poses[link])


def robot_in_world(page: Page, robot: Robot) -> ShownRobot:
    """The page's one of this kind, shown now if it was not."""
    if robot.name not in page.robots:
        page.robots[robot.name] = ShownRobot(page, robot.name, robot)
    return page.robots[robot.name]


class TrajectoryActor:
    """A robot that follows a trajectory, and what it takes hold of moves along."""

    def __init__(
        self, name: str, trajectory: RobotTrajectory, page: Page, show: Callable[[Robot], ShownRobot] | None = None
    ) -> None:
        """Show the robot: the one in the world, or that of `show`.

        Raises:
            BadInput: There is no robot of that name, or it has other joints.
        """
        self.name, self._trajectory = name, trajectory
        robot = load_robot(trajectory.robot)
        order = [joint for joints in trajectory.arms.values() for joint in joints]
        if set(order) != set(robot.joints):
            raise BadInput(f"the trajectory moves {', '.join(order)}; {robot.name} has {', '.join(robot.joints)}")
        self._columns = [order.index(joint) for joint in robot.joints]
        self.shown = show(robot) if show else robot_in_world(page, robot)
        self.duration = trajectory.duration
        self._held: Held | None = None
        if Held.fits(trajectory, robot, page):
            with contextlib.suppress(RobodistillError):  # the field has no such words: the robot moves alone
                self._held = Held(trajectory, robot, self._columns, page)

    def go(self, seconds: float) -> str:
        """Pose the robot, and what it holds."""
        now = self._trajectory.times[0] + seconds
        q, openings = self._trajectory.at(now)
        by_arm = dict(zip(self._trajectory.arms, openings.tolist(), strict=True))
        self.shown.pose(q[self._columns], by_arm)
        if self._held is not None:
            self._held.go(now)
        hands = ", ".join(f"{arm} {1000 * opening:.0f} mm" for arm, opening in by_arm.items())
        return f"{self._trajectory.robot}: grippers open by {hands}"

    def picture(self, seconds: float) -> None:
        """There is no video of it."""


class Held:
    """The thing that a trajectory's task names: it keeps its place in the hand from when the gripper is closed."""

    def __init__(self, trajectory: RobotTrajectory, robot: Robot, columns: list[int], page: Page) -> None:
        self._trajectory, self._robot, self._columns = trajectory, robot, columns
        self._arm = trajectory.task["arm"]
        openings = trajectory.openings[:, list(trajectory.arms).index(self._arm)]
        self._closed = float(trajectory.times[int((openings <= openings.min() + 1e-6).argmax())])
        self._T_grasp_world = np.linalg.inv(self._hand(self._closed))
        self._shown, self._labels = page.shown, None
        found = self._shown.prepared.querier()(object_and_part(trajectory.task["phrase"])[0])
        if found.found and openings.min() < openings.max():
            self._labels = found.mask(len(self._shown.field)).int().numpy() - 1

    @staticmethod
    def fits(trajectory: RobotTrajectory, robot: Robot, page: Page) -> bool:
        """Whether the task names a thing, an arm of the robot, and there is a field with words that is not split."""
        named = {"phrase", "arm"} <= set(trajectory.task) and trajectory.task["arm"] in robot.arms
        return bool(named and page.shown is not None and page.shown.field.features and not page.shown.is_split)

    def go(self, now: float) -> None:
        """Pose the thing."""
        if self._labels is not None and self._shown.split(self._labels):
            moved = self._hand(now) @ self._T_grasp_world if now >= self._closed else np.eye(4)
            self._shown.pose(moved[None])

    def _hand(self, now: float) -> np.ndarray:
        q = self._trajectory.at(now)[0][self._columns]
        return self._robot.tool_poses(self._arm, q[self._robot.arms[self._arm].columns])


def shapes_mesh(shapes: list[tuple[np.ndarray, Shape]]) -> Any:
    """One triangle mesh (trimesh) of convex shapes, each with its pose (4, 4) in the mesh's frame."""
    import trimesh

    return trimesh.util.concatenate([_mesh(shape).apply_transform(T) for T, shape in shapes])


def _mesh(shape: Shape) -> Any:
    import trimesh

    if shape.kind == "box":
        return trimesh.creation.box(shape.size)
    if shape.kind == "cylinder":
        return trimesh.creation.cylinder(*shape.size, sections=24)
    if shape.kind == "capsule":
        made = trimesh.creation.capsule(shape.size[1], shape.size[0], count=[16, 16])
        return made.apply_translation(-made.bounds.mean(0))
    if shape.kind == "sphere":
        return trimesh.creation.icosphere(2, shape.size[0])
    return trimesh.convex.convex_hull(shape.points)
