"""Both arms' key frames made smooth together: pose, limits, smoothness and clearance in one least-squares problem.

RSRD (Kerr et al., CoRL 2024) solves a factor graph of pose, limit, rest and smoothness terms and looks for contact
afterwards; here clearance is a term, and a step that would touch is not taken.
"""

from collections.abc import Callable

import numpy as np
from scipy.sparse import block_diag, diags, eye, kron, vstack
from scipy.sparse.linalg import spsolve
from scipy.spatial.transform import Rotation

from robodistill.robots.robot import Robot

_ROUNDS = 4
_PLACE, _TURN = 400.0, 150.0  # 1/metre, 1/rad: weights of the grasp frames' poses
_BEND, _MOVE = 6.0, 1.0  # of second and first differences of the joints
_STAY = 0.5  # of the change, which keeps the linearisation true
_INSIDE = 20.0  # of what goes nearer to a limit than `_ROOM`
_ROOM = 0.06  # rad
_AWAY = 60.0  # 1/metre: of clearance below `ENOUGH`
ENOUGH = 0.008
"""Metres of clearance from which more is no better."""
_DELTA = 1e-4  # rad, of numeric derivatives


def smoothed(
    robot: Robot,
    targets: dict[str, np.ndarray],
    start: np.ndarray,
    clearance: Callable[[int, np.ndarray], float],
    pull: Callable[[str, np.ndarray], np.ndarray | None],
) -> np.ndarray:
    """Smooth key frames.

    Args:
        targets: (K, 4, 4) Ts_world_grasp by arm; the joints of other arms stay.
        start: (K, J) configurations free of contact.
        clearance: Metres at a key frame in a configuration (J,).
        pull: The arm's path (K, J_arm) brought exactly onto its targets; None where that fails.

    Returns:
        (K, J), as free of contact as the start.
    """
    best, count, joints = start, *start.shape
    columns = np.concatenate([np.arange(joints)[robot.arms[arm].columns] for arm in targets])
    limits = robot.limits[columns]
    width = len(columns)
    first = diags([-1.0, 1.0], [0, 1], shape=(count - 1, count))
    second = diags([1.0, -2.0, 1.0], [0, 1, 2], shape=(count - 2, count))
    unit = eye(width)
    gaps = np.array([clearance(k, q) for k, q in enumerate(best)])
    for _ in range(_ROUNDS):
        q = best[:, columns]
        A = [kron(_BEND * second, unit), kron(_MOVE * first, unit), _STAY * eye(count * width)]
        b = [-_BEND * (second @ q).ravel(), -_MOVE * (first @ q).ravel(), np.zeros(count * width)]
        for arm, Ts in targets.items():
            own = np.flatnonzero(np.isin(columns, np.arange(joints)[robot.arms[arm].columns]))
            J, e = _linearised(robot, arm, q[:, own], Ts)
            wide = np.zeros((count, 6, width))
            wide[:, :, own] = J
            A.append(block_diag(list(wide)))
            b.append(-e.ravel())
        over = np.maximum(limits[:, 0] + _ROOM - q, 0) - np.maximum(q - limits[:, 1] + _ROOM, 0)
        A.append(_INSIDE * diags((over != 0).astype(float).ravel()))
        b.append(_INSIDE * over.ravel())
        near = np.flatnonzero(gaps < ENOUGH)
        if len(near):
            slopes = np.zeros((len(near), count, width))
            for n, k in enumerate(near):
                slopes[n, k] = _slope(clearance, k, best[k], columns, gaps[k])
            A.append(_AWAY * slopes.reshape(len(near), -1))
            b.append(_AWAY * (ENOUGH - gaps[near]))
        A, b = vstack(A).tocsc(), np.concatenate(b)
        step = spsolve((A.T @ A).tocsc(), A.T @ b).reshape(count, width)
        step *= min(1.0, 0.3 / max(np.abs(step).max(), 1e-9))
        for share in (1.0, 0.4):
            tried = _pulled(robot, targets, best, columns, q + share * step, pull)
            if tried is None:
                continue
            found = np.array([clearance(k, row) for k, row in enumerate(tried)])
            if found.min() > min(gaps.min(), ENOUGH) * 0.9 and _rough(tried) < _rough(best) + 20 * _gain(found, gaps):
                best, gaps = tried, found
                break
        else:
            break
    return best


def _gain(found: np.ndarray, gaps: np.ndarray) -> float:
    """Metres of clearance below what is enough that were won, over all key frames."""
    return float((np.minimum(found, ENOUGH) - np.minimum(gaps, ENOUGH)).sum())


def _rough(q: np.ndarray) -> float:
    return float(_BEND**2 * (np.diff(q, 2, axis=0) ** 2).sum() + _MOVE**2 * (np.diff(q, axis=0) ** 2).sum())


def _pulled(
    robot: Robot, targets: dict, best: np.ndarray, columns: np.ndarray, values: np.ndarray, pull: Callable
) -> np.ndarray | None:
    tried = best.copy()
    tried[:, columns] = values
    for arm in targets:
        own = robot.arms[arm].columns
        exact = pull(arm, tried[:, own])
        if exact is None:
            return None
        tried[:, own] = exact
    return tried


def _linearised(robot: Robot, arm: str, q: np.ndarray, Ts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(K, 6, J) slopes and (K, 6) weighted errors of the grasp frame's place and rotation vector."""
    steps = np.concatenate([np.zeros((1, q.shape[1])), _DELTA * np.eye(q.shape[1])])
    errors = _error(robot.tool_poses(arm, q + steps[:, None]), Ts)  # (1 + J, K, 6)
    return ((errors[1:] - errors[0]) / _DELTA).transpose(1, 2, 0), errors[0]


def _error(found: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    turn = found[..., :3, :3] @ wanted[:, :3, :3].mT
    rotvec = Rotation.from_matrix(turn.reshape(-1, 3, 3)).as_rotvec().reshape(*turn.shape[:-2], 3)
    return np.concatenate([_PLACE * (found[..., :3, 3] - wanted[:, :3, 3]), _TURN * rotvec], -1)


def _slope(clearance: Callable, k: int, q: np.ndarray, columns: np.ndarray, gap: float) -> np.ndarray:
    """(width,) change of the clearance with each joint, numerically."""
    found = np.zeros(len(columns))
    for n, column in enumerate(columns):
        moved = q.copy()
        moved[column] += 2e-3
        found[n] = (clearance(k, moved) - gap) / 2e-3
    return found
