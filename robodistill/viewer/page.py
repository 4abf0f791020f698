"""What the panels of one browser share: the scene, the line of status, the slow work, the fields."""

from collections.abc import Callable
from typing import Any

from robodistill.errors import BadInput
from robodistill.viewer.canvas import Canvas, DrawnBy
from robodistill.viewer.jobs import Job, Jobs
from robodistill.viewer.shown import ShownField
from robodistill.viewer.video import Video


class Page:
    """One browser (viser's client handle)."""

    def __init__(self, client: Any, drawn_by: DrawnBy) -> None:
        self.client = client
        self._status = client.gui.add_markdown("Loading …")
        self._bar = client.gui.add_progress_bar(0.0, visible=False)
        self.canvas = Canvas(client, drawn_by)
        self.jobs = Jobs(self.tell)
        self.fields: list[ShownField] = []
        self.shown: ShownField | None = None
        """The field that questions and edits go to."""
        self.videos: list[Video] = []
        self.motions: list[Any] = []
        """Motions on it (`motion.MotionActor`), which plans repeat."""
        self.robots: dict[str, Any] = {}
        """Robots in the world by name (`robot.ShownRobot`): one stands there, whatever poses it."""
        self.on_selection: list[Callable[[], None]] = []
        """Called when another thing, or nothing, is selected."""
        self._click_taken = False

    def tell(self, text: str, share: float | None = None) -> None:
        """A line of Markdown at the top of the page; `share` in [0, 1] shows a bar below it."""
        self._status.content = text
        self._bar.visible = share is not None
        self._bar.value = 100 * (share or 0.0)

    def start(self, name: str, work: Callable[[Job, ShownField], str]) -> Job:
        """Slow work on the current field; it cancels what still runs. See `Jobs.start`."""
        shown = self.shown

        def whole(job: Job) -> str:
            if shown is None:
                raise BadInput("there is no field on this page")
            return work(job, shown)

        return self.jobs.start(name, whole)

    def selection_changed(self) -> None:
        """Tell the panels."""
        for listener in self.on_selection:
            listener()

    def take_click(self) -> None:
        """A thing in the scene was clicked on: no question. For `async` handlers, which keep their order."""
        self._click_taken = True

    def click_was_taken(self) -> bool:
        """Whether a thing in the scene took the click that is told of now."""
        taken, self._click_taken = self._click_taken, False
        return taken

    def close(self) -> None:
        """The browser is gone."""
        self.jobs.cancel()
        self.canvas.close()
