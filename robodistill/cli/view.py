"""`robodistill view`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tyro

from robodistill.cli.console import Console, Verb


@dataclass
class View(Verb):
    """Show results in a web browser until interrupted, several in one world; the address is printed."""

    results: tyro.conf.Positional[tuple[Path, ...]] = tyro.MISSING
    """Fields, 3DGS PLYs, motions, selections, captures, videos, point clouds, or folders with any of these."""
    host: str = "localhost"
    """Address to listen on; 0.0.0.0 lets other machines in, all that can reach this one."""
    port: int = 8080
    """The first port that is tried; the next free one is taken."""
    draw: Literal["auto", "browser", "server"] = "auto"
    """Who draws Gaussians: browser, as splats; server, as pictures; auto, as the browser can."""

    def run(self, console: Console) -> dict[str, Any]:
        """See `robodistill.viewer.server`."""
        import json
        import sys
        import threading

        from robodistill.errors import BadInput

        if not self.results:
            raise BadInput("nothing was given to show: a field, motion, capture, video or a folder with any of these")
        if not 0 < self.port < 65536:
            raise BadInput(f"--port {self.port}: 1 to 65535 is needed")
        from robodistill.viewer.server import Viewer

        viewer = Viewer(self.results, self.host, self.port, self.draw)
        try:
            print(json.dumps({"address": viewer.address}) if self.json else viewer.address, flush=True)
            viewer.ready.wait()
            for failure in viewer.failures:
                print(f"robodistill: view: {failure.message}", file=sys.stderr)
            threading.Event().wait()
        finally:
            viewer.stop()
        raise AssertionError("it ends by an interrupt only")
