"""One consistent branch of inverse kinematics over all key frames of a path.

Solutions of a few key frames are continued along the whole path; dynamic programming picks, key frame by key frame,
from all of them the cheapest row that nowhere leaps and nowhere touches. Contact is looked at lazily, only where the
cheapest row passes, as in Lazy PRM (Bohlin & Kavraki, ICRA 2000).
"""

from collections.abc import Callable

import numpy as np

from robodistill.robots.ik import InverseKinematics

_SEEDS = 5  # key frames whose answers are continued
_ANSWERS = 6  # of each
_LEAP = 0.5  # rad that a joint may change between two key frames
_SAME = 0.03  # rad within which two continued answers are one
_ROUNDS = 40  # of lazy looking
_EDGE = 0.15  # of a joint's range, next to its limits, that costs
_EDGE_COST = 0.5


class Unreachable(Exception):
    """No branch; tells how far along the path the best one came."""

    def __init__(self, reason: str, share: float) -> None:
        super().__init__(reason)
        self.reason, self.share = reason, share


def follow(
    solver: InverseKinematics, Ts_world_grasp: np.ndarray, touches: Callable[[int, np.ndarray], bool]
) -> tuple[np.ndarray, float]:
    """The cheapest branch.

    Args:
        Ts_world_grasp: (K, 4, 4) of the grasp frame.
        touches: Whether joint values (J,) touch anything at a key frame.

    Returns:
        (K, J) rad, and what it costs.

    Raises:
        Unreachable: There is none.
    """
    count = len(Ts_world_grasp)
    rows = _continued(solver, Ts_world_grasp)
    known = np.isfinite(rows[..., 0])
    if not known.any(0).all():
        share = float(known.any(0).mean())
        raise Unreachable("out of reach", share)
    cost = np.where(known, _edge_cost(solver, np.nan_to_num(rows)), np.inf)  # (n, K)
    looked = np.zeros(known.shape, bool)
    steps = np.abs(rows[:, None, 1:] - rows[None, :, :-1])  # (to, from, K - 1, J)
    moves = np.where(steps.max(-1) <= _LEAP, (steps**2).sum(-1), np.inf)  # NaN is no step
    for _ in range(_ROUNDS):
        chosen, total = _cheapest(cost, moves)
        if not np.isfinite(total):
            break
        free = True
        for k in range(count):
            row = chosen[k]
            if not looked[row, k]:
                looked[row, k] = True
                if touches(k, rows[row, k]):
                    cost[row, k] = np.inf
                    free = False
        if free:
            return rows[chosen, np.arange(count)], float(total)
    left = np.isfinite(cost).any(0)
    if left.all():
        raise Unreachable("no branch without a leap or contact", float(looked.any(0).mean()))
    raise Unreachable("the arm would touch something", float(left.mean()))


def _continued(solver: InverseKinematics, Ts: np.ndarray) -> np.ndarray:
    """(n, K, J) answers continued from a few key frames both ways; NaN where they end."""
    count, joints = len(Ts), len(solver.home)
    rows: list[np.ndarray] = []
    # first and last: the far ends are the likeliest to be out of reach
    for k in dict.fromkeys(np.linspace(0, count - 1, _SEEDS).round().astype(int)[[0, -1, 2, 1, 3]]):
        answers = solver(Ts[k], most=_ANSWERS)
        if not len(answers):
            return np.full((1, count, joints), np.nan)
        for q in answers:
            if any(np.nanmax(np.abs(row[k] - q)) < _SAME for row in rows if np.isfinite(row[k, 0])):
                continue
            row = np.full((count, joints), np.nan)
            row[k] = q
            for way in (range(k + 1, count), range(k - 1, -1, -1)):
                near = q
                for j in way:
                    near = solver.nearest(Ts[j], near)
                    if near is None or np.abs(near - row[j - 1 if j > k else j + 1]).max() > _LEAP:
                        break
                    row[j] = near
            rows.append(row)
    return np.stack(rows)


def _edge_cost(solver: InverseKinematics, rows: np.ndarray) -> np.ndarray:
    """(n, K) of being near a joint's limits."""
    low, high = solver.limits.T
    room = np.minimum(rows - low, high - rows) / (high - low)
    return _EDGE_COST * (np.clip(1 - room / _EDGE, 0, None) ** 2).sum(-1) / rows.shape[1]


def _cheapest(cost: np.ndarray, moves: np.ndarray) -> tuple[np.ndarray, float]:
    """(K,) row at each key frame, and the cost of all, by dynamic programming."""
    total, back = cost[:, 0], []
    for k in range(moves.shape[2]):
        through = moves[:, :, k] + total[None]
        back.append(through.argmin(1))
        total = through.min(1) + cost[:, k + 1]
    chosen = [int(total.argmin())]
    for best in back[::-1]:
        chosen.append(int(best[chosen[-1]]))
    return np.array(chosen[::-1]), float(total.min())
