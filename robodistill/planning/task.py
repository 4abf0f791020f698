"""A demonstration as the robot's task: where each part must be over time, and which parts must be held for that.

Only how parts move from the first frame on is kept of a film, not where its camera stood. A part that a joint carries
moves exactly as the joint allows, whatever the tracker's noise. The root part is carried where the demonstration held
and lifted it; else it stays where it stands.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from robodistill.errors import HonestNo
from robodistill.tracking.motion import Joint, PartMotion

KEY_FRAMES = 50
_HELD = 0.1  # share of the frames in which a hand has hold of a part, for it to count
_MOVED = 0.004, 0.06  # metres, rad: from which a joint was moved, or the root shifted
_LIFTED = 0.015, 0.25  # metres, rad: from which the root was carried
_STILL = 2e-4, 2e-3  # metres, rad: within which the first and the last frames are the same


@dataclass(frozen=True, eq=False)
class Task:
    """T frames of P parts in the robot's world."""

    parts: tuple[str, ...]
    root: int
    carried: bool
    """Whether the root part leaves its place."""
    times: np.ndarray
    """(T,) seconds of the demonstration, from its first movement on."""
    Ts_world_part: np.ndarray
    """(T, P, 4, 4) the field's coordinates of a part at rest to the robot's world."""
    options: tuple[tuple[int, ...], ...]
    """Sets of parts to hold, the preferred first."""
    begins: float = 0.0
    """Seconds of the film at which the times are 0."""
    hinges: tuple[Joint, ...] = ()
    """Joints that turn in the demonstration."""

    def at(self, times: np.ndarray) -> np.ndarray:
        """(K, P, 4, 4) where the parts are at times (K,), straight between frames, as at the ends beyond them."""
        times = np.clip(times, self.times[0], self.times[-1])
        Ts = np.tile(np.eye(4), (len(times), len(self.parts), 1, 1))
        for p in range(len(self.parts)):
            own = self.Ts_world_part[:, p]
            Ts[:, p, :3, :3] = Slerp(self.times, Rotation.from_matrix(own[:, :3, :3]))(times).as_matrix()
            Ts[:, p, :3, 3] = np.stack([np.interp(times, self.times, column) for column in own[:, :3, 3].T], -1)
        return Ts

    def key_times(self, count: int = KEY_FRAMES) -> np.ndarray:
        """(K,) evenly spaced, at most `count` and no more than there are frames."""
        return np.linspace(self.times[0], self.times[-1], max(3, min(count, len(self.times))))


def make_task(motion: PartMotion, T_world_object: np.ndarray, carry: bool = True) -> Task:
    """Put a demonstration into the robot's world.

    Args:
        T_world_object: (4, 4) the field's coordinates of the root part, as it stands in the first frame, to the world.
        carry: False leaves the root part where it stands, even if the demonstration lifted it: what its joints do is
            then repeated on the table.

    Raises:
        HonestNo: Nothing was moved, or more parts must be held than two arms can.
    """
    root, frames = motion.root, len(motion)
    relative = {joint.child: _joint_path(motion, joint) for joint in motion.joints}
    Ts_root = np.linalg.inv(motion.Ts_camera_part[0, root]) @ motion.Ts_camera_part[:, root]
    carried = carry and is_carried(motion)
    if not carried:
        Ts_root = np.tile(np.eye(4), (frames, 1, 1))
    Ts = np.zeros((frames, len(motion.parts), 4, 4))
    Ts[:, root] = T_world_object @ Ts_root
    waiting = list(motion.joints)
    while waiting:
        joint = next(it for it in waiting if it.parent == root or it.parent not in {w.child for w in waiting})
        waiting.remove(joint)
        Ts[:, joint.child] = Ts[:, joint.parent] @ relative[joint.child]
    moved = [it.child for it in motion.joints if is_moved(motion, it)]
    options = _options(motion, root, carried, moved, motion.held.mean(0) >= _HELD)
    keep = _active(Ts, motion.times)
    times = motion.times[keep]
    hinges = tuple(it for it in motion.joints if it.kind in ("revolute", "screw") and it.child in moved)
    return Task(motion.parts, root, carried, times - times[0], Ts[keep], options, float(times[0]), hinges)


def is_moved(motion: PartMotion, joint: Joint) -> bool:
    """Whether a joint goes far enough from where it begins to be repeated."""
    Ts = _joint_path(motion, joint)
    return _beyond(np.linalg.inv(Ts[0]) @ Ts, _MOVED)


def is_carried(motion: PartMotion) -> bool:
    """Whether a demonstration held the root part, or all there is, and took it from its place."""
    root = motion.root
    Ts_root = np.linalg.inv(motion.Ts_camera_part[0, root]) @ motion.Ts_camera_part[:, root]
    held = motion.held[:, root].mean() >= _HELD or len(motion.parts) == 1
    return bool(held and _beyond(Ts_root, _LIFTED))


def _options(
    motion: PartMotion, root: int, carried: bool, moved: list[int], held: np.ndarray
) -> tuple[tuple[int, ...], ...]:
    """What to hold: parts whose joints moved, those by which the others hang left out if nobody held them."""
    inner = {joint.parent for joint in motion.joints if joint.child in moved} - {root}
    needed = [part for part in moved if held[part] or part not in inner]
    if carried:
        needed = [root, *needed]
    if not needed:
        raise HonestNo("the motion moves no part: there is nothing to repeat", {"stage": "task"})
    if len(needed) > 2:
        names = ", ".join(motion.parts[part] for part in needed)
        raise HonestNo(
            f"{len(needed)} parts must be held ({names}); a plan holds one part an arm, without changing hands",
            {"stage": "task", "parts": [motion.parts[part] for part in needed]},
        )
    if carried or len(needed) == 2:
        return (tuple(needed),)
    only = needed[0]
    kind = next(joint.kind for joint in motion.joints if joint.child == only)
    alone, steadied = (only,), (only, root)
    # a joint's friction drags its base along; a screw turns it for sure
    return (steadied,) if kind == "screw" else (steadied, alone)


def _joint_path(motion: PartMotion, joint: Joint) -> np.ndarray:
    """(T, 4, 4) of the child against the parent, free of what the joint does not allow."""
    if joint.kind == "free":
        return motion.relative(joint.parent, joint.child)
    Ts = np.tile(np.eye(4), (len(motion), 1, 1))
    along = joint.values[:, None] * joint.axis
    if joint.kind == "fixed":
        return Ts
    if joint.kind == "prismatic":
        Ts[:, :3, 3] = along
        return Ts
    R = Rotation.from_rotvec(along).as_matrix()
    Ts[:, :3, :3] = R
    Ts[:, :3, 3] = joint.origin - R @ joint.origin + joint.pitch * along
    return Ts


def _beyond(Ts: np.ndarray, bounds: tuple[float, float]) -> bool:
    """Whether (T, 4, 4) poses go further than metres or rad."""
    turn = Rotation.from_matrix(Ts[:, :3, :3]).magnitude().max()
    return bool(np.linalg.norm(Ts[:, :3, 3], axis=1).max() > bounds[0] or turn > bounds[1])


def _active(Ts: np.ndarray, times: np.ndarray) -> slice:
    """The frames from the last before anything moves to the first from which nothing moves any more."""

    def still(reference: np.ndarray) -> np.ndarray:
        relative = np.linalg.inv(reference) @ Ts
        shift = np.linalg.norm(relative[..., :3, 3], axis=-1).max(1)
        turn = Rotation.from_matrix(relative[..., :3, :3].reshape(-1, 3, 3)).magnitude().reshape(len(Ts), -1).max(1)
        return (shift < _STILL[0]) & (turn < _STILL[1])

    first, last = np.flatnonzero(~still(Ts[0])), np.flatnonzero(~still(Ts[-1]))
    begin = max(0, int(first[0]) - 1) if len(first) else 0
    end = min(len(times), int(last[-1]) + 3) if len(last) else len(times)
    return slice(begin, max(end, min(begin + 3, len(times))))
