"""Parts from motion: the whole is split where a film is nearer with two motions than with one, as long as that pays.

What is followed badly tells nothing of parts, and few large parts are followed well: so the search goes from the whole
down. Pieces of the scan (`segments`) propose where to split; a bank of motions says which splits may pay; these are
solved for in the pictures, all before one background, so that they compare. What a split brings is told by solving for
the same two parts tied to each other: two parts always fit better than one, as each has its own light. The best is
improved by moving pieces across its border. RSRD tells parts apart by a grouping field and clicks, and never asks the
film.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from robodistill.config import TrackingConfig
from robodistill.geometry.camera import Camera
from robodistill.parallel import side_by_side
from robodistill.progress import Progress, silent
from robodistill.tracking.articulation import FreeParts, Tied
from robodistill.tracking.background import Background
from robodistill.tracking.borders import alike, cut
from robodistill.tracking.model import PartModel
from robodistill.tracking.motion_bank import MotionBank
from robodistill.tracking.part_errors import errors_by_part
from robodistill.tracking.photometric import Quadratic, frame_costs, mean_cost
from robodistill.tracking.tracker import Followed, Follower, check_seen, follow, picture_of
from robodistill.tracking.unite import merged

_EVERY = 3  # of the frames that are followed one in so many is asked
_MOST = 5  # parts
_PRICE = 0.018  # that a part must bring, for the root of the whole's cost: what is by chance grows so with its pixels
_SPLITS, _BRIEF, _KEPT = 20, 3, 4  # that are tried in one of so many pictures, and of these in all
_WORTH = 0.5  # of what the best brings there, that others must bring to be tried in all
_MOVES, _ROUNDS = 4, 3  # that are tried, and how often
_ALIKE = 0.03  # of the Gaussians, in which two splits must differ
_TRIES = 1 + (_MOST - 1) * (_SPLITS + _KEPT + 2 * _ROUNDS * (_MOVES + 1) + 4)  # more than most films take
_BETTER = 0.3  # of the price, that a move must bring
_FURTHER = 3  # times as far, that pieces may go from frame to frame where they are followed once more
_SEEN = 0.2  # of the object, in the median frame, without which nothing is searched for
_LEAST = 0.03  # of the object's Gaussians that a part has
_INSIDE = 0.7  # of a piece that is in the part which it is split from
_STEPS = 4  # at most, of a solve: tries compare that start alike
_LINK = 0.12  # robust error that a border costs a link of alike Gaussians


@dataclass(frozen=True, eq=False)
class _Found:
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
    def cost(self) -> float:
        """Mean of `Quadratic.cost`."""
        return mean_cost(self.quadratics)

    @property
    def gain(self) -> float:
        """Mean of `gains`."""
        return float(self.gains.mean())


def search_parts(
    whole: PartModel,
    few: np.ndarray,
    branches: np.ndarray,
    frames: Sequence[np.ndarray],
    camera: Camera,
    T_first: np.ndarray,
    background: Background,
    config: TrackingConfig,
    progress: Progress = silent,
) -> np.ndarray:
    """(N,) part, from 0, of each Gaussian of an object.

    Args:
        whole: The object as one part.
        few: (N,) pieces that are followed on their own, see `segments.Pieces`.
        branches: (M, N) bool, pieces of all sizes.
        T_first: (4, 4) pose in the first frame.
        background: That all is compared before.

    Raises:
        HonestNo: The film does not agree with the object.
    """
    search = _Search(whole, branches, frames, camera, T_first, background, config, progress)
    best = search.solved(whole.labels)
    check_seen(search.follow(few, config.jump, _FURTHER * config.jump)[0], _SEEN)  # lost once, kept the other way
    search.price = _PRICE * np.sqrt(abs(best.cost))
    while best.parts < _MOST:
        found = search.improved(search.best_split(best))
        if found.gain < search.price:
            break
        # followed as parts their motions are better, and so are their borders
        search.follow(found.labels)
        found = search.simplified(search.all_improved(search.parted(found.labels, found.pair)))
        # what is split, and one again, may have better borders, across which the next split pays
        if found.parts < best.parts or (found.parts == best.parts and best.cost - found.cost < search.price):
            break
        best = found
    return best.labels


class _Search:
    def __init__(
        self,
        whole: PartModel,
        branches: np.ndarray,
        frames: Sequence[np.ndarray],
        camera: Camera,
        T_first: np.ndarray,
        background: Background,
        config: TrackingConfig,
        progress: Progress,
    ) -> None:
        self.whole, self.progress, self.tried, self.price = whole, progress, 0, 0.0
        self.config, self.lean = config, replace(config, fine_steps=min(_STEPS, config.fine_steps))
        self.branches, self.links = branches, alike(whole.field)
        self.frames, self.camera, self.T_first = frames, camera, T_first
        self.background = background
        self.pictures = [picture_of(frame, camera, background) for frame in frames[::_EVERY]]
        self.bank = MotionBank(whole, self.pictures)
        self.follow(whole.labels)

    def follow(self, labels: np.ndarray, *jumps: float) -> list[list[Quadratic]]:
        """Parts through the film, into the bank; once for each of the metres that they may jump from frame to frame."""
        model = self._model(labels)
        Ts = np.tile(self.T_first, (model.parts, 1, 1))
        known = {"progress": self.progress, "background": self.background}

        def through(jump: float) -> Followed:
            return follow(model, self.frames, self.camera, Ts, replace(self.config, jump=jump), **known)

        ways = side_by_side(through, jumps or [self.config.jump])
        for way in ways:
            self.bank.add(way.Ts_camera_part[::_EVERY], way.quadratics[::_EVERY])
        return [way.quadratics for way in ways]

    def _model(self, labels: np.ndarray) -> PartModel:
        return replace(self.whole, labels=labels)

    def solved(
        self, labels: np.ndarray, starts: np.ndarray | None = None, every: int = 1, tied: tuple[int, int] | None = None
    ) -> _Found:
        """Parts with the poses that pictures show near given ones (T, P, 4, 4), or near the bank's.

        Args:
            tied: Two that move as one.
        """
        model = self._model(labels)
        each = np.arange(model.parts)
        groups = each if tied is None else merged(each, [tied], model.parts)
        along = FreeParts(model.centers) if tied is None else Tied(model.centers, groups)
        follower = Follower(model, self.lean, along)
        starts = self.bank.starts(groups[labels])[:, groups] if starts is None else starts
        poses, quadratics, lights = [], [], None
        for picture, start in zip(self.pictures[::every], starts[::every], strict=True):
            Ts, q = follower.solve(picture, start, start, lights, wide=False)
            lights = q.sure_lights
            poses.append(Ts)
            quadratics.append(q)
        self.tried += 1
        self.progress("parts", min(self.tried, _TRIES), _TRIES, f"{model.parts} tried")
        return _Found(labels, np.stack(poses), quadratics)

    def parted(
        self,
        labels: np.ndarray,
        pair: tuple[int, int],
        starts: np.ndarray | None = None,
        tied: np.ndarray | None = None,
        every: int = 1,
    ) -> _Found:
        """Parts solved for near poses, and what two of them bring by moving apart, against near others as one."""
        found, one = self.solved(labels, starts, every), self.solved(labels, tied, every, pair)
        return replace(
            found, pair=pair, gains=frame_costs(one.quadratics) - frame_costs(found.quadratics), Ts_tied=one.Ts
        )

    def split(self, before: _Found, labels: np.ndarray, pair: tuple[int, int], every: int = 1) -> _Found:
        """Some of a part moving apart, against how it moved before."""
        return self.parted(labels, pair, None, before.Ts[:, [*range(before.parts), pair[0]]], every)

    def best_split(self, before: _Found) -> _Found:
        """That which brings most in all pictures, of those that bring much in some; the same parts if there is none."""
        splits = self.splits(before.labels)
        tries = side_by_side(lambda it: self.split(before, *it, _BRIEF), splits)
        tries = sorted(tries, key=lambda it: -it.gain)[:_KEPT]
        kept = [it for it in tries if it.gain >= _WORTH * tries[0].gain]
        kept = side_by_side(lambda it: self.split(before, it.labels, it.pair), kept)
        return max(kept, key=lambda it: it.gain, default=replace(before, gains=np.zeros(1)))

    def splits(self, labels: np.ndarray) -> list[tuple[np.ndarray, tuple[int, int]]]:
        """(N,) labels with one part more, the likeliest first: a piece of one part that some motion suits better; and
        that part and the new one."""
        least, found = _LEAST * len(labels), []
        for part in range(labels.max() + 1):
            own = labels == part
            before = self.bank.cost(own)
            for branch in self.branches:
                inside, outside = branch & own, own & ~branch
                if min(inside.sum(), outside.sum()) < least or inside.sum() < _INSIDE * branch.sum():
                    continue
                found.append((before - self.bank.cost(inside) - self.bank.cost(outside), part, inside, outside))
        found.sort(key=lambda it: -it[0])
        kept: list[tuple[int, np.ndarray, np.ndarray]] = []
        for _, part, inside, outside in found:
            # a piece, or all but it, are the same two parts
            others = [min((inside != a).sum() + (outside != b).sum() for a, b in ((a, b), (b, a))) for _, a, b in kept]
            if min(others, default=np.inf) > _ALIKE * len(labels) and len(kept) < _SPLITS:
                kept.append((part, inside, outside))
        new = int(labels.max()) + 1
        return [(np.where(inside, new, labels), (part, new)) for part, inside, _ in kept]

    def improved(self, found: _Found) -> _Found:
        """With pieces moved across the border that is asked for, and it cut anew, as long as that pays."""
        for _ in range(_ROUNDS if found.parts > 1 else 0):
            near = {"pair": found.pair, "starts": found.Ts, "tied": found.Ts_tied}
            tries = side_by_side(partial(self.parted, **near, every=_BRIEF), self._moves(found))
            best = max(tries, key=lambda it: it.gain, default=found)
            if best.gain <= found.gains[::_BRIEF].mean():
                break
            best = self.parted(best.labels, **near)
            if best.gain < found.gain + _BETTER * self.price:
                break
            found = best
        return found

    def all_improved(self, found: _Found) -> _Found:
        """With every border improved: that of the pair at hand, then of all others, which a split may have bettered."""
        found, pair = self.improved(found), found.pair
        for other in itertools.combinations(range(found.parts), 2):
            if set(other) != set(pair):
                found = self.improved(self.parted(found.labels, other, found.Ts))
        return found

    def simplified(self, found: _Found) -> _Found:
        """With parts made one as long as some two bring too little by moving apart."""
        while found.parts > 1:
            pairs = list(itertools.combinations(range(found.parts), 2))
            tied = side_by_side(partial(self.solved, found.labels, None, 1), pairs)
            costs = [it.cost for it in tied]
            if min(costs) - found.cost >= self.price:
                break
            found = self.solved(merged(found.labels, [pairs[int(np.argmin(costs))]], found.parts))
        return found

    def _moves(self, found: _Found) -> Iterator[np.ndarray]:
        """(N,) labels near those that were found, that the motions of their parts speak for."""
        labels, count, pair = found.labels, len(found.labels), list(found.pair)
        model = self._model(labels)
        each = [
            errors_by_part(model, picture, Ts, q.lights, pair)
            for picture, Ts, q in zip(self.pictures, found.Ts, found.quadratics, strict=True)
        ]
        # all others stay what they are
        ours, costs = np.isin(labels, pair), np.ones((count, model.parts))
        costs[np.arange(count), labels] = 0.0
        costs[np.ix_(ours, pair)] = np.mean(each, 0)[:, ours].T
        new = cut(costs, _LINK * self.links, labels)
        if (np.bincount(new, minlength=model.parts) >= _LEAST * count).all() and (new != labels).any():
            yield new
        moves = []
        for branch, (part, other) in itertools.product(self.branches, (found.pair, found.pair[::-1])):
            own = branch & (labels == part)
            if 2 * own.sum() < branch.sum() or (labels == part).sum() - own.sum() < _LEAST * count:
                continue
            # a large piece's change is told from chance by its square root
            change = (costs[own, other] - costs[own, part]).sum() / np.sqrt(own.sum())
            moves.append((change, np.where(own, other, labels)))
        moves.sort(key=lambda it: it[0])
        yield from (labels for change, labels in moves[:_MOVES] if change < 0)
