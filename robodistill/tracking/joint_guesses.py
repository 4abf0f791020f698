"""Joints that two parts may have, from their shapes alone, and values at which they are tried."""

from dataclasses import replace

import numpy as np
from scipy.spatial import cKDTree

from robodistill.tracking.model import PartModel
from robodistill.tracking.motion import Joint

_TURNS = np.arange(-1.75, 1.76, 0.25)  # rad
_FURTHER = np.array([*np.arange(-3.0, -1.9, 0.25), *np.arange(2.0, 3.1, 0.25)])  # of what turns in place, as lids do
_IN_PLACE = 0.4  # of the radius of a part, from its middle to the axis
_SLIDES = np.arange(-0.42, 0.43, 0.06)  # of the object's size
_TOUCH = 0.02  # of the object's size between parts that touch
_WIDE = 0.2  # of the object's size: of what touches over more, a hinge may be at an edge


def likely_joints(model: PartModel, parent: int, child: int) -> list[Joint]:
    """Hinges and slides along the directions that both parts are made along; hinges through the middle and the edges of
    where the parts touch. They have no values."""
    of_a, of_b = (model.points[model.labels == p] for p in (parent, child))
    distance, nearest = cKDTree(of_a).query(of_b)
    touching = np.argsort(distance)[: max(10, len(of_b) // 20)]
    touching = np.union1d(touching, np.flatnonzero(distance < _TOUCH * model.size))
    places = (of_b[touching] + of_a[nearest[touching]]) / 2
    distinct: list[np.ndarray] = []
    for axis in model.axes[[parent, child]].reshape(-1, 3):
        if all(abs(axis @ other) < 0.97 for other in distinct):
            distinct.append(axis)
    slide = Joint("prismatic", parent, child, np.zeros(3), of_b.mean(0), 0.0, np.zeros(0), (0.0, 0.0))
    likely, middle = [replace(slide, axis=axis) for axis in distinct], places.mean(0)
    for axis in distinct:
        origins = [middle]
        for across in distinct:
            ends = np.quantile(places @ across, [0.02, 0.98])
            if abs(across @ axis) < 0.3 and np.ptp(ends) > _WIDE * model.size:
                origins += [middle + across * (end - middle @ across) for end in ends]
        likely += [replace(slide, kind="revolute", axis=axis, origin=origin) for origin in origins]
    return likely


def trial_values(model: PartModel, joint: Joint) -> np.ndarray:
    """(V,) values that are tried: metres of a slide, rad of what turns."""
    if joint.kind == "prismatic":
        return _SLIDES * model.size
    in_place = off_axis(model, joint) < _IN_PLACE * model.radii[joint.child]
    return np.concatenate([_TURNS, _FURTHER]) if in_place else _TURNS


def off_axis(model: PartModel, joint: Joint) -> float:
    """Metres from the child's middle to the axis."""
    return float(np.linalg.norm(np.cross(model.centers[joint.child] - joint.origin, joint.axis)))


def may_screw(model: PartModel, joint: Joint) -> bool:
    """Whether the axis goes through the middle of one of both parts, as threads go round theirs."""
    return any(off_axis(model, side) < _IN_PLACE * model.radii[side.child] for side in (joint, joint.turned_round))
