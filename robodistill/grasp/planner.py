"""From a selection of Gaussians to ranked grasps: sample, filter, clear, rank, reach; every rejection is counted."""

import time
from collections import Counter
from dataclasses import replace
from functools import partial

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import expit, logit

from robodistill.config import GraspConfig
from robodistill.errors import HonestNo
from robodistill.grasp.candidates import TIPS, Candidates, Sampler, Scorer, antipodal, filter_normals, rescored
from robodistill.grasp.clearance import Hand, heights_above
from robodistill.grasp.grasp import Grasp, GraspList
from robodistill.grasp.opening import AMPLE, opened, widths_beside
from robodistill.grasp.outlines import outlines
from robodistill.grasp.reach import NotReached, Reach
from robodistill.grasp.surface import Surface
from robodistill.grasp.walls import walls
from robodistill.robots.robot import Robot

_AROUND = 0.30  # metres around a thing that its gripper can meet
_SPACING = 0.004  # metres between points that are looked at for clearance
_FLAT = 0.003  # metres above the support that count as it
_FOOT = 0.006  # metres from a thing, and above the support, where what a field shows is its fringe
_APART, _TURNED = 0.015, 0.5  # metres, rad: grasps nearer to each other than both are one
_SURE, _LEANS, _SUPPORTED, _OFF = 3.6, -2.4, 1.3, -3.5  # logistic of success: constant, angles, support, distance,
_TILTED, _CRAMPED = -1.3, 380.0  # closing out of the level, metres of room
_SLIPS = -6.0  # more for angles that the normal filter refuses where better ones are left
_WIDER, _TIGHT = 700.0, 0.002  # metres by which a thing beside the pads is wider than the hand opens, less this
_UNKNOWN = 0.5  # rad, both angles of which a sampler knows none
_ROOM = 0.002  # metres from a wall to the open gripper: on the side that was not seen it may be thicker
_WEAKER = 0.4  # rad by which contact angles may be worse where nothing better is left
_POINTS = 700  # of a thing at most, for finding contacts


class GraspPlanner:
    """Grasps for a robot on a surface."""

    def __init__(
        self,
        robot: Robot,
        place: Surface,
        config: GraspConfig | None = None,
        sampler: Sampler | None = None,
        scorer: Scorer | None = None,
    ) -> None:
        """Prepare. All arms have grippers like the first one's.

        Args:
            sampler: Proposes candidates instead of ours: antipodal ones; where none of them is left, across
                the outline of a low thing, then across walls; and at last antipodal ones again, more of them, up to the
                gripper's whole opening and at worse angles.
            scorer: Scores candidates instead of our terms.
        """
        self.robot, self.place, self.config = robot, place, config or GraspConfig()
        self._hand = Hand(robot, next(iter(robot.arms)))
        self._scorer = scorer
        ours, flat, thin = (partial(it, pads=self._hand.pads) for it in (antipodal, outlines, walls))
        it = self.config
        if sampler is not None:
            self._stages = [(sampler, 0.0, it)]
        elif it.normal_filter:
            last = replace(it, contacts=2 * it.contacts, spare=it.spare / 2, normal_sum=it.normal_sum + _WEAKER)
            self._stages = [(ours, 0.0, it), (flat, 0.0, it), (thin, _ROOM, it), (ours, 0.0, last)]
        else:
            self._stages = [(ours, 0.0, it)]

    def __call__(self, phrase: str, thing: np.ndarray, part: np.ndarray | None = None) -> GraspList:
        """Ranked grasps.

        Args:
            thing: Gaussians of the thing to hold, indices of the field.
            part: Those of them that may be touched; the whole thing where not given.

        Raises:
            HonestNo: Nothing is left; `answer` holds the reasons.
        """
        start = time.perf_counter()
        of_thing = np.isin(self.place.ids, thing)
        touchable = of_thing if part is None else np.isin(self.place.ids, part)
        nothing = {"grasps": [], "rejected": {}}
        if touchable.sum() < 8:
            raise HonestNo(
                f"{phrase!r}: only {touchable.sum()} points of its surface were seen, too few to hold", nothing
            )
        center = np.median(self.place.points[touchable], axis=0)
        rejected: Counter[str] = Counter()
        size = max(float(np.linalg.norm(np.ptp(self.place.points[of_thing], axis=0))) / 2, 0.01)
        fringe = _fringe(self.place, of_thing)
        for sampler, room, config in self._stages:
            candidates = self._scored(self._proposed(sampler, touchable, config, rejected), center, size)
            candidates, openings, free = self._cleared(candidates, of_thing, fringe, room, rejected)
            ranked = _ranked(candidates, openings, free)
            grasps = self._reached(ranked, of_thing | fringe, rejected)
            if grasps:
                break
        rejected = Counter({reason: count for reason, count in rejected.items() if count})
        if not grasps and not rejected:
            rejected["points without an opposite that the pads can take"] = int(touchable.sum())
        found = GraspList(phrase, self.robot.name, tuple(grasps), dict(rejected), tuple(center.tolist()))
        found = replace(found, seconds=time.perf_counter() - start)
        if not grasps:
            reasons = ", ".join(f"{count} {reason}" for reason, count in rejected.most_common()) or "none was proposed"
            raise HonestNo(
                f"{phrase!r}: no grasp is left; of the candidates: {reasons}", nothing | {"rejected": dict(rejected)}
            )
        return found

    def _proposed(self, sampler: Sampler, touchable: np.ndarray, config: GraspConfig, rejected: Counter) -> Candidates:
        """Candidates on what may be touched, after the angles of their contacts."""
        ids = np.flatnonzero(touchable)
        if len(ids) > _POINTS:
            ids = np.sort(np.random.default_rng(self.config.seed).permutation(ids)[:_POINTS])
        thing = self.place.select(ids)
        made = sampler(thing, self.place, self._hand.opening, config)
        if config.normal_filter:
            good = filter_normals(made, config, self.place.lean)
            rejected["contact angles"] += int((~good).sum())
            made = made.select(good)
        return made

    def _cleared(
        self, candidates: Candidates, of_thing: np.ndarray, fringe: np.ndarray, room: float, rejected: Counter
    ) -> tuple[Candidates, np.ndarray, np.ndarray]:
        """Candidates whose gripper touches neither the support nor anything else, their openings and clearances.

        The open gripper keeps `room` metres from the thing itself; its fringe, (n,) bool over points, is in no way.
        """
        config, place = self.config, self.place
        least = np.minimum(candidates.widths + config.extra, self._hand.opening)
        above = heights_above(self._hand, candidates.Ts_world_grasp, least, place.plane) > TIPS
        rejected["the gripper would touch the support"] += int((~above).sum())
        candidates = candidates.select(above)
        order = np.argsort(-candidates.scores)
        spread = _spread(candidates.Ts_world_grasp, order, config.kept)
        looked = np.concatenate([spread, order[~np.isin(order, spread)]])[: config.kept]
        rejected["like a better one"] += len(candidates) - len(looked)
        candidates = candidates.select(looked)
        middle = place.points[of_thing].mean(0)
        near = np.linalg.norm(place.points - middle, axis=1) < _AROUND
        near &= place.heights(place.points) > _FLAT
        others, own = (_thinned(place.points[near & side]) for side in (~(of_thing | fringe), of_thing))
        found = opened(self._hand, candidates.Ts_world_grasp, candidates.widths, place.plane, others, own, config)
        good = found.room >= room
        rejected["the gripper would touch something"] += int((~good).sum())
        candidates, openings = candidates.select(good), found.openings[good]
        if self._scorer is None:
            wider = widths_beside(self._hand.pads, candidates.Ts_world_grasp, openings, place.points[of_thing])
            wider = (wider + _TIGHT - self._hand.opening).clip(min=0)
            worse = _CRAMPED * (AMPLE - found.room[good]) + _WIDER * wider
            candidates = replace(candidates, scores=expit(logit(candidates.scores) - worse))
        # the best of those alike is told by its room, which is known only now
        order = _spread(candidates.Ts_world_grasp, np.argsort(-candidates.scores), config.kept)
        rejected["like a better one"] += len(candidates) - len(order)
        return candidates.select(order), openings[order], found.free[good][order]

    def _scored(self, candidates: Candidates, center: np.ndarray, size: float) -> Candidates:
        """With the chance that they hold, in [0, 1], in place of their support.

        A logistic of what told successes in physics apart from failures, 1138 on fields of seeds below 1000: the
        contacts' angles, the surface under the pads, how far off the middle of the thing they are, how level they
        close, and the room of the open hand, which is taken for ample here. Angles that the normal filter refuses,
        where later stages let them through, cost more than was fitted.
        """
        if self._scorer is not None:
            return rescored(candidates, self._scorer, self.place)
        angles = np.full(len(candidates), _UNKNOWN)
        if self.config.normal_filter:
            angles = np.nan_to_num((candidates.angles - self.place.lean).sum(1), nan=_UNKNOWN)
        away = np.linalg.norm(candidates.Ts_world_grasp[:, :3, 3] - center, axis=1) / size
        tilted = np.abs(candidates.Ts_world_grasp[:, :3, 0] @ self.place.up)
        slips = (angles - self.config.normal_sum).clip(min=0)
        odds = (
            _SURE + _SLIPS * slips + _LEANS * angles + _SUPPORTED * candidates.scores + _OFF * away + _TILTED * tilted
        )
        return replace(candidates, scores=expit(odds + _CRAMPED * AMPLE))

    def _reached(self, ranked: list[Grasp], of_thing: np.ndarray, rejected: Counter) -> list[Grasp]:
        """Those that an arm can do, at most as many as wanted, none like a better one."""
        reach = Reach(self.robot, self.place, of_thing, self.config)
        found: list[Grasp] = []
        for k, grasp in enumerate(ranked):
            if k == self.config.reached or len(found) == self.config.wanted:
                rejected["not looked at"] += len(ranked) - k
                break
            answer = reach(grasp)
            if isinstance(answer, NotReached):
                rejected[answer.reason] += 1
            else:
                found.append(answer)
        return found


def _ranked(candidates: Candidates, openings: np.ndarray, free: np.ndarray) -> list[Grasp]:
    """Best first."""
    return [
        Grasp(
            candidates.Ts_world_grasp[k],
            float(candidates.widths[k]),
            float(candidates.scores[k]),
            float(openings[k]),
            tuple(candidates.angles[k].tolist()),
            float(min(free[k], 1.0)),
        )
        for k in np.argsort(-candidates.scores)
    ]


def _spread(Ts: np.ndarray, order: np.ndarray, most: int) -> np.ndarray:
    """Of poses in an order, the first of each neighbourhood, at most so many."""
    kept: list[int] = []
    left = order
    while len(left) and len(kept) < most:
        first = left[0]
        kept.append(int(first))
        near = np.linalg.norm(Ts[left, :3, 3] - Ts[first, :3, 3], axis=1) < _APART
        same_x = np.abs(Ts[left, :3, 0] @ Ts[first, :3, 0]) > np.cos(_TURNED)
        same_z = Ts[left, :3, 2] @ Ts[first, :3, 2] > np.cos(_TURNED)
        left = left[~(near & same_x & same_z)]
    return np.array(kept, int)


def _fringe(place: Surface, thing: np.ndarray) -> np.ndarray:
    """(n,) bool: low points beside a thing (n,) bool: its blurred foot rather than something else."""
    low = np.flatnonzero(~thing & (place.heights(place.points) < _FOOT))
    away = cKDTree(place.points[thing]).query(place.points[low], distance_upper_bound=_FOOT)[0]
    found = np.zeros(len(thing), bool)
    found[low[away < _FOOT]] = True
    return found


def _thinned(points: np.ndarray) -> np.ndarray:
    """One point in each small cell."""
    if not len(points):
        return points
    return points[np.unique(np.floor(points / _SPACING).astype(np.int64), axis=0, return_index=True)[1]]
