"""The joint between two parts, tried: kinds, axes and places are drawn in some frames and compared with the pictures.

Poses of free parts are where a joint is looked for first (`joints.py`, `joint_search.py`); where a part was lost they
mislead. But a joint leaves its child one freedom, and one freedom can be searched through its whole range in each
frame. So all likely joints are, in small; the best are solved for in full, as `refine` does, and the one whose pictures
are nearest is taken.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from robodistill.config import TrackingConfig
from robodistill.geometry.camera import Camera
from robodistill.tracking.articulation import Articulation, joint_motion
from robodistill.tracking.look import Look
from robodistill.tracking.model import PartModel
from robodistill.tracking.motion import Joint
from robodistill.tracking.refine import refine, to_box
from robodistill.tracking.tracker import Followed, picture_of

_FRAMES = 12  # that are asked
_SEEN = 0.4  # of the parent, in them
_TURNS = np.arange(-1.75, 1.76, 0.25)  # rad
_FURTHER = np.array([*np.arange(-3.0, -1.9, 0.25), *np.arange(2.0, 3.1, 0.25)])  # of what turns in place, as lids do
_IN_PLACE = 0.4  # of the radius of a part, from its middle to the axis
_SLIDES = np.arange(-0.42, 0.43, 0.06)  # of the object's size
_EACH, _MORE = 3, 8  # every third frame is asked of all joints, the others of the best few
_BEST = 3  # that are solved for
_MOVES = 0.005  # of a thousand pixels of half size that a frame must gain, on the mean, by a part's not being fixed
_HINGE, _SCREW = 0.03, 0.01  # of the cost that a hinge must gain over a slide, and a screw over a hinge
_RANK = {"prismatic": 0.0, "revolute": _HINGE, "screw": _SCREW}
_RISE = 0.004  # metres along its axis that make a turn a screw
_TOUCH = 0.02  # of the object's size between parts that touch
_WIDE = 0.2  # of the object's size: of what touches over more, a hinge may be at an edge
_FAR = 1.5  # of the object's size from a part at which a hinge is a slide


def try_joints(
    model: PartModel,
    frames: Sequence[np.ndarray],
    camera: Camera,
    followed: Followed,
    found: Joint,
    config: TrackingConfig,
) -> Joint:
    """The likeliest joint between two parts, its values those of the frames that were asked.

    Args:
        frames: (H, W, 3) uint8, all that were followed.
        followed: The free parts' way.
        found: A joint between the two, to begin with. A fixed one stays if the pictures are nearer with no other.
    """
    chosen = _frames(followed, found.parent)
    looks = [_look(model, frames[t], camera, followed, int(t), config) for t in chosen]
    chosen, looks = chosen[[look is not None for look in looks]], [look for look in looks if look is not None]
    if not looks:
        return found
    first, rest = looks[::_EACH], [look for k, look in enumerate(looks) if k % _EACH]
    known = [found] if found.kind in _RANK else []
    tried = [(joint, _values(model, joint)) for joint in known + _likely(model, found)]
    costs = [_costs(first, joint, values) for joint, values in tried]
    best = np.argsort([cost.min(1).mean() for cost in costs])[:_MORE]
    for k in best:
        every = np.zeros((len(looks), len(tried[k][1])))
        every[::_EACH] = costs[k]
        every[np.arange(len(looks)) % _EACH > 0] = _costs(rest, *tried[k])
        costs[k] = every
    best = sorted(best, key=lambda k: costs[k].min(1).mean())[:_BEST]
    if not known and (_costs(looks, tried[best[0]][0], np.zeros(1)).mean() - costs[best[0]].min(1).mean()) < _MOVES:
        return found
    starts = [replace(tried[k][0], values=tried[k][1][costs[k].argmin(1)]) for k in best]
    solved = [_solved(model, frames, camera, followed, chosen, joint, config) for joint in starts]
    best = _chosen(model, solved)
    if best.kind == "revolute":
        screw = _solved(model, frames, camera, followed, chosen, replace(best, kind="screw"), config)
        best = _chosen(model, [*solved, screw])
    turn = to_box(model, best)
    return best if turn is None else replace(best, axis=Rotation.from_rotvec(turn).as_matrix() @ best.axis)


def _look(
    model: PartModel, image: np.ndarray, camera: Camera, followed: Followed, t: int, config: TrackingConfig
) -> Look | None:
    picture = picture_of(image, camera, followed.background)
    return Look.at(model, picture, followed.Ts_camera_part[t], followed.quadratics[t], config)


def _values(model: PartModel, joint: Joint) -> np.ndarray:
    """Those that are tried."""
    if joint.kind == "prismatic":
        return _SLIDES * model.size
    in_place = _distance(model, joint) < _IN_PLACE * model.radii[joint.child]
    return np.concatenate([_TURNS, _FURTHER]) if in_place else _TURNS


def _costs(looks: list[Look], joint: Joint, values: np.ndarray) -> np.ndarray:
    """(looks, values)."""
    costs = np.zeros((len(looks), len(values)))
    for k, look in enumerate(looks):
        for j, value in enumerate(values):
            Ts = look.Ts.copy()
            Ts[joint.child] = Ts[joint.parent] @ joint_motion(joint, value)
            costs[k, j] = look.cost(Ts, [joint.child])
    return costs


def _frames(followed: Followed, parent: int) -> np.ndarray:
    seen = np.array([q.visible[parent] if np.isfinite(q.cost) else 0 for q in followed.quadratics])
    good = np.flatnonzero(seen >= min(_SEEN, np.median(seen)))
    return good[np.linspace(0, len(good) - 1, min(_FRAMES, len(good))).astype(int)]


def _likely(model: PartModel, found: Joint) -> list[Joint]:
    """Hinges and slides along the axes of both parts' tightest boxes; hinges through the middle and the edges of where
    the parts touch."""
    of_a, of_b = (model.points[model.labels == p] for p in (found.parent, found.child))
    distance, nearest = cKDTree(of_a).query(of_b)
    touching = np.argsort(distance)[: max(10, len(of_b) // 20)]
    touching = np.union1d(touching, np.flatnonzero(distance < _TOUCH * model.size))
    places = (of_b[touching] + of_a[nearest[touching]]) / 2
    distinct: list[np.ndarray] = []
    for axis in model.axes[[found.parent, found.child]].reshape(-1, 3):
        if all(abs(axis @ other) < 0.97 for other in distinct):
            distinct.append(axis)
    blank, middle = replace(found, pitch=0.0), places.mean(0)
    likely = [replace(blank, kind="prismatic", axis=axis, origin=of_b.mean(0)) for axis in distinct]
    for axis in distinct:
        origins = [middle]
        for across in distinct:
            ends = np.quantile(places @ across, [0.02, 0.98])
            if abs(across @ axis) < 0.3 and np.ptp(ends) > _WIDE * model.size:
                origins += [middle + across * (end - middle @ across) for end in ends]
        likely += [replace(blank, kind="revolute", axis=axis, origin=origin) for origin in origins]
    return likely


def _solved(
    model: PartModel,
    frames: Sequence[np.ndarray],
    camera: Camera,
    followed: Followed,
    chosen: np.ndarray,
    joint: Joint,
    config: TrackingConfig,
) -> tuple[Joint, float]:
    """A joint moved to where the pictures are nearest, its values, and their mean cost; other parts stay in place."""
    Ts = followed.Ts_camera_part[chosen].copy()
    for T, value in zip(Ts, joint.values, strict=True):
        T[joint.child] = T[joint.parent] @ joint_motion(joint, value)
    others = [p for p in range(model.parts) if p not in (joint.parent, joint.child)]
    blank = replace(joint, kind="free", pitch=0.0, values=np.zeros(0))
    joints = (joint, *(replace(blank, child=p) for p in others))
    lean = replace(config, wide_steps=1, fine_steps=2)
    tree = Articulation(joints, model.centers)
    some, seen = [frames[t] for t in chosen], [followed.quadratics[t] for t in chosen]
    found = refine(model, some, camera, followed.background, Ts, seen, tree, lean, film=False)
    values = np.array([state.values[0] for state in found.states])
    cost = float(np.mean([q.cost if np.isfinite(q.cost) else 0.0 for q in found.quadratics]))
    return replace(found.articulation.joints[0], values=values), cost


def _chosen(model: PartModel, solved: list[tuple[Joint, float]]) -> Joint:
    """The nearest, unless a simpler one is about as near; costs are negative."""
    best, at = None, np.inf
    for kind, gain in _RANK.items():
        more = gain * abs(at) if best is not None else 0.0
        for joint, cost in sorted(solved, key=lambda one: one[1]):
            if joint.kind != kind or cost >= at - more:
                continue
            if kind == "revolute" and best is not None and _distance(model, joint) > _FAR * model.size:
                continue
            if kind == "screw" and best is not None and abs(joint.pitch) * np.ptp(joint.values) < _RISE:
                continue
            best, at = joint, cost
            break
    return best


def _distance(model: PartModel, joint: Joint) -> float:
    return float(np.linalg.norm(np.cross(model.centers[joint.child] - joint.origin, joint.axis)))
