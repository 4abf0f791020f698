"""Which joint is between two parts, and which parts a joint is between, from their poses over a film.

Each model (fixed, prismatic, revolute, screw, free) is fitted and weighed by the Bayesian information criterion
(Schwarz, Annals of Statistics 1978), as articulation models have been since Sturm et al. (JAIR 2011). Differs: a frame
counts for as much as its errors are independent of its neighbours', which trackers' are not; a frame's misfit is
capped, so that lost frames do not argue for freedom; and a motion below what a tracker may invent is called none. The
object's tree is the spanning tree of most evidence over all pairs of parts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.signal import medfilt, savgol_filter
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from robodistill.tracking.joint_models import Fit, Relative, fit_fixed, fit_prismatic, fit_turning
from robodistill.tracking.motion import Joint, JointKind

_FINEST = (0.0005, 0.005)  # noise below which no tracker is believed, metres and rad
_COARSEST = (0.004, 0.04)  # misfit beyond which it is the model's, not the tracker's
_CAP = 120.0  # squared misfit of a frame, 6 numbers, in sigmas
_LEAST = 0.005  # metres; what moves less does not
_LEAST_RISE = 0.003  # metres along its axis that make a turn a screw
_RARELY = 3.0  # freedoms of a frame, for two parts that are hardly seen together: what one of them is lost in fits any
_MARGIN = 1.5  # freedoms of a frame, by which a joint outside of the tree may be worse and as likely
_WINDOW = 11  # frames of a local parabola through the values, before their range is taken


@dataclass(frozen=True, eq=False)
class JointFit:
    """The best joint between two parts and what was weighed."""

    joint: Joint
    evidence: dict[JointKind, float]
    """Half of free's information criterion less the kind's, of the kinds that were weighed: log odds against free."""
    trusted: np.ndarray
    """(T,) bool: frames that the joint explains."""
    independent: float
    """Frames' worth of independent evidence."""

    @property
    def bound(self) -> float:
        """Evidence of the chosen kind in freedoms of a frame: 6 = fixed beyond doubt, 5 = one freedom, 0 = free."""
        return self.evidence[self.joint.kind] / max(self.independent * _price(self.independent), 1e-9)


def fit_joint(
    Ts_parent: np.ndarray,
    Ts_child: np.ndarray,
    points: np.ndarray,
    parent: int = 0,
    child: int = 1,
    weights: np.ndarray | None = None,
    free: bool = True,
) -> JointFit:
    """The joint between two parts.

    Args:
        Ts_parent: (T, 4, 4) of a part's coordinates at rest to the camera's, or any other common frame's.
        Ts_child: (T, 4, 4) of the other, which are the same coordinates at rest.
        points: (N, 3) of the child at rest; errors are judged where they are.
        weights: (T,) trust in each frame, in [0, 1]; None = all alike.
        free: That there is no joint is an answer, too; without it the likeliest joint is.
    """
    count = len(Ts_parent)
    weights = np.ones(count) if weights is None else np.asarray(weights, float)
    data = _relative(Ts_parent, Ts_child, points, weights)
    if (weights > 0).sum() < 4:
        return _nothing(data, points, parent, child)
    still = fit_fixed(data)
    if _reach(data, points) < _LEAST and np.median(still.squares[weights > 0]) < _CAP:
        joint, trusted = _as_joint("fixed", {"fixed": still}, data, points, parent, child, 1.0)
        return JointFit(joint, _weigh({"fixed": still}, weights, 1.0), trusted, weights.sum())
    sigma = _noise(_most_fitting([fit_prismatic(data), fit_turning(data, screw=True)], weights), data)
    data = Relative(data.shift, data.turn, data.middle, weights, sigma)
    fits = {
        "fixed": fit_fixed(data),
        "prismatic": fit_prismatic(data),
        "revolute": fit_turning(data, screw=False),
        "screw": fit_turning(data, screw=True),
    }
    one = _most_fitting([fits["prismatic"], fits["screw"]], weights)
    stretch = _correlation(one, weights)
    evidence = _weigh(fits, weights, stretch)
    kind = max((name for name in evidence if free or name != "free"), key=lambda name: evidence[name])
    if kind == "screw" and abs(fits["screw"].pitch) * np.ptp(_steady(fits["screw"], weights)) < _LEAST_RISE:
        kind = "revolute"
    if kind in ("prismatic", "revolute", "screw") and _travel(kind, fits[kind], points, weights) < _LEAST:
        kind = "fixed"
    joint, trusted = _as_joint(kind, fits, data, points, parent, child, stretch)
    return JointFit(joint, evidence, trusted, weights.sum() / stretch)


def fit_tree(
    Ts_part: np.ndarray,
    points: Sequence[np.ndarray],
    weights: np.ndarray | None = None,
    body: int | None = None,
    free: bool = True,
) -> tuple[tuple[Joint, ...], tuple[Joint, ...]]:
    """The tree of joints of an object, outer joints first; and joints of other pairs that may as well be in it.

    Args:
        Ts_part: (T, P, 4, 4) as in `PartMotion.Ts_camera_part`.
        points: For each part (N, 3) at rest.
        weights: (T, P) trust in each pose, in [0, 1]; None = all alike.
        free: As in `fit_joint`.
        body: The part that carries the others; None = that with most joints, the largest of several.
    """
    frames, parts = Ts_part.shape[:2]
    weights = np.ones((frames, parts)) if weights is None else np.asarray(weights, float)
    if parts == 1:
        return (), ()
    trees = [cKDTree(each[:: max(1, len(each) // 2000)]) for each in points]
    size = float(np.linalg.norm(np.ptp(np.concatenate(points), axis=0)))
    cost, told = np.full((parts, parts), np.inf), np.zeros((parts, parts))
    found = {}
    for a in range(parts):
        for b in range(a + 1, parts):
            both = weights[:, a] * weights[:, b]
            fit = fit_joint(Ts_part[:, a], Ts_part[:, b], points[b], a, b, both, free)
            found[a, b], told[a, b] = fit, both.mean()
            # how much worse than free says how badly parts were followed, not what they hang on
            cost[a, b] = -max(fit.bound, 0.0) + _unlikely(fit, trees[a], trees[b], size)
    pairs = np.triu_indices(parts, 1)
    cost[pairs] += _RARELY * (1 - told[pairs] / max(told.max(), 1e-9))
    tree = spanning_tree(cost, [float(np.linalg.norm(np.ptp(each, axis=0))) for each in points], body)
    # on the way between two parts in the tree the worst joint is as good as on any other way (minimax path)
    worst = np.minimum(cost, cost.T)
    for k in range(parts):
        worst = np.minimum(worst, np.maximum(worst[:, k, None], worst[k]))
    others = found.keys() - {tuple(sorted(link)) for link in tree}
    # where poses show no joint at all, they do not say between which parts it is either
    blind = any(found[tuple(sorted(link))].bound <= 0 for link in tree)
    rivals = [
        found[pair].joint
        for pair in sorted(others)
        if cost[pair] < worst[pair] + _MARGIN or (blind and found[pair].bound <= 0)
    ]
    joints = []
    for a, b in tree:
        both = weights[:, a] * weights[:, b]
        fit = found.get((a, b)) or fit_joint(Ts_part[:, a], Ts_part[:, b], points[b], a, b, both, free)
        joints.append(fit.joint)
    return tuple(joints), tuple(rivals)


def spanning_tree(costs: np.ndarray, sizes: Sequence[float], body: int | None = None) -> list[tuple[int, int]]:
    """Links (parent, child) of least cost that join all P parts, outwards from a body.

    Args:
        costs: (P, P) of a link between a and b at [a, b], a < b; infinite where there is none.
        sizes: (P,).
        body: None = the part with most links, the largest of several.
    """
    known = np.isfinite(costs)
    links = np.where(known, costs - costs[known].min() + 1.0, 0.0)  # nought is no link
    tree = minimum_spanning_tree(links).toarray() > 0
    linked = tree | tree.T
    if body is None:
        body = max(range(len(costs)), key=lambda k: (linked[k].sum(), sizes[k]))
    order, before = breadth_first_order(linked, body, directed=False)
    return [(int(before[child]), int(child)) for child in order[1:]]


def _unlikely(fit: JointFit, one: cKDTree, other: cKDTree, size: float) -> float:
    """What speaks against a joint beside its misfit: parts that do not touch, a hinge that is away from one of them,
    and much motion.

    Two drawers slide against each other as purely as each against the body; but together they move more. What turns on
    a part that turns on a third does so against the third as well, if the second turned little.
    """
    gap = float(np.quantile(one.query(other.data)[0], 0.02)) / size
    values = fit.joint.values[fit.trusted]
    values = savgol_filter(values, _WINDOW, 2) if len(values) >= _WINDOW else values
    reach = np.linalg.norm(other.data - fit.joint.origin, axis=1).mean() if fit.joint.kind != "prismatic" else 1.0
    path = np.abs(np.diff(values)).sum() * reach / size
    away = 0.0
    if fit.joint.kind in ("revolute", "screw"):
        of_axis = [
            np.linalg.norm(np.cross(each.data - fit.joint.origin, fit.joint.axis), axis=1) for each in (one, other)
        ]
        away = max(float(np.quantile(each, 0.02)) for each in of_axis) / size
    return min(10.0 * gap, 2.0) + min(10.0 * away, 2.0) + min(path, 2.0)


def _relative(Ts_parent: np.ndarray, Ts_child: np.ndarray, points: np.ndarray, weights: np.ndarray) -> Relative:
    M = np.linalg.inv(Ts_parent) @ Ts_child
    middle = np.median(points, axis=0)
    shift = M[:, :3, :3] @ middle + M[:, :3, 3] - middle
    turn = Rotation.from_matrix(M[:, :3, :3])
    return Relative(shift, turn, middle, weights, _COARSEST)


def _most_fitting(fits: list[Fit], weights: np.ndarray) -> Fit:
    return min(fits, key=lambda fit: float(np.median(fit.squares[weights > 0])))


def _noise(fit: Fit, data: Relative) -> tuple[float, float]:
    """Noise from what a model with one freedom leaves, at most `_COARSEST`: more is the model's fault."""
    misfit = np.abs(fit.misfit[data.weights > 0])
    left = 1.4826 * np.median(misfit[:, :3]), 1.4826 * np.median(misfit[:, 3:])
    return tuple(
        float(np.clip(one * sigma, low, high))
        for one, sigma, low, high in zip(left, data.sigma, _FINEST, _COARSEST, strict=True)
    )


def _correlation(fit: Fit, weights: np.ndarray) -> float:
    """Frames that say as much as one of independent error: (1 + r) / (1 - r) for the misfit's correlation r."""
    kept = (fit.squares < _CAP) & (weights > 0)
    ok = kept[1:] & kept[:-1]
    if ok.sum() < 8:
        return 1.0
    first, second = fit.misfit[:-1][ok], fit.misfit[1:][ok]
    r = float((first * second).sum() / max((first**2).sum(), (second**2).sum(), 1e-12))
    r = float(np.clip(r, 0.0, 0.9))
    return (1 + r) / (1 - r)


def _price(frames: float) -> float:
    """Of a number that is fitted, in log odds."""
    return float(np.log(max(6 * frames, np.e))) / 2


def _weigh(fits: dict[JointKind, Fit], weights: np.ndarray, stretch: float) -> dict[JointKind, float]:
    frames = weights.sum() / stretch
    price = _price(frames)
    cost = {"free": price * 6 * frames}
    for kind, fit in fits.items():
        squares = (weights * np.minimum(fit.squares, _CAP)).sum() / stretch
        cost[kind] = squares / 2 + price * (fit.free + (0 if kind == "fixed" else frames))
    return {kind: cost["free"] - value for kind, value in cost.items()}


def _reach(data: Relative, points: np.ndarray) -> float:
    """How far the child's points get about, jitter left out, metres: a bound for any joint's travel."""
    ok = np.flatnonzero(data.weights > 0)
    path = np.concatenate([data.shift, data.turn.as_rotvec()], axis=1)[ok]
    path = medfilt(path, (min(_WINDOW, len(ok) - 1 + len(ok) % 2), 1))
    span = np.ptp(path, axis=0)
    radius = float(np.quantile(np.linalg.norm(points - data.middle, axis=1), 0.9))
    return float(np.linalg.norm(span[:3]) + radius * np.linalg.norm(span[3:]))


def _steady(fit: Fit, weights: np.ndarray) -> np.ndarray:
    """(T,) values without jitter: the frames that are not trusted bridged, then a local parabola at each."""
    trusted = np.flatnonzero((weights > 0) & (fit.squares < _CAP))
    if not len(trusted):
        return np.zeros(1)
    bridged = np.interp(np.arange(len(fit.values)), trusted, fit.values[trusted])
    return savgol_filter(bridged, _WINDOW, 2) if len(bridged) >= _WINDOW else bridged


def _travel(kind: JointKind, fit: Fit, points: np.ndarray, weights: np.ndarray) -> float:
    """How far the child's points go over the film, metres."""
    span = float(np.ptp(_steady(fit, weights)))
    if kind == "prismatic":
        return span
    arm = np.cross(points - fit.origin, fit.axis)
    return span * float(np.quantile(np.linalg.norm(arm, axis=1), 0.9)) + abs(fit.pitch) * span


def _as_joint(
    kind: JointKind,
    fits: dict[JointKind, Fit],
    data: Relative,
    points: np.ndarray,
    parent: int,
    child: int,
    stretch: float,
) -> tuple[Joint, np.ndarray]:
    count, zero = len(data), np.zeros(3)
    if kind == "free":
        joint = Joint("free", parent, child, zero, data.middle, 0.0, np.zeros(count), (0.0, 0.0))
        return joint, data.weights > 0
    fit = fits[kind]
    trusted = (fit.squares < _CAP) & (data.weights > 0)
    radius = float(np.sqrt(np.square(points - data.middle).sum(1).mean()))
    each = np.square(fit.misfit[:, :3] * data.sigma[0]).sum(1)
    each += np.square(fit.misfit[:, 3:] * data.sigma[1]).sum(1) * 2 / 3 * radius**2
    kept = trusted if trusted.any() else np.ones(count, bool)
    residual = float(np.sqrt(each[kept].mean()))
    if kind == "fixed":
        return Joint(
            "fixed", parent, child, zero, data.middle, 0.0, np.zeros(count), (0.0, 0.0), residual=residual
        ), trusted
    variance = stretch * max(1.0, float(fit.squares[kept].mean()) / 5)
    std = np.sqrt(np.maximum(np.diag(fit.covariance), 0) * variance)
    slope = 1.0 / data.sigma[0] ** 2
    if kind != "prismatic":
        arm = np.cross(fit.axis, data.middle - fit.origin)
        slope = (arm @ arm + fit.pitch**2) / data.sigma[0] ** 2 + 1 / data.sigma[1] ** 2
    values = _steady(fit, data.weights)
    joint = Joint(
        kind=kind,
        parent=parent,
        child=child,
        axis=fit.axis,
        origin=fit.origin,
        pitch=fit.pitch if kind == "screw" else 0.0,
        values=fit.values,
        range=(float(values.min()), float(values.max())),
        axis_std=float(np.hypot(*std[:2])),
        origin_std=float(np.hypot(*std[2:4])) if kind != "prismatic" else 0.0,
        value_std=float(np.sqrt(max(1.0, float(fit.squares[kept].mean()) / 5) / slope)),
        residual=residual,
    )
    return joint, trusted


def _nothing(data: Relative, points: np.ndarray, parent: int, child: int) -> JointFit:
    """Too few frames to tell anything: fixed, with no evidence for anything."""
    joint = Joint("fixed", parent, child, np.zeros(3), data.middle, 0.0, np.zeros(len(data)), (0.0, 0.0))
    return JointFit(joint, {"fixed": 0.0, "free": 0.0}, np.zeros(len(data), bool), 0.0)
