"""The verb `replay`: a scan and a film of a person's hands become what two arms do, stage by stage, with a report."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from robodistill.config import BuildConfig, FeaturesConfig, TrackingConfig
from robodistill.errors import BadInput, HonestNo, MissingPart
from robodistill.pipeline.build import build_field
from robodistill.pipeline.plan import PlanOptions, load_workpiece, plan_motion
from robodistill.pipeline.rehearse import rehearse
from robodistill.pipeline.rehearse_twin import rehearse_twin
from robodistill.pipeline.replay_report import FIELD, MOTION, OVERLAY, PLAN, REHEARSAL, ROS, TWIN, write_report
from robodistill.pipeline.stages import Stage, Stages, fingerprint
from robodistill.pipeline.track import TrackOptions, track_film
from robodistill.planning.trajectory import BimanualTrajectory
from robodistill.progress import Progress, silent


@dataclass(frozen=True)
class ReplayOptions:
    """What `replay` can be told beside its files."""

    intrinsics: Path | None = None
    """Of the film's camera; None = `demo_camera.json` beside the film."""
    robot: str = "yumi"
    place: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Where the object's middle stands on the robot's table: x, y in metres, yaw in rad."""
    pose: Path | None = None
    """JSON with `T_world_object`, as `register` writes it, instead of `place`."""
    truth: Path | None = None
    """What `sim articulated` wrote, for the physics; None = the film's folder if it is that, else a twin of what was
    found is handled."""
    overwrite: bool = False
    """Do stages again whose inputs or options are others now."""


@dataclass(frozen=True)
class ReplayResult:
    """What came of it."""

    success: bool
    """All stages, of which the physics may have been left out, say yes."""
    stages: tuple[Stage, ...]
    report: Path


def replay(
    scan: Path,
    film: Path,
    out: Path,
    options: ReplayOptions | None = None,
    build: BuildConfig | None = None,
    tracking: TrackingConfig | None = None,
    progress: Progress = silent,
) -> ReplayResult:
    """Run the whole chain into the folder `out`; a call that was interrupted goes on where it stopped.

    A stage whose honest answer is no ends the chain; the report is written all the same.

    Raises:
        BadInput: A file is not there or not what it should be, or `out` holds something else.
        MissingPart: A library that a stage needs is not installed.
    """
    scan, film, out, options = Path(scan), Path(film), Path(out), options or ReplayOptions()
    if not scan.is_dir():
        raise BadInput(f"{scan} is not a folder; the scan is a capture as `build` takes it")
    if not film.is_file():
        raise BadInput(f"{film} is not a file; a film of the demonstration is needed")
    intrinsics = options.intrinsics or film.with_name("demo_camera.json")
    if not intrinsics.is_file():
        raise BadInput(f"{intrinsics} is not there; give the film's camera with --intrinsics")
    truth = options.truth or (film.parent if (film.parent / "truth.safetensors").exists() else None)
    stages = Stages(out, options.overwrite)
    build = build or replace(BuildConfig(), features=FeaturesConfig(way="none"))
    tracking = tracking or TrackingConfig()

    def make_field() -> dict[str, Any]:
        made = build_field(scan, out / FIELD, build, overwrite=True, progress=progress)
        return {"gaussians": made.gaussians, "psnr_db": round(made.psnr, 2)}

    def track() -> dict[str, Any]:
        told = TrackOptions(film=out / OVERLAY, overwrite=True)
        motion = track_film(out / FIELD, film, intrinsics, out / MOTION, told, tracking, progress)
        joints = [[motion.parts[it.parent], motion.parts[it.child], it.kind, *it.range] for it in motion.joints]
        return {"parts": list(motion.parts), "joints": joints, "seen": round(float(motion.visible.mean()), 3)}

    def plan() -> dict[str, Any]:
        told = PlanOptions(options.robot, options.place, options.pose, out / ROS, overwrite=True)
        made = plan_motion(out / MOTION, out / FIELD, out / PLAN, told, progress)
        return {"arms": made.arms, "base": made.base, "duration_s": round(made.duration, 2), **made.checks}

    def physics() -> dict[str, Any]:
        made = BimanualTrajectory.load(out / PLAN)
        how = {"film": out / REHEARSAL, "overwrite": True, "progress": progress}
        if truth is None:  # weights and friction are assumed: this tells, and refuses nothing
            try:
                verdict = rehearse_twin(made, *load_workpiece(out / MOTION, out / FIELD), **how).verdict
            except HonestNo as no:
                return {"object": str(no)}
            return {"object": TWIN} | verdict.values()
        verdict = rehearse(made, truth, **how).verdict
        if not verdict.success:
            raise HonestNo(verdict.reason, verdict.values())
        return verdict.values()

    settled = asdict(options) | {"overwrite": None, "truth": None}
    stages.run("field", [fingerprint(scan), asdict(build)], [FIELD], make_field)
    stages.run("tracking", [fingerprint(film), intrinsics.read_text(), asdict(tracking)], [MOTION], track)
    posed = options.pose.read_text() if options.pose is not None and options.pose.is_file() else None
    stages.run("plan", [settled, posed], [PLAN, ROS], plan)
    try:
        stages.run("physics", [TWIN if truth is None else str(truth)], [REHEARSAL], physics)
    except MissingPart as error:
        if truth is not None:
            raise
        stages.skip("physics", str(error))
    report = write_report(out, film, stages.done)
    return ReplayResult(stages.failed is None, tuple(stages.done), report)


def told(stages: tuple[Stage, ...]) -> list[dict[str, Any]]:
    """Plain values of stages, without what only a later run needs."""
    return [{k: v for k, v in asdict(it).items() if k != "key"} for it in stages]
