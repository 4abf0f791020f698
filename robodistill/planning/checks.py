"""What a finished plan is worth: dense in time, between key frames and way-points too. A plan that fails is no plan."""

import numpy as np
from scipy.spatial.transform import Rotation

from robodistill.planning.task import Task
from robodistill.planning.trajectory import BimanualTrajectory
from robodistill.planning.workpiece import Surroundings
from robodistill.robots.robot import Robot

STEP = 0.04
"""Seconds between times that are looked at."""
PLACE, TURN = 0.005, np.radians(3.0)
"""Metres and rad that a held part may be off its path."""
SPEED = 1.001
"""Of the greatest joint speeds."""
CLEAR = 0.0005
"""Metres to anything that must not be touched."""
_INSIDE = 1e-4  # rad beyond a limit that rounding may do


def check_plan(
    plan: BimanualTrajectory, robot: Robot, task: Task, free: Surroundings, holding: Surroundings,
    contact: tuple[float, float],
) -> tuple[dict, str]:  # fmt: skip
    """Figures of a plan, and why it fails; the reason is empty where it does not.

    Args:
        free: The robot where hands may touch nothing.
        holding: And where each may touch the part that it holds.
        contact: Seconds from which to which hands may touch these.
    """
    motion = plan.motion
    times = np.unique(np.concatenate([np.arange(motion.times[0], motion.times[-1], STEP), motion.times]))
    q, openings = motion.at(times)
    Ts = task.at(plan.progress_at(times))
    figures: dict = {"duration_s": round(plan.duration, 3), "looked_at": len(times)}
    worst_place, worst_turn, tracking = 0.0, 0.0, {}
    for hold in plan.holds:
        during = (times >= hold.start) & (times <= hold.end)
        assert during.any(), hold
        column = robot.arms[hold.arm].columns
        found = robot.tool_poses(hold.arm, q[during, column])
        wanted = Ts[during, hold.part] @ hold.T_part_grasp
        place = float(np.linalg.norm(found[:, :3, 3] - wanted[:, :3, 3], axis=1).max())
        turn = Rotation.from_matrix(found[:, :3, :3] @ wanted[:, :3, :3].mT).magnitude().max()
        tracking[plan.parts[hold.part]] = {"mm": round(1000 * place, 3), "deg": round(float(np.degrees(turn)), 3)}
        worst_place, worst_turn = max(worst_place, place), max(worst_turn, float(turn))
    figures["tracking"] = tracking
    low, high = robot.limits.T
    margin = float(np.minimum(q - low, high - q).min())
    figures["limit_margin_rad"] = round(margin, 4)
    greatest = np.concatenate([arm.velocity for arm in robot.arms.values()])
    gaps = np.diff(times)
    moving = gaps > 1e-6
    speed = np.abs(np.diff(q, axis=0))[moving] / gaps[moving, None] / greatest
    figures["speed_share"] = round(float(speed.max()), 4)
    clearance, at, touched = _clearance(plan, robot, times, q, openings, Ts, free, holding, contact)
    figures["clearance_mm"] = round(1000 * clearance, 2)
    figures["clearance_at_s"] = round(at, 3)
    figures["grippers"] = [
        {
            "arm": hold.arm,
            "part": plan.parts[hold.part],
            "closed_s": round(hold.start, 3),
            "opens_s": round(hold.end, 3),
        }
        for hold in plan.holds
    ]
    reason = ""
    if margin < -_INSIDE:
        reason = f"a joint is {-margin:.3f} rad beyond its limit"
    elif speed.max() > SPEED:
        reason = f"a joint moves at {speed.max():.2f} of its greatest speed"
    elif worst_place > PLACE or worst_turn > TURN:
        reason = f"a held part is {1000 * worst_place:.1f} mm, {np.degrees(worst_turn):.1f} degrees off its path"
    elif clearance < CLEAR:
        what = " and ".join(touched) if touched else "two things"
        reason = f"{what} are {1000 * clearance:.1f} mm apart at {at:.2f} s"
    return figures, reason


def _clearance(
    plan: BimanualTrajectory, robot: Robot, times: np.ndarray, q: np.ndarray, openings: np.ndarray, Ts: np.ndarray,
    free: Surroundings, holding: Surroundings, contact: tuple[float, float],
) -> tuple[float, float, tuple[str, str] | None]:  # fmt: skip
    """Least clearance, when, and between what if something touches."""
    arms = list(robot.arms)
    least, at, touched = np.inf, 0.0, None
    for k, now in enumerate(times):
        inside = contact[0] - 1e-6 <= now <= contact[1] + 1e-6
        around = holding if inside else free
        apart = dict(zip(arms, openings[k], strict=True))
        for hold in plan.holds:
            if inside:  # told to close further than the part lets it, also while it closes and opens
                apart[hold.arm] = max(hold.width, apart[hold.arm])
        around.put(Ts[k])
        found = around.clearance(q[k], apart, least)
        if found < least:
            least, at = found, float(now)
            touched = around.touching(q[k], apart) if found <= 0 else None
    return float(least), at, touched
