"""From a task to a plan: holds, arms, grasps, branches, smoothing, free motions, timing, checks, in that order.

Every set of parts to hold, every assignment of arms to them and the best grasps are tried until a plan passes its
checks. What fails is remembered by stage; the furthest is the reason of an honest no.
"""

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from robodistill.config import GraspConfig
from robodistill.errors import HonestNo
from robodistill.planning.assemble import NoWay, assembled
from robodistill.planning.branch import RETREAT, Branch
from robodistill.planning.checks import check_plan
from robodistill.planning.grasps import PartGrasps, for_plan, part_grasps
from robodistill.planning.motions import straight
from robodistill.planning.path_ik import Unreachable, follow
from robodistill.planning.smooth import smoothed
from robodistill.planning.task import Task
from robodistill.planning.trajectory import BimanualTrajectory
from robodistill.planning.workpiece import Surroundings, Workpiece
from robodistill.progress import Progress, silent
from robodistill.robots.ik import InverseKinematics
from robodistill.robots.obstacles import Obstacle
from robodistill.robots.pairs import with_ignored
from robodistill.robots.robot import Robot

STAGES = ("task", "grasp", "reach", "path", "pair", "way", "check")
"""The nearer to success the later."""
_BRANCHES = 6  # of an arm and a part, that are tried in pairs
_PAIRS = 6  # of these that are worked out
_GLANCES = 5  # key frames at which a pair is looked at first
_GRASPS = 16  # of a part looked at for an arm
_FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])  # the gripper is the same the other way round
_WEIGHT = 6.0  # of a grasp's score, against the cost of a branch


@dataclass(frozen=True)
class Miss:
    """Why something did not become a plan."""

    stage: str
    reason: str
    share: float = 0.0
    """Of the stage that was done."""

    @property
    def rank(self) -> tuple[int, float]:
        """Higher is nearer to success."""
        return STAGES.index(self.stage), self.share


@dataclass
class Tries:
    """How many sets of branches may still be worked out: what has not become a plan by then takes too long."""

    left: int = 12


class Planner:
    """A robot before a task."""

    def __init__(
        self,
        robot: Robot,
        robot_name: str,
        task: Task,
        workpiece: Workpiece,
        others: Sequence[Obstacle] = (),
        table: float = 0.0,
        config: GraspConfig | None = None,
        grasps: dict[int, PartGrasps] | None = None,
        steadied: bool = False,
        tries: Tries | None = None,
    ) -> None:
        """Prepare.

        Args:
            robot_name: Of its file.
            others: Obstacles that stand around.
            table: Height of the table's top, metres.
            grasps: By part, known from the same task elsewhere on the table; new ones are added.
            steadied: Hold the base, too, if there is any grasp of it.
            tries: Shared with other planners; none is left when they are used up.

        Raises:
            MissingPart: roboticstoolbox or coal is not installed.
        """
        self.robot, self.robot_name = with_ignored(robot), robot_name
        self.task, self.workpiece, self.others, self.table = task, workpiece, others, table
        self.config = for_plan(config or GraspConfig())
        self.solvers = {arm: InverseKinematics(self.robot, arm) for arm in robot.arms}
        self.keys = task.key_times()
        self.Ts_key = task.at(self.keys)
        self._grasps = {} if grasps is None else grasps
        self.steadied, self.tries = steadied, tries or Tries()
        self._found: dict[tuple[str, int], list[Branch]] = {}
        self._misses: list[Miss] = []

    def __call__(self, progress: Progress = silent) -> BimanualTrajectory:
        """A plan that passed its checks.

        Raises:
            HonestNo: There is none; `answer` has stage, reason and how far it came.
        """
        start, arm = time.perf_counter(), next(iter(self.robot.arms))
        for option in self.task.options:
            if self.steadied and len(option) < len(self.task.options[0]) and len(self._grasps_of(arm, self.task.root)):
                break
            for arms in itertools.permutations(self.robot.arms, len(option)):
                if self.tries.left <= 0:
                    break
                told = ", ".join(f"{arm} holds {self.task.parts[p]}" for arm, p in zip(arms, option, strict=True))
                progress(f"plan: {told}", len(self._misses), 0)
                found = self._assigned(arms, option)
                if found is not None:
                    found.checks["seconds"] = round(time.perf_counter() - start, 2)
                    return found
        if not self._misses:
            reason = f"{len(self.task.options[0])} arms are needed" if self.tries.left > 0 else "no tries are left"
            self._misses.append(Miss("task", reason))
        best = max(self._misses, key=lambda it: it.rank)
        counts = {stage: sum(it.stage == stage for it in self._misses) for stage in STAGES}
        answer = {"stage": best.stage, "reason": best.reason, "came": round(best.share, 3)}
        answer["tried"] = {stage: count for stage, count in counts.items() if count}
        raise HonestNo(f"no plan; the nearest failed at stage {best.stage!r}: {best.reason}", answer)

    def can_begin(self) -> bool:
        """Whether some arms can take hold of what must be held, each by itself, when the motion begins."""
        least = min(self.task.options, key=len)
        return any(
            all(self._can_hold(arm, part) for arm, part in zip(arms, least, strict=True))
            for arms in itertools.permutations(self.robot.arms, len(least))
        )

    def _can_hold(self, arm: str, part: int) -> bool:
        grasps = self._grasps_of(arm, part)
        around = self._surroundings({arm: part}, [it for it in self.robot.arms if it != arm])
        around.put(self.Ts_key[0])
        for T, width in zip(grasps.Ts_part_grasp[:_GRASPS], grasps.widths[:_GRASPS], strict=True):
            for turned in (T, T @ _FLIP):
                for q in self.solvers[arm](self.Ts_key[0, part] @ turned, most=2):
                    if around.touching(self._whole({arm: q}), {arm: width}) is None:
                        return True
        return False

    def _grasps_of(self, arm: str, part: int) -> PartGrasps:
        if part not in self._grasps:
            args = (self.robot, arm, self.workpiece, self.task, part, self.config, self.table)
            self._grasps[part] = part_grasps(*args)
        return self._grasps[part]

    def _assigned(self, arms: Sequence[str], option: Sequence[int]) -> BimanualTrajectory | None:
        each: list[list[Branch]] = []
        for arm, part in list(zip(arms, option, strict=True))[::-1]:  # what steadies is the likeliest to find no hold
            each.insert(0, self._branches(arm, part))
            if not each[0]:
                return None
        pairs = sorted(itertools.product(*each), key=lambda pair: sum(it.cost for it in pair))
        around = self._surroundings(dict(zip(arms, option, strict=True)), ())
        worked, every = 0, np.arange(len(self.keys))
        glances = every[:: max(1, len(every) // _GLANCES)]
        for pair in pairs:
            miss = self._touching(pair, around, glances) or self._touching(pair, around, every)
            if miss is None:
                found = self._paired(pair, around)
                if isinstance(found, BimanualTrajectory):
                    return found
                miss, worked = found, worked + 1
                self.tries.left -= 1
            self._misses.append(miss)
            if worked == _PAIRS or self.tries.left <= 0:
                break
        return None

    def _touching(self, pair: Sequence[Branch], around: Surroundings, frames: np.ndarray) -> Miss | None:
        """What touches when branches are followed together; None where nothing does at these key frames."""
        apart = {it.arm: it.width for it in pair}
        for k in frames:
            around.put(self.Ts_key[k])
            touched = around.touching(self._whole({it.arm: it.path[k] for it in pair}), apart)
            if touched is not None:
                share = float(k) / len(self.keys)
                return Miss("pair", f"{' and '.join(touched)} touch after {share:.0%} of the path", share)
        return None

    def _branches(self, arm: str, part: int) -> list[Branch]:
        """The ways in which an arm can hold a part from the first key frame to the last, the cheapest first."""
        if (arm, part) in self._found:
            return self._found[arm, part]
        grasps = self._grasps_of(arm, part)
        name = self.task.parts[part]
        if not len(grasps):
            reasons = ", ".join(f"{count} {reason}" for reason, count in grasps.rejected.items()) or "none was found"
            self._misses.append(Miss("grasp", f"no grasp of {name} stays free on its path: {reasons}"))
        around = self._surroundings({arm: part}, [it for it in self.robot.arms if it != arm])
        found: list[Branch] = []
        missed: list[Miss] = []
        for k in range(min(len(grasps), _GRASPS)):
            for T in (grasps.Ts_part_grasp[k], grasps.Ts_part_grasp[k] @ _FLIP):
                width, opening = float(grasps.widths[k]), float(grasps.openings[k])
                branch = self._branch(arm, part, T, width, opening, grasps.scores[k], around)
                if isinstance(branch, Branch):
                    found.append(branch)
                    break
                missed.append(branch)
            if len(found) == _BRANCHES:
                break
        if not found:  # else what stands in the way is something else
            self._misses += missed
        self._found[arm, part] = sorted(found, key=lambda it: it.cost)
        return self._found[arm, part]

    def _branch(
        self, arm: str, part: int, T: np.ndarray, width: float, opening: float, score: float, around: Surroundings
    ) -> Branch | Miss:
        Ts = self.Ts_key[:, part] @ T
        solver, name = self.solvers[arm], self.task.parts[part]

        def touches(k: int, q_arm: np.ndarray, apart: float = width) -> bool:
            around.put(self.Ts_key[k])
            return around.touching(self._whole({arm: q_arm}), {arm: apart}) is not None

        try:
            path, cost = follow(solver, Ts, touches)
        except Unreachable as error:
            stage = "reach" if error.reason == "out of reach" else "path"
            return Miss(
                stage, f"the {arm} arm with {name}: {error.reason} ({error.share:.0%} of the path)", error.share
            )
        ends = (0,) if self.task.carried else (0, -1)
        for k in ends:
            way = straight(solver, path[k], Ts[k], -RETREAT * Ts[k, :3, 2])
            if way is None or any(touches(k, q, opening) for q in way):
                return Miss("path", f"the {arm} arm with {name}: no straight way {'in' if k == 0 else 'out'}", 1.0)
        return Branch(arm, part, T, width, opening, path, cost - _WEIGHT * score)

    def _paired(self, pair: Sequence[Branch], around: Surroundings) -> BimanualTrajectory | Miss:
        apart = {it.arm: it.width for it in pair}
        path = np.array([self._whole({it.arm: it.path[k] for it in pair}) for k in range(len(self.keys))])

        def clearance(k: int, q: np.ndarray) -> float:
            around.put(self.Ts_key[k])
            return around.clearance(q, apart)

        targets = {it.arm: self.Ts_key[:, it.part] @ it.T_part_grasp for it in pair}
        path = smoothed(self.robot, targets, path, clearance, lambda arm, q: self._exact(targets, arm, q))
        free = self._surroundings({}, ())
        try:
            plan, contact = assembled(self.robot, self.robot_name, self.solvers, self.task, pair, path, free)
        except NoWay as error:
            return Miss("way", str(error))
        figures, reason = check_plan(plan, self.robot, self.task, free, around, contact)
        if reason:
            return Miss("check", reason)
        plan.checks.update(figures)
        return plan

    def _exact(self, targets: dict[str, np.ndarray], arm: str, q: np.ndarray) -> np.ndarray | None:
        rows = [self.solvers[arm].nearest(T, near) for T, near in zip(targets[arm], q, strict=True)]
        if any(row is None for row in rows) or np.abs(np.array(rows) - q).max() > 0.1:
            return None
        return np.array(rows)

    def _whole(self, arms: dict[str, np.ndarray]) -> np.ndarray:
        """(J,) with some arms' joints, the others at home."""
        q = self.robot.home.copy()
        for arm, values in arms.items():
            q[self.robot.arms[arm].columns] = values
        return q

    def _surroundings(self, holds: dict[str, int], ignored: Sequence[str]) -> Surroundings:
        args = (self.robot, self.workpiece, self.task.parts, holds, self.others, self.table, ignored)
        return Surroundings(*args)
