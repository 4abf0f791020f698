"""Parts tried in the pictures of a film: their poses solved for, and what two of them bring by moving apart.

All tries are before one background, so that they compare. What moving apart brings is told by solving for the same two
parts tied to each other: two parts always fit better than one, as each has its own light. Either is solved for from
where the other is nearer, too: else a try that began badly would speak for the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from robodistill.config import TrackingConfig
from robodistill.geometry.camera import Camera
from robodistill.parallel import side_by_side
from robodistill.progress import Progress
from robodistill.tracking.articulation import FreeParts, Tied
from robodistill.tracking.background import Background
from robodistill.tracking.model import PartModel
from robodistill.tracking.motion_bank import MotionBank
from robodistill.tracking.photometric import Quadratic, frame_costs, mean_cost
from robodistill.tracking.tracker import Followed, Follower, follow, picture_of
from robodistill.tracking.unite import distances, merged

EVERY = 3
"""Of the frames that are followed one in so many is asked."""
_APART = 0.02  # of the object's size, that parts must move for it to count
_MUCH = 0.05  # of what a picture costs: where moving apart brings more, both together may be where one of them is
_STEPS = 4  # at most, of a solve: tries compare that start alike


@dataclass(frozen=True, eq=False)
class TriedParts:
    """Parts (N,) with their poses in the pictures."""

    labels: np.ndarray
    Ts: np.ndarray
    """(T, P, 4, 4)."""
    quadratics: list[Quadratic]
    pair: tuple[int, int] = (0, 0)
    """Two parts whose border is asked for."""
    gains: np.ndarray = field(default_factory=lambda: np.zeros(1))
    """(T,) what they bring by moving apart, thousands of pixels."""
    Ts_tied: np.ndarray | None = None
    """(T, P, 4, 4) with these two as one."""

    @property
    def parts(self) -> int:
        """How many."""
        return int(self.labels.max()) + 1

    @property
    def costs(self) -> np.ndarray:
        """(T,) `Quadratic.cost`."""
        return frame_costs(self.quadratics)

    @property
    def cost(self) -> float:
        """Mean of `costs`."""
        return mean_cost(self.quadratics)

    @property
    def gain(self) -> float:
        """Mean of `gains`."""
        return float(self.gains.mean())

    def gain_of_many(self, most: float) -> float:
        """Mean of `gains`, no more than so much of each: in few pictures something may have been lost."""
        return float(np.minimum(self.gains, most).mean())


class PartTrials:
    """Some pictures of a film, and the bank of motions that tries begin from."""

    def __init__(
        self,
        whole: PartModel,
        frames: Sequence[np.ndarray],
        camera: Camera,
        T_first: np.ndarray,
        background: Background,
        config: TrackingConfig,
        progress: Progress,
        most: int,
    ) -> None:
        """See `search_parts`; `most` tries are likely to be made."""
        self.whole, self._progress, self._tried, self._most = whole, progress, 0, most
        self._config, self._lean = config, replace(config, fine_steps=min(_STEPS, config.fine_steps))
        self._frames, self._camera, self._T_first, self._background = frames, camera, T_first, background
        self.pictures = [picture_of(frame, camera, background) for frame in frames[::EVERY]]
        self.bank = MotionBank(whole, self.pictures)

    def model(self, labels: np.ndarray) -> PartModel:
        """Of the object in parts (N,)."""
        return replace(self.whole, labels=labels)

    def follow(self, labels: np.ndarray, *further: float) -> list[list[Quadratic]]:
        """Parts through the film, into the bank; pieces of parts once for each of so many times as far as they may jump
        from frame to frame, and when they are lost, they are."""
        model = self.model(labels)
        Ts = np.tile(self._T_first, (model.parts, 1, 1))
        known = {"progress": self._progress, "background": self._background, "seek": not further}

        def through(times: float) -> Followed:
            config = replace(self._config, jump=times * self._config.jump)
            return follow(model, self._frames, self._camera, Ts, config, **known)

        ways = side_by_side(through, further or [1.0])
        for way in ways:
            self.bank.add(way.Ts_camera_part[::EVERY], way.quadratics[::EVERY])
        return [way.quadratics for way in ways]

    def solved(
        self, labels: np.ndarray, starts: np.ndarray | None = None, every: int = 1, tied: tuple[int, int] | None = None
    ) -> TriedParts:
        """Parts with the poses that pictures show near given ones (T, P, 4, 4), or near the bank's.

        Args:
            tied: Two that move as one.
        """
        follower, groups = self._follower(labels, tied)
        starts = self.bank.starts(groups[labels])[:, groups] if starts is None else starts
        poses, quadratics, lights = [], [], None
        for picture, start in zip(self.pictures[::every], starts[::every], strict=True):
            Ts, q = follower.solve(picture, start, start, lights, wide=False)
            lights = q.sure_lights
            poses.append(Ts)
            quadratics.append(q)
        self._tried += 1
        self._progress("parts", min(self._tried, self._most), self._most, f"{len(groups)} tried")
        return TriedParts(labels, np.stack(poses), quadratics)

    def nearer(
        self,
        found: TriedParts,
        starts: np.ndarray,
        asked: np.ndarray,
        every: int = 1,
        tied: tuple[int, int] | None = None,
    ) -> TriedParts:
        """With other poses in the pictures that are asked, a bool each, where these are nearer if begun from others."""
        follower, _ = self._follower(found.labels, tied)
        Ts, quadratics, pictures = found.Ts.copy(), list(found.quadratics), self.pictures[::every]
        for k in np.flatnonzero(asked):
            other, q = follower.solve(pictures[k], starts[k], starts[k], quadratics[k].sure_lights, wide=False)
            if q.cost < quadratics[k].cost:
                Ts[k], quadratics[k] = other, q
        return replace(found, Ts=Ts, quadratics=quadratics)

    def parted(
        self,
        labels: np.ndarray,
        pair: tuple[int, int],
        starts: np.ndarray | None = None,
        tied: np.ndarray | None = None,
        every: int = 1,
    ) -> TriedParts:
        """Parts solved for near poses, and what two of them bring by moving apart, against near others as one.

        Where they hardly do, what is nearer is so by chance: a scan is nowhere quite right.
        """
        found, one = self.solved(labels, starts, every), self.solved(labels, tied, every, pair)
        found = self.nearer(found, one.Ts, found.costs > one.costs, every)
        small, large = sorted(pair, key=lambda p: (labels == p).sum())
        together = found.Ts.copy()
        together[:, small] = found.Ts[:, large]
        one = self.nearer(one, together, one.costs - found.costs > _MUCH * abs(found.costs), every, pair)
        apart = distances(self.whole.points[labels == small], found.Ts[:, small], found.Ts[:, large])
        apart = apart > _APART * self.whole.size
        gains = one.costs - found.costs
        return replace(found, pair=pair, gains=np.where(apart, gains, np.minimum(gains, 0)), Ts_tied=one.Ts)

    def _follower(self, labels: np.ndarray, tied: tuple[int, int] | None) -> tuple[Follower, np.ndarray]:
        """A solver, and (P,) which parts it moves as one."""
        model = self.model(labels)
        each = np.arange(model.parts)
        if tied is None:
            return Follower(model, self._lean, FreeParts(model.centers)), each
        groups = merged(each, [tied], model.parts)
        return Follower(model, self._lean, Tied(model.centers, groups)), groups
