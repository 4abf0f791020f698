"""A twin of an object that was scanned and seen in a film: its parts as convex pieces on the joints that were found.

Of the object nothing but this is known: what it weighs and how hard its joints go is taken to be usual. But it stood
where it was scanned, so that its root part is as heavy as that takes; and what stood on the support is taken to reach
down to it, as no view of a scan saw an underside.
"""

import numpy as np
import trimesh
from scipy.spatial import ConvexHull, QhullError

from robodistill.errors import HonestNo
from robodistill.sim.articulated.spec import Articulated
from robodistill.sim.shapes import Solid
from robodistill.sim.spec import JointSpec, ObjectSpec, Piece
from robodistill.tracking.articulation import joint_motion
from robodistill.tracking.motion import Joint, PartMotion
from robodistill.tracking.part_mesh import convex_pieces

_DENSITY = 500.0  # kg/m^3, filled: between wood and thin-walled plastic
_HEAVIER = (4.0, 6.0, 8.0, 12.0, 16.0)  # times as much for what all stands on: at most as steel
_BEARS, _INNER = 0.001, 0.6  # metres above the lowest that bear; share of their outline that the weight is within
_SLACK = 0.05, 0.003  # rad, metres, that a joint goes further than it was seen to
_LOW = 0.006  # metres above the support from which what was seen reaches down to it


def found_object(
    motion: PartMotion, points: np.ndarray, normals: np.ndarray, owners: np.ndarray, plane: np.ndarray | None = None
) -> tuple[Articulated, np.ndarray]:
    """The object as it stands in a motion's first frame, in the field's coordinates with the root part at rest, and
    (P, 4, 4) what carried each part there from where it was scanned.

    A part that is fixed is of the one that it is fixed to.

    Args:
        points: (n, 3) of its surface with all parts at rest, metres.
        normals: (n, 3) unit, outwards.
        owners: (n,) the part of each.
        plane: (4,) of what it was scanned on, `n . x + d = 0`, n up; None where nobody knows.

    Raises:
        HonestNo: A part is free of the others, or has no surface.
    """
    joints = _from_root(motion)
    if free := [motion.parts[it.child] for it in joints if it.kind == "free"]:
        raise HonestNo(f"{', '.join(free)} hangs on no joint: no twin can be made", {"stage": "twin"})
    carried = np.tile(np.eye(4), (len(motion.parts), 1, 1))
    name = {motion.root: motion.parts[motion.root]}
    specs, moves = [], {it.child: [it.child] for it in joints}
    for it in reversed(joints):
        moves.setdefault(it.parent, [it.parent]).extend(moves[it.child])
    for it in joints:
        carried[it.child] = carried[it.parent] @ joint_motion(it, float(it.values[0]))
        fixed = it.kind == "fixed"
        name[it.child] = name[it.parent] if fixed else motion.parts[it.child]
        if not fixed:
            specs.append((it, moves[it.child]))
    solids = {p: _solid(points[owners == p], normals[owners == p], plane, motion.parts[p]) for p in name}
    density = dict.fromkeys(name, _DENSITY)
    if plane is not None:
        heavier = _root_weight(motion, solids, plane)
        density |= {p: _DENSITY * heavier for p in name if name[p] == name[motion.root]}
    pieces = [
        Piece(name[p], solids[p].moved(carried[p]), f"part {p}", density[p])
        for p in sorted(name, key=lambda p: p != motion.root)
    ]
    made = tuple(_joint(it, carried[it.parent], tuple(dict.fromkeys(name[p] for p in moved))) for it, moved in specs)
    spec = ObjectSpec("found", tuple(pieces), made)
    return Articulated(spec, dict.fromkeys(spec.parts, ())), carried


def _from_root(motion: PartMotion) -> list[Joint]:
    """The joints, each after the one that moves its parent."""
    found, reached = [], {motion.root}
    while len(found) < len(motion.joints):
        found += [it for it in motion.joints if it.parent in reached and it.child not in reached]
        reached |= {it.child for it in found}
    return found


def _joint(joint: Joint, T_parent: np.ndarray, moved: tuple[str, ...]) -> JointSpec:
    """As it stands where its parent was carried to; its value there is 0."""
    slack = _SLACK[1] if joint.kind == "prismatic" else _SLACK[0]
    limits = joint.values.min() - joint.values[0] - slack, joint.values.max() - joint.values[0] + slack
    axis, origin = T_parent[:3, :3] @ joint.axis, T_parent[:3, :3] @ joint.origin + T_parent[:3, 3]
    return JointSpec(f"joint {joint.child}", joint.kind, moved, axis, origin, limits, pitch=joint.pitch)


def _solid(points: np.ndarray, normals: np.ndarray, plane: np.ndarray | None, name: str) -> Solid:
    """A part's convex pieces, where it was scanned."""
    if len(points) < 4:
        raise HonestNo(f"{name} has no surface: no twin can be made", {"stage": "twin"})
    if plane is not None:
        heights = points @ plane[:3] + plane[3]
        low = points[heights < _LOW]
        foot = low - np.outer(heights[heights < _LOW], plane[:3])
        points = np.concatenate([points - np.outer(np.minimum(heights, 0), plane[:3]), foot])
        normals = np.concatenate([normals, np.tile(-plane[:3], (len(foot), 1))])
    hulls = convex_pieces(points, normals)
    return Solid(trimesh.util.concatenate(hulls), tuple(np.asarray(it.vertices) for it in hulls))


def _root_weight(motion: PartMotion, solids: dict[int, Solid], plane: np.ndarray) -> float:
    """How many times as dense as the others the root is at least, for all to stand on it as the joints move."""
    hulls = {p: [trimesh.convex.convex_hull(points) for points in solid.hulls] for p, solid in solids.items()}
    volume = {p: sum(it.volume for it in own) for p, own in hulls.items()}
    middle = {p: sum(it.volume * it.center_mass for it in own) / volume[p] for p, own in hulls.items()}
    every = np.concatenate(solids[motion.root].hulls)
    heights, flat = every @ plane[:3], np.linalg.svd(plane[None, :3])[2][1:]  # along the support
    try:
        outline = ConvexHull(every[heights < heights.min() + _BEARS] @ flat.T)
    except QhullError:  # it stood on a point or an edge
        return _HEAVIER[0]
    stands = outline.points[outline.vertices].mean(0)
    for times in _HEAVIER:
        weights = {p: volume[p] * (times if p == motion.root else 1.0) for p in volume}
        further = stands + (_weighed(motion, weights, middle) @ flat.T - stands) / _INNER
        if (further @ outline.equations[:, :2].T + outline.equations[:, 2] < 0).all():
            return times
    return _HEAVIER[-1]


def _weighed(motion: PartMotion, weights: dict[int, float], middle: dict[int, np.ndarray]) -> np.ndarray:
    """(T, 3) where the weight of all parts acts, the root part at rest."""
    total = np.zeros((len(motion), 3))
    for t in range(len(motion)):
        T = {motion.root: np.eye(4)}
        for it in _from_root(motion):
            T[it.child] = T[it.parent] @ joint_motion(it, float(it.values[t]))
        total[t] = sum(weights[p] * (T[p] @ np.append(middle[p], 1))[:3] for p in T)
    return total / sum(weights.values())
