"""The Scene tab: what is shown, in which colours, and the cameras; broken files are named here."""

from typing import Any

import numpy as np
import torch

from robodistill.errors import BadInput
from robodistill.pipeline.features import feature_colors
from robodistill.report.pictures import label_colors
from robodistill.viewer.cameras import look_through
from robodistill.viewer.jobs import Job
from robodistill.viewer.page import Page
from robodistill.viewer.results import Failure, Points, Result
from robodistill.viewer.scenery import add_camera, capture_pictures, field_pictures
from robodistill.viewer.shown import ShownField

_COLORS = ("as seen", "parts", "features")
_DEPTH = 0.04  # metres of a camera's frustum


class ScenePanel:
    """The list of results."""

    def __init__(self, page: Page) -> None:
        self._page, gui = page, page.client.gui
        self._failures = gui.add_markdown("", visible=False)
        self._field: Any = gui.add_dropdown("Field", ("none",), visible=False)
        self._field.on_update(lambda _: self._choose())
        self._colors = gui.add_dropdown("Colours", _COLORS)
        self._scale = gui.add_slider("Scale of parts", 0, 9, 1, 0)
        self._colors.on_update(lambda _: self.color())
        self._scale.on_update(lambda _: self.color() if self._colors.value == "parts" else None)
        self._cameras = gui.add_checkbox("Cameras", False, hint="The field's views; a click looks through one")
        self._cameras.on_update(lambda _: self._show_cameras())
        self._frusta: list[Any] = []
        self._recorded: list[Any] = []
        page.client.camera.on_update(lambda _: self._clear_view())
        self._results = gui.add_folder("Shown")

    def fail(self, failure: Failure) -> None:
        """A file could not be opened."""
        before = self._failures.content
        self._failures.content = (
            f"{before}\n\n**{failure.path.name or failure.path}** cannot be shown: {failure.message}"
        )
        self._failures.visible = True

    def add(self, result: Result, handles: list[Any]) -> None:
        """A result, with a box to hide it: `handles` have `visible`, or `set_visible` where they are fields."""
        with self._results:
            box = self._page.client.gui.add_checkbox(result.name, True)

        @box.on_update
        def _(_: Any) -> None:
            for handle in handles:
                if isinstance(handle, ShownField):
                    handle.set_visible(box.value)
                else:
                    handle.visible = box.value

        if len(self._page.fields) > 1:
            self._field.options = tuple(field.name for field in self._page.fields)
            self._field.visible = True

    def color(self) -> None:
        """Show the field in the colours that are chosen."""
        what, scale = self._colors.value, int(self._scale.value)

        def work(job: Job, shown: ShownField) -> str:
            colors, said = None, ""
            if what == "features":
                colors = feature_colors(shown.field.layer())
            elif what == "parts":
                groups = shown.prepared.groups()
                at = min(scale, groups.shape[1] - 1)
                colors = torch.from_numpy(label_colors(groups[:, at].numpy())).float() / 255
                said = f"{int((groups[:, at].unique() > 0).sum())} parts at scale {at} of 0 to {groups.shape[1] - 1}."
            with job.applying():
                shown.paint(colors)
            return said

        self._page.start("Colours", work)

    def _choose(self) -> None:
        chosen = [field for field in self._page.fields if field.name == self._field.value]
        if chosen:
            self._page.shown = chosen[0]
            self._page.selection_changed()

    def _show_cameras(self) -> None:
        gone, self._frusta = self._frusta, []
        for frustum in gone:
            frustum.remove()
        if not self._cameras.value:
            return

        def work(job: Job, shown: ShownField) -> str:
            if not shown.field.views:
                raise BadInput(f"{shown.name} has no views of its own: a bare PLY")
            for k, seen in enumerate(field_pictures(shown.field, job.progress)):
                with job.applying():
                    self._frusta.append(self.camera(f"/cameras {shown.name}/{k}", *seen))
            return f"{len(self._frusta)} of {len(shown.field.views)} cameras."

        self._page.start("Cameras", work)

    def camera(self, name: str, camera: Any, T_world_camera: np.ndarray, picture: np.ndarray) -> Any:
        """A frustum that can be looked through by a click."""
        frustum = add_camera(self._page.client.scene, name, camera, T_world_camera, picture, _DEPTH)

        async def look(_: Any) -> None:
            self._page.take_click()
            target = T_world_camera[:3, 3] + 0.7 * T_world_camera[:3, 2]
            self._page.client.camera.up_direction = -T_world_camera[:3, 1]
            look_through(self._page.client.camera, camera, T_world_camera, target)

        frustum.on_click(look)
        frustum.visible = self._is_clear(frustum)
        return frustum

    def _clear_view(self) -> None:
        for frustum in [*self._frusta, *self._recorded]:
            frustum.visible = self._is_clear(frustum)

    def _is_clear(self, frustum: Any) -> bool:
        """Whether the browser does not stand in it: its picture would be all that is seen."""
        return float(np.linalg.norm(np.subtract(frustum.position, self._page.client.camera.position))) > 2 * _DEPTH

    def add_capture(self, result: Result) -> list[Any]:
        """Frusta with the recorded pictures, and the measured points; they come one by one."""
        scene, name = self._page.client.scene, f"/{result.name}"
        root = scene.add_frame(name, show_axes=False)
        clouds: list[tuple[np.ndarray, np.ndarray]] = []
        for k, seen in enumerate(capture_pictures(result.value, lambda *_: None)):
            self._recorded.append(self.camera(f"{name}/camera {k}", *seen[:3]))
            clouds.append(seen[3:])
        if any(len(points) for points, _ in clouds):
            points, colors = (np.concatenate(part) for part in zip(*clouds, strict=True))
            scene.add_point_cloud(f"{name}/points", points, colors, point_size=0.003)
        return [root]

    def add_points(self, result: Result) -> list[Any]:
        """A cloud."""
        cloud: Points = result.value
        return [
            self._page.client.scene.add_point_cloud(f"/{result.name}", cloud.points, cloud.colors, point_size=0.003)
        ]
