"""The values of a joint over a film, when its part was lost: every value is tried in every frame.

One freedom can be searched whole. What each frame says of all values is put together by sums over all ways through them
(forward and backward, Baum et al., 1970): values change little from frame to frame, so that a frame in which a hand
hides the part, or in which it looks like something else, is told by those before and after; and where the part would be
in sight and is not, there it is not.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from robodistill.config import TrackingConfig
from robodistill.parallel import side_by_side
from robodistill.tracking.articulation import Articulation, State
from robodistill.tracking.look import Look
from robodistill.tracking.model import PartModel
from robodistill.tracking.photometric import Quadratic
from robodistill.tracking.picture import Picture

_MOST, _APART = 25, 0.02  # values, of the object's size between two
_EVERY = 2  # frames are asked, those between go with their neighbours
_NATS = 2700.0  # of a thousand pixels of half size, as `photometric.linearize` weighs them
_STEP = 0.005  # metres that a joint's outer points go from frame to frame, one standard deviation
_LEAP = 6.0  # nats that any step costs at most


@dataclass(frozen=True, eq=False)
class Paths:
    """What a film says of its joints' values."""

    middle: np.ndarray
    """(T, J) medians."""
    mean: np.ndarray
    """(T, J)."""
    std: np.ndarray
    """(T, J); infinite where nothing is known."""


def sought_values(
    model: PartModel,
    picture: Callable[[int], Picture],
    articulation: Articulation,
    states: Sequence[State],
    seen: Sequence[Quadratic],
    reaches: np.ndarray,
    config: TrackingConfig,
) -> tuple[list[State], Paths]:
    """The states, with values of moving joints replaced where the film shows others.

    Args:
        picture: That of each frame.
        seen: What is known of each frame's light and of what is in sight.
        reaches: (J,) metres that a joint's outer points go for a unit of its value.
    """
    states = list(states)
    held = [int((q.visible * q.area).argmax()) for q in seen]  # what most is seen of stays where it is
    paths = Paths(*(np.full((len(states), len(reaches)), x) for x in (0.0, 0.0, np.inf)))

    def asked_of(t: int, state: State, trials: list[State], moved: list[int]) -> list[float]:
        look = Look.at(model, picture(t), articulation.poses(state), seen[t], config)
        return [0.0 if look is None else look.cost(articulation.poses(trial), moved) for trial in trials]

    for k, joint in enumerate(articulation.joints):
        if joint.kind in ("fixed", "free") or np.ptp(joint.range) <= 0:
            continue
        outer = articulation.moved_by(joint)
        inner = [p for p in range(model.parts) if p not in outer]
        steps = int(np.clip(np.ceil(np.ptp(joint.range) * reaches[k] / (_APART * model.size)), 4, _MOST))
        grid = np.linspace(*joint.range, steps)
        asked, gap = np.arange(0, len(states), _EVERY), grid[1] - grid[0]
        trials = [[_with_value(articulation, states[t], k, v, held[t]) for v in grid] for t in asked]
        sides = [inner if held[t] in outer else outer for t in asked]
        rows = side_by_side(
            lambda it: asked_of(*it), zip(asked, [states[t] for t in asked], trials, sides, strict=True)
        )
        costs = np.array(rows)
        chances = likelihoods(_NATS * costs, grid * reaches[k] / (_EVERY * _STEP), _LEAP)
        mean = chances @ grid
        middle = grid[(np.cumsum(chances, 1) < 0.5).sum(1).clip(0, len(grid) - 1)]
        std = np.sqrt(np.maximum(chances @ grid**2 - mean**2, 0) + gap**2)
        for path, some in ((paths.mean, mean), (paths.middle, middle), (paths.std, std)):
            path[:, k] = np.interp(np.arange(len(states)), asked, some)
        states = [
            _with_value(articulation, state, k, value, part) if abs(state.values[k] - value) > 1.5 * gap else state
            for state, value, part in zip(states, paths.middle[:, k], held, strict=True)
        ]
    return states, paths


def likelihoods(costs: np.ndarray, places: np.ndarray, leap: float) -> np.ndarray:
    """(T, V) chances of each of V places in each of T frames.

    Args:
        costs: (T, V) nats of each place in each frame alone.
        places: (V,) in standard deviations of a step from frame to frame.
        leap: Nats that a step costs at most.
    """
    step = np.exp(-np.minimum(0.5 * (places[:, None] - places) ** 2, leap))
    alone = np.exp(costs.min(1, keepdims=True) - costs)
    forward, backward = alone.copy(), np.ones_like(alone)
    for t in range(1, len(costs)):
        forward[t] *= step @ forward[t - 1]
        forward[t] /= forward[t].sum()
    for t in range(len(costs) - 2, -1, -1):
        backward[t] = step @ (alone[t + 1] * backward[t + 1])
        backward[t] /= backward[t].sum()
    chances = forward * backward
    return chances / chances.sum(1, keepdims=True)


def cheapest_path(costs: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """(T,) places of least cost in all: (T, V) costs of each place in each frame, and (V, V) of going from one place to
    another between frames (Viterbi, 1967)."""
    total, backs = costs[0], []
    for cost in costs[1:]:
        ways = total[:, None] + steps
        backs.append(ways.argmin(0))
        total = ways.min(0) + cost
    path = [int(total.argmin())]
    for back in reversed(backs):
        path.append(int(back[path[-1]]))
    return np.array(path[::-1])


def _with_value(articulation: Articulation, state: State, joint: int, value: float, held: int) -> State:
    """With another value of a joint and a part where it was."""
    values = state.values.copy()
    values[joint] = value
    other = State(state.T_camera_root, values, state.loose)
    return articulation.with_part_at(other, held, articulation.poses(state)[held])
