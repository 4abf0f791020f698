"""`robodistill register`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from robodistill.cli.console import Console, Verb


@dataclass
class Register(Verb):
    """Find where a field's object stands on a robot's table, from one picture; exit code 3 if that is not sure."""

    field: tyro.conf.Positional[Path] = tyro.MISSING
    """Field of the object, as it was scanned."""
    image: tyro.conf.Positional[Path] = tyro.MISSING
    """Picture of the robot's camera."""
    intrinsics: Path = tyro.MISSING
    """JSON with K (3x3), width, height."""
    depth: Path | None = None
    """16-bit depth of the picture, as the colour camera sees it."""
    depth_unit: float = 0.001
    """Metres per count of the depth image."""
    pose: Path | None = None
    """JSON with T_world_camera (4x4), the camera in the robot's world; or else --hand-eye."""
    hand_eye: Path | None = None
    """JSON that `hand-eye` wrote."""
    robot: str = "yumi"
    """Whose links and joints those are: name of a file in config/robots, or the path of such a file."""
    joints: Path | None = None
    """JSON with the robot's joint values, a list or by name; needed where the camera is on a link."""
    table: float = 0.0
    """Height of the table in the robot's world, metres."""
    out: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    """JSON to write the pose to, as `plan --pose` reads it."""
    picture: Path | None = None
    """PNG to draw what was found into."""
    overwrite: bool = False
    """Replace files that exist."""

    def run(self, console: Console) -> dict[str, Any]:
        """See `robodistill.pipeline.register`."""
        from robodistill.pipeline.register import CameraPlace, register_image

        found = register_image(
            *(self.field, self.image, self.intrinsics),
            CameraPlace(self.pose, self.hand_eye, self.robot, self.joints),
            depth=self.depth,
            depth_unit=self.depth_unit,
            table=self.table,
            out=self.out,
            picture=self.picture,
            overwrite=self.overwrite,
            progress=console.progress,
        )
        return found.as_values() | {"path": None if self.out is None else str(self.out)}

    def lines(self, result: dict[str, Any]) -> list[str]:
        """Where it stands, and how sure that is."""
        at = ", ".join(f"{row[3]:.4f}" for row in result["T_world_object"][:3])
        tilt, lift = result["tilt_deg"], result["lift_mm"]
        told = [
            f"the field's origin is at ({at}) m; confidence {result['confidence']:.2f}, {result['seconds']:.1f} s",
            f"before it was set upright it leaned by {tilt:.1f} degrees and was {lift:+.1f} mm off the table",
        ]
        return [*told, f"-> {result['path']}"] if result["path"] else told
