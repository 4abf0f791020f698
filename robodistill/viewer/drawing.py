"""The Picture tab: the field from where the browser looks, screenshots of the page's scene, films."""

from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from robodistill.pipeline.picture import draw
from robodistill.report.pictures import depth_picture
from robodistill.viewer.cameras import browser_camera, looking_at
from robodistill.viewer.jobs import Job
from robodistill.viewer.page import Page
from robodistill.viewer.shown import ShownField
from robodistill.viewer.video import film

KINDS = ("rgb", "depth", "normal", "feature", "parts")
_RATE = 24


class PicturePanel:
    """Pictures of the page's current field, and of the page."""

    def __init__(self, page: Page) -> None:
        self._page, gui = page, page.client.gui
        self._what = gui.add_dropdown("What", KINDS)
        self._scale = gui.add_number("Scale of parts", 0, min=0, max=20, step=1)
        self._side = gui.add_slider("Longer side, px", 160, 1920, 16, 640)
        gui.add_button("Draw").on_click(lambda _: self.draw())
        self._image: Any = gui.add_image(np.full((2, 2, 3), 255, np.uint8), visible=False)
        self._save = gui.add_button("Save PNG", disabled=True, hint="Depth as 16-bit millimetres")
        self._save.on_click(lambda _: page.client.send_file_download(*self._drawn, save_immediately=True))
        self._drawn = ("", b"")
        gui.add_divider()
        gui.add_button("Screenshot").on_click(lambda _: self.screenshot())
        self._seconds = gui.add_slider("Film, s", 1.0, 20.0, 0.5, 4.0)
        gui.add_button("Film of a turn").on_click(lambda _: self.turn())

    def draw(self) -> None:
        """Render what the browser's camera sees."""
        what, scale = self._what.value, int(self._scale.value)
        camera, T_world_camera = browser_camera(self._page.client.camera, int(self._side.value))

        def work(job: Job, shown: ShownField) -> str:
            field = replace(shown.field, groups=shown.prepared.groups()) if what == "parts" else shown.field
            picture = draw(field, what, camera, T_world_camera, scale)
            data = cv2.imencode(".png", picture)[1].tobytes()
            with job.applying():
                self._image.image = seen(picture)
                self._image.visible = True
                self._drawn, self._save.disabled = (f"{what}.png", data), False
            return f"{what}, {camera.width} × {camera.height}, from where this browser looks."

        self._page.start("Draw", work)

    def screenshot(self) -> None:
        """A PNG of the scene with all that stands in it."""
        at = browser_camera(self._page.client.camera, int(self._side.value))

        def work(job: Job) -> str:
            data = cv2.imencode(".png", self._page.canvas.photograph(*at)[..., ::-1])[1].tobytes()
            with job.applying():
                self._page.client.send_file_download("screenshot.png", data, save_immediately=True)
            return f"Screenshot, {len(data) / 1e3:.0f} kB."

        self._page.jobs.start("Screenshot", work)

    def turn(self) -> None:
        """A film of one turn about the point that the browser's camera turns about."""
        state = self._page.client.camera
        camera, T = browser_camera(state, int(self._side.value))
        middle, up = np.array(state.look_at), np.array(state.up_direction)
        count = round(self._seconds.value * _RATE)

        def work(job: Job) -> str:
            frames = []
            for k in range(count):
                job.progress("picture", k, count)
                turn = cv2.Rodrigues(up / np.linalg.norm(up) * 2 * np.pi * k / count)[0]
                place = middle + turn @ (T[:3, 3] - middle)
                frames.append(self._page.canvas.photograph(camera, looking_at(place, middle, up)))
            data = film(frames, _RATE)
            with job.applying():
                self._page.client.send_file_download("turn.mp4", data, save_immediately=True)
            return f"Film of {count} pictures, {len(data) / 1e6:.1f} MB."

        self._page.jobs.start("Film", work)


def seen(picture: np.ndarray) -> np.ndarray:
    """What `draw` gave, (H, W, 3) BGR or (H, W) millimetres, as RGB uint8 for people."""
    if picture.ndim == 3:
        return np.ascontiguousarray(picture[..., ::-1])
    metres = picture / 1000.0
    measured = metres[metres > 0]
    near, far = (measured.min(), np.percentile(measured, 98)) if len(measured) else (0.0, 1.0)
    return depth_picture(metres, float(near), float(far))
