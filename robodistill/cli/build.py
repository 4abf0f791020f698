"""`robodistill build`."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from robodistill.cli.console import Console, Verb
from robodistill.config import BuildConfig, load_config


@dataclass
class Build(Verb):
    """Make a field of Gaussians from a capture: a folder (transforms.json, TUM RGB-D, 7-Scenes) or a rosbag2 / MCAP."""

    capture: tyro.conf.Positional[Path] = tyro.MISSING
    """Folder or bag with posed RGB-D frames."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = tyro.MISSING
    """Field folder to write, by custom NAME.field."""
    config: Path | None = None
    """YAML with any of the values of config/robodistill.yaml."""
    teacher: str | None = None
    """What the features are of: auto (what is installed), or specs with commas between them, such as
    clip, clip:FOLDER, siglip, dinov2, or truth:stride=8 for simulated captures."""
    features: Literal["uplift", "distill", "contrastive", "none"] | None = None
    """How features come into the field: as means over the views (uplift), by optimisation as in Feature 3DGS
    (distill) or in GaussianGrasper (contrastive), or not at all."""
    geometry: Path | None = None
    """Field of the same capture whose Gaussians are taken as they are; only features are added."""
    steps: int | None = None
    """Steps of the fit."""
    gaussians: int | None = None
    """About how many Gaussians to begin with."""
    sh_degree: Literal[0, 1, 2, 3] | None = None
    """Degree of view-dependent colour."""
    max_side: int | None = None
    """Reduce frames to this many pixels."""
    hold_out: int | None = None
    """Keep every n-th frame for the PSNR; 0 trains on all."""
    overwrite: bool = False
    """Replace the field if it exists."""

    def build_config(self) -> BuildConfig:
        """Defaults, then the file, then the options."""
        from robodistill.errors import BadInput

        config = load_config(BuildConfig, self.config) if self.config else BuildConfig()
        for name, low in (("steps", 1), ("gaussians", 1), ("max_side", 16), ("hold_out", 0)):
            value = getattr(self, name)
            if value is not None and value < low:
                raise BadInput(f"--{name.replace('_', '-')} must be at least {low}, got {value}")
        fit, seed = config.fit, config.seed
        fit = replace(fit, steps=self.steps or fit.steps)
        fit = fit if self.sh_degree is None else replace(fit, sh_degree=self.sh_degree)
        seed = replace(seed, gaussians=self.gaussians or seed.gaussians)
        features = config.features
        features = replace(features, teacher=self.teacher or features.teacher, way=self.features or features.way)
        config = replace(config, fit=fit, seed=seed, features=features, max_side=self.max_side or config.max_side)
        return config if self.hold_out is None else replace(config, hold_out=self.hold_out)

    def run(self, console: Console) -> dict[str, Any]:
        """See `robodistill.pipeline.build`."""
        config = self.build_config()
        from robodistill.pipeline.build import build_field

        options = {"geometry": self.geometry, "overwrite": self.overwrite, "progress": console.progress}
        made = build_field(self.capture, self.out, config, **options)
        return {
            "gaussians": made.gaussians,
            "psnr": round(made.psnr, 3),
            "seconds": round(made.seconds, 2),
            "bytes": made.bytes,
            "depth_median": made.depth_median,
            "held_out": made.held_out,
            "path": str(made.path),
        }

    def lines(self, result: dict[str, Any]) -> list[str]:
        """One line and the path."""
        on = f"{result['held_out']} held-out frames" if result["held_out"] else "the training frames"
        depth = (
            "" if result["depth_median"] is None else f", depth error {1000 * result['depth_median']:.1f} mm (median)"
        )
        return [
            f"{result['gaussians']:,} Gaussians in {result['seconds']:.1f} s; "
            f"PSNR {result['psnr']:.2f} dB on {on}{depth}",
            f"{result['path']} ({result['bytes'] / 1e6:.1f} MB)",
        ]
