"""`robodistill locate`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from robodistill.cli.console import Console, Verb


@dataclass
class Locate(Verb):
    """Find where pictures were taken, without a guess, or say that they do not show this field (exit code 3)."""

    field: tyro.conf.Positional[Path] = tyro.MISSING
    """Field folder, or a 3DGS PLY."""
    images: tyro.conf.Positional[tuple[Path, ...]] = tyro.MISSING
    """One picture or several."""
    intrinsics: Path | None = None
    """JSON with K (3x3), width, height; without it the camera is that of the field's first view."""
    depth: tuple[Path, ...] = ()
    """16-bit depth of each picture, as the colour camera sees it."""
    depth_unit: float = 0.001
    """Metres per count of a depth image."""
    unknown_focal: bool = False
    """Look for the focal length too, from half to twice the given one."""
    object: str | None = None
    """Locate one thing of the field, such as "red stapler", instead of the whole scene."""
    coarse: Literal["auto", "matches", "semantics", "spine"] = "auto"
    """Where hypotheses come from; spine trains SPINE's network on the field's views, for comparison."""
    previous: Path | None = None
    """JSON pose near which the camera may be: one more hypothesis."""
    stream: bool = False
    """The pictures are in order: each answer is a hypothesis for the next."""
    out: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    """JSON to write the estimate to; with several pictures, a folder."""
    overwrite: bool = False
    """Replace files that exist."""

    def run(self, console: Console) -> dict[str, Any]:
        """See `robodistill.pipeline.locate`."""
        from robodistill.errors import HonestNo
        from robodistill.pipeline.locate import LocateOptions, locate_images, save_estimates

        options = LocateOptions(
            depth_unit=self.depth_unit,
            coarse=self.coarse,
            object=self.object,
            focal_known=not self.unknown_focal,
            previous=self.previous,
            stream=self.stream,
        )
        found = locate_images(self.field, self.images, self.intrinsics, self.depth, options, progress=console.progress)
        if self.out is not None:
            save_estimates(found, self.images, self.out, self.overwrite)
        values = [estimate.as_values() for estimate in found]
        if self.object is not None:
            # the thing's own frame is the field's: where it was scanned, this is the identity times the camera's pose
            for value, estimate in zip(values, found, strict=True):
                value["T_camera_object"] = None if estimate.T_camera_world is None else estimate.T_camera_world.tolist()
        answer = values[0] if len(values) == 1 else {"poses": values, "converged": all(e.converged for e in found)}
        if not any(e.converged for e in found):
            raise HonestNo("; ".join(dict.fromkeys(e.reason for e in found)), answer)
        return answer

    def lines(self, result: dict[str, Any]) -> list[str]:
        """Where each was taken."""
        return [_line(image, pose) for image, pose in zip(self.images, result.get("poses", [result]), strict=True)]


def _line(image: Path, pose: dict[str, Any]) -> str:
    if not pose["converged"]:
        return f"{image}: not located: {pose['reason']}"
    at = ", ".join(f"{row[3]:.3f}" for row in pose["T_world_camera"][:3])
    forward = ", ".join(f"{row[2]:.2f}" for row in pose["T_world_camera"][:3])
    sigma = 1000 * sum(pose["covariance"][k][k] for k in range(3)) ** 0.5
    return (
        f"{image}: camera at ({at}) m, looking along ({forward}); sigma {sigma:.1f} mm, "
        f"confidence {pose['confidence']:.2f}, {pose['seconds']:.1f} s"
    )
