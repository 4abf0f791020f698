"""The only place where defaults live: frozen dataclasses, read from and written to YAML. Imports nothing heavy.

`config/robodistill.yaml` holds the same values for launch files and for reading; a test keeps the two equal.
"""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from robodistill.errors import BadInput

T = TypeVar("T")


@dataclass(frozen=True)
class SeedConfig:
    """How depth becomes the first Gaussians."""

    gaussians: int = 60_000
    """About how many to start with; voxel sizes follow."""
    detail: float = 2.0
    """How many times finer voxels are where the pictures have edges."""
    max_points: int = 1_500_000
    """Depth pixels looked at; more frames are sampled more sparsely."""
    thickness: float = 0.15
    """Size across the surface relative to the size along it."""
    overlap: float = 0.7
    """Standard deviation along the surface relative to the distance between neighbours."""
    opacity: float = 0.8


@dataclass(frozen=True)
class PolicyConfig:
    """When Gaussians are split and pruned."""

    first_step: int = 60
    every: int = 60
    last_share: float = 0.6
    """No change after this share of the steps."""
    split_share: float = 0.04
    """Share of the Gaussians split at a time: those with the largest error in the pictures."""
    min_opacity: float = 0.03
    max_gaussians: int = 400_000


@dataclass(frozen=True)
class FitConfig:
    """Optimisation of the Gaussians against the frames."""

    steps: int = 300
    sh_degree: int = 1
    """Degree of the spherical harmonics, 0 to 3."""
    sh_from: float = 0.3
    """Share of the steps after which colours may depend on the view."""
    depth_weight: float = 0.3
    """Weight of the relative depth error beside the colour error."""
    ssim_weight: float = 0.0
    """Weight of 1 - SSIM; it makes a step several times dearer on the CPU."""
    ssim_every: int = 10
    """SSIM is added on every n-th step only."""
    lr_means: float = 0.02
    """Relative to the seeds' median size, per step."""
    lr_scales: float = 0.03
    lr_quats: float = 0.003
    lr_opacities: float = 0.05
    lr_colors: float = 0.02
    lr_final: float = 0.05
    """Share of the learning rates left at the last step (cosine)."""
    seed: int = 0
    policy: PolicyConfig = field(default_factory=PolicyConfig)


@dataclass(frozen=True)
class BuildConfig:
    """Capture to field."""

    max_side: int = 640
    """Frames are reduced so that no side is longer, pixels."""
    hold_out: int = 10
    """Every n-th frame is kept for the PSNR and not trained on; 0 trains on all."""
    checkpoint_every: float = 10.0
    """Seconds between saved states, from which a killed build resumes."""
    seed: SeedConfig = field(default_factory=SeedConfig)
    fit: FitConfig = field(default_factory=FitConfig)


def from_dict(kind: type[T], values: Any, where: str = "") -> T:
    """A config dataclass from nested mappings.

    Raises:
        BadInput: An unknown key, or a value of the wrong type.
    """
    fields = {f.name: f for f in dataclasses.fields(kind)}
    if not isinstance(values, dict):
        raise BadInput(f"config {where or 'file'}: a mapping is needed, got {type(values).__name__}")
    unknown = sorted(set(map(str, values)) - set(fields))
    if unknown:
        raise BadInput(f"config {where or 'file'}: unknown key {', '.join(unknown)}; known are {', '.join(fields)}")
    made = {}
    for key, value in values.items():
        wanted = fields[key].type
        path = f"{where}.{key}" if where else key
        if dataclasses.is_dataclass(wanted):
            made[key] = from_dict(wanted, value, path)
        elif wanted is float and isinstance(value, int) and not isinstance(value, bool):
            made[key] = float(value)
        elif isinstance(value, wanted) and not (wanted is int and isinstance(value, bool)):
            made[key] = value
        else:
            raise BadInput(f"config {path}: {wanted.__name__} needed, got {value!r}")
    return kind(**made)


def load_config(kind: type[T], path: Path) -> T:
    """A config dataclass from a YAML file.

    Raises:
        BadInput: Not there, not YAML, an unknown key or a value of the wrong type.
    """
    import yaml

    try:
        values = yaml.safe_load(Path(path).read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadInput(f"config {path} cannot be read: {error}") from error
    return from_dict(kind, {} if values is None else values)


def dump_config(config: Any) -> str:
    """YAML text of a config dataclass."""
    import yaml

    return yaml.safe_dump(dataclasses.asdict(config), sort_keys=False)
