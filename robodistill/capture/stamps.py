"""Matching of recordings by time: nearest partner, and poses in between."""

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from robodistill.errors import BadPose


def nearest(stamps: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(N,) index into sorted, not empty (M,) `others` of what is nearest to each of (N,) `stamps`."""
    right = np.clip(np.searchsorted(others, stamps), 1, max(len(others) - 1, 1))
    left = right - 1
    right = np.minimum(right, len(others) - 1)
    return np.where(stamps - others[left] <= others[right] - stamps, left, right)


def associate(stamps: np.ndarray, others: np.ndarray, tolerance: float) -> np.ndarray:
    """(N,) partner among (M,) sorted `others` of each of (N,) sorted `stamps`, -1 where none is within `tolerance`.

    Each partner is given away once, to whom it is nearest.
    """
    partner = np.full(len(stamps), -1)
    if not len(others):
        return partner
    candidate = nearest(stamps, others)
    gap = np.abs(others[candidate] - stamps)
    for i in np.argsort(gap, kind="stable"):
        if gap[i] <= tolerance and candidate[i] not in partner:
            partner[i] = candidate[i]
    return partner


class PoseTrack:
    """Poses over time: the position is interpolated linearly, the rotation by slerp."""

    def __init__(self, stamps: np.ndarray, Ts: np.ndarray):
        """Keep (N,) stamps, seconds, and their (N, 4, 4) poses, in any order; the first of equal stamps counts."""
        self.stamps, order = np.unique(stamps, return_index=True)
        self._Ts = Ts[order]

    def at(self, stamp: float, tolerance: float) -> np.ndarray:
        """(4, 4) pose at `stamp`, from the two poses around it, of which the nearer is within `tolerance` seconds.

        Raises:
            BadPose: No pose is that near.
        """
        if not len(self.stamps):
            raise BadPose(f"no pose at {stamp:.6f} s: the recording has none")
        near = int(nearest(np.array([stamp]), self.stamps)[0])
        gap = abs(self.stamps[near] - stamp)
        if not gap <= tolerance:
            raise BadPose(f"no pose at {stamp:.6f} s: the nearest is {gap:.3g} s away, allowed {tolerance:g} s")
        right = int(np.searchsorted(self.stamps, stamp))
        if right in (0, len(self.stamps)):  # just beyond an end: nothing to interpolate
            return self._Ts[near]
        pair = self.stamps[right - 1 : right + 1]
        a, b = self._Ts[right - 1], self._Ts[right]
        share = (stamp - pair[0]) / (pair[1] - pair[0])
        T = np.eye(4)
        T[:3, :3] = Slerp([0, 1], Rotation.from_matrix(np.stack([a[:3, :3], b[:3, :3]])))(share).as_matrix()
        T[:3, 3] = (1 - share) * a[:3, 3] + share * b[:3, 3]
        return T
