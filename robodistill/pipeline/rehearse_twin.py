"""`rehearse` for what nothing true is known of: on a twin of the parts and joints that were found."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from robodistill.errors import HonestNo, MissingPart
from robodistill.pipeline.rehearse import Rehearsed, beside, parts_at, run_on
from robodistill.planning.task import make_task
from robodistill.planning.trajectory import BimanualTrajectory
from robodistill.planning.workpiece import Workpiece
from robodistill.progress import Progress, silent
from robodistill.sim.articulated.found import found_object
from robodistill.sim.articulated.physics import put_on_table
from robodistill.sim.articulated.spec import Articulated
from robodistill.sim.follow_judge import Goal, Held
from robodistill.sim.mujoco_gl import load_mujoco
from robodistill.sim.paint import Coat
from robodistill.tracking.motion import PartMotion

_COLORS = (0.55, 0.6, 0.68), (0.85, 0.55, 0.2), (0.3, 0.6, 0.4), (0.65, 0.35, 0.6), (0.75, 0.7, 0.3)


def rehearse_twin(
    plan: BimanualTrajectory,
    motion: PartMotion,
    workpiece: Workpiece,
    plane: np.ndarray | None = None,
    *,
    open_grippers: bool = False,
    film: Path | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Rehearsed:
    """Run a plan with the object as it was found, and judge whether it does what the motion shows.

    Args:
        motion: That the plan repeats.
        workpiece: Its parts' surfaces.
        plane: (4,) support that it was scanned on, see `found_object`.
        open_grippers: A control: the grippers stay open all the time, so that it must fail.
        film: MP4 to write.

    Raises:
        BadInput: The film exists.
        HonestNo: No twin can be made of the parts.
        MissingPart: MuJoCo, coal or, for a film, PyAV is not installed.
    """
    rest, carried = found_object(motion, workpiece.points, workpiece.normals, workpiece.owners, plane)
    T = plan.T_world_object.copy()
    hulls = np.concatenate([points for piece in rest.spec.pieces for points in piece.solid.hulls])
    T[2, 3] -= (hulls @ T[2, :3]).min() + T[2, 3]  # it stands on the table
    tints = list(dict.fromkeys(piece.tint for piece in rest.spec.pieces))
    paint = {tint: Coat(tint, _COLORS[k % len(_COLORS)], "matte", "plain") for k, tint in enumerate(tints)}
    bench = put_on_table(rest, paint, np.random.default_rng(0), T)
    holds = [Held(it.arm, parts_at(rest, carried[it.part] @ it.contacts), it.start, it.end) for it in plan.holds]
    goal = shown(motion, rest, carried, plan.base == "stays")
    return run_on(bench, plan, holds, goal, beside(T), open_grippers, film, overwrite, progress)


def twin_check(
    workpiece: Workpiece, plane: np.ndarray | None = None
) -> Callable[[BimanualTrajectory, PartMotion], str] | None:
    """`rehearsed` of `plan_demonstration`: why a plan fails on the twin. None where MuJoCo is missing; nothing is said
    against a plan where no twin can be made."""
    try:
        load_mujoco()
    except MissingPart:
        return None

    def failed(plan: BimanualTrajectory, motion: PartMotion) -> str:
        try:
            return rehearse_twin(plan, motion, workpiece, plane).verdict.reason
        except HonestNo:
            return ""

    return failed


def shown(motion: PartMotion, rest: Articulated, carried: np.ndarray, stays: bool) -> Goal:
    """What a motion shows from its first frame to its last; `carried` is that of `found_object`."""
    Ts = make_task(motion, np.eye(4), not stays).Ts_world_part
    start, end = np.linalg.inv(Ts[0, motion.root]), Ts[-1]
    number = {name: p for p, name in enumerate(motion.parts)}
    went = {name: start @ end[number[name]] @ np.linalg.inv(carried[number[name]]) for name in rest.parts}
    middles = {
        name: np.concatenate([it.solid.mesh.vertices for it in rest.spec.pieces if it.part == name]).mean(0)
        for name in rest.parts
    }
    spans = {f"joint {it.child}": float(np.ptp(it.values)) for it in motion.joints}
    joints = [
        (it.kind, rest.parent(it), rest.child(it), it.axis, spans[it.name]) for it in rest.joints if spans[it.name] > 0
    ]
    return Goal(went, middles, rest.parts[0], stays, joints)
