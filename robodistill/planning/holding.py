"""How arms may hold parts all along: one part with one hand, or two with two hands that leave room for each other."""

import itertools
from collections.abc import Sequence

import numpy as np

from robodistill.config import GraspConfig
from robodistill.grasp.clearance import Hand
from robodistill.planning.branch import RETREAT, Branch, Miss
from robodistill.planning.checks import CLEAR
from robodistill.planning.grasps import PartGrasps, part_grasps
from robodistill.planning.motions import straight
from robodistill.planning.path_ik import Unreachable, follow
from robodistill.planning.task import Task
from robodistill.planning.together import together
from robodistill.planning.workpiece import Surroundings, Workpiece
from robodistill.robots.ik import InverseKinematics
from robodistill.robots.obstacles import Obstacle
from robodistill.robots.robot import Robot

_BRANCHES = 6  # of an arm that holds alone
_FOUND, _ASKED = 12, 24  # pairs of branches that are compared, and branches that are looked for until then
_GLANCES = 5  # key frames at which two hands are looked at
_GRASPS = 16  # of a part looked at for an arm; all for one hand where these reach nowhere
_FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])  # the gripper is the same the other way round
_RELEASES = (1.0, 0.6, 0.35)  # of what the gripper opened beyond the part as it came, that may do to let go
_WEIGHT = 6.0  # of a grasp's score, against the cost of a branch


class Holding:
    """A robot before a task; what is found of grasps and branches is kept, and so is what is missed."""

    def __init__(
        self,
        robot: Robot,
        task: Task,
        workpiece: Workpiece,
        others: Sequence[Obstacle],
        table: float,
        config: GraspConfig,
        grasps: dict[int, PartGrasps],
        hands: dict,
    ) -> None:
        """Prepare; the arguments are those of `Planner`, with `planning.grasps.for_plan`'s config.

        Raises:
            MissingPart: roboticstoolbox or coal is not installed.
        """
        self.robot, self.task, self.workpiece = robot, task, workpiece
        self.others, self.table, self.config = others, table, config
        self.solvers = {arm: InverseKinematics(robot, arm) for arm in robot.arms}
        self.keys = task.key_times()
        self.Ts_key = task.at(self.keys)
        self._Ts_between = task.at((self.keys[1:] + self.keys[:-1]) / 2)
        self._grasps, self._hands = grasps, hands
        self._found: dict[tuple[str, int, int, bool], Branch | Miss] = {}
        self.misses: list[Miss] = []

    def can_hold(self, arm: str, part: int) -> bool:
        """Whether an arm can take hold of a part when the motion begins."""
        grasps = self.grasps_of(arm, part)
        around = self.surroundings({arm: part}, [it for it in self.robot.arms if it != arm])
        around.put(self.Ts_key[0])
        for T, width in zip(grasps.Ts_part_grasp[:_GRASPS], grasps.widths[:_GRASPS], strict=True):
            for turned in (T, T @ _FLIP):
                for q in self.solvers[arm](self.Ts_key[0, part] @ turned, most=2):
                    if around.touching(self.whole({arm: q}), {arm: width}) is None:
                        return True
        return False

    def grasps_of(self, arm: str, part: int) -> PartGrasps:
        """Those of a part that stay free on its path."""
        if part not in self._grasps:
            args = (self.robot, arm, self.workpiece, self.task, part, self.config, self.table)
            self._grasps[part] = part_grasps(*args, hands=self._hands)
        return self._grasps[part]

    def alone(self, arm: str, part: int) -> list[Branch]:
        """The ways in which an arm can hold a part from the first key frame to the last."""
        grasps = self.grasps_of(arm, part)
        self._none_held(part, grasps)
        found: list[Branch] = []
        missed: list[Miss] = []
        for k in range(len(grasps)):
            if found and k >= _GRASPS:  # the rest is for want of better ones
                break
            for turned in (False, True):
                branch = self._held(arm, part, k, turned)
                if isinstance(branch, Branch):
                    found.append(branch)
                    break
                missed.append(branch)
            if len(found) == _BRANCHES:
                break
        if not found:  # else what stands in the way is something else
            self.misses += missed
        return found

    def pairs(self, arms: Sequence[str], option: Sequence[int]) -> list[tuple[Branch, Branch]]:
        """Branches of two arms whose hands leave room for each other."""
        both = [self.grasps_of(arm, part) for arm, part in zip(arms, option, strict=True)]
        counts = [min(len(it), _GRASPS) for it in both]
        if not min(counts):
            for part, grasps in zip(option, both, strict=True):
                self._none_held(part, grasps)
            return []
        frames = self.Ts_key[np.linspace(0, len(self.keys) - 1, _GLANCES).round().astype(int)]
        # each grasp, and each the other way round
        Ts = [
            frames[:, part, None] @ np.concatenate([it.Ts_part_grasp[:count], it.Ts_part_grasp[:count] @ _FLIP])
            for part, it, count in zip(option, both, counts, strict=True)
        ]
        free = together(*(Hand(self.robot, arm) for arm in arms), *Ts)
        rows, columns = np.nonzero(free)
        if not len(rows):
            names = " and ".join(self.task.parts[part] for part in option)
            self.misses.append(Miss("pair", f"hands on {names} leave no room for each other"))
            return []
        i, j = rows % counts[0], columns % counts[1]
        order = np.argsort(-(both[0].scores[i] + both[1].scores[j]), kind="stable")
        found: dict[tuple[int, int], tuple[Branch, Branch]] = {}
        missed: list[Miss] = []
        asked: set[tuple[str, int]] = set()
        for k in order:
            if (i[k], j[k]) in found:
                continue
            wanted = [(arms[0], int(rows[k])), (arms[1], int(columns[k]))]
            if len(asked.union(wanted)) > _ASKED:
                break
            pair: dict[int, Branch] = {}
            for n in np.argsort(counts):  # the part with fewer grasps first: it is the likelier to end this
                new = wanted[n] not in asked
                asked.add(wanted[n])
                branch = self._held(arms[n], option[n], wanted[n][1] % counts[n], wanted[n][1] >= counts[n])
                if isinstance(branch, Miss):
                    missed += [branch] * new
                    break
                pair[n] = branch
            if len(pair) == 2:
                found[i[k], j[k]] = pair[0], pair[1]
                if len(found) == _FOUND:
                    break
        if not found:
            self.misses += missed
        return list(found.values())

    def _none_held(self, part: int, grasps: PartGrasps) -> None:
        if not len(grasps):
            reasons = ", ".join(f"{count} {reason}" for reason, count in grasps.rejected.items()) or "none was found"
            name = self.task.parts[part]
            self.misses.append(Miss("grasp", f"no grasp of {name} stays free on its path: {reasons}"))

    def _held(self, arm: str, part: int, k: int, turned: bool) -> Branch | Miss:
        """An arm with one of a part's grasps, or with that the other way round; known from then on."""
        key = arm, part, k, turned
        if key not in self._found:
            grasps = self.grasps_of(arm, part)
            T = grasps.Ts_part_grasp[k] @ _FLIP if turned else grasps.Ts_part_grasp[k]
            around = self.surroundings({arm: part}, [it for it in self.robot.arms if it != arm])
            self._found[key] = self._branch(
                arm, part, T, float(grasps.widths[k]), float(grasps.openings[k]), grasps.scores[k], around
            )
        return self._found[key]

    def _branch(
        self, arm: str, part: int, T: np.ndarray, width: float, opening: float, score: float, around: Surroundings
    ) -> Branch | Miss:
        Ts = self.Ts_key[:, part] @ T
        solver, name = self.solvers[arm], self.task.parts[part]

        def touches(k: int, q_arm: np.ndarray) -> bool:
            around.put(self.Ts_key[k])
            return around.touching(self.whole({arm: q_arm}), {arm: width}) is not None

        def near(Ts_part: np.ndarray, q_arm: np.ndarray, apart: float) -> bool:
            around.put(Ts_part)
            return around.clearance(self.whole({arm: q_arm}), {arm: apart}, CLEAR) < CLEAR

        try:
            path, cost = follow(solver, Ts, touches)
        except Unreachable as error:
            stage = "reach" if error.reason == "out of reach" else "path"
            return Miss(
                stage, f"the {arm} arm with {name}: {error.reason} ({error.share:.0%} of the path)", error.share
            )
        for k in (0,) if self.task.carried else (0, -1):
            way = straight(solver, path[k], Ts[k], -RETREAT * Ts[k, :3, 2])
            # beside what has come near there is less room to let go than there was to take hold
            wide = [opening] if k == 0 else [width + share * (opening - width) for share in _RELEASES]
            free = (it for it in wide if way is not None and not any(near(self.Ts_key[k], q, it) for q in way))
            release = next(free, 0.0)
            if not release:
                return Miss("path", f"the {arm} arm with {name}: no straight way {'in' if k == 0 else 'out'}", 1.0)
        between = zip(self._Ts_between, (path[1:] + path[:-1]) / 2, strict=True)
        if any(near(*it, width) for it in itertools.chain(zip(self.Ts_key, path, strict=True), between)):
            return Miss("path", f"the {arm} arm with {name}: something comes nearer than {1000 * CLEAR} mm", 1.0)
        return Branch(arm, part, T, width, opening, release, path, cost - _WEIGHT * score)

    def whole(self, arms: dict[str, np.ndarray]) -> np.ndarray:
        """(J,) with some arms' joints, the others at home."""
        q = self.robot.home.copy()
        for arm, values in arms.items():
            q[self.robot.arms[arm].columns] = values
        return q

    def surroundings(self, holds: dict[str, int], ignored: Sequence[str]) -> Surroundings:
        """With arms whose hands may touch what they hold, and others that are not looked at."""
        args = (self.robot, self.workpiece, self.task.parts, holds, self.others, self.table, ignored)
        return Surroundings(*args)
