"""`robodistill grasp`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from robodistill.cli.console import Console, Verb


@dataclass
class Grasp(Verb):
    """Rank the ways in which a robot can take hold of what a phrase names (exit code 3: none, with the reasons)."""

    field: tyro.conf.Positional[Path] = tyro.MISSING
    """Field folder with features."""
    text: tyro.conf.Positional[str] = tyro.MISSING
    """Such as "red mug", or "red mug by the handle"."""
    robot: str = "yumi"
    """Name of a file in config/robots (yumi, two_pandas), or the path of such a file."""
    teacher: str | None = None
    """Which teacher's features to ask, where the field has several."""
    any_angle: bool = False
    """Leave out the filter that looks at the surface's normals under the pads."""
    out: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    """JSON to write the grasps to."""
    trajectory: Path | None = None
    """JSON to write the motion of the best grasp to, as `simulate` and a robot take it."""
    overwrite: bool = False
    """Replace files that exist."""

    def run(self, console: Console) -> dict[str, Any]:
        """See `robodistill.pipeline.grasp`."""
        from robodistill.config import GraspConfig
        from robodistill.pipeline.grasp import grasp_field, grasp_values

        options = {"robot": self.robot, "teacher": self.teacher, "out": self.out, "trajectory": self.trajectory}
        config = GraspConfig(normal_filter=not self.any_angle)
        found = grasp_field(self.field, self.text, **options, overwrite=self.overwrite, config=config)
        return {
            "grasps": [grasp_values(grasp) for grasp in found.grasps.grasps],
            "rejected": found.grasps.rejected,
            "center": list(found.grasps.center),
            "seconds": round(found.grasps.seconds, 3),
            "query_seconds": round(found.query_seconds, 5),
        }

    def lines(self, result: dict[str, Any]) -> list[str]:
        """One grasp a line, and what was not taken."""
        rows = [
            f"{k}: {it['arm']} arm, {1000 * it['width']:.0f} mm wide, score {it['score']:.2f}, "
            f"at ({', '.join(f'{row[3]:.3f}' for row in it['T_world_grasp'][:3])}) m"
            for k, it in enumerate(result["grasps"], start=1)
        ]
        reasons = ", ".join(f"{count} {reason}" for reason, count in result["rejected"].items() if count)
        return [*rows, f"not taken: {reasons}; {result['seconds']:.1f} s"]
