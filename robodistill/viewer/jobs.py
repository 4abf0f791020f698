"""Slow work beside a page: one thing at a time for each browser, and what is started cancels what still runs."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from robodistill.errors import RobodistillError

log = logging.getLogger(__name__)
_SOON = 0.2  # seconds


class Cancelled(Exception):
    """A newer job took this one's place."""


class Teller(Protocol):
    """Shows a page's reader what goes on."""

    def __call__(self, text: str, share: float | None = None) -> None:
        """A line of Markdown; `share` in [0, 1] shows a bar."""


class Job:
    """A running piece of work; the work calls `progress` or `check` often, and changes the page inside `applying`."""

    def __init__(self, name: str, tell: Teller, lock: threading.RLock) -> None:
        self.name, self._tell, self._lock, self._over = name, tell, lock, threading.Event()
        self.told = False
        """Whether its progress was shown."""
        self.thread: threading.Thread | None = None
        """What runs it; it ends soon after the job was cancelled, too."""

    def cancel(self) -> None:
        """The work ends at its next `check`; it can no longer change the page."""
        self._over.set()

    def check(self) -> None:
        """Raise `Cancelled` if the job was."""
        if self._over.is_set():
            raise Cancelled

    def progress(self, stage: str, done: int, total: int, note: str = "") -> None:
        """A `robodistill.progress.Progress`."""
        with self.applying():
            self.told = True
            self._tell(f"{self.name}: {stage} {done}/{total} {note}".rstrip(), done / max(total, 1))

    @contextmanager
    def applying(self) -> Iterator[None]:
        """No newer job can begin while this one changes the page; raises `Cancelled` if one has."""
        with self._lock:
            self.check()
            yield


class Jobs:
    """The jobs of one browser."""

    def __init__(self, tell: Teller) -> None:
        self._tell, self._lock = tell, threading.RLock()
        self._now: Job | None = None

    def start(self, name: str, work: Callable[[Job], str]) -> Job:
        """Run `work` in a thread; what it returns is shown when it is done, and so is an error."""
        with self._lock:
            if self._now is not None:
                self._now.cancel()
            job = self._now = Job(name, self._tell, self._lock)
            job.thread = threading.Thread(target=self._run, args=(job, work), name=f"viewer: {name}", daemon=True)
        # what is over at once need not be announced: a browser that draws by software spends a tenth of a second on it
        announcement = threading.Timer(_SOON, self._announce, (job,))
        announcement.daemon = True
        announcement.start()
        job.thread.start()
        return job

    def cancel(self) -> None:
        """Cancel what runs."""
        with self._lock:
            if self._now is not None:
                self._now.cancel()
                self._now = None

    def _announce(self, job: Job) -> None:
        with self._lock:
            if self._now is job and not job.told:
                self._tell(f"{job.name} …", 0.0)

    def _run(self, job: Job, work: Callable[[Job], str]) -> None:
        try:
            said = work(job)
        except Cancelled:
            return
        except RobodistillError as error:
            said = f"**{job.name}: no.** {error}"
        except Exception as error:  # a defect: the page says so and goes on
            log.exception("%s failed", job.name)
            said = f"**{job.name} failed** ({type(error).__name__}: {error}); this is a defect"
        with self._lock:
            if self._now is job:
                self._now = None
                self._tell(said)
