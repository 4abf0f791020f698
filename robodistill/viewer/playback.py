"""The Time tab: a clock for what moves, with the video beside it, and films of what it shows."""

import threading
import time
from typing import Any, Protocol

import cv2
import numpy as np

from robodistill.viewer.cameras import browser_camera
from robodistill.viewer.jobs import Job
from robodistill.viewer.page import Page
from robodistill.viewer.video import Video, film

_RATE = 15  # steps of the clock a second
_NAME = "Time, s"
_SIDE, _INSET = 960, 0.3  # pixels of a film's longer side, share of its width that the video takes


class Actor(Protocol):
    """Something that moves."""

    name: str
    """For people."""
    duration: float
    """Seconds from 0."""

    def go(self, seconds: float) -> str:
        """Show the state at a time; a few words of Markdown about it."""

    def picture(self, seconds: float) -> np.ndarray | None:
        """What a video shows at that time, (H, W, 3) uint8."""


class TimePanel:
    """A choice of what moves, for two that move the same parts would not go together; a slider and a play button."""

    def __init__(self, page: Page, page_tabs: Any) -> None:
        self._page, self._tabs = page, page_tabs
        self._actors: dict[str, Actor] = {}
        self._slider: Any = None
        self._playing, self._lock = threading.Event(), threading.Lock()

    def add(self, actor: Actor) -> None:
        """Let something move; the tab appears with the first, and the last one is shown."""
        self._actors[actor.name] = actor
        if self._slider is None:
            self._build()
        self._chosen.options = tuple(self._actors)
        self._chosen.visible = len(self._actors) > 1
        self._chosen.value = actor.name
        self._choose()

    def close(self) -> None:
        """Stop playing."""
        self._playing.clear()

    def _build(self) -> None:
        gui = self._page.client.gui
        with self._tabs.add_tab("Time"):
            self._chosen = gui.add_dropdown("Shown", ("",), visible=False)
            self._slider = gui.add_slider(_NAME, 0.0, 1.0, 0.001, 0.0)
            self._play = gui.add_button("Play")
            self._speed = gui.add_slider("Speed", 0.1, 4.0, 0.1, 1.0)
            gui.add_button("Film", hint="From where this browser looks, with the video in a corner").on_click(
                lambda _: self._film()
            )
            self._words = gui.add_markdown("")
            self._image = gui.add_image(np.full((2, 2, 3), 255, np.uint8), visible=False)
        self._chosen.on_update(lambda event: self._choose() if event.client is not None else None)
        self._slider.on_update(lambda event: self._go(self._slider.value) if event.client is not None else None)
        self._play.on_click(lambda _: self._stop() if self._playing.is_set() else self._start())

    def _choose(self) -> None:
        self._slider.max = max(round(self._actor.duration, 3), 0.01)
        self._slider.value = min(self._slider.value, self._slider.max)
        self._go(self._slider.value)

    @property
    def _actor(self) -> Actor:
        return self._actors[self._chosen.value]

    def _start(self) -> None:
        self._playing.set()
        self._play.label = "Pause"
        threading.Thread(target=self._run, name="viewer: clock", daemon=True).start()

    def _stop(self) -> None:
        self._playing.clear()
        self._play.label = "Play"

    def _run(self) -> None:
        now, before = float(self._slider.value), time.monotonic()
        if now >= self._slider.max - 0.01:
            now = 0.0
        while self._playing.is_set():
            self._slider.value = round(now, 3)
            self._go(now)
            if now >= self._slider.max:
                self._stop()
                return
            time.sleep(1 / _RATE)
            moved = time.monotonic()
            # who pulls the slider while it plays is followed
            at = float(self._slider.value)
            now = (at if abs(at - now) > 0.01 else now) + (moved - before) * float(self._speed.value)
            now, before = min(now, float(self._slider.max)), moved

    def _go(self, seconds: float) -> np.ndarray | None:
        """Show what is chosen at a time; what the video shows then."""
        with self._lock:
            actor = self._actor
            self._words.content = actor.go(min(seconds, actor.duration))
            picture = actor.picture(seconds)
            self._image.visible = picture is not None
            if picture is not None:
                self._image.image = picture
            return picture

    def _film(self) -> None:
        """All that is chosen, from its begin to its end, as a film for the browser to save."""
        self._stop()
        at = browser_camera(self._page.client.camera, _SIDE)
        count = max(2, round(self._actor.duration * _RATE))

        def work(job: Job) -> str:
            frames = []
            for k in range(count):
                job.progress("picture", k, count)
                beside = self._go(k / _RATE)
                frames.append(with_inset(self._page.canvas.photograph(*at), beside))
            data = film(frames, _RATE)
            with job.applying():
                self._page.client.send_file_download(f"{self._actor.name}.mp4", data, save_immediately=True)
            return f"Film of {count} pictures, {len(data) / 1e6:.1f} MB."

        self._page.jobs.start("Film", work)


def with_inset(picture: np.ndarray, beside: np.ndarray | None) -> np.ndarray:
    """A picture (H, W, 3) with another one, where there is one, small in its upper left corner."""
    if beside is None:
        return picture
    width = round(_INSET * picture.shape[1])
    height = min(round(beside.shape[0] * width / beside.shape[1]), picture.shape[0])
    made = picture.copy()
    made[:height, :width] = cv2.resize(beside, (width, height), interpolation=cv2.INTER_AREA)
    return made


class VideoActor:
    """A video that stands alone."""

    def __init__(self, name: str, video: Video) -> None:
        self.name, self._video, self.duration = name, video, video.duration

    def go(self, seconds: float) -> str:
        """Nothing moves in the scene."""
        return ""

    def picture(self, seconds: float) -> np.ndarray:
        """The frame."""
        return self._video.at(seconds)
