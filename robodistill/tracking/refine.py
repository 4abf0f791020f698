"""The joint pass: all frames again with the parts on their joints, and the joints moved by what all frames say.

Lost parts are looked for along their joints (`joint_path.py`), each frame is solved for on them, and all frames
together move the joints and smooth the motion (`bundle.py`). RSRD's joint pass smooths the poses of free parts instead
and knows no joints.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy.ndimage import median_filter

from robodistill.config import TrackingConfig
from robodistill.geometry.camera import Camera
from robodistill.parallel import side_by_side
from robodistill.progress import Progress, silent
from robodistill.tracking.articulation import Articulation, State
from robodistill.tracking.axes import joint_prior
from robodistill.tracking.background import Background
from robodistill.tracking.bundle import Smooth, bundled
from robodistill.tracking.joint_path import sought_values
from robodistill.tracking.model import PartModel
from robodistill.tracking.motion import Joint
from robodistill.tracking.photometric import Quadratic, agreed, misfit
from robodistill.tracking.picture import Picture
from robodistill.tracking.rest import Rest, rest
from robodistill.tracking.tracker import Follower, picture_of

_KNOWN = 0.02  # of the object's size, to which the search for values is believed
_OBJECTION = 0.03  # thousands of pixels by which a frame's own answer must be nearer to be kept
_SEEN = 0.5  # share of a part that the frame must agree with
_WORSE = 1.05  # of the error of the frame before
_CLOSER = 0.1  # of the object's size, by which no frame begins nearer to the camera than it was so far
_PICTURES = 128  # of 3 MB, that are kept from pass to pass
_WINDOW, _JUMP = 7, 0.04  # frames whose median a part is near on its joint, and how near, of the object's size
_NOTHING = 0.1  # share of a part, below which the frame says nothing of it


@dataclass(frozen=True, eq=False)
class Refined:
    """States of all frames, and the joints that they share."""

    articulation: Articulation
    states: list[State]
    quadratics: list[Quadratic]
    shape_covariance: np.ndarray
    """(shapes, shapes) of `Articulation.reshaped`'s numbers."""


def refine(
    model: PartModel,
    frames: Sequence[np.ndarray],
    camera: Camera,
    background: Background,
    Ts_camera_part: np.ndarray,
    seen: Sequence[Quadratic],
    articulation: Articulation,
    config: TrackingConfig,
    film: bool = True,
    progress: Progress = silent,
) -> Refined:
    """Solve all frames on the joints, from (T, P, 4, 4) poses that need not fit them.

    Args:
        seen: What is known of each frame's light and of what is in sight.
        film: The frames follow each other: motion is smooth, and a part that is not seen is looked for at other values
            of its joint and where it is in other frames.
    """
    states = [articulation.nearest(Ts) for Ts in Ts_camera_part]
    reaches = np.array([reach(model, joint) for joint in articulation.joints])

    @lru_cache(_PICTURES)
    def picture(t: int) -> Picture:
        return picture_of(frames[t], camera, background)

    paths = None
    if film:  # a free part that was lost may be turned all around
        states = [_in_range(articulation, state) for state in states]
        held = [int((q.visible * q.area).argmax()) for q in seen]  # what most is seen of is where it is
        states = [articulation.with_part_at(s, p, T[p]) for s, p, T in zip(states, held, Ts_camera_part, strict=True)]
        states, paths = sought_values(model, picture, articulation, states, seen, reaches, config)
    quadratics: list[Quadratic | None] = [None] * len(frames)

    def light_of(t: int) -> np.ndarray:
        return (quadratics[t] or seen[t]).sure_lights

    def distance(state: State) -> float:
        return float(model.posed_points(articulation.poses(state))[:, 2].mean())

    def closer(state: State, *than: State) -> bool:
        # what is drawn larger covers more of an unmasked hand, and fits the better the nearer it comes
        return distance(state) < min(map(distance, than)) - _CLOSER * model.size

    def costs_of(tree: Articulation, states: list[State]) -> list[float]:
        def cost(t: int) -> float:
            return misfit(model, tree.poses(states[t]), picture(t), config.spread, quadratics[t].lights, 0.0)

        return side_by_side(cost, range(len(frames)))

    def rests_of(tree: Articulation, states: list[State]) -> list[Rest]:
        Ts = np.array([tree.poses(state) for state in states])

        def of(t: int) -> Rest:
            where = agreed(model, Ts[t], picture(t), config.spread, light_of(t))
            return rest(model, Ts[t], Ts[t + 1], where, picture(t), picture(t + 1))

        return side_by_side(of, range(len(frames) - 1))

    def settle(follower: Follower, t: int, image: Picture) -> tuple[State, Quadratic]:
        q, light = quadratics[t], light_of(t)
        starts = _near(states, t) if film and (q is None or _lost(q)) else [states[t]]
        starts = [start for start in starts if not closer(start, states[t])]
        start = follower.best_start(image, starts, light)
        return follower.solve(image, start, articulation.poses(start), light, film and q is None)

    for k in range(config.joint_rounds):
        follower = Follower(model, config, articulation)
        if not film:
            settled = side_by_side(lambda t, by=follower: settle(by, t, picture(t)), range(len(frames)))
            states, quadratics = map(list, zip(*settled, strict=True))
        order = range(len(frames)) if k % 2 == 0 else range(len(frames) - 1, -1, -1)
        for done, t in enumerate(order if film else ()):
            image, light = picture(t), light_of(t)
            states[t], quadratics[t] = settle(follower, t, image)
            # what is lost is found again from the side that it is not lost on
            if done and quadratics[t].misfit > _WORSE * quadratics[order[done - 1]].misfit:
                before = states[order[done - 1]]
                other = follower.solve(image, before, articulation.poses(before), light, wide=False)
                if other[1].cost < quadratics[t].cost and not closer(other[0], states[t], before):
                    states[t], quadratics[t] = other
            progress(f"joints, round {k + 1}", done + 1, len(frames))
        smooth = None
        if paths is not None:
            smooth = Smooth(reaches, paths.mean, np.maximum(paths.std, _KNOWN * model.size / reaches))
        solved, prior = states, joint_prior(model, articulation)
        rests = rests_of(articulation, states) if film else ()
        articulation, states, covariance = bundled(articulation, states, quadratics, prior, smooth, rests)
        if film:  # what the others say of a frame holds where its picture does not object
            costs = costs_of(articulation, states), costs_of(articulation, solved)
            states = [
                mine if cost < before + _OBJECTION else own
                for mine, own, cost, before in zip(states, solved, *costs, strict=True)
            ]
    return Refined(articulation, states, quadratics, covariance)


def bridged(refined: Refined, model: PartModel) -> Refined:
    """With the values of joints whose part was hidden or lost, or that jump, between those of the frames before and
    after: hands move smoothly, and what a hinge that is a little off makes of single frames does not."""
    values = np.array([state.values for state in refined.states])
    for k, joint in enumerate(refined.articulation.joints):
        seen = np.array([np.isfinite(q.cost) and q.visible[joint.child] > _NOTHING for q in refined.quadratics])
        if seen.any():
            values[:, k] = np.interp(np.arange(len(seen)), np.flatnonzero(seen), values[seen, k])
        jumps = abs(values[:, k] - median_filter(values[:, k], _WINDOW, mode="nearest"))
        steady = jumps * reach(model, joint) < _JUMP * model.size
        if steady.any():
            values[:, k] = np.interp(np.arange(len(steady)), np.flatnonzero(steady), values[steady, k])
    states = [State(state.T_camera_root, row, state.loose) for state, row in zip(refined.states, values, strict=True)]
    return replace(refined, states=states)


def _in_range(articulation: Articulation, state: State) -> State:
    """With the values of moving joints no further out than their ranges."""
    low, high = np.array([joint.range for joint in articulation.joints]).reshape(-1, 2).T
    return State(state.T_camera_root, np.clip(state.values, low, high), state.loose)


def _lost(q: Quadratic) -> bool:
    """A part that should be in sight is not."""
    return not np.isfinite(q.cost) or bool((q.visible[q.area > 0] < _SEEN).any())


def _near(states: list[State], t: int) -> list[State]:
    """Where a frame may begin: its own state, its neighbours', and these with its own values."""
    own = states[t]
    starts = [own]
    for other in (t - 1, t + 1):
        if 0 <= other < len(states):
            starts += [states[other], State(states[other].T_camera_root, own.values, own.loose)]
    return starts


def reach(model: PartModel, joint: Joint) -> float:
    """Metres that the child's outer points go for a unit of the joint's value; 1 where it has none."""
    if joint.kind not in ("revolute", "screw"):
        return 1.0
    points = model.points[model.labels == joint.child]
    arm = np.linalg.norm(np.cross(points - joint.origin, joint.axis), axis=1)
    return float(np.hypot(np.quantile(arm, 0.9), joint.pitch))
