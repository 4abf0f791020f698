"""All joints of a tree, tried in the pictures: what is sure of is put in place, and the others are tried again."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from robodistill.config import TrackingConfig
from robodistill.geometry.camera import Camera
from robodistill.tracking.joint_trial import Trial, try_joints
from robodistill.tracking.joints import spanning_tree
from robodistill.tracking.model import PartModel
from robodistill.tracking.motion import Joint
from robodistill.tracking.refine import reach
from robodistill.tracking.room import free_range
from robodistill.tracking.tracker import Followed

_SURE = 0.05  # of the cost, that moving must bring for a joint to be tried once only, if the pictures do not object
_OWN = 0.1  # of the cost, that each must bring for other pairs not to be tried
_RIGID = 0.01  # of the cost, that one that moves must be nearer than one that does not: it fits more
_BEYOND = 0.2  # of the object's size, that a part may go further than in the frames in which its joint was tried


def tried_joints(
    model: PartModel,
    frames: Sequence[np.ndarray],
    camera: Camera,
    followed: Followed,
    joints: Sequence[Joint],
    rivals: Sequence[Joint],
    config: TrackingConfig,
) -> tuple[Joint, ...]:
    """The joints that the pictures bear out, with the ranges in which lost parts are looked for.

    A part that was lost lies in the way of its neighbours, such as a drawer above another: small ones are tried again
    where all that is surer is where its joint has it.

    Args:
        joints: A tree.
        rivals: Joints of other pairs of parts, for which there is as much to say: the tree of least objection is taken.
    """

    def tried(joint: Joint, seen: Followed) -> Trial:
        return try_joints(model, frames, camera, seen, joint, config)

    trials = [tried(joint, followed) for joint in joints]
    if rivals and any(_weak(trial, _OWN) for trial in trials):
        trials = _likeliest_tree(model, [*trials, *(tried(joint, followed) for joint in rivals)])
    placed = followed
    for k in sorted(range(len(trials)), key=lambda k: trials[k].objection):
        if placed is not followed and _weak(trials[k]):
            trials[k] = tried(trials[k].asked, placed)
        placed = _placed(placed, trials[k])
    return tuple(_with_room(model, trial.joint, len(frames)) for trial in trials)


def _weak(trial: Trial, sure: float = _SURE) -> bool:
    return trial.gain < sure or trial.objection > 0


def _likeliest_tree(model: PartModel, trials: Sequence[Trial]) -> list[Trial]:
    """Those of least objection that join all parts, outwards from the part with most joints, the largest of several."""
    tried = {tuple(sorted((trial.joint.parent, trial.joint.child))): trial for trial in trials}
    costs = np.full((model.parts,) * 2, np.inf)
    for pair, trial in tried.items():
        costs[pair] = trial.objection + _RIGID * abs(trial.cost) * (trial.joint.kind != "fixed")
    chosen = []
    for parent, child in spanning_tree(costs, model.radii):
        trial = tried[min(parent, child), max(parent, child)]
        if trial.joint.child != child:
            trial = replace(trial, asked=trial.asked.turned_round, joint=trial.joint.turned_round)
        chosen.append(trial)
    return chosen


def _placed(followed: Followed, trial: Trial) -> Followed:
    """With two parts where their joint has them in the frames that were asked."""
    pair, Ts = [trial.joint.parent, trial.joint.child], followed.Ts_camera_part.copy()
    if trial.joint.kind in ("fixed", "free"):
        return followed
    Ts[np.ix_(trial.frames, pair)] = trial.Ts_camera_part[:, pair]
    return replace(followed, Ts_camera_part=Ts)


def _with_room(model: PartModel, joint: Joint, count: int) -> Joint:
    if joint.kind in ("fixed", "free"):
        return replace(joint, values=np.zeros(count))
    low, high = min(joint.values.min(), 0.0), max(joint.values.max(), 0.0)
    more = _BEYOND * model.size / reach(model, joint)
    joint = replace(joint, range=(float(low - more), float(high + more)))
    return replace(joint, range=free_range(model, joint))
