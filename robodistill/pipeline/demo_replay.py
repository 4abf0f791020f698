"""The demo's articulated sample: a scan and a film of hands become what two arms do, exactly as `replay` does it."""

from pathlib import Path

from robodistill.errors import MissingPart
from robodistill.pipeline.replay import ReplayOptions, replay
from robodistill.pipeline.replay_report import report_sections
from robodistill.progress import Progress, silent
from robodistill.report.page import Section
from robodistill.resources import find_resource

SAMPLE = "assets/demo/articulated"
FOLDER = "replay"
"""What this leaves in the demo's folder."""
PLACE = (0.05, 0.0, 0.5)


def replay_sections(out: Path, overwrite: bool, progress: Progress = silent) -> list[Section]:
    """Run the whole chain on the sample and tell of it; one section that says so where a library is missing."""
    sample = find_resource(SAMPLE)
    options = ReplayOptions(place=PLACE, truth=sample, overwrite=overwrite)
    try:
        done = replay(sample / "scan", sample / "demo.mp4", out / FOLDER, options, progress=progress)
    except MissingPart as missing:
        return [Section("Two arms repeat what hands did", f"Not run: {missing}")]
    return report_sections(out / FOLDER, sample / "demo.mp4", done.stages, f"{FOLDER}/")
