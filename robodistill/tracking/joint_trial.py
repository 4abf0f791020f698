"""The joint between two parts, tried: kinds, axes and places are drawn in some frames and compared with the pictures.

Poses of free parts are where a joint is looked for first (`joints.py`, `joint_search.py`); where a part was lost they
mislead. But a joint leaves its child one freedom, and one freedom can be searched through its whole range in each
frame. So all likely joints are, in small; the best are solved for in full, as `refine` does, and the one whose pictures
are nearest is taken.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from robodistill.config import TrackingConfig
from robodistill.geometry.camera import Camera
from robodistill.tracking.articulation import Articulation, joint_motion
from robodistill.tracking.model import Layers, PartModel, Window
from robodistill.tracking.motion import Joint
from robodistill.tracking.photometric import Picture, misfit, window_of
from robodistill.tracking.refine import refine, to_box
from robodistill.tracking.tracker import Followed

_FRAMES = 12  # that are asked
_AROUND = 0.25  # of the object's size, drawn around it: where its part may go
_SEEN = 0.4  # of the parent, in them
_TURNS = np.arange(-1.75, 1.76, 0.25)  # rad
_FURTHER = np.array([*np.arange(-3.0, -1.9, 0.25), *np.arange(2.0, 3.1, 0.25)])  # of what turns in place, as lids do
_IN_PLACE = 0.4  # of the radius of a part, from its middle to the axis
_SLIDES = np.arange(-0.42, 0.43, 0.06)  # of the object's size
_BEST = 3  # that are solved for
_HINGE, _SCREW = 0.03, 0.01  # of the cost that a hinge must gain over a slide, and a screw over a hinge
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
        found: A joint between the two, to begin with.
    """
    chosen = _frames(followed, found.parent)
    looks = [_Look.at(model, frames[t], camera, followed, int(t), found.child, config) for t in chosen]
    chosen, looks = chosen[[look is not None for look in looks]], [look for look in looks if look is not None]
    if not looks:
        return found
    tried = []
    for joint in [found] + _likely(model, found):
        grid = _SLIDES * model.size if joint.kind == "prismatic" else _TURNS
        costs = np.array([[look.cost(joint, value) for value in grid] for look in looks])
        if joint.kind != "prismatic" and _distance(model, joint) < _IN_PLACE * model.radii[joint.child]:
            costs = np.hstack([costs, [[look.cost(joint, value) for value in _FURTHER] for look in looks]])
            grid = np.concatenate([grid, _FURTHER])
        tried.append((float(costs.min(1).mean()), replace(joint, values=grid[costs.argmin(1)])))
    tried.sort(key=lambda one: one[0])
    solved = [_solved(model, frames, camera, followed, chosen, joint, config) for _, joint in tried[:_BEST]]
    best = _chosen(model, solved)
    if best.kind == "revolute":
        screw = _solved(model, frames, camera, followed, chosen, replace(best, kind="screw"), config)
        best = _chosen(model, [*solved, screw])
    turn = to_box(model, best)
    return best if turn is None else replace(best, axis=Rotation.from_rotvec(turn).as_matrix() @ best.axis)


@dataclass(frozen=True, eq=False)
class _Look:
    """A frame at half size, and all parts but one drawn there."""

    model: PartModel
    picture: Picture
    Ts: np.ndarray
    layers: Layers
    window: Window
    lights: np.ndarray
    child: int
    spread: float
    blur: float

    @staticmethod
    def at(
        model: PartModel,
        image: np.ndarray,
        camera: Camera,
        followed: Followed,
        t: int,
        child: int,
        config: TrackingConfig,
    ) -> "_Look | None":
        half = camera.resized(camera.width // 2, camera.height // 2)
        rgb, background = image.astype(np.float32) / 255, followed.background
        planes = (rgb, background.under(rgb), background.known)
        small = [cv2.resize(x, (half.width, half.height), interpolation=cv2.INTER_AREA) for x in planes]
        Ts = followed.Ts_camera_part[t]
        depth = float(np.median(model.posed_points(Ts)[:, 2]))
        window = window_of(model, Ts, half, int(_AROUND * model.size * half.K[0, 0] / max(depth, 0.05)))
        if window is None:
            return None
        lights = followed.quadratics[t].lights
        return _Look(
            *(model, Picture(*small, half), Ts, model.draw(Ts, window), window, lights, child),
            *(1.4 * config.spread, 0.5 * config.blur),
        )

    def cost(self, joint: Joint, value: float) -> float:
        Ts = self.Ts.copy()
        Ts[self.child] = Ts[joint.parent] @ joint_motion(joint, value)
        layers = self.layers.redrawn(self.model, Ts, self.child, self.window)
        return misfit(self.model, Ts, self.picture, self.spread, self.lights, self.blur, (layers, self.window))


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
    found = refine(model, [frames[t] for t in chosen], camera, followed.background, Ts, tree, lean, search=False)
    values = np.array([state.values[0] for state in found.states])
    cost = float(np.mean([q.cost if np.isfinite(q.cost) else 0.0 for q in found.quadratics]))
    return replace(found.articulation.joints[0], values=values), cost


def _chosen(model: PartModel, solved: list[tuple[Joint, float]]) -> Joint:
    """The nearest, unless a simpler one is about as near; costs are negative."""
    best, at = None, np.inf
    for kind, gain in (("prismatic", 0.0), ("revolute", _HINGE), ("screw", _SCREW)):
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
