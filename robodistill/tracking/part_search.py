"""Parts from motion: the whole is split where a film is nearer with two motions than with one, as long as that pays.

What is followed badly tells nothing of parts, and few large parts are followed well: so the search goes from the whole
down. Pieces of the scan (`segments`) propose where to split, and all that moves as they do; a bank of motions says
which splits may pay; these are solved for in the pictures (`part_trial`). The best is improved by moving pieces across
its border. RSRD tells parts apart by a grouping field and clicks, and never asks the film.
"""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from robodistill.config import TrackingConfig
from robodistill.geometry.camera import Camera
from robodistill.parallel import side_by_side
from robodistill.progress import Progress, silent
from robodistill.tracking.background import Background
from robodistill.tracking.borders import LINK, alike
from robodistill.tracking.model import PartModel
from robodistill.tracking.part_proposals import in_pieces, likely_moves, likely_splits
from robodistill.tracking.part_trial import EVERY, PartTrials, TriedParts
from robodistill.tracking.tracker import check_seen
from robodistill.tracking.unite import merged

_MOST = 5  # parts
_PRICE = 0.018  # that a part must bring, for the root of the whole's cost: what is by chance grows so with its pixels
_ENOUGH = 0.7  # of the price, to be looked at further: what came by chance is made one again as its joint is tried
_SPLITS, _BRIEF, _KEPT = 20, 3, 4  # that are tried in one of so many pictures, and of these in all
_WORTH = 0.5  # of what the best brings there, that others must bring to be tried in all
_MOVES, _ROUNDS = 4, 3  # that are tried, and how often
_TRIES = 1 + (_MOST - 1) * (_SPLITS + _KEPT + 2 * _ROUNDS * (_MOVES + 1) + 4)  # more than most films take
_OF_ONE = 6.0  # times the price, that one picture counts for at most
_BETTER = 0.3  # of the price, that a move must bring
_FURTHER = 1.0, 3.0  # times as far, that pieces may go from frame to frame, which are followed once each
_SEEN = 0.2  # of the object, in the median frame, without which nothing is searched for


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
) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """(N,) part, from 0, of each Gaussian of an object, and (P, 4, 4) poses by number of a frame, of some.

    Args:
        whole: The object as one part.
        few: (N,) pieces that are followed on their own, see `segments.Pieces`.
        branches: (M, N) bool, pieces of all sizes.
        T_first: (4, 4) pose in the first frame.
        background: That all is compared before.

    Raises:
        HonestNo: The film does not agree with the object.
    """
    trials = PartTrials(whole, frames, camera, T_first, background, config, progress, _TRIES)
    search = _Search(trials, branches)
    trials.follow(whole.labels)
    best = trials.solved(whole.labels)
    check_seen(trials.follow(few, *_FURTHER)[0], _SEEN)  # lost once, kept the other way
    search.price = _PRICE * np.sqrt(abs(best.cost))
    again = False
    while best.parts < _MOST:
        found = search.improved(search.best_split(best))
        if search.worth(found) < _ENOUGH * search.price:
            if again or best.parts == 1:
                break
            best, again = search.followed_in(in_pieces(best.labels, search.branches), best), True
            continue
        # followed as parts their motions are better, and so are their borders
        trials.follow(found.labels)
        found = trials.parted(found.labels, found.pair)
        if search.worth(found) < _ENOUGH * search.price:
            break
        found = search.simplified(search.all_improved(found))
        # what is split, and one again, may have better borders, across which the next split pays
        if found.parts < best.parts or (found.parts == best.parts and best.cost - found.cost < search.price):
            break
        best, again = found, False
    return best.labels, dict(zip(range(0, len(frames), EVERY), best.Ts, strict=True))


class _Search:
    def __init__(self, trials: PartTrials, branches: np.ndarray) -> None:
        self.trials, self.branches, self.price = trials, branches, 0.0
        self.links = LINK * alike(trials.whole.field)

    def worth(self, found: TriedParts) -> float:
        """What two parts bring, to be compared with the price."""
        return found.gain_of_many(_OF_ONE * self.price)

    def followed_in(self, labels: np.ndarray, found: TriedParts) -> TriedParts:
        """Parts that were found, where nearer as pieces (N,) are followed to, which come into the bank."""
        self.trials.follow(labels, *_FURTHER)
        starts = self.trials.bank.starts(found.labels)
        return self.trials.nearer(found, starts, np.ones(len(starts), bool))

    def best_split(self, before: TriedParts) -> TriedParts:
        """That which brings most in all pictures, of those that bring much in some; the same parts if there is none."""

        def tried(labels: np.ndarray, pair: tuple[int, int], every: int = 1) -> TriedParts:
            """Some of a part moving apart, against how it moved before, and against all as it was."""
            found = self.trials.parted(labels, pair, None, before.Ts[:, [*range(before.parts), pair[0]]], every)
            return replace(found, gains=np.minimum(found.gains, before.costs[::every] - found.costs))

        splits = likely_splits(before.labels, self.branches, self.trials.bank, self.links, _SPLITS)
        tries = side_by_side(lambda it: tried(*it, _BRIEF), splits)
        tries = sorted(tries, key=lambda it: -it.gain)[:_KEPT]
        kept = [it for it in tries if it.gain >= _WORTH * tries[0].gain]
        kept = side_by_side(lambda it: tried(it.labels, it.pair), kept)
        return max(kept, key=self.worth, default=replace(before, gains=np.zeros(1)))

    def improved(self, found: TriedParts) -> TriedParts:
        """With pieces moved across the border that is asked for, and it cut anew, as long as that pays."""
        trials, known = self.trials, (self.trials.pictures, self.branches, self.links, _MOVES)
        for _ in range(_ROUNDS if found.parts > 1 else 0):
            near = {"pair": found.pair, "starts": found.Ts, "tied": found.Ts_tied}
            moves = likely_moves(found, trials.model(found.labels), *known)
            tries = side_by_side(partial(trials.parted, **near, every=_BRIEF), moves)
            best = max(tries, key=lambda it: it.gain, default=found)
            if best.gain <= found.gains[::_BRIEF].mean():
                break
            best = trials.parted(best.labels, **near)
            if best.gain < found.gain + _BETTER * self.price:
                break
            found = best
        return found

    def all_improved(self, found: TriedParts) -> TriedParts:
        """With every border improved: that of the pair at hand, then of all others, which a split may have bettered."""
        found, pair = self.improved(found), found.pair
        for other in itertools.combinations(range(found.parts), 2):
            if set(other) != set(pair):
                found = self.improved(self.trials.parted(found.labels, other, found.Ts))
        return found

    def simplified(self, found: TriedParts) -> TriedParts:
        """With parts made one as long as some two bring too little by moving apart."""
        while found.parts > 1:
            pairs = list(itertools.combinations(range(found.parts), 2))
            tied = side_by_side(partial(self.trials.solved, found.labels, None, 1), pairs)
            costs = [it.cost for it in tied]
            if min(costs) - found.cost >= self.price:
                break
            found = self.trials.solved(merged(found.labels, [pairs[int(np.argmin(costs))]], found.parts))
        return found
