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
