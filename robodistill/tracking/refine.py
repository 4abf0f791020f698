"""The joint pass: all frames again with the parts on their joints, and the joints moved by what all frames say.

Each frame's quadratic is put on root pose and joint values; these are solved out (Schur complement, as in bundle
adjustment: Triggs et al., 1999), and what is left over of all frames is a small system in the joints' axes and places.
RSRD's joint pass smooths the poses of free parts instead and knows no joints.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from robodistill.config import TrackingConfig
from robodistill.geometry.camera import Camera
from robodistill.progress import Progress, silent
from robodistill.tracking.articulation import Articulation, State, across
from robodistill.tracking.background import Background
from robodistill.tracking.model import PartModel
from robodistill.tracking.motion import Joint
from robodistill.tracking.photometric import Picture, Quadratic
from robodistill.tracking.tracker import Follower

_TRIED = 9  # values of a joint where a part is lost
_ALIKE = 30.0  # frames that err together
_BOX_REACH, _BOX_STD = np.radians(15), np.radians(1)  # from a box's edge, within which and to which axes lie along it
_ELSEWHERE = 0.04  # of the object's size between two answers
_SEEN = 0.5  # share of a part that the frame must agree with
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
    articulation: Articulation,
    config: TrackingConfig,
    usable: Sequence[np.ndarray] | None = None,
    search: bool = True,
    progress: Progress = silent,
) -> Refined:
    """Solve all frames on the joints, from (T, P, 4, 4) poses that need not fit them.

    Args:
        search: Where a part is not seen, look for it at other values of its joint and where it is in other frames.
    """
    states = [articulation.nearest(Ts) for Ts in Ts_camera_part]
    if search:  # a free part that was lost may be turned all around
        states = [_in_range(articulation, state) for state in states]
    quadratics: list[Quadratic | None] = [None] * len(frames)
    for k in range(config.joint_rounds):
        follower = Follower(model, config, articulation)
        total = None
        # there and back: what is lost on the way there is found again from the other side
        order = range(len(frames)) if k % 2 == 0 else range(len(frames) - 1, -1, -1)
        for done, t in enumerate(order):
            weight = None if usable is None else usable[t]
            rgb = frames[t].astype(np.float32) / 255
            picture = Picture(rgb, background.under(rgb), background.known, camera, weight)
            before = order[done - 1] if done else None
            lights = quadratics[t].lights if quadratics[t] else quadratics[before].lights if done else None
            new = quadratics[t] is None
            root = states[t if before is None else before]
            starts = _near(states, t) if search and (new or _lost(quadratics[t])) else [states[t]]
            starts += _elsewhere(articulation, root) if search and new else []
            start = follower.best_start(picture, starts, lights)
            found = follower.solve(picture, start, articulation.poses(start), lights, new)
            if search and _apart(model, articulation, found[0], root) > _ELSEWHERE * model.size:
                # a pattern looks alike one period further: what goes on from the last frame is solved for, too
                other = follower.solve(picture, root, articulation.poses(root), lights)
                found = min(found, other, key=lambda one: one[1].cost)
            states[t], quadratics[t] = found
            if search and _lost(quadratics[t]):
                start = follower.best_start(picture, _elsewhere(articulation, root), lights)
                found = follower.solve(picture, start, articulation.poses(start), lights)
                if found[1].cost < quadratics[t].cost:
                    states[t], quadratics[t] = found
            left = _left_over(articulation, states[t], quadratics[t])
            if left is not None:
                total = left if total is None else (total[0] + left[0], total[1] + left[1])
            progress(f"joints, round {k + 1}", done + 1, len(frames))
        if total is None or not len(total[1]):
            covariance = np.zeros((0, 0))
            break
        prior = _prior(model, articulation)
        covariance = np.linalg.inv(total[0] / _ALIKE + prior[0])
        articulation = articulation.reshaped(-covariance @ (total[1] / _ALIKE + prior[1]))
    return Refined(articulation, states, quadratics, covariance)


def bridged(refined: Refined) -> Refined:
    """With the values of joints whose part was hidden or lost between those of the frames before and after."""
    values = np.array([state.values for state in refined.states])
    for k, joint in enumerate(refined.articulation.joints):
        seen = np.array([np.isfinite(q.cost) and q.visible[joint.child] > _NOTHING for q in refined.quadratics])
        if seen.any():
            values[:, k] = np.interp(np.arange(len(seen)), np.flatnonzero(seen), values[seen, k])
    states = [State(state.T_camera_root, row, state.loose) for state, row in zip(refined.states, values, strict=True)]
    return replace(refined, states=states)


def _in_range(articulation: Articulation, state: State) -> State:
    """With the values of moving joints no further out than their ranges."""
    low, high = np.array([joint.range for joint in articulation.joints]).reshape(-1, 2).T
    return State(state.T_camera_root, np.clip(state.values, low, high), state.loose)


def _lost(q: Quadratic) -> bool:
    """A part that should be in sight is not."""
    return not np.isfinite(q.cost) or bool((q.visible[q.area > 0] < _SEEN).any())


def _apart(model: PartModel, articulation: Articulation, a: State, b: State) -> float:
    """How far the points of the part that differs most are apart, metres."""
    apart = np.linalg.norm(
        model.posed_points(articulation.poses(a)) - model.posed_points(articulation.poses(b)), axis=1
    )
    return max(float(apart[model.labels == p].mean()) for p in range(model.parts))


def _near(states: list[State], t: int) -> list[State]:
    """Where a frame may begin: its own state, its neighbours', and these with its own values."""
    own = states[t]
    starts = [own]
    for other in (t - 1, t + 1):
        if 0 <= other < len(states):
            starts += [states[other], State(states[other].T_camera_root, own.values, own.loose)]
    return starts


def _elsewhere(articulation: Articulation, root: State) -> list[State]:
    """The same root with other values of its joints."""
    starts = [root]
    for k, joint in enumerate(articulation.joints):
        if joint.kind in ("revolute", "prismatic", "screw"):
            for value in np.linspace(*joint.range, _TRIED):
                values = root.values.copy()
                values[k] = value
                starts.append(State(root.T_camera_root, values, root.loose))
    return starts


def _left_over(articulation: Articulation, state: State, q: Quadratic) -> tuple[np.ndarray, np.ndarray] | None:
    """What a frame says of the joints' shapes once its own pose and values are free to follow; None if it is unsure."""
    if not np.isfinite(q.cost) or (q.visible < _SEEN).any():
        return None
    J, S = articulation.jacobian(state), articulation.shape_jacobian(state)
    own = J.T @ q.H @ J + 1e-6 * np.eye(J.shape[1])
    cross = J.T @ q.H @ S
    solved = np.linalg.solve(own, np.column_stack([cross, J.T @ q.g]))
    return S.T @ q.H @ S - cross.T @ solved[:, :-1], S.T @ q.g - cross.T @ solved[:, -1]


def to_box(model: PartModel, joint: Joint) -> np.ndarray | None:
    """(3,) turn from a joint's axis to the nearest edge of its parent's box, else of its child's; None if far off."""
    if joint.kind not in ("revolute", "prismatic", "screw"):
        return None
    for part in (joint.parent, joint.child):
        edges = model.axes[part] * np.sign(model.axes[part] @ joint.axis)[:, None]
        turn = np.cross(joint.axis, edges[(edges @ joint.axis).argmax()])
        if np.linalg.norm(turn) < np.sin(_BOX_REACH):
            return turn
    return None


def _prior(model: PartModel, articulation: Articulation) -> tuple[np.ndarray, np.ndarray]:
    """H (shapes, shapes) and g (shapes,): a step is believed to 0.1 rad and 1 cm, and axes lie along boxes' edges.

    Things are made so that what turns or slides does it along an edge of what it turns or slides on; where pictures are
    sure of another axis they outweigh that.
    """
    sizes = {"revolute": [0.1, 0.1, 0.01, 0.01], "prismatic": [0.1, 0.1], "screw": [0.1, 0.1, 0.01, 0.01, 0.002]}
    diagonal, g = [], []
    for joint in articulation.joints:
        own = np.array(sizes.get(joint.kind, [])) ** -2.0
        slope, turn = np.zeros(len(own)), to_box(model, joint)
        if turn is not None:
            own[:2] += _BOX_STD**-2
            slope[:2] = -(across(joint.axis) @ turn) * _BOX_STD**-2
        diagonal.append(own)
        g.append(slope)
    return np.diag(np.concatenate(diagonal)), np.concatenate(g)
