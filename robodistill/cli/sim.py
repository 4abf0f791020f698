"""`robodistill sim ...`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from robodistill.cli.console import Console, Verb


@dataclass
class Tabletop(Verb):
    """Make a physically settled table scene of named, coloured objects: posed RGB-D, masks and ground truth."""

    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = tyro.MISSING
    """New folder to write."""
    seed: int = 0
    """The same seed gives the same scene."""
    views: int = 40
    """Frames."""
    width: int = 320
    """Pixels."""
    height: int = 240
    """Pixels."""
    noise: Literal["none", "sensor"] = "none"
    """sensor: depth noise growing with distance, quantisation, holes at edges, colour noise and blur."""

    def run(self, console: Console) -> dict[str, Any]:
        """See `robodistill.sim.tabletop`."""
        from robodistill.errors import BadInput

        for name in ("views", "width", "height"):
            if getattr(self, name) < 1:
                raise BadInput(f"--{name} must be at least 1, got {getattr(self, name)}")
        from robodistill.sim.tabletop import make_tabletop

        made = make_tabletop(
            seed=self.seed,
            views=self.views,
            width=self.width,
            height=self.height,
            noise=self.noise,
            out=self.out,
            progress=lambda done, total: console.progress("render", done, total),
        )
        return {"capture": str(made.capture), "objects": made.objects}


@dataclass
class Articulated(Verb):
    """Make an articulated object: a posed RGB-D scan with part masks, a film of its being moved, and the truth."""

    object: str = tyro.MISSING
    """Which; an unknown name lists those there are."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = tyro.MISSING
    """New folder to write."""
    seed: int = 0
    """The same seed gives the same object and demonstration."""
    hand: bool = False
    """Show the hands that move it, covering what they hold."""
    views: int = 40
    """Frames of the scan."""
    frames: int = 90
    """Frames of the film."""
    width: int = 320
    """Pixels of scan and film, even."""
    height: int = 240
    """Pixels, even."""
    noise: Literal["none", "sensor"] = "sensor"
    """sensor: noise of a depth camera in the scan, and colour noise in both."""

    def run(self, console: Console) -> dict[str, Any]:
        """See `robodistill.sim.articulated.make`."""
        from robodistill.sim.articulated.make import make_articulated

        made = make_articulated(
            self.object,
            self.seed,
            self.out,
            hand=self.hand,
            views=self.views,
            frames=self.frames,
            width=self.width,
            height=self.height,
            noise=self.noise,
            progress=console.progress,
        )
        return {"scan": str(made.scan), "video": str(made.video), "parts": list(made.parts)}
