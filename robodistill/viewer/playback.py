"""The Time tab: one clock for all that moves, with the video beside it."""

import threading
import time
from typing import Any, Protocol

import numpy as np

from robodistill.viewer.page import Page
from robodistill.viewer.video import Video

_RATE = 15  # steps of the clock a second
_NAME = "Time, s"


class Actor(Protocol):
    """Something that moves."""

    duration: float
    """Seconds from 0."""

    def go(self, seconds: float) -> str:
        """Show the state at a time; a few words of Markdown about it."""

    def picture(self, seconds: float) -> np.ndarray | None:
        """What a video shows at that time, (H, W, 3) uint8."""


class TimePanel:
    """A slider and a play button."""

    def __init__(self, page: Page, page_tabs: Any) -> None:
        self._page, self._tabs, self._actors = page, page_tabs, []
        self._slider: Any = None
        self._playing, self._lock = threading.Event(), threading.Lock()

    def add(self, actor: Actor) -> None:
        """Let something move; the tab appears with the first."""
        self._actors.append(actor)
        if self._slider is None:
            self._build()
        self._slider.max = max(round(max(actor.duration for actor in self._actors), 3), 0.01)
        self._go(self._slider.value)

    def close(self) -> None:
        """Stop playing."""
        self._playing.clear()

    def _build(self) -> None:
        gui = self._page.client.gui
        with self._tabs.add_tab("Time"):
            self._slider = gui.add_slider(_NAME, 0.0, 1.0, 0.001, 0.0)
            self._play = gui.add_button("Play")
            self._speed = gui.add_slider("Speed", 0.1, 4.0, 0.1, 1.0)
            self._words = gui.add_markdown("")
            self._image = gui.add_image(np.full((2, 2, 3), 255, np.uint8), visible=False)
        self._slider.on_update(lambda event: self._go(self._slider.value) if event.client is not None else None)
        self._play.on_click(lambda _: self._stop() if self._playing.is_set() else self._start())

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

    def _go(self, seconds: float) -> None:
        with self._lock:
            words = [actor.go(min(seconds, actor.duration)) for actor in self._actors]
            pictures = [actor.picture(seconds) for actor in self._actors]
            self._words.content = "\n\n".join(word for word in words if word)
            shown = next((picture for picture in pictures if picture is not None), None)
            self._image.visible = shown is not None
            if shown is not None:
                self._image.image = shown


class VideoActor:
    """A video that stands alone."""

    def __init__(self, video: Video) -> None:
        self._video = video
        self.duration = (len(video) - 1) / video.rate

    def go(self, seconds: float) -> str:
        """Nothing moves in the scene."""
        return ""

    def picture(self, seconds: float) -> np.ndarray:
        """The frame."""
        return self._video.at(seconds)
