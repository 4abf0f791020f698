"""Where an object may be in parts: pieces of the scan, what moves as they do, and pieces moved across a border."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix

from robodistill.parallel import side_by_side
from robodistill.tracking.borders import cut, within
from robodistill.tracking.model import PartModel
from robodistill.tracking.motion_bank import MotionBank
from robodistill.tracking.part_errors import errors_by_part
from robodistill.tracking.part_trial import TriedParts
from robodistill.tracking.picture import Picture

LEAST = 0.03
"""Of the object's Gaussians that a part has."""
_ALIKE = 0.03  # of the Gaussians, in which two splits must differ
_INSIDE = 0.7  # of a piece that is in the part which it is split from
_TURNS = 2  # in which a piece takes on all that moves as it does
_LARGE = 0.3  # of the object that a part has which is followed in pieces
_PIECE = 0.08, 0.34  # of the object that such a piece has at least, and of its part at most


@dataclass(frozen=True, eq=False)
class _Split:
    """A part in two."""

    gain: float
    """Error that the bank's motions leave less of."""
    part: int
    inside: np.ndarray
    """(N,) bool."""
    outside: np.ndarray
    """(N,) bool."""

    def differs(self, other: "_Split") -> int:
        """Gaussians in which two are not the same."""
        ways = ((other.inside, other.outside), (other.outside, other.inside))
        return min(int((self.inside != a).sum() + (self.outside != b).sum()) for a, b in ways)


def likely_splits(
    labels: np.ndarray, branches: np.ndarray, bank: MotionBank, links: coo_matrix, most: int
) -> list[tuple[np.ndarray, tuple[int, int]]]:
    """(N,) labels with one part more, the likeliest first: of one part what some motion suits better, and that part and
    the new one. It is a piece of the scan, or all that the motion of such a piece suits better; or a piece across a
    border, as two parts may have shared a third.

    Args:
        branches: (M, N) bool, pieces.
        links: (N, N) what a border costs, see `borders.cut`.
    """
    least, found = LEAST * len(labels), []
    for part in range(labels.max() + 1):
        own = labels == part
        linked, before = within(links, own), bank.cost(own)

        def splits(some: Iterable[np.ndarray], own=own, part=part, before=before) -> list[_Split]:
            pairs = [(inside, own & ~inside) for inside in some]
            pairs = [(a, b) for a, b in pairs if min(a.sum(), b.sum()) >= least]
            return [_Split(before - bank.cost(a) - bank.cost(b), part, a, b) for a, b in pairs]

        def recut(split: _Split, own=own, linked=linked) -> np.ndarray:
            return _recut(split.inside, own, bank, linked)

        pieces = _distinct(splits(_inside(own, branches)), most)
        found += pieces + splits(side_by_side(recut, pieces))
    new = int(labels.max()) + 1
    found += _across(labels, branches, bank)
    return [(np.where(it.inside, new, labels), (it.part, new)) for it in _distinct(found, most)]


def likely_moves(
    found: TriedParts, model: PartModel, pictures: Sequence[Picture], branches: np.ndarray, links: coo_matrix, most: int
) -> Iterator[np.ndarray]:
    """(N,) labels near those that were found, that the motions of two of their parts speak for: the border between
    these cut anew, and pieces moved across it."""
    labels, count, pair = found.labels, len(found.labels), list(found.pair)
    each = [
        errors_by_part(model, picture, Ts, q.lights, pair)
        for picture, Ts, q in zip(pictures, found.Ts, found.quadratics, strict=True)
    ]
    # all others stay what they are
    ours, costs = np.isin(labels, pair), np.ones((count, model.parts))
    costs[np.arange(count), labels] = 0.0
    costs[np.ix_(ours, pair)] = np.mean(each, 0)[:, ours].T
    new = cut(costs, links, labels)
    if (np.bincount(new, minlength=model.parts) >= LEAST * count).all() and (new != labels).any():
        yield new
    moves = []
    for branch, (part, other) in itertools.product(branches, (found.pair, found.pair[::-1])):
        own = branch & (labels == part)
        if 2 * own.sum() < branch.sum() or (labels == part).sum() - own.sum() < LEAST * count:
            continue
        # a large piece's change is told from chance by its square root
        change = (costs[own, other] - costs[own, part]).sum() / np.sqrt(own.sum())
        moves.append((change, np.where(own, other, labels)))
    moves.sort(key=lambda it: it[0])
    yield from (labels for change, labels in moves[:most] if change < 0)


def in_pieces(labels: np.ndarray, branches: np.ndarray) -> np.ndarray:
    """(N,) labels with large parts in pieces, each large enough to be followed on its own."""
    pieces = labels.copy()
    for part in range(labels.max() + 1):
        own = labels == part
        if own.sum() < _LARGE * len(labels):
            continue
        some = [
            piece for piece in _inside(own, branches) if _PIECE[0] * len(labels) <= piece.sum() <= _PIECE[1] * own.sum()
        ]
        for piece in sorted(some, key=lambda it: -it.sum()):
            if (pieces[piece] == part).all():
                pieces[piece] = pieces.max() + 1
    return np.unique(pieces, return_inverse=True)[1]


def _inside(own: np.ndarray, branches: np.ndarray) -> list[np.ndarray]:
    """(N,) bool each: what of pieces is in a part that most of them is in."""
    return [piece & own for piece in branches if (piece & own).sum() >= _INSIDE * piece.sum()]


def _across(labels: np.ndarray, branches: np.ndarray, bank: MotionBank) -> list[_Split]:
    """Pieces across borders of parts, as taken from that which most of them is in."""
    parts, least, found = range(labels.max() + 1), LEAST * len(labels), []
    costs = [bank.cost(labels == part) for part in parts]
    for piece in branches:
        counts, left = (np.bincount(labels[some], minlength=len(parts)) for some in (piece, ~piece))
        if piece.sum() < least or left.min() < least or counts.max() >= _INSIDE * piece.sum():
            continue
        shared, most = np.flatnonzero(counts), int(counts.argmax())
        gain = sum(costs[part] - bank.cost((labels == part) & ~piece) for part in shared) - bank.cost(piece)
        found.append(_Split(gain, most, piece, (labels == most) & ~piece))
    return found


def _distinct(found: list[_Split], most: int) -> list[_Split]:
    """The likeliest that differ: a piece, or all but it, are the same two parts."""
    kept: list[_Split] = []
    for it in sorted(found, key=lambda it: -it.gain):
        if len(kept) < most and all(it.differs(other) > _ALIKE * len(it.inside) for other in kept):
            kept.append(it)
    return kept


def _recut(inside: np.ndarray, own: np.ndarray, bank: MotionBank, links: coo_matrix) -> np.ndarray:
    """(N,) bool: of a part what moves as a piece of it does, in turn with how that moves."""
    for _ in range(_TURNS):
        if not inside.any() or not (own & ~inside).any():
            break
        costs = np.column_stack([bank.errors(own & ~inside), bank.errors(inside)])
        costs[~own] = 0
        inside = own & (cut(costs, links, np.zeros(len(own), int)) == 1)
    return inside
