"""`robodistill hand-eye`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from robodistill.cli.console import Console, Verb


@dataclass
class HandEye(Verb):
    """Find where a camera is on a robot, or check it, from what it saw of a target; exit code 3 if that cannot tell."""

    samples: tyro.conf.Positional[Path] = tyro.MISSING
    """JSON: camera_frame, target_frame (links; one of them "world"), samples with joints and T_camera_target (4x4)."""
    robot: str = "yumi"
    """Name of a file in config/robots (yumi, two_pandas), or the path of such a file."""
    check: Path | None = None
    """JSON of a known calibration: say how well it explains the samples, and calibrate nothing."""
    most_mm: float = 5.0
    """Largest error, rms, of a target's predicted place that is believed; of samples left out, where calibrating."""
    most_deg: float = 1.5
    """And of its direction."""
    out: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    """JSON to write the calibration to, as `register` reads it."""
    overwrite: bool = False
    """Replace a file that exists."""

    def run(self, console: Console) -> dict[str, Any]:
        """See `robodistill.robots.calibrate`."""
        from robodistill.errors import BadInput, HonestNo
        from robodistill.robots.calibrate import calibrate, check
        from robodistill.robots.hand_eye import HandEye as Known
        from robodistill.robots.hand_eye import Samples
        from robodistill.robots.robot import load_robot

        if self.check is not None and self.out is not None:
            raise BadInput("--check calibrates nothing: -o has nothing to write")
        robot = load_robot(self.robot)
        samples = Samples.load(self.samples, robot)
        known = None if self.check is None else Known.load(self.check)
        found = calibrate(robot, samples) if known is None else check(robot, samples, known)
        values = found.as_values()
        error = values["residual" if known else "leave_one_out"]
        if error["mm"] > self.most_mm or error["deg"] > self.most_deg:
            raise HonestNo(
                f"the samples disagree with it by {error['mm']:.1f} mm and {error['deg']:.2f} degrees; at most "
                f"{self.most_mm:g} mm and {self.most_deg:g} degrees are believed",
                values,
            )
        if self.out is not None:
            found.hand_eye.save(self.out, self.overwrite)
        return values | {"path": None if self.out is None else str(self.out)}

    def lines(self, result: dict[str, Any]) -> list[str]:
        """How well it explains each sample."""
        told = []
        for k, it in enumerate(result["samples"]):
            left = it.get("left_out")
            alone = f"; left out {left['mm']:.2f} mm, {left['deg']:.3f} deg" if left else ""
            told.append(f"sample {k}: {it['mm']:.2f} mm, {it['deg']:.3f} deg{alone}")
        for key, name in (("residual", "all"), ("leave_one_out", "left out")):
            if key in result:
                told.append(f"{name}: {result[key]['mm']:.2f} mm, {result[key]['deg']:.3f} deg")
        at = ", ".join(f"{row[3]:.4f}" for row in result["T_frame_camera"][:3])
        return [*told, f"camera at ({at}) m of {result['frame']}" + (f" -> {result['path']}" if result["path"] else "")]
