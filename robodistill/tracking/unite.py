"""Parts that a followed film has shown to move together are one part."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from robodistill.tracking.motion import PartMotion

_TOUCH = 0.03  # of the object's size between parts that may be one
_SEEN = 0.3  # share of both parts in the frames that tell
_MOST = 0.9  # of these frames in which they are where they would be as one


def merged(labels: np.ndarray, one: Sequence[tuple[int, int]], parts: int) -> np.ndarray | None:
    """(N,) labels with each pair of parts made one; None where there is no pair."""
    if not one:
        return None
    a, b = np.array(one).T
    numbers = connected_components(coo_matrix((np.ones(len(a)), (a, b)), shape=(parts, parts)), directed=False)[1]
    return np.where(labels >= 0, numbers[np.maximum(labels, 0)], -1)


def united(motion: PartMotion, points: np.ndarray, apart: float, size: float) -> PartMotion:
    """The motion with fewer parts, each moved as the largest of those that it is made of.

    Args:
        points: (N, 3) of `motion.labels`, at rest.
        apart: Metres that points of one part may be from where another's motion takes them, on average.
        size: Of the object, metres.
    """
    count = len(motion.parts)
    own = [points[motion.labels == p] for p in range(count)]
    one = np.eye(count, dtype=bool)
    for b in range(count):
        for a in range(b):
            if cKDTree(own[a]).query(own[b])[0].min() < _TOUCH * size:
                one[a, b] = _distance(motion, own, a, b) < apart
    groups = connected_components(one, directed=False)[1]
    if groups.max() + 1 == count:
        return motion
    sizes = np.array([len(it) for it in own])
    # numbered by their first members, so that names keep their order
    first = np.unique(groups, return_index=True)[1]
    order = groups[np.sort(first)]
    number = np.argsort(order)[groups]
    kept = np.array([max(np.flatnonzero(groups == g), key=lambda p: sizes[p]) for g in order])
    joints = []
    for joint in motion.joints:
        parent, child = number[joint.parent], number[joint.child]
        # of several joints from the outside that of the largest member; none to the group that the root is in
        entering = [k.child for k in motion.joints if number[k.child] == child and number[k.parent] != child]
        entering = [p for p in entering if number[motion.root] != child]
        if parent != child and entering and joint.child == max(entering, key=lambda p: sizes[p]):
            joints.append(replace(joint, parent=int(parent), child=int(child)))
    return replace(
        motion,
        parts=tuple(motion.parts[p] for p in kept),
        Ts_camera_part=motion.Ts_camera_part[:, kept],
        confidence=motion.confidence[:, kept],
        visible=motion.visible[:, kept],
        held=np.stack([motion.held[:, groups == g].any(1) for g in order], 1),
        joints=tuple(joints),
        labels=np.where(motion.labels >= 0, number[np.maximum(motion.labels, 0)], -1).astype(np.int32),
    )


def distances(points: np.ndarray, Ts: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(T,) mean distance of points (N, 3) at poses (T, 4, 4) from where others take them."""
    off = (Ts - others)[:, :3]
    moved = np.einsum("tij,nj->tni", off[..., :3], points) + off[:, None, :, 3]
    return np.linalg.norm(moved, axis=2).mean(1)


def _distance(motion: PartMotion, own: list[np.ndarray], a: int, b: int) -> float:
    """Metres that the smaller part's points are from where the larger's motion takes them, in most frames."""
    small, large = (a, b) if len(own[a]) < len(own[b]) else (b, a)
    told = (motion.visible[:, [a, b]] > _SEEN).all(1)
    Ts = motion.Ts_camera_part[told]
    if not len(Ts):
        return np.inf
    return float(np.quantile(distances(own[small], Ts[:, small], Ts[:, large]), _MOST))
