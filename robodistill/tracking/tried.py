"""All joints of a tree, tried in the pictures: what is sure of is put in place, and the others are tried again."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from robodistill.config import TrackingConfig
from robodistill.geometry.camera import Camera
from robodistill.tracking.articulation import Articulation, State, in_order
from robodistill.tracking.joint_trial import Trial, sought, telling_looks, try_joints
from robodistill.tracking.joints import spanning_tree
from robodistill.tracking.model import PartModel
from robodistill.tracking.motion import Joint
from robodistill.tracking.photometric import mean_cost
from robodistill.tracking.refine import reach, refine
from robodistill.tracking.room import free_range
from robodistill.tracking.tracker import Followed

_SURE = 0.05  # of the cost, that moving must bring for a joint to be tried once only, if the pictures do not object
_OWN = 0.1  # of the cost, that each must bring for other pairs not to be tried
_NEARER = 0.01  # of the cost, that another tree must bring, and as much for each more of its joints that moves
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
        rivals: Joints of other pairs of parts, for which there is as much to say: where the pictures are nearer with
            one of them in the tree, it is.
    """

    def tried(joint: Joint, seen: Followed) -> Trial:
        return try_joints(model, frames, camera, seen, joint, config)

    trials = [tried(joint, followed) for joint in joints]
    if rivals and any(_weak(trial, _OWN) for trial in trials):
        others = [tried(joint, followed) for joint in rivals]
        trials = _likeliest_tree(model, frames, camera, followed, trials, others, config)
    placed = followed
    for k in sorted(range(len(trials)), key=lambda k: trials[k].objection):
        if placed is not followed and _weak(trials[k]):
            again = tried(trials[k].asked, placed)
            # what is put in place may be in the way, too
            if again.cost < trials[k].cost + _NEARER * abs(trials[k].cost):
                trials[k] = again
        placed = _placed(placed, trials[k])
    return tuple(_with_room(model, trial.joint, len(frames)) for trial in trials)


def _weak(trial: Trial, sure: float = _SURE) -> bool:
    return trial.gain < sure or trial.objection > 0


def _likeliest_tree(
    model: PartModel,
    frames: Sequence[np.ndarray],
    camera: Camera,
    followed: Followed,
    tree: Sequence[Trial],
    rivals: Sequence[Trial],
    config: TrackingConfig,
) -> list[Trial]:
    """The tree, or that with a rival for one of its joints that pictures are clearly nearer with.

    Each is solved for with all parts on their joints: what a joint alone brings is no more than that a part which was
    lost is found, whatever it is found from.
    """
    every = [trial.joint for trial in (*tree, *rivals)]
    asked, looks = telling_looks(model, frames, camera, followed, every, config)
    values = {_pair(joint): sought(model, looks, joint) for joint in every}

    def cost(some: Sequence[Trial]) -> float:
        joints = [replace(trial.joint, values=values[_pair(trial.joint)]) for trial in some]
        found = _cost_on(model, frames, camera, followed, asked, joints, config)
        return found + _NEARER * abs(found) * sum(trial.joint.kind != "fixed" for trial in some)

    best, least = list(tree), cost(tree)
    least -= _NEARER * abs(least)
    for rival in rivals:
        for k in range(len(tree)):
            other = _outwards(model, [*tree[:k], rival, *tree[k + 1 :]])
            if other and (found := cost(other)) < least:
                best, least = other, found
    return best


def _outwards(model: PartModel, trials: Sequence[Trial]) -> list[Trial]:
    """Joints turned outwards from the part with most of them, the largest of several; none if they join not all."""
    tried = {_pair(trial.joint): trial for trial in trials}
    costs = np.full((model.parts,) * 2, np.inf)
    for pair in tried:
        costs[pair] = 0.0
    chosen = []
    for parent, child in spanning_tree(costs, model.radii):
        trial = tried[min(parent, child), max(parent, child)]
        if trial.joint.child != child:
            trial = replace(trial, asked=trial.asked.turned_round, joint=trial.joint.turned_round)
        chosen.append(trial)
    return chosen if len(chosen) == model.parts - 1 else []


def _pair(joint: Joint) -> tuple[int, int]:
    return min(joint.parent, joint.child), max(joint.parent, joint.child)


def _cost_on(
    model: PartModel,
    frames: Sequence[np.ndarray],
    camera: Camera,
    followed: Followed,
    asked: np.ndarray,
    joints: Sequence[Joint],
    config: TrackingConfig,
) -> float:
    """Mean of `Quadratic.cost` in some frames with all parts on joints, solved for near the joints' values."""
    if not len(asked):
        return 0.0
    joints = in_order(tuple(joints), model.parts)
    tree, Ts = Articulation(joints, model.centers), []
    values, loose = np.array([joint.values for joint in joints]), np.tile(np.eye(4), (len(joints), 1, 1))
    for t, own in zip(asked, values.T, strict=True):
        Ts_followed, seen = followed.Ts_camera_part[t], followed.quadratics[t]
        held = int((seen.visible * seen.area).argmax())  # what most is seen of is where it is
        state = tree.with_part_at(State(Ts_followed[tree.root], own, loose), held, Ts_followed[held])
        Ts.append(tree.poses(state))
    some, seen = [frames[t] for t in asked], [followed.quadratics[t] for t in asked]
    lean = replace(config, fine_steps=2)
    found = refine(model, some, camera, followed.background, np.stack(Ts), seen, tree, lean, film=False)
    return mean_cost(found.quadratics)


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
