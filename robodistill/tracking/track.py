"""The whole of tracking: first pose, frame to frame, joints, the joint pass, and what it adds up to."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, get_args

import numpy as np
import torch
from scipy.signal import medfilt

from robodistill.config import TrackingConfig
from robodistill.errors import BadInput, HonestNo
from robodistill.field.gaussians import GaussianField
from robodistill.field.standing import support_plane
from robodistill.geometry.camera import Camera
from robodistill.inversion.object_pose import find_object
from robodistill.parallel import small_matrices
from robodistill.progress import Progress, silent
from robodistill.tracking.anchor import anchored
from robodistill.tracking.articulation import Articulation, in_order
from robodistill.tracking.foot import FEET, without_feet
from robodistill.tracking.hold import find_held
from robodistill.tracking.joint_search import moves_with, search_joint
from robodistill.tracking.joints import fit_tree
from robodistill.tracking.model import PartModel
from robodistill.tracking.motion import Joint, PartMotion
from robodistill.tracking.outline import Outline, best_outline
from robodistill.tracking.part_search import search_parts
from robodistill.tracking.photometric import Quadratic
from robodistill.tracking.recut import recut
from robodistill.tracking.refine import Refined, bridged, reach, refine
from robodistill.tracking.rsrd import follow_rsrd, judged
from robodistill.tracking.rsrd_loss import load_features
from robodistill.tracking.segments import pieces
from robodistill.tracking.tracker import Followed, check_seen, check_told, follow
from robodistill.tracking.tried import tried_joints
from robodistill.tracking.unite import merged, united

Method = Literal["ours", "rsrd"]
_ASKED = 10  # frames that the first pose is told the background by
_LEAP = 0.008  # metres: as `TrackingConfig.jump` where frames are left out
_OUTLINES = 2  # times that a film may show another outline than it was followed with
_FOOT = 0.08  # of the object's size above its support: which part does it stand on?
_STEP, _ENOUGH = 2, 24  # every second frame tells what moves apart, if so many are left
_SURE, _LEAST_SURE = 0.5, 0.2  # share of a part in sight from which its joint's value counts for the range
_REDRAWN = 0.05  # share of the object that goes to other parts, from which the film is followed once more
_LEAST_TRAVEL = 0.02  # of the object's size; what moves less against its parent is fixed to it


@small_matrices
def track_parts(
    field: GaussianField,
    labels: np.ndarray | None,
    names: Sequence[str] | None,
    frames: Sequence[np.ndarray],
    times: np.ndarray,
    camera: Camera,
    T_camera_object: np.ndarray | None = None,
    config: TrackingConfig | None = None,
    merge: bool = False,
    method: Method = "ours",
    progress: Progress = silent,
) -> PartMotion:
    """Follow the parts of a scanned object through a film from a fixed camera.

    Args:
        field: The scan.
        labels: (N,) part of each Gaussian, 0 to P - 1; -1 for what is not the object. None: the parts of what stands
            alone in the field are found by their motion.
        names: P names; None for numbers.
        frames: (H, W, 3) uint8 each.
        times: (T,) seconds.
        T_camera_object: (4, 4) the scan's coordinates in the first frame's camera; found without a guess where None.
        merge: Make one of the parts that the film does not show to move against each other, as with parts found.
        method: `rsrd` follows the parts as that paper does, see `rsrd`. It knows no joints: these are fitted to its
            poses and change none. Nor does it ever say no to a film.

    Raises:
        BadInput: No such method.
        HonestNo: The object is not found in the first frame, or the film does not agree with it.
    """
    if method not in get_args(Method):
        raise BadInput(f"method {method!r}: one of {', '.join(get_args(Method))} is needed")
    config = config or TrackingConfig()
    outline, known = Outline(), {}
    if labels is None:
        labels, known, T_camera_object, outline = _by_motion(field, frames, camera, T_camera_object, config, progress)
        merge, names = True, None
    if names is None:
        names = _numbers(labels)
    keep = labels >= 0
    if T_camera_object is None:
        T_camera_object = first_pose(field, keep, frames, camera, progress)
    if method == "ours":
        shown = frames, camera, T_camera_object
        model, followed = _followed(field, labels, outline, *shown, known, config, progress)
    else:
        model = PartModel.of(field, labels)
        Ts_first = np.tile(T_camera_object, (model.parts, 1, 1))
        features = load_features(model.field.features)
        Ts = follow_rsrd(model, frames, camera, Ts_first, features=features, progress=progress)
        followed = judged(model, frames, camera, Ts, config)
    joints, Ts, quadratics = (), followed.Ts_camera_part, followed.quadratics
    if model.parts > 1:
        found, rivals = _joints_of(model, followed)
        fewer = merged(labels, _as_one(model, followed, found), model.parts) if merge else None
        if fewer is not None:
            followed = _merge(labels, fewer, model, followed)
            model = replace(model, labels=fewer[keep])
            labels, names = fewer, _numbers(fewer)
            found, rivals = _joints_of(model, followed) if model.parts > 1 else ((), ())
        joints, Ts, quadratics = found, followed.Ts_camera_part, followed.quadratics
    if method == "ours" and model.parts > 1:
        solved = _on_joints(model, followed, found, rivals, frames, camera, config, progress)
        if merge:
            borders = recut(model, frames, camera, followed.background, *solved[:2], config)
            labels = labels.copy()
            labels[keep] = borders.labels
            if (borders.labels != model.labels).mean() > _REDRAWN:  # joints of other parts are other joints
                model, followed = _followed(
                    field, labels, Outline(), *shown, known if fewer is None else {}, config, progress
                )
                solved = _on_joints(model, followed, *_joints_of(model, followed), frames, camera, config, progress)
            model = replace(model, labels=labels[keep])
        Ts, quadratics, joints = solved
        Ts = anchored(model, Ts, T_camera_object)
    motion = PartMotion(
        parts=tuple(names),
        Ts_camera_part=Ts,
        confidence=np.array([_confidence(q) for q in quadratics]),
        visible=np.array([np.clip(q.visible, 0, 1) for q in quadratics]),
        held=find_held(model, Ts, quadratics),
        joints=joints,
        labels=labels.astype(np.int32),
        times=np.asarray(times, np.float64),
        camera=camera,
    )
    if not merge:
        return motion
    fewer = united(motion, field.means.double().numpy(), _LEAST_TRAVEL * model.size, model.size)
    if fewer is not motion:
        fewer = replace(fewer, parts=tuple(_numbers(fewer.labels)))
    return fewer.rooted(_standing_part(field, fewer, _FOOT * model.size))


def _on_joints(
    model: PartModel,
    followed: Followed,
    found: tuple[Joint, ...],
    rivals: tuple[Joint, ...],
    frames: Sequence[np.ndarray],
    camera: Camera,
    config: TrackingConfig,
    progress: Progress,
) -> tuple[np.ndarray, list[Quadratic], tuple[Joint, ...]]:
    """(T, P, 4, 4) poses of the joint pass, what the pictures say about them, and the joints with their values."""
    found = tried_joints(model, frames, camera, followed, found, rivals, config)
    articulation = Articulation(in_order(found, model.parts), model.centers, bounded=True)
    refined = refine(
        *(model, frames, camera, followed.background, followed.Ts_camera_part, followed.quadratics),
        *(articulation, config),
        progress=progress,
    )
    refined = bridged(refined, model)
    Ts = np.stack([refined.articulation.poses(state) for state in refined.states])
    return Ts, refined.quadratics, _with_values(model, refined)


def _followed(
    field: GaussianField,
    labels: np.ndarray,
    outline: Outline,
    frames: Sequence[np.ndarray],
    camera: Camera,
    T_first: np.ndarray,
    known: dict[int, np.ndarray],
    config: TrackingConfig,
    progress: Progress,
) -> tuple[PartModel, Followed]:
    """The model of the parts, and their way: followed anew where it shows another outline."""
    fields = without_feet(field, labels >= 0)

    def through(outline: Outline) -> tuple[PartModel, Followed]:
        model = outline.model(fields, labels)
        Ts_first = np.tile(T_first, (model.parts, 1, 1))
        followed = follow(model, frames, camera, Ts_first, config, progress=progress, known=known)
        check_seen(followed.quadratics)
        check_told(followed.quadratics)
        return model, followed

    model, followed = through(outline)
    for _ in range(_OUTLINES):
        shown = best_outline(fields, labels, outline, followed, frames, camera, config)
        if shown.like(outline):
            break
        outline = shown
        model, followed = through(outline)
    return model, followed


def _standing_part(field: GaussianField, motion: PartMotion, low: float) -> int:
    """The part that most of what is next to the support belongs to; the root where nobody knows the support."""
    plane = support_plane(field)
    if plane is None:
        return motion.root
    foot = (field.means.double().numpy() @ plane[:3] + plane[3] < low) & (motion.labels >= 0)
    counts = np.bincount(motion.labels[foot], minlength=len(motion.parts))
    return int(counts.argmax()) if counts.any() else motion.root


def _numbers(labels: np.ndarray) -> list[str]:
    return [f"part {k + 1}" for k in range(labels.max() + 1)]


def _by_motion(
    field: GaussianField,
    frames: Sequence[np.ndarray],
    camera: Camera,
    T_camera_object: np.ndarray | None,
    config: TrackingConfig,
    progress: Progress,
) -> tuple[np.ndarray, dict[int, np.ndarray], np.ndarray, Outline]:
    """(N,) parts that the film shows, their poses in some frames, the object's first pose, and its outline."""
    found = pieces(field)
    if T_camera_object is None:
        T_camera_object = first_pose(field, found.keep, frames, camera, progress)
    step = max(1, min(_STEP, len(frames) // _ENOUGH))
    some = frames[::step]
    config = replace(config, jump=max(config.jump, _LEAP))
    # the whole shows the background that all else is compared before
    labels, fields = np.where(found.keep, 0, -1), without_feet(field, found.keep)
    whole = Outline().model(fields, labels)
    followed = follow(whole, some, camera, T_camera_object[None], config, progress=progress)
    outline = best_outline(fields, labels, Outline(), followed, some, camera, config)
    whole = outline.model(fields, labels)
    labels[found.keep], known = search_parts(
        *(whole, found.few, found.branches, some, camera, T_camera_object, followed.background, config, progress)
    )
    return labels, {step * k: Ts for k, Ts in known.items()}, T_camera_object, outline


def first_pose(
    field: GaussianField, keep: np.ndarray, frames: Sequence[np.ndarray], camera: Camera, progress: Progress = silent
) -> np.ndarray:
    """(4, 4) T_camera_object in the first frame, without a guess.

    Args:
        keep: (N,) bool, which Gaussians are the object; its foot, mixed with its shadow, is not looked for.

    Raises:
        HonestNo: It is not found there.
    """
    others = [frames[k] for k in np.linspace(0, len(frames) - 1, min(_ASKED, len(frames))).astype(int)[1:]]
    thing = without_feet(field, keep)[FEET[0]].select(torch.from_numpy(keep))
    found = find_object(thing, [frames[0], *others], camera, progress)
    if not found.converged:
        raise HonestNo(f"the object is not found in the film's first frame: {found.reason}", found.as_values())
    return found.T_camera_world


def _joints_of(model: PartModel, followed: Followed) -> tuple[tuple[Joint, ...], tuple[Joint, ...]]:
    """The tree of joints that the followed poses show, and its rivals, see `fit_tree`.

    Lost frames look as if parts were free of each other, and hands part nothing that was whole: none is called free.
    """
    quadratics = followed.quadratics
    seen = np.array([q.visible * (q.area > 0) for q in quadratics])
    misfit = np.array([q.misfit for q in quadratics])
    # a frame that fits worse than most is one in which something was lost
    fitting = 1 / (1 + (misfit / (1.5 * np.median(misfit))) ** 6)
    points = [model.points[model.labels == p] for p in range(model.parts)]
    fitted = fit_tree(followed.Ts_camera_part, points, np.clip(seen * fitting[:, None], 0.02, 1), free=False)
    return tuple(
        tuple(search_joint(model, followed.Ts_camera_part, quadratics, joint) for joint in joints) for joints in fitted
    )


def _as_one(model: PartModel, followed: Followed, joints: tuple[Joint, ...]) -> list[tuple[int, int]]:
    """Pairs of parts that the film does not show to move against each other."""
    fixed = [(joint.parent, joint.child) for joint in joints if joint.kind == "fixed"]
    return fixed + moves_with(model, followed.Ts_camera_part, followed.quadratics, joints)


def _merge(labels: np.ndarray, fewer: np.ndarray, model: PartModel, followed: Followed) -> Followed:
    """Fewer parts, each where the largest of its pieces was."""
    keep = labels >= 0
    counts = np.bincount(labels[keep], minlength=model.parts)
    largest = []
    for part in range(fewer.max() + 1):
        inside = np.unique(labels[(fewer == part) & keep])
        largest.append(int(inside[counts[inside].argmax()]))
    quadratics = [
        replace(q, visible=q.visible[largest], area=q.area[largest], lights=q.lights[largest])
        for q in followed.quadratics
    ]
    return replace(followed, Ts_camera_part=followed.Ts_camera_part[:, largest], quadratics=quadratics)


def _with_values(model: PartModel, refined: Refined) -> tuple[Joint, ...]:
    """The joints with the values of all frames, and their uncertainty from the solve; fixed where nothing moves."""
    values = np.array([state.values for state in refined.states])
    seen = np.array([q.visible for q in refined.quadratics])
    std = np.sqrt(np.diag(refined.shape_covariance))
    joints, at = [], 0
    for k, joint in enumerate(refined.articulation.joints):
        count = {"revolute": 4, "prismatic": 2, "screw": 5}.get(joint.kind, 0)
        if count:
            own = std[at : at + count]
            sure = seen[:, joint.child] >= min(_SURE, max(_LEAST_SURE, np.median(seen[:, joint.child])))
            sure |= ~sure.any()
            low, high = np.quantile(medfilt(values[sure, k], 5), [0.01, 0.99])
            outer = reach(model, joint)
            joint = replace(
                joint,
                values=values[:, k],
                range=(float(min(low, 0)), float(max(high, 0))),
                axis_std=float(np.hypot(*own[:2])),
                origin_std=float(np.hypot(*own[2:4])) if count > 2 else 0.0,
            )
            if (high - low) * outer < _LEAST_TRAVEL * model.size:
                joint = replace(joint, kind="fixed", axis=np.zeros(3), pitch=0.0, values=0 * values[:, k])
        at += count
        joints.append(joint)
    return tuple(joints)


def _confidence(q: Quadratic) -> np.ndarray:
    """(P,) chance that a pose is right to 5 % of the object's size, from what is seen of the part."""
    return np.where(q.area > 0, 1 / (1 + np.exp(-(8 * q.visible - 3))), 0.1)
