"""The server: results are read in the background, each browser that comes gets a page of its own.

Nothing heavy is imported before it listens, so that a browser can load the page in the meantime.
"""

import contextlib
import io
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from robodistill.errors import BadInput, MissingPart

if TYPE_CHECKING:
    from robodistill.viewer.results import Failure, Result
    from robodistill.viewer.session import Session


class Viewer:
    """Serves results to browsers until it is stopped."""

    def __init__(
        self,
        paths: Sequence[Path],
        host: str = "localhost",
        port: int = 8080,
        drawn_by: Literal["auto", "browser", "server"] = "auto",
    ) -> None:
        """Start to listen, and to read the results.

        Args:
            paths: Anything of `results.KINDS`, or folders with such.
            host: Address to listen on; "0.0.0.0" is reached from other machines, by anyone who can reach this one.
            port: The first that is tried; the next free one is taken.
            drawn_by: Who draws Gaussians: "browser" as splats, "server" as pictures, "auto" as the browser can.

        Raises:
            MissingPart: viser is not installed.
            BadInput: The address cannot be listened on.
        """
        try:
            import viser
        except ImportError:
            raise MissingPart("the viewer needs viser: pip install 'robodistill[viewer]'") from None
        self._items: list[Result | Failure] = []
        self._sessions: dict[int, Session] = {}
        self._lock, self.ready = threading.RLock(), threading.Event()
        self._drawn_by, self._paths, self._looks = drawn_by, paths, False
        with contextlib.redirect_stdout(io.StringIO()):  # it prints a box of its own
            try:
                self._server = viser.ViserServer(host, port, label="robodistill", verbose=False)
            except OSError as error:
                raise BadInput(f"cannot listen on {host} port {port}: {error}") from None
        self._host = host
        self._server.gui.configure_theme(control_width="medium", show_share_button=False, show_logo=False)
        # shadows fall on meshes only, not on splats, and cost browsers without a graphics card more than all else
        self._server.scene.configure_default_lights(cast_shadow=False)
        self._server.on_client_connect(self._came)
        self._server.on_client_disconnect(self._went)
        threading.Thread(target=self._read, name="viewer: reading", daemon=True).start()

    @property
    def address(self) -> str:
        """What a browser on this machine opens."""
        host = "localhost" if self._host in ("0.0.0.0", "::", "") else self._host
        return f"http://{host}:{self._server.get_port()}"

    @property
    def browsers(self) -> int:
        """How many are connected."""
        return len(self._sessions)

    @property
    def failures(self) -> list["Failure"]:
        """What could not be opened so far."""
        from robodistill.viewer.results import Failure

        return [item for item in self._items if isinstance(item, Failure)]

    def stop(self) -> None:
        """End; browsers lose their connection."""
        for session in list(self._sessions.values()):
            session.close()
        with contextlib.redirect_stdout(io.StringIO()):
            self._server.stop()

    def _read(self) -> None:
        from robodistill.viewer.results import Result, open_results
        from robodistill.viewer.session import first_page

        for path in self._paths:
            for item in open_results(Path(path)):
                if isinstance(item, Result) and item.kind == "field" and not self._looks:
                    self._looks = True
                    first_page(self._server, item.value.field)
                with self._lock:
                    self._items.append(item)
                    sessions = list(self._sessions.values())
                for session in sessions:
                    session.add(item)
        with self._lock:
            self.ready.set()
            sessions = list(self._sessions.values())
        for session in sessions:
            session.loaded(len(self._items) - len(self.failures), len(self.failures))
        for item in self._items:
            if isinstance(item, Result) and item.kind == "field":
                item.value.warm_up()

    def _came(self, client: Any) -> None:
        from robodistill.viewer.session import Session

        session = Session(client, self._drawn_by)
        with self._lock:
            self._sessions[client.client_id] = session
            items, ready = list(self._items), self.ready.is_set()
        for item in items:
            session.add(item)
        if ready:
            session.loaded(len(items) - len(self.failures), len(self.failures))

    async def _went(self, client: Any) -> None:
        with self._lock:
            session = self._sessions.pop(client.client_id, None)
        if session is not None:
            session.close()
