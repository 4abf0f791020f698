"""`robodistill track`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from robodistill.cli.console import Console, Verb


@dataclass
class Track(Verb):
    """Follow a scanned object's parts through a plain film of a person handling it; exit code 3 if it is not there."""

    field: tyro.conf.Positional[Path] = tyro.MISSING
    """Field of the object's scan."""
    video: tyro.conf.Positional[Path] = tyro.MISSING
    """Film from a fixed camera."""
    intrinsics: Path = tyro.MISSING
    """JSON with K (3x3), width, height, or fl_x, fl_y, cx, cy, w, h."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = tyro.MISSING
    """Motion to write (.json; arrays beside it)."""
    scale: int | None = None
    """Take the parts of this scale of the field's groups as they are; without it parts are found, and motion merges
    those that move as one."""
    every: int = 1
    """Take every n-th frame."""
    longest: int = 480
    """Reduce frames whose longer side has more pixels."""
    film: Path | None = None
    """MP4 to write: the film with the parts' outlines, and the moved field from a side."""
    urdf: Path | None = None
    """Folder to write the articulated object to, with meshes."""
    method: Literal["ours", "rsrd"] = "ours"
    """How: ours, or as RSRD (Kerr et al., CoRL 2024) does, which is slower and knows no joints; by features, too, where
    the field has those of dinov2, dinov3 or builtin:head=looks."""
    overwrite: bool = False
    """Replace files that exist."""

    def run(self, console: Console) -> dict[str, Any]:
        """See `robodistill.pipeline.track`."""
        import time

        from robodistill.pipeline.track import TrackOptions, track_film

        start = time.perf_counter()
        options = TrackOptions(self.scale, self.every, self.longest, self.urdf, self.film, self.overwrite, self.method)
        motion = track_film(self.field, self.video, self.intrinsics, self.out, options, progress=console.progress)
        return {
            "frames": len(motion),
            "parts": list(motion.parts),
            "joints": [
                {
                    "kind": joint.kind,
                    "parent": motion.parts[joint.parent],
                    "child": motion.parts[joint.child],
                    "axis": joint.axis.tolist(),
                    "origin": joint.origin.tolist(),
                    "range": list(joint.range),
                }
                for joint in motion.joints
            ],
            "visible": round(float(motion.visible.mean()), 3),
            "seconds": round(time.perf_counter() - start, 2),
            "path": str(self.out),
        }

    def lines(self, result: dict[str, Any]) -> list[str]:
        """Parts and joints."""
        told = [f"{result['frames']} frames, {len(result['parts'])} parts, {result['seconds']} s -> {result['path']}"]
        for joint in result["joints"]:
            low, high = joint["range"]
            unit = "m" if joint["kind"] == "prismatic" else "rad"
            told.append(f"{joint['child']} on {joint['parent']}: {joint['kind']}, {low:.3f} to {high:.3f} {unit}")
        return told
