"""`robodistill plan`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from robodistill.cli.console import Console, Verb


@dataclass
class Plan(Verb):
    """Plan how two arms repeat a demonstration, free of contact and within limits; exit code 3 if there is no plan."""

    motion: tyro.conf.Positional[Path] = tyro.MISSING
    """What `track` wrote."""
    field: tyro.conf.Positional[Path] = tyro.MISSING
    """Field that the motion is of."""
    robot: str = "yumi"
    """Name of a file in config/robots (yumi, two_pandas), or the path of such a file."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = tyro.MISSING
    """JSON to write the plan to, as `simulate` and a robot take it."""
    at: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Where the object stands on the robot's table: x and y of its middle in metres, yaw in degrees."""
    pose: Path | None = None
    """JSON with T_world_object (4x4), the field's coordinates to the robot's world, instead of --at."""
    ros: Path | None = None
    """JSON to write the plan to as a trajectory_msgs/JointTrajectory."""
    rehearse: bool = True
    """Run plans in physics on a twin of the parts that were found, and take the first that succeeds there."""
    overwrite: bool = False
    """Replace files that exist."""

    def run(self, console: Console) -> dict[str, Any]:
        """See `robodistill.pipeline.plan`."""
        import math

        from robodistill.pipeline.plan import PlanOptions, plan_motion

        x, y, yaw = self.at
        options = PlanOptions(self.robot, (x, y, math.radians(yaw)), self.pose, self.ros, self.rehearse, self.overwrite)
        plan = plan_motion(self.motion, self.field, self.out, options, progress=console.progress)
        told = {"arms": plan.arms, "departures": plan.departures, "duration": round(plan.duration, 3)}
        return told | {"checks": plan.checks, "path": str(self.out)}

    def lines(self, result: dict[str, Any]) -> list[str]:
        """Who holds what, and how well."""
        checks = result["checks"]
        told = [f"the {arm} arm holds {part}" for arm, part in result["arms"].items()]
        told += result["departures"]
        if "rehearsal" in checks:
            told.append(f"no plan succeeds on a twin of the parts; of this one: {checks['rehearsal']}")
        told += [f"{part}: at most {it['mm']} mm, {it['deg']} deg off" for part, it in checks["tracking"].items()]
        told.append(
            f"{result['duration']} s, clearance {checks['clearance_mm']} mm, "
            f"{checks['speed_share']:.0%} of the greatest joint speeds -> {result['path']}"
        )
        return told
