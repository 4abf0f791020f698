"""The joint between two parts, tried: kinds, axes and places are drawn in some frames and compared with the pictures.

Poses of free parts are where a joint is looked for first (`joints.py`, `joint_search.py`); where a part was lost they
mislead. But a joint leaves its child one freedom, and one freedom can be searched through its whole range in each
frame. So all likely joints are, in small; the best are solved for in full, as `refine` does, and the one whose pictures
are nearest is taken.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from robodistill.config import TrackingConfig
from robodistill.geometry.camera import Camera
from robodistill.parallel import side_by_side
from robodistill.tracking.articulation import Articulation, joint_motion
from robodistill.tracking.axes import likely_turn
from robodistill.tracking.joint_guesses import likely_joints, may_screw, off_axis, trial_values
from robodistill.tracking.joint_path import cheapest_path
from robodistill.tracking.look import Look
from robodistill.tracking.model import PartModel
from robodistill.tracking.motion import Joint
from robodistill.tracking.photometric import frame_costs, mean_cost
from robodistill.tracking.refine import reach, refine
from robodistill.tracking.tracker import Followed, picture_of

_FRAMES = 12  # that are asked
_SEEN = 0.4  # of one of both parts, in them
_EACH, _MORE = 3, 8  # every third frame is asked of all joints, the others of the best few
_BEST = 3  # that are solved for
_RESTLESS = 0.02  # thousands of pixels of half size for a way of the object's size between frames that are asked
_MOVES = 0.005  # of a thousand pixels of half size that a frame must gain, on the mean, by a part's not being fixed
_STILL = 0.004  # of the cost that a frame must gain, on the mean, by a part's not being fixed
_MUCH = 0.3  # of what the nearest joint brings against rest, that another may bring less: slides of hinges lose 0.4
_OTHER = 0.02  # thousands of pixels by which a frame must be nearer on another joint for its value to be taken
_PRICE = {"prismatic": 0.0, "revolute": 0.03, "screw": 0.035}  # of the cost, that a kind must gain over no price
_LOOSE, _GAP = 0.04, 0.04  # of the cost, for a child that leaves its parent by so much of the object's size
_LITTLE = 0.2  # of what the nearest joint brings against rest, that leaving costs at most: small things bring little
_NEXT, _OUTER = 0.02, 0.1  # share of its points that stays next to it, and of its values that may lie outside
_NEAREST = np.radians(45)  # from an edge that it may be along
_OBLIQUE = np.radians(3)  # from any edge
_ASKEW = 0.01  # of the cost, for an axis that lies further from them; twice that if they do not even draw it
_RISE = 0.004  # metres along its axis that make a turn a screw
_FAR = 1.5  # of the object's size from a part at which a hinge is a slide


@dataclass(frozen=True, eq=False)
class Trial:
    """What came of trying a joint."""

    asked: Joint
    """What was asked for, its values those of all frames."""
    joint: Joint
    """Its values are those of the frames that were asked."""
    frames: np.ndarray
    """(n,) numbers of these."""
    Ts_camera_part: np.ndarray
    """(n, P, 4, 4) poses in them, with the two parts on the joint."""
    gain: float
    """Share of the cost that moving brings against being fixed."""
    cost: float
    """Mean of `Quadratic.cost` on the joint."""
    objection: float
    """Of the pictures to the joint, against the poses of free parts, thousands of pixels in the mean frame."""


def try_joints(
    model: PartModel,
    frames: Sequence[np.ndarray],
    camera: Camera,
    followed: Followed,
    found: Joint,
    config: TrackingConfig,
) -> Trial:
    """The likeliest joint between two parts.

    Args:
        frames: (H, W, 3) uint8, all that were followed.
        followed: The free parts' way.
        found: A joint between the two, to begin with; a screw beside both is taken for a hinge. A fixed one stays if
            the pictures are nearer with no other.
    """
    if found.kind == "screw" and not may_screw(model, found):
        found = replace(found, kind="revolute", pitch=0.0)
    chosen, looks = telling_looks(model, frames, camera, followed, [found], config)
    if not looks:  # no frame speaks for it, or against it
        return Trial(found, found, np.arange(len(frames)), followed.Ts_camera_part, 0.0, 0.0, 0.0)
    first, others = looks[::_EACH], [look for k, look in enumerate(looks) if k % _EACH]
    known = [found] if found.kind in _PRICE else []
    tried = [(joint, trial_values(model, joint)) for joint in known + likely_joints(model, found.parent, found.child)]
    costs = [_costs(first, joint, values) for joint, values in tried]
    best = list(np.argsort([cost.min(1).mean() for cost in costs])[:_MORE])
    for k in best:
        every = np.zeros((len(looks), len(tried[k][1])))
        every[::_EACH] = costs[k]
        every[np.arange(len(looks)) % _EACH > 0] = _costs(others, *tried[k])
        costs[k] = every
    finer = {k: _finer(model, looks, tried[k][0], tried[k][1], costs[k]) for k in best}
    best = sorted(best, key=lambda k: finer[k][1].mean())[:_BEST]
    free = mean_cost([followed.quadratics[t] for t in chosen])

    def solved(joint: Joint) -> _Solved:
        return _solved(model, frames, camera, followed, chosen, looks, joint, config)

    rest = solved(replace(found, kind="fixed", axis=np.zeros(3), pitch=0.0, values=np.zeros(len(chosen))))
    if not known and (_costs(looks, tried[best[0]][0], np.zeros(1)).mean() - finer[best[0]][1].mean()) < _MOVES:
        return Trial(found, rest.joint, chosen, rest.Ts, 0.0, rest.cost, rest.cost - free)
    starts = [replace(tried[k][0], values=finer[k][0]) for k in best]
    if known:  # as the free poses have it, too, and along the edge that is nearest to that
        as_found = replace(found, values=found.values[chosen])
        starts += [as_found, *_along_edge(model, as_found, _NEAREST)]
    found_each = [solved(joint) for joint in starts]
    best = _chosen(model, found_each, rest)
    mixed = _mixed(model, best, found_each)
    if mixed is not None:
        found_each.append(solved(mixed))
        best = _chosen(model, found_each, rest)
    if best.joint.kind == "revolute" and may_screw(model, best.joint):
        found_each.append(solved(replace(best.joint, kind="screw")))
        best = _chosen(model, found_each, rest)
    gain = (rest.cost - best.cost) / max(abs(best.cost), 1e-9)
    if gain < _STILL:
        return Trial(found, rest.joint, chosen, rest.Ts, gain, rest.cost, rest.cost - free)
    joint = next(_along_edge(model, best.joint), best.joint)
    return Trial(found, joint, chosen, best.Ts, gain, best.cost, best.cost - free)


def telling_looks(
    model: PartModel,
    frames: Sequence[np.ndarray],
    camera: Camera,
    followed: Followed,
    joints: Sequence[Joint],
    config: TrackingConfig,
) -> tuple[np.ndarray, list[Look]]:
    """(n,) numbers of some frames in which a part of each joint is in sight, or as much of it as in most; and these."""
    visible = np.array([q.visible * np.isfinite(q.cost) for q in followed.quadratics])
    seen = np.min([visible[:, [joint.parent, joint.child]].max(1) for joint in joints], 0)
    good = np.flatnonzero(seen >= min(_SEEN, np.median(seen)))
    chosen = good[np.linspace(0, len(good) - 1, min(_FRAMES, len(good))).astype(int)]
    looks = side_by_side(lambda t: _look(model, frames[t], camera, followed, int(t), config), chosen)
    return chosen[[look is not None for look in looks]], [look for look in looks if look is not None]


def sought(model: PartModel, looks: list[Look], joint: Joint) -> np.ndarray:
    """(looks,) the likeliest values of a joint."""
    if joint.kind not in _PRICE or not looks:
        return np.zeros(len(looks))
    values = trial_values(model, joint)
    return _finer(model, looks, joint, values, _costs(looks, joint, values))[0]


def _along_edge(model: PartModel, joint: Joint, *within: float) -> Iterator[Joint]:
    """The joint along an edge, or level, see `likely_turn`, if one is near."""
    turn = likely_turn(model, joint, *within)
    if turn is not None:
        yield replace(joint, axis=Rotation.from_rotvec(turn).as_matrix() @ joint.axis)


def _look(
    model: PartModel, image: np.ndarray, camera: Camera, followed: Followed, t: int, config: TrackingConfig
) -> Look | None:
    picture = picture_of(image, camera, followed.background)
    return Look.at(model, picture, followed.Ts_camera_part[t], followed.quadratics[t], config)


def _costs(looks: list[Look], joint: Joint, values: np.ndarray) -> np.ndarray:
    """(looks, values)."""

    def of_look(look: Look) -> list[float]:
        return [_cost(look, joint, value) for value in values]

    return np.array(side_by_side(of_look, looks)).reshape(len(looks), len(values))


def _cost(look: Look, joint: Joint, value: float) -> float:
    return _at(look, joint, value)[0]


def _at(look: Look, joint: Joint, value: float) -> tuple[float, np.ndarray]:
    """What a value costs, and poses (P, 4, 4) with the two parts on it: whichever is nearer with stays where it was
    followed to, as the other may have been lost."""
    found = []
    for side in (joint, joint.turned_round):
        Ts = look.Ts.copy()
        Ts[side.child] = Ts[side.parent] @ joint_motion(side, value)
        found.append((look.cost(Ts, [side.child], _pair(joint)), Ts))  # either may hide the other
    return min(found, key=lambda it: it[0])


def _finer(
    model: PartModel, looks: list[Look], joint: Joint, values: np.ndarray, costs: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(looks,) the likeliest values, to a quarter of the step that was tried (looks, values), and what they cost."""
    least = np.array([_RESTLESS * reach(model, joint) / model.size * abs(values - value) for value in values])
    path = cheapest_path(costs, least)
    best, found = values[path], costs[np.arange(len(costs)), path]
    step = np.diff(values).min()

    def nearer(k: int) -> tuple[float, float]:
        value, least = best[k], found[k]
        for part in (0.5, 0.25):
            for nearby in value + part * step * np.array([-1, 1]):
                cost = _cost(looks[k], joint, nearby)
                if cost < least:
                    value, least = nearby, cost
        return value, least

    return tuple(np.array(side_by_side(nearer, range(len(looks)))).T)


@dataclass(frozen=True, eq=False)
class _Solved:
    joint: Joint
    costs: np.ndarray
    """(n,) `Quadratic.cost` of each frame."""
    Ts: np.ndarray
    """(n, P, 4, 4)."""

    @property
    def cost(self) -> float:
        """Mean of `costs`."""
        return float(self.costs.mean())


def _solved(
    model: PartModel,
    frames: Sequence[np.ndarray],
    camera: Camera,
    followed: Followed,
    chosen: np.ndarray,
    looks: list[Look],
    joint: Joint,
    config: TrackingConfig,
) -> _Solved:
    """A joint moved to where the pictures are nearest, its values, and their mean cost; other parts stay in place."""
    Ts = np.stack([_at(look, joint, value)[1] for look, value in zip(looks, joint.values, strict=True)])
    others = [p for p in range(model.parts) if p not in (joint.parent, joint.child)]
    blank = replace(joint, kind="free", pitch=0.0, values=np.zeros(0))
    joints = (joint, *(replace(blank, child=p) for p in others))
    lean = replace(config, fine_steps=2)
    tree = Articulation(joints, model.centers)
    some, seen = [frames[t] for t in chosen], [followed.quadratics[t] for t in chosen]
    found = refine(model, some, camera, followed.background, Ts, seen, tree, lean, film=False)
    values = np.array([state.values[0] for state in found.states])
    Ts = np.stack([found.articulation.poses(state) for state in found.states])
    return _Solved(replace(found.articulation.joints[0], values=values), frame_costs(found.quadratics), Ts)


def _mixed(model: PartModel, best: _Solved, others: Sequence[_Solved]) -> Joint | None:
    """The best joint, begun in each frame where that was nearest on any of its kind: each may have lost other ones, and
    one lost frame makes the range too wide. None if it was nearest itself in all."""
    alike = [best, *(it for it in others if it is not best and it.joint.kind == best.joint.kind)]
    nearest = np.argmin([it.costs - _OTHER * (it is best) for it in alike], axis=0)
    if not nearest.any():
        return None
    pair, values = _pair(best.joint), best.joint.values.copy()
    tree = Articulation((replace(best.joint, parent=0, child=1),), model.centers[pair])
    for frame in np.flatnonzero(nearest):
        values[frame] = tree.nearest(alike[nearest[frame]].Ts[frame][pair]).values[0]
    return replace(best.joint, values=values)


def _pair(joint: Joint) -> list[int]:
    return [joint.parent, joint.child]


def _chosen(model: PartModel, solved: list[_Solved], rest: _Solved) -> _Solved:
    """The nearest, where likelier ones may be a little further off, if they bring much of what it brings against rest;
    costs are negative."""
    solved = [it for it in solved if it.joint.kind != "screw" or _is_screw(model, it.joint)]
    least = min(it.cost for it in solved)
    brought, scale = max(rest.cost - least, 0.0), abs(least)
    solved = [it for it in solved if it.cost - least <= _MUCH * brought]
    slides = any(it.joint.kind == "prismatic" for it in solved)

    def price(joint: Joint) -> float:
        if joint.kind != "prismatic" and slides and off_axis(model, joint) > _FAR * model.size:
            return np.inf  # a slide
        turn = likely_turn(model, joint)
        oblique = 2 if turn is None else int(np.linalg.norm(turn) > _OBLIQUE)
        loose = min(_LOOSE * scale, _LITTLE * brought) if _leaves(model, joint) else 0.0
        return scale * (_PRICE[joint.kind] + _ASKEW * oblique) + loose

    return min(solved, key=lambda it: it.cost + price(it.joint))


def _is_screw(model: PartModel, joint: Joint) -> bool:
    return abs(joint.pitch) * np.ptp(joint.values) > _RISE and may_screw(model, joint)


def _leaves(model: PartModel, joint: Joint) -> bool:
    """Whether the child comes off all else as at rest: few things are made so, and what is hidden fits anywhere."""
    tree = cKDTree(model.points[model.labels != joint.child])
    points = model.points[model.labels == joint.child]
    gaps = []
    for value in [0.0, *np.quantile(joint.values, [_OUTER, 1 - _OUTER])]:
        T = joint_motion(joint, value)
        gaps.append(np.quantile(tree.query(points @ T[:3, :3].T + T[:3, 3])[0], _NEXT))
    return max(gaps) - gaps[0] > _GAP * model.size
