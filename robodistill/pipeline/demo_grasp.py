"""The demo's grasp: a phrase becomes a lift by a robot's arm, filmed in physics, as `grasp` and `simulate` do it."""

from pathlib import Path

from robodistill.errors import HonestNo, MissingPart
from robodistill.pipeline.grasp import grasp_field
from robodistill.pipeline.simulate import simulate
from robodistill.progress import Progress, silent
from robodistill.report.page import Section

PHRASE = "green tape"
FOLDER = "grasp"
"""What this leaves in the demo's folder."""
_FILM, _RATE = (320, 240), 10  # as large and smooth as a few seconds of drawing allow
_TITLE = "A robot takes hold of what a phrase names"


def grasp_sections(out: Path, field: Path, scene: Path, overwrite: bool, progress: Progress = silent) -> list[Section]:
    """Grasp, lift and judge; one section that says so where a library is missing or no grasp was found.

    Args:
        field: With features, of the simulated capture `scene`.
    """
    folder = out / FOLDER
    folder.mkdir(exist_ok=True)
    lift, film = folder / "lift.json", folder / "lift.mp4"
    try:
        found = grasp_field(field, PHRASE, out=folder / "grasps.json", trajectory=lift, overwrite=overwrite)
        done = simulate(
            lift, scene, film=film, film_size=_FILM, film_rate=_RATE, overwrite=overwrite, progress=progress
        )
    except (MissingPart, HonestNo) as reason:
        return [Section(_TITLE, f"Not done: {reason}")]
    best, verdict = found.grasps.grasps[0], done.verdict
    table = [
        ["what", "figure"],
        ["asked for", PHRASE],
        ["ranked grasps", f"{len(found.grasps.grasps)}, found in {found.grasps.seconds:.1f} s"],
        ["not taken", ", ".join(f"{count} {reason}" for reason, count in found.grasps.rejected.items())],
        ["the best", f"{best.arm} arm, closes on {1000 * best.width:.0f} mm, score {best.score:.2f}"],
        ["in physics", "lifted and held" if verdict.success else f"failed: {verdict.reason}"],
        ["rise, held for", f"{100 * verdict.rise:.0f} cm, {verdict.held:.1f} s"],
    ]
    text = (
        "Contacts are sought on the field's own surface. Physics judges in a scene from the simulator's truth: "
        "the thing must rise by 10 cm and stay up for 3 s, nothing else may move or be touched."
    )
    return [Section(_TITLE, text, table, films=[("the lift, in physics", f"{FOLDER}/{film.name}")])]
