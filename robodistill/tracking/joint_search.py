"""The joint between two parts, judged by what the pictures are sure of instead of by the poses alone.

A free part's pose is well known along some directions and hardly along others: a plain bar's turn about its length, a
small part's distance. Each frame's quadratic says which. So a joint is scored by how little the pictures object to its
parts being on it; the search starts from the fit to the poses (`joints.py`) and from the parts' own axes at the place
where they touch, and moves the joint by Gauss-Newton with all frames' states solved out, as `refine` does.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from robodistill.tracking.articulation import Articulation, State
from robodistill.tracking.model import PartModel
from robodistill.tracking.motion import Joint, JointKind
from robodistill.tracking.photometric import Quadratic

_FRAMES = 24  # that are asked
_CAP = 200.0  # a frame's objection that counts half
_TRIALS, _STEPS = 2, 6  # Gauss-Newton steps of all starts, and of the best few
_BEST = 3
_SCREW = 0.75  # of a hinge's objections are left to a screw, at most
_RISE = 0.004  # metres along its axis that make a turn a screw
_SLIDE = 1.1  # of a hinge's objections a slide may have: it is the simpler joint
_AS_ONE, _LITTLE = 1.0, 0.5  # of a joint's objections that one part may have, and some more
_TOUCH = 0.03  # of the object's size between parts that may be one
_LEAST = 0.006  # metres; what moves less does not


@dataclass(frozen=True, eq=False)
class _Frame:
    Ts: np.ndarray
    H: np.ndarray
    g: np.ndarray


def search_joint(model: PartModel, Ts_part: np.ndarray, quadratics: list[Quadratic], fitted: Joint) -> Joint:
    """The joint between the parts that `fitted` joins.

    Args:
        Ts_part: (T, P, 4, 4) poses of free parts.
        quadratics: Of each frame about these poses.
        fitted: The best joint for the poses alone; one place where the search begins.
    """
    a, b = fitted.parent, fitted.child
    frames = _frames(Ts_part, quadratics, a, b)
    if len(frames) < 8:
        return fitted
    centers = model.centers[[a, b]]
    starts = [replace(joint, parent=0, child=1) for joint in _starts(model, fitted)]
    tried = [_descend(Articulation((joint,), centers), frames, _TRIALS) for joint in starts]
    tried.sort(key=lambda found: found[1])
    best: dict[JointKind, tuple[Joint, float]] = {}
    for joint, _ in tried[: 2 * _BEST]:
        if sum(kind == joint.kind for kind in best) < _BEST:
            found = _descend(Articulation((joint,), centers), frames, _STEPS)
            if joint.kind not in best or found[1] < best[joint.kind][1]:
                best[joint.kind] = found
    hinge, slide = best.get("revolute"), best.get("prismatic")
    chosen, cost = slide if hinge is None or (slide is not None and slide[1] < _SLIDE * hinge[1]) else hinge
    if chosen.kind == "revolute":
        screw = _descend(Articulation((replace(chosen, kind="screw"),), centers), frames, _STEPS)
        if screw[1] < _SCREW * cost and abs(screw[0].pitch) * np.ptp(screw[0].values) > _RISE:
            chosen = screw[0]
    values = Articulation((chosen,), centers)
    every = np.array([values.nearest(Ts[[a, b]]).values[0] for Ts in Ts_part])
    if _travel(model.points[model.labels == b], chosen) < _LEAST:
        return replace(chosen, kind="fixed", axis=np.zeros(3), pitch=0.0, values=0 * every, parent=a, child=b)
    low, high = np.quantile(chosen.values, [0.03, 0.97])
    return replace(chosen, parent=a, child=b, values=every, range=(float(min(low, 0)), float(max(high, 0))))


def moves_with(model: PartModel, Ts_part: np.ndarray, quadratics: list[Quadratic], joints: tuple[Joint, ...]) -> list:
    """Pairs (a, b) that touch and to whose being one part the pictures object hardly more than to b's joint."""
    found = []
    for joint in joints:
        b = joint.child
        own = _frames(Ts_part, quadratics, joint.parent, b)
        if len(own) < 8 or joint.kind == "fixed":
            continue
        on_joint = _objection(model, own, joint)
        for a, c, _ in model.contacts(_TOUCH * model.size):
            if b in (a, c):
                other = c if a == b else a
                rigid = replace(joint, kind="fixed", parent=other, child=b)
                if _objection(model, _frames(Ts_part, quadratics, other, b), rigid) < _AS_ONE * on_joint + _LITTLE:
                    found.append((other, b))
    return found


def _objection(model: PartModel, frames: list[_Frame], joint: Joint) -> float:
    """Mean robust objection of the frames to a joint."""
    tree = Articulation((replace(joint, parent=0, child=1),), model.centers[[joint.parent, joint.child]])
    costs = np.array([_settle(tree, frame, tree.nearest(frame.Ts))[1] for frame in frames])
    return float(np.mean(costs / (1 + costs / _CAP))) if len(costs) else np.inf


def _frames(Ts_part: np.ndarray, quadratics: list[Quadratic], a: int, b: int) -> list[_Frame]:
    rows = np.r_[6 * a : 6 * a + 6, 6 * b : 6 * b + 6]
    seen = [t for t, q in enumerate(quadratics) if np.isfinite(q.cost) and q.visible[[a, b]].min() > 0.4]
    chosen = [seen[k] for k in np.linspace(0, len(seen) - 1, min(_FRAMES, len(seen))).astype(int)] if seen else []
    return [_Frame(Ts_part[t][[a, b]], quadratics[t].H[np.ix_(rows, rows)], quadratics[t].g[rows]) for t in chosen]


def _starts(model: PartModel, fitted: Joint) -> list[Joint]:
    """The fit to the poses, and hinges and slides along both parts' axes, hinges through where they touch."""
    of_a, of_b = (model.points[model.labels == p] for p in (fitted.parent, fitted.child))
    distance, nearest = cKDTree(of_a).query(of_b)
    touching = np.argsort(distance)[: max(10, len(of_b) // 20)]
    place = (of_b[touching] + of_a[nearest[touching]]).mean(0) / 2
    axes = np.concatenate([np.linalg.svd(p - p.mean(0), full_matrices=False)[2] for p in (of_a, of_b)])
    blank = replace(fitted, pitch=0.0)
    found = [fitted] if fitted.kind in ("revolute", "prismatic") else []
    if fitted.kind == "screw":
        found.append(replace(blank, kind="revolute"))
    for axis in axes:
        found.append(replace(blank, kind="revolute", axis=axis, origin=place))
        found.append(replace(blank, kind="prismatic", axis=axis, origin=of_b.mean(0)))
    return found


def _descend(tree: Articulation, frames: list[_Frame], steps: int) -> tuple[Joint, float]:
    """The joint, with the values of the frames that it fits, and the mean robust objection to it."""
    states = [tree.nearest(frame.Ts) for frame in frames]
    total = np.inf
    for k in range(steps + 1):
        costs, H, g = [], 0.0, 0.0
        for t, frame in enumerate(frames):
            states[t], cost = _settle(tree, frame, states[t])
            costs.append(cost)
            J, S = tree.jacobian(states[t]), tree.shape_jacobian(states[t])
            slope = frame.g + frame.H @ _offset(tree, frame, states[t])
            own = J.T @ frame.H @ J + 1e-3 * np.eye(7)
            cross = J.T @ frame.H @ S
            solved = np.linalg.solve(own, np.column_stack([cross, J.T @ slope]))
            weight = 1 / (1 + cost / _CAP) ** 2
            H = H + weight * (S.T @ frame.H @ S - cross.T @ solved[:, :-1])
            g = g + weight * (S.T @ slope - cross.T @ solved[:, -1])
        total = float(np.mean([cost / (1 + cost / _CAP) for cost in costs]))
        if k < steps:
            sizes = np.array([0.2, 0.2, 0.01, 0.01, 0.003])[: len(g)]
            step = -np.linalg.solve(H + np.diag(sizes**-2.0), g)
            tree = tree.reshaped(step / max(1.0, np.abs(step / (2 * sizes)).max()))
    # frames that cannot be on the joint were lost: they tell nothing of its range
    kept = [state.values[0] for state, cost in zip(states, costs, strict=True) if cost <= max(_CAP, np.median(costs))]
    return replace(tree.joints[0], values=np.array(kept)), total


def _settle(tree: Articulation, frame: _Frame, state: State) -> tuple[State, float]:
    """The state that the frame objects to least, near a given one, and how much it still does."""
    for _ in range(2):
        J = tree.jacobian(state)
        slope = frame.g + frame.H @ _offset(tree, frame, state)
        step = -np.linalg.solve(J.T @ frame.H @ J + 1e-3 * np.eye(J.shape[1]), J.T @ slope)
        limits = np.array([0.02] * 3 + [0.3] * (J.shape[1] - 3))
        state = tree.moved(state, step / max(1.0, np.abs(step / limits).max()))
    x = _offset(tree, frame, state)
    least = 0.5 * frame.g @ np.linalg.lstsq(frame.H + 1e-3 * np.eye(12), frame.g, rcond=None)[0]
    return state, max(0.0, float(frame.g @ x + 0.5 * x @ frame.H @ x + least))


def _offset(tree: Articulation, frame: _Frame, state: State) -> np.ndarray:
    """(12,) twists from the free poses to those on the joint, as `articulation.moved_parts` applies them."""
    Ts = tree.poses(state)
    shift = np.einsum("pij,pj->pi", (Ts - frame.Ts)[:, :3, :3], tree.centers) + (Ts - frame.Ts)[:, :3, 3]
    turn = Rotation.from_matrix(Ts[:, :3, :3] @ frame.Ts[:, :3, :3].transpose(0, 2, 1)).as_rotvec()
    return np.concatenate([shift, turn], 1).ravel()


def _travel(points: np.ndarray, joint: Joint) -> float:
    """How far the child's points go, without the outermost values, metres."""
    span = float(np.ptp(np.quantile(joint.values, [0.03, 0.97])))
    if joint.kind == "prismatic":
        return span
    arm = np.linalg.norm(np.cross(points - joint.origin, joint.axis), axis=1)
    return span * float(np.hypot(np.quantile(arm, 0.9), joint.pitch))
