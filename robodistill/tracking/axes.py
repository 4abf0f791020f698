"""Where a joint's axis is likely: along an edge of what it joins, or level.

Things are made so that what turns or slides does it along an edge of what it turns or slides on, and so that they stand
level. How far an axis leans towards the camera, pictures hardly show.
"""

import numpy as np

from robodistill.tracking.articulation import Articulation, across
from robodistill.tracking.model import PartModel
from robodistill.tracking.motion import Joint

_REACH, _STD = np.radians(15), np.radians(1)  # from an edge, within which and to which axes lie along it
_SHARP = 1.08  # sharpness of a footprint that tells an axis: 57 of 57 to 1.2 degrees; of 17 below 13 are further off
_SHAPES = {"revolute": [0.1, 0.1, 0.01, 0.01], "prismatic": [0.1, 0.1], "screw": [0.1, 0.1, 0.01, 0.01, 0.002]}
"""Rad, and metres, to which a step of `Articulation.reshaped` is believed."""


def to_edge(model: PartModel, joint: Joint, within: float = _REACH) -> np.ndarray | None:
    """(3,) turn from a joint's axis to the direction that it is likely along; None if all are further off than so, rad.

    Of what stood when it was scanned: upright, or along a side of the sharper of both parts' footprints, if that is
    sharp. Else what slides does so along the box of its larger part. The axis of what turns is shown by pictures: it is
    drawn to the nearest edge of either part's box, or principal axis.
    """
    if joint.kind not in _SHAPES:
        return None
    pair = [joint.parent, joint.child]
    if model.up is not None:
        sharper = _sharper(model, joint)
        sets = [model.axes[sharper][: 3 if model.sharpness[sharper] > _SHARP else 1]]
    else:
        sets = [np.concatenate([model.axes[pair], model.principal[pair]]).reshape(-1, 3)]
        if joint.kind == "prismatic":
            sets.insert(0, model.axes[max(pair, key=lambda p: model.radii[p])])
    for edges in sets:
        edges = edges * np.sign(edges @ joint.axis)[:, None]
        turn = np.cross(joint.axis, edges[(edges @ joint.axis).argmax()])
        sine = np.linalg.norm(turn)
        if sine < np.sin(within):
            return turn * np.arcsin(sine) / max(sine, 1e-12)
    return None


def to_level(model: PartModel, joint: Joint, within: float = _REACH) -> np.ndarray | None:
    """(3,) turn from a joint's axis to the nearest level direction, where no footprint says which; None if that is
    further off than so, rad, or if nobody knows what is level."""
    if joint.kind not in _SHAPES or model.up is None or model.sharpness[_sharper(model, joint)] > _SHARP:
        return None
    rise = float(joint.axis @ model.up)
    return None if abs(rise) > np.sin(within) else -np.arcsin(rise) * _level_across(model, joint)


def likely_turn(model: PartModel, joint: Joint, *within: float) -> np.ndarray | None:
    """`to_edge`; `to_level` where there is none."""
    turn = to_edge(model, joint, *within)
    return to_level(model, joint, *within) if turn is None else turn


def joint_prior(model: PartModel, articulation: Articulation) -> tuple[np.ndarray, np.ndarray]:
    """H (shapes, shapes) and g (shapes,): a step is believed to 0.1 rad and 1 cm, and axes are likely.

    Where pictures are sure of another axis they outweigh that.
    """
    sizes = [_SHAPES.get(joint.kind, []) for joint in articulation.joints]
    H, g, at = np.diag(np.concatenate(sizes) ** -2.0), [], 0
    for joint, own in zip(articulation.joints, sizes, strict=True):
        slope, turn = np.zeros(len(own)), likely_turn(model, joint)
        if turn is not None:
            # towards an edge both ways; towards what is level one way only, the other is free
            normals = across(joint.axis)
            ways = normals if to_edge(model, joint) is not None else _level_across(model, joint)[None]
            along = ways @ normals.T
            H[at : at + 2, at : at + 2] += along.T @ along * _STD**-2
            slope[:2] = -along.T @ (ways @ turn) * _STD**-2
        g.append(slope)
        at += len(own)
    return H, np.concatenate(g)


def _sharper(model: PartModel, joint: Joint) -> int:
    return max(joint.parent, joint.child, key=lambda p: model.sharpness[p])


def _level_across(model: PartModel, joint: Joint) -> np.ndarray:
    """(3,) unit, level and across an axis: about it the axis rises and falls."""
    about = np.cross(joint.axis, model.up)
    return about / np.linalg.norm(about)
