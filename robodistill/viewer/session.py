"""One browser: its page with all tabs, to which results come as they are opened."""

import logging
import threading
from typing import Any

from robodistill.errors import RobodistillError
from robodistill.field.gaussians import GaussianField
from robodistill.robots.robot import load_robot
from robodistill.viewer.ask import AskPanel
from robodistill.viewer.cameras import first_look, look_through, world_up
from robodistill.viewer.canvas import DrawnBy
from robodistill.viewer.drawing import PicturePanel
from robodistill.viewer.edits import EditPanel
from robodistill.viewer.grasps import GraspPanel
from robodistill.viewer.motion import MotionActor
from robodistill.viewer.page import Page
from robodistill.viewer.plan import PlanActor
from robodistill.viewer.playback import TimePanel, VideoActor
from robodistill.viewer.results import Failure, Result
from robodistill.viewer.robot import TrajectoryActor
from robodistill.viewer.scene import ScenePanel
from robodistill.viewer.scenery import add_box
from robodistill.viewer.shown import ShownField

log = logging.getLogger(__name__)
_LATE = ("motion", "trajectory", "plan")  # each of what comes before it: a field, a motion


def first_page(server: Any, field: GaussianField) -> None:
    """Where browsers that come from now on look from at first: a field's own camera."""
    camera, T_world_camera, middle = first_look(field)
    server.scene.set_up_direction(world_up(field))
    look_through(server.initial_camera, camera, T_world_camera, middle)


class Session:
    """Builds the page of one browser (viser's client handle) and fills it."""

    def __init__(self, client: Any, drawn_by: DrawnBy) -> None:
        self._page = Page(client, drawn_by)
        self._lock = threading.Lock()
        self._tabs = tabs = client.gui.add_tab_group()
        self._grasps: Any = None
        with tabs.add_tab("Ask"):
            AskPanel(self._page)
        with tabs.add_tab("Scene"):
            self._scene = ScenePanel(self._page)
        with tabs.add_tab("Edit"):
            EditPanel(self._page)
        with tabs.add_tab("Picture"):
            PicturePanel(self._page)
        self._time = TimePanel(self._page, tabs)
        self._late: list[Result] = []
        self._refused = 0  # results that were opened, but do not go with the others

    def close(self) -> None:
        """The browser is gone."""
        self._time.close()
        self._page.close()

    def loaded(self, count: int, failed: int) -> None:
        """Nothing more will come."""
        with self._lock:
            for result in sorted(self._late, key=lambda it: _LATE.index(it.kind)):
                self._place(result)
            self._late = []
            shown, failed = count - self._refused, failed + self._refused
            words = f"{shown} shown" + (f", **{failed} could not be**: see Scene" if failed else "")
            self._page.tell(words if shown or failed else "Nothing to show.")

    def add(self, item: Result | Failure) -> None:
        """Show a result, or say what is wrong with it."""
        with self._lock:
            if isinstance(item, Failure):
                self._scene.fail(item)
                self._page.tell(f"**{item.path.name or item.path} cannot be shown**: {item.message}")
            elif item.kind in _LATE:
                self._late.append(item)
            else:
                self._place(item)

    def _place(self, result: Result) -> None:
        try:
            handles = getattr(self, f"_add_{result.kind}")(result)
        except RobodistillError as error:
            self._refuse(result, str(error))
        except Exception as error:  # a defect: the page says so and goes on
            log.exception("%s could not be shown", result.path)
            self._refuse(result, f"{type(error).__name__}: {error}; this is a defect")
        else:
            self._scene.add(result, handles)

    def _refuse(self, result: Result, why: str) -> None:
        self._refused += 1
        self._scene.fail(Failure(result.path, why))

    def _add_field(self, result: Result) -> list[Any]:
        page, client = self._page, self._page.client
        if not page.fields:
            client.scene.set_up_direction(world_up(result.value.field))
            look_through(client.camera, *first_look(result.value.field))
        shown = ShownField(result.name, result.path, result.value, page.canvas, client.scene)
        page.fields.append(shown)
        page.shown = page.shown or shown
        page.selection_changed()
        return [shown]

    def _add_motion(self, result: Result) -> list[Any]:
        actor = MotionActor(result.name, result.value, self._page)
        self._page.motions.append(actor)
        self._time.add(actor)
        return actor.handles

    def _add_plan(self, result: Result) -> list[Any]:
        actor = PlanActor(result.name, result.value, self._page)
        self._time.add(actor)
        return [actor.root]

    def _add_trajectory(self, result: Result) -> list[Any]:
        actor = TrajectoryActor(result.name, result.value, self._page)
        self._time.add(actor)
        return [actor.shown.root]

    def _add_grasps(self, result: Result) -> list[Any]:
        robot = load_robot(result.value.robot)  # one that is not known leaves no empty tab
        if self._grasps is None:
            self._grasps = self._tabs.add_tab("Grasps")
        with self._grasps, self._page.client.gui.add_folder(result.name):
            panel = GraspPanel(self._page, result.name, result.value, robot)
        return [panel.root]

    def _add_video(self, result: Result) -> list[Any]:
        self._page.videos.append(result.value)
        self._time.add(VideoActor(result.name, result.value))
        return []

    def _add_selection(self, result: Result) -> list[Any]:
        if not result.value.found:
            self._page.tell(f"{result.name}: “{result.value.phrase}” was not found: {result.value.reason}")
        if result.value.box is None:
            return []
        return [add_box(self._page.client.scene, f"/{result.name}", result.value.box, result.value.phrase)]

    def _add_capture(self, result: Result) -> list[Any]:
        return self._scene.add_capture(result)

    def _add_points(self, result: Result) -> list[Any]:
        return self._scene.add_points(result)
