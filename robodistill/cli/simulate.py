"""`robodistill simulate`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from robodistill.cli.console import Console, Verb


@dataclass
class Simulate(Verb):
    """Run a trajectory in the physics of what was simulated: did it do what it was for? Exit code 3 if it did not.

    A grasp must lift the asked thing and touch nothing else; a plan must do what its demonstration did.
    """

    trajectory: tyro.conf.Positional[Path] = tyro.MISSING
    """JSON of `grasp --trajectory`, `plan` or `replay`."""
    scene: Annotated[Path, tyro.conf.arg()] = tyro.MISSING
    """Folder that `sim tabletop`, or for a plan `sim articulated`, wrote."""
    target: str | None = None
    """What shall be lifted, if not what the trajectory is for."""
    pose: Path | None = None
    """Of a plan: JSON with T_world_object (4x4), where the object truly stands, if not where the plan has it."""
    open_grippers: bool = False
    """Of a plan: a control run in which the grippers never close, so that it must fail."""
    film: Path | None = None
    """MP4 to write."""
    overwrite: bool = False
    """Replace the film if it exists."""

    def run(self, console: Console) -> dict[str, Any]:
        """See `robodistill.pipeline.simulate`."""
        from robodistill.errors import BadInput, HonestNo
        from robodistill.planning.trajectory import KIND, BimanualTrajectory
        from robodistill.robots.trajectory import RobotTrajectory

        filmed = {"film": self.film, "overwrite": self.overwrite, "progress": console.progress}
        if RobotTrajectory.load(self.trajectory).task.get("kind") == KIND:
            from robodistill.pipeline.plan import read_pose
            from robodistill.pipeline.rehearse import rehearse

            if self.target is not None:
                raise BadInput(f"--target is of lifts; {self.trajectory} is a plan that repeats a demonstration")
            T = None if self.pose is None else read_pose(self.pose)
            plan = BimanualTrajectory.load(self.trajectory)
            done = rehearse(plan, self.scene, T, open_grippers=self.open_grippers, **filmed)
            target = ", ".join(f"{arm}: {part}" for arm, part in plan.arms.items())
        else:
            from robodistill.pipeline.simulate import simulate

            if self.pose is not None or self.open_grippers:
                raise BadInput(f"--pose and --open-grippers are of plans; {self.trajectory} is none")
            done = simulate(self.trajectory, self.scene, target=self.target, **filmed)
            target = done.target
        result = {"success": done.verdict.success, "target": target, "measures": done.verdict.values()}
        result["measures"]["lag"] = done.recording.lag
        if not done.verdict.success:
            raise HonestNo(f"{target!r}: {done.verdict.reason}", result)
        return result

    def lines(self, result: dict[str, Any]) -> list[str]:
        """What was measured."""
        it = result["measures"]
        if "rise" in it:
            return [f"{result['target']!r} was lifted by {100 * it['rise']:.1f} cm and held for {it['held']:.1f} s"]
        ends = [f"{part}: {it['place_mm'][part]} mm, {it['turn_deg'][part]} degrees off" for part in it["place_mm"]]
        return [f"held as planned ({result['target']})", *ends]
