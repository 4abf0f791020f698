"""`robodistill replay`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from robodistill.cli.console import Console, Verb


@dataclass
class Replay(Verb):
    """From a scan and a film of a person's hands to what two arms do, with a report; exit code 3 where a stage says no.

    What an interrupted call has done is not done again.
    """

    scan: tyro.conf.Positional[Path] = tyro.MISSING
    """Capture of the object, as `build` takes it."""
    video: tyro.conf.Positional[Path] = tyro.MISSING
    """Film of the demonstration from a fixed camera."""
    robot: str = "yumi"
    """Name of a file in config/robots (yumi, two_pandas), or the path of such a file."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = tyro.MISSING
    """Folder for field, motion, plan, films and report.html."""
    intrinsics: Path | None = None
    """JSON of the film's camera; demo_camera.json beside the film if not given."""
    at: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Where the object stands on the robot's table: x and y of its middle in metres, yaw in degrees."""
    pose: Path | None = None
    """JSON with T_world_object (4x4), as `register` writes it, instead of --at."""
    truth: Path | None = None
    """Folder that `sim articulated` wrote, to judge the plan in physics; the film's own folder if it is one."""
    overwrite: bool = False
    """Do stages again whose inputs or options have changed."""

    def run(self, console: Console) -> dict[str, Any]:
        """See `robodistill.pipeline.replay`."""
        import math

        from robodistill.errors import HonestNo
        from robodistill.pipeline.replay import ReplayOptions, replay, told

        x, y, yaw = self.at
        place = (x, y, math.radians(yaw))
        options = ReplayOptions(self.intrinsics, self.robot, place, self.pose, self.truth, self.overwrite)
        done = replay(self.scan, self.video, self.out, options, progress=console.progress)
        result = {"success": done.success, "stages": told(done.stages), "report": str(done.report)}
        if not done.success:
            last = next(it for it in done.stages if it.state == "failed")
            raise HonestNo(f"{last.name}: {last.reason} (see {done.report})", result)
        return result

    def lines(self, result: dict[str, Any]) -> list[str]:
        """The stages."""
        lines = [f"{it['name']:>9}  {it['state']:<8}{it['seconds']:7.1f} s  {it['reason']}" for it in result["stages"]]
        return [*lines, f"report: {result['report']}"]
