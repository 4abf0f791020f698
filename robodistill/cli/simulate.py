"""`robodistill simulate`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from robodistill.cli.console import Console, Verb


@dataclass
class Simulate(Verb):
    """Run a trajectory in the physics of a simulated capture: was the asked thing lifted, and nothing else touched?"""

    trajectory: tyro.conf.Positional[Path] = tyro.MISSING
    """JSON of `grasp --trajectory`."""
    scene: Annotated[Path, tyro.conf.arg()] = tyro.MISSING
    """Folder of the simulated capture."""
    target: str | None = None
    """What shall be lifted, if not what the trajectory is for."""
    film: Path | None = None
    """MP4 to write."""
    overwrite: bool = False
    """Replace the film if it exists."""

    def run(self, console: Console) -> dict[str, Any]:
        """See `robodistill.pipeline.simulate`."""
        from robodistill.errors import HonestNo
        from robodistill.pipeline.simulate import simulate

        options = {"target": self.target, "film": self.film, "overwrite": self.overwrite}
        done = simulate(self.trajectory, self.scene, **options, progress=console.progress)
        result = {"success": done.verdict.success, "target": done.target, "measures": done.verdict.values()}
        result["measures"]["lag"] = done.recording.lag
        if not done.verdict.success:
            raise HonestNo(f"{done.target!r}: {done.verdict.reason}", result)
        return result

    def lines(self, result: dict[str, Any]) -> list[str]:
        """What was measured."""
        it = result["measures"]
        return [f"{result['target']!r} was lifted by {100 * it['rise']:.1f} cm and held for {it['held']:.1f} s"]
