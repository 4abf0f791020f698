"""The joint pass: all frames again with the parts on their joints, and the joints moved by what all frames say.

Each frame's quadratic is put on root pose and joint values; these are solved out (Schur complement, as in bundle
adjustment: Triggs et al., 1999), and what is left over of all frames is a small system in the joints' axes and places.
RSRD's joint pass smooths the poses of free parts instead and knows no joints.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from robodistill.config import TrackingConfig
from robodistill.geometry.camera import Camera
from robodistill.progress import Progress, silent
from robodistill.tracking.articulation import Articulation, State
from robodistill.tracking.background import Background
from robodistill.tracking.model import PartModel
from robodistill.tracking.photometric import Picture, Quadratic
from robodistill.tracking.tracker import Follower

_TRIED = 7  # values of a joint where a part is lost
_SEEN = 0.5  # share of a part that the frame must agree with


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
    progress: Progress = silent,
) -> Refined:
    """Solve all frames on the joints, from (T, P, 4, 4) poses that need not fit them."""
    states = [articulation.nearest(Ts) for Ts in Ts_camera_part]
    quadratics: list[Quadratic | None] = [None] * len(frames)
    for k in range(config.joint_rounds):
        follower = Follower(model, config, articulation)
        total = None
        # there and back: what is lost on the way there is found again from the other side
        order = range(len(frames)) if k % 2 == 0 else range(len(frames) - 1, -1, -1)
        for done, t in enumerate(order):
            weight = None if usable is None else usable[t]
            picture = Picture(frames[t].astype(np.float32) / 255, background.rgb, background.known, camera, weight)
            before = order[done - 1] if done else None
            lights = quadratics[t].lights if quadratics[t] else quadratics[before].lights if done else None
            lost = _lost(quadratics[t])
            starts = _starts(articulation, states, t, before) if lost else [states[t]]
            start = follower.best_start(picture, starts, lights)
            states[t], quadratics[t] = follower.solve(picture, start, articulation.poses(start), lights, lost)
            left = _left_over(articulation, states[t], quadratics[t])
            if left is not None:
                total = left if total is None else (total[0] + left[0], total[1] + left[1])
            progress(f"joints, round {k + 1}", done + 1, len(frames))
        if total is None or not len(total[1]):
            covariance = np.zeros((0, 0))
            break
        H = total[0] + np.diag(_prior(articulation))
        covariance = np.linalg.inv(H)
        articulation = articulation.reshaped(-covariance @ total[1])
    return Refined(articulation, states, quadratics, covariance)


def _lost(q: Quadratic | None) -> bool:
    """Nothing is known yet, or a part that should be in sight is not."""
    return q is None or not np.isfinite(q.cost) or bool((q.visible[q.area > 0] < _SEEN).any())


def _starts(articulation: Articulation, states: list[State], t: int, before: int | None) -> list[State]:
    """Where a frame may begin: its own state, its neighbours', and other values of its joints."""
    own = states[t]
    starts = [own]
    for other in (t - 1, t + 1):
        if 0 <= other < len(states):
            starts += [states[other], State(states[other].T_camera_root, own.values, own.loose)]
    root = own if before is None else states[before]
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


def _prior(articulation: Articulation) -> np.ndarray:
    """(shapes,) inverse variances: a step of the joints is believed to 0.1 rad and 1 cm."""
    sizes = {"revolute": [0.1, 0.1, 0.01, 0.01], "prismatic": [0.1, 0.1], "screw": [0.1, 0.1, 0.01, 0.01, 0.002]}
    return np.array([size**-2 for joint in articulation.joints for size in sizes.get(joint.kind, [])])
