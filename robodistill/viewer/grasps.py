"""The Grasps tab: grippers ranked by colour, why others were not taken, and each grasp step by step."""

import asyncio
from typing import Any

import cv2
import numpy as np

from robodistill.errors import BadInput
from robodistill.grasp.grasp import Grasp, GraspList
from robodistill.robots.robot import Robot
from robodistill.viewer.cameras import wxyz_xyz
from robodistill.viewer.page import Page
from robodistill.viewer.robot import robot_in_world, shapes_mesh

_STEPS = {"Pre-grasp": ("T_world_pregrasp", "approach"), "Grasp": ("T_world_grasp", "reach")}
_STEPS["Lift"] = ("T_world_lift", "raise_")
_ALL = "all"
_CLEAR, _FAINT = 0.75, 0.15  # opacity


class GraspPanel:
    """The grasps of one list."""

    def __init__(self, page: Page, name: str, grasps: GraspList, robot: Robot) -> None:
        """Build the tab's content where the page's GUI is, and show all grasps, which are for `robot`."""
        self._page, self._name, self._list, gui = page, name, grasps, page.client.gui
        self._robot = robot
        self._order = sorted(range(len(grasps.grasps)), key=lambda k: -grasps.grasps[k].score)
        self.root = page.client.scene.add_frame(f"/{name}", show_axes=False)
        self._meshes: list[Any] = []
        self._ghost: Any = None
        arms = sorted({grasp.arm for grasp in grasps.grasps})
        gui.add_markdown(f"**{grasps.phrase}**: {len(grasps.grasps)} grasps, {grasps.seconds:.2f} s")
        self._arm = gui.add_dropdown("Arm", (_ALL, *filter(None, arms)), visible=len(arms) > 1)
        most = max((1000 * grasp.clearance for grasp in grasps.grasps), default=0.0)
        self._best = gui.add_slider("The best", 1, max(len(grasps.grasps), 2), 1, max(min(len(grasps.grasps), 30), 1))
        self._clear = gui.add_slider("Clear by, mm", 0.0, max(round(most, 1), 0.1), 0.1, 0.0)
        for handle in (self._arm, self._best, self._clear):
            handle.on_update(lambda _: self.refresh())
        self._rank = gui.add_slider("Rank", 1, max(len(grasps.grasps), 2), 1, 1)
        self._rank.on_update(lambda event: self.step("Grasp") if event.client is not None else None)
        self._steps = gui.add_button_group("Show", tuple(_STEPS))
        self._steps.on_click(lambda _: self.step(self._steps.value))
        self._words = gui.add_markdown(_reasons(grasps))
        self.refresh()

    def kept(self) -> list[int]:
        """Numbers of the grasps that the filters leave, best first."""
        grasps = self._list.grasps
        fit = [k for k in self._order if self._arm.value in (_ALL, grasps[k].arm)]
        fit = [k for k in fit if 1000 * grasps[k].clearance >= self._clear.value]
        return fit[: int(self._best.value)]

    def refresh(self) -> None:
        """Draw what the filters leave, the best green, the worst red."""
        for mesh in self._meshes:
            mesh.remove()
        self._meshes = []
        kept = self.kept()
        self._words.content = f"{len(kept)} of {len(self._list.grasps)} shown\n\n{_reasons(self._list)}"
        for arm in sorted({self._list.grasps[k].arm for k in kept}):
            self._draw(arm, [k for k in kept if self._list.grasps[k].arm == arm])

    def step(self, name: str) -> None:
        """Show the chosen grasp at one of its steps: the robot where its path is known, else the gripper alone."""

        def work(_: Any) -> str:
            rank = int(self._rank.value)
            if rank > len(self._order):
                raise BadInput(f"there are {len(self._order)} grasps")
            grasp = self._list.grasps[self._order[rank - 1]]
            pose, path = (getattr(grasp, key) for key in _STEPS[name])
            if pose is None:
                raise BadInput(f"grasp {rank} was planned without a robot: it has no {name.lower()}")
            for mesh in self._meshes:  # they would hide the one that is looked at
                mesh.opacity = _FAINT
            self._show_hand(grasp, pose)
            if path is not None and grasp.arm:
                q = self._robot.home.copy()
                q[self._robot.arm(grasp.arm).columns] = path[-1]
                openings = {grasp.arm: grasp.width if name == "Lift" else grasp.opening}
                robot_in_world(self._page, self._robot).pose(q, openings)
            return f"Rank {rank}, {name.lower()}: {_words(grasp)}"

        self._page.jobs.start("Grasp", work)

    def _draw(self, arm: str, kept: list[int]) -> None:
        grasps = [self._list.grasps[k] for k in kept]
        mesh = hand_mesh(self._robot, arm, float(np.median([grasp.opening for grasp in grasps])))
        poses = [wxyz_xyz(grasp.T_world_grasp) for grasp in grasps]
        handle = self._page.client.scene.add_batched_meshes_simple(
            f"/{self._name}/{arm or 'gripper'}",
            *(mesh.vertices, mesh.faces, np.array([wxyz for wxyz, _ in poses]), np.array([at for _, at in poses])),
            batched_colors=rank_colors(np.array([grasp.score for grasp in grasps])),
            opacity=_CLEAR,
        )

        async def choose(event: Any) -> None:
            self._page.take_click()
            self._rank.value = self._order.index(kept[event.instance_index or 0]) + 1
            await asyncio.to_thread(self.step, "Pre-grasp")

        handle.on_click(choose)
        self._meshes.append(handle)

    def _show_hand(self, grasp: Grasp, T_world_grasp: np.ndarray) -> None:
        if self._ghost is not None:
            self._ghost.remove()
        mesh, (wxyz, at) = hand_mesh(self._robot, grasp.arm, grasp.opening), wxyz_xyz(T_world_grasp)
        add = self._page.client.scene.add_mesh_simple
        name = f"/{self._name} chosen"
        self._ghost = add(name, mesh.vertices, mesh.faces, color=(40, 110, 230), wireframe=True, wxyz=wxyz, position=at)


def hand_mesh(robot: Robot, arm: str, opening: float) -> Any:
    """A gripper (trimesh) in its grasp frame, `opening` metres open; the first arm's where `arm` is empty."""
    shapes = robot.hand_shapes(arm or next(iter(robot.arms)), opening)
    return shapes_mesh([(shape.T_link_shape, shape) for _, shape in shapes])


def rank_colors(scores: np.ndarray) -> np.ndarray:
    """(N, 3) uint8: of scores (N,), the best green, the worst red."""
    low, high = scores.min(), scores.max()
    share = (scores - low) / (high - low) if high > low else np.ones(len(scores))
    hsv = np.stack([share * 60, np.full(len(scores), 220.0), np.full(len(scores), 230.0)], -1)
    return cv2.cvtColor(hsv.round().astype(np.uint8)[None], cv2.COLOR_HSV2RGB)[0]


def _words(grasp: Grasp) -> str:
    arm = f"{grasp.arm} arm, " if grasp.arm else ""
    angles = " and ".join(f"{np.degrees(angle):.0f}°" for angle in grasp.angles)
    size = f"{1000 * grasp.width:.0f} mm wide, {1000 * grasp.clearance:.0f} mm clear"
    return f"{arm}score {grasp.score:.2f}, {size}, contacts {angles} off."


def _reasons(grasps: GraspList) -> str:
    if not grasps.rejected:
        return "No candidate was rejected."
    rows = [f"| {reason} | {count} |" for reason, count in sorted(grasps.rejected.items(), key=lambda it: -it[1])]
    return "\n".join(["| rejected because of | candidates |", "|---|---|", *rows])
