"""A simulated table, scanned and made into a field that answers to words: what grasping begins with."""

from dataclasses import replace
from pathlib import Path

from robodistill.config import BuildConfig, FeaturesConfig
from robodistill.pipeline.build import build_field
from robodistill.sim.tabletop import make_tabletop

SEED, THINGS = 7, ["carrot", "ball"]


def table_to_grasp(folder: Path) -> tuple[Path, Path]:
    """(capture, field) in `folder`: a carrot to be held, and a ball beside it."""
    scan = make_tabletop(SEED, 12, 200, 150, "none", folder / "scan", THINGS).capture
    features = FeaturesConfig(teacher="truth:stride=4,noise=1")
    config = replace(BuildConfig(), hold_out=0, features=features)
    config = replace(config, fit=replace(config.fit, steps=30), seed=replace(config.seed, gaussians=20_000))
    return scan, build_field(scan, folder / "table.field", config).path
