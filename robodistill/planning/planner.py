"""From a task to a plan: holds, arms, grasps, branches, smoothing, free motions, timing, checks, in that order.

Every set of parts to hold, every assignment of arms to them and the best grasps are tried until a plan passes its
checks. What fails is remembered by stage; the furthest is the reason of an honest no.
"""

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from robodistill.config import GraspConfig
from robodistill.errors import HonestNo
from robodistill.planning.assemble import NoWay, assembled
from robodistill.planning.branch import STAGES, Branch, Miss
from robodistill.planning.checks import CLEAR, check_plan
from robodistill.planning.grasps import PartGrasps, for_plan
from robodistill.planning.holding import Holding
from robodistill.planning.smooth import ENOUGH, smoothed
from robodistill.planning.task import Task
from robodistill.planning.trajectory import BimanualTrajectory
from robodistill.planning.workpiece import Surroundings, Workpiece
from robodistill.progress import Progress, silent
from robodistill.robots.obstacles import Obstacle
from robodistill.robots.pairs import with_ignored
from robodistill.robots.robot import Robot

_PAIRS = 6  # of these that are worked out
_REFUSED = 4  # tries that a plan costs which fails when it is run
_GLANCES = 5  # key frames at which a pair is looked at first
_PRESS, _RAMP = 0.001, 3  # metres by which a hand presses down, and key frames until it does


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
        hands: dict | None = None,
        rehearsed: Callable[[BimanualTrajectory], str] | None = None,
    ) -> None:
        """Prepare.

        Args:
            robot_name: Of its file.
            others: Obstacles that stand around.
            table: Height of the table's top, metres.
            grasps: By part, known from the same task elsewhere on the table; new ones are added.
            steadied: Hold the base, too, if there is any grasp of it.
            tries: Shared with other planners; none is left when they are used up.
            hands: Shared with other planners, see `part_grasps`.
            rehearsed: Why a plan that passed all other checks fails when it is run; empty where it does not.

        Raises:
            MissingPart: roboticstoolbox or coal is not installed.
        """
        self.robot, self.robot_name, self.task = with_ignored(robot), robot_name, task
        args = (workpiece, others, table, for_plan(config or GraspConfig()))
        self.holding = Holding(
            self.robot, task, *args, {} if grasps is None else grasps, {} if hands is None else hands
        )
        self.steadied, self.tries, self.rehearsed = steadied, tries or Tries(), rehearsed

    def __call__(self, progress: Progress = silent) -> BimanualTrajectory:
        """A plan that passed its checks.

        Raises:
            HonestNo: There is none; `answer` has stage, reason and how far it came.
        """
        start, arm = time.perf_counter(), next(iter(self.robot.arms))
        for option in self.task.options:
            if (
                self.steadied
                and len(option) < len(self.task.options[0])
                and len(self.holding.grasps_of(arm, self.task.root))
            ):
                break
            for arms in itertools.permutations(self.robot.arms, len(option)):
                if self.tries.left <= 0:
                    break
                told = ", ".join(f"{arm} holds {self.task.parts[p]}" for arm, p in zip(arms, option, strict=True))
                progress(f"plan: {told}", len(self.holding.misses), 0)
                found = self._assigned(arms, option)
                if found is not None:
                    found.checks["seconds"] = round(time.perf_counter() - start, 2)
                    return found
        if not self.holding.misses:
            reason = f"{len(self.task.options[0])} arms are needed" if self.tries.left > 0 else "no tries are left"
            self.holding.misses.append(Miss("task", reason))
        best = max(self.holding.misses, key=lambda it: it.rank)
        counts = {stage: sum(it.stage == stage for it in self.holding.misses) for stage in STAGES}
        answer = {"stage": best.stage, "reason": best.reason, "came": round(best.share, 3)}
        answer["tried"] = {stage: count for stage, count in counts.items() if count}
        raise HonestNo(f"no plan; the nearest failed at stage {best.stage!r}: {best.reason}", answer)

    def can_begin(self) -> bool:
        """Whether some arms can take hold of what must be held, each by itself, when the motion begins."""
        least = min(self.task.options, key=len)
        return any(
            all(self.holding.can_hold(arm, part) for arm, part in zip(arms, least, strict=True))
            for arms in itertools.permutations(self.robot.arms, len(least))
        )

    def _assigned(self, arms: Sequence[str], option: Sequence[int]) -> BimanualTrajectory | None:
        if len(option) == 1:
            sets = [(it,) for it in self.holding.alone(arms[0], option[0])]
        else:
            sets = self.holding.pairs(arms, option)
        around = self.holding.surroundings(dict(zip(arms, option, strict=True)), ())
        worked, every = 0, np.arange(len(self.holding.keys))
        glances = every[:: max(1, len(every) // _GLANCES)]
        for pair in sorted(sets, key=lambda it: sum(branch.cost for branch in it)):
            miss = self._touching(pair, around, glances) or self._touching(pair, around, every)
            if miss is None:
                found = self._paired(pair, around)
                if isinstance(found, BimanualTrajectory):
                    return found
                miss, worked = found, worked + 1
                self.tries.left -= 1
            self.holding.misses.append(miss)
            if worked == _PAIRS or self.tries.left <= 0:
                break
        return None

    def _touching(self, pair: Sequence[Branch], around: Surroundings, frames: np.ndarray) -> Miss | None:
        """What touches when branches are followed together; None where nothing does at these key frames."""
        apart = {it.arm: it.width for it in pair}
        for k in frames:
            around.put(self.holding.Ts_key[k])
            touched = around.touching(self.holding.whole({it.arm: it.path[k] for it in pair}), apart)
            if touched is not None:
                share = float(k) / len(self.holding.keys)
                return Miss("pair", f"{' and '.join(touched)} touch after {share:.0%} of the path", share)
        return None

    def _paired(self, pair: Sequence[Branch], around: Surroundings) -> BimanualTrajectory | Miss:
        apart = {it.arm: it.width for it in pair}
        path = np.array(
            [self.holding.whole({it.arm: it.path[k] for it in pair}) for k in range(len(self.holding.keys))]
        )

        def clearance(k: int, q: np.ndarray) -> float:
            around.put(self.holding.Ts_key[k])
            return around.clearance(q, apart, 2 * ENOUGH)

        targets = {it.arm: self.holding.Ts_key[:, it.part] @ it.T_part_grasp for it in pair}
        path = smoothed(self.robot, targets, path, clearance, lambda arm, q: self._exact(targets, arm, q))
        path = self._pressed(pair, path, np.min([clearance(k, q) for k, q in enumerate(path)]))
        free = self.holding.surroundings({}, ())
        try:
            plan, contact = assembled(self.robot, self.robot_name, self.holding.solvers, self.task, pair, path, free)
        except NoWay as error:
            return Miss("way", str(error))
        figures, reason = check_plan(plan, self.robot, self.task, free, around, contact)
        if reason:
            return Miss("check", reason)
        plan.checks.update(figures)
        if self.rehearsed is not None and (reason := self.rehearsed(plan)):
            self.tries.left -= _REFUSED - 1
            return Miss("rehearsal", reason)
        return plan

    def _pressed(self, pair: Sequence[Branch], path: np.ndarray, room: float) -> np.ndarray:
        """A path (K, J) lowered a little where nobody holds the base: hands that lift it by a hair take it along.

        They press in the directions in which the part's joint does not give; `room` is metres to anything else.
        """
        down = min(_PRESS, room - 2 * CLEAR)
        if self.task.carried or down <= 0 or self.task.root in {it.part for it in pair}:
            return path
        path, ramp = path.copy(), np.minimum(np.arange(len(path)) / _RAMP, 1.0)
        for it in pair:
            Ts = self.holding.Ts_key[:, it.part] @ it.T_part_grasp
            along = np.gradient(Ts[:, :3, 3], axis=0)
            along /= np.linalg.norm(along, axis=1, keepdims=True).clip(1e-9)
            Ts[:, :3, 3] -= down * ramp[:, None] * (np.array([0.0, 0.0, 1.0]) - along[:, 2:] * along)
            own = self.robot.arms[it.arm].columns
            lower = self._exact({it.arm: Ts}, it.arm, path[:, own])
            if lower is not None:
                path[:, own] = lower
        return path

    def _exact(self, targets: dict[str, np.ndarray], arm: str, q: np.ndarray) -> np.ndarray | None:
        rows = [self.holding.solvers[arm].nearest(T, near) for T, near in zip(targets[arm], q, strict=True)]
        if any(row is None for row in rows) or np.abs(np.array(rows) - q).max() > 0.1:
            return None
        return np.array(rows)
