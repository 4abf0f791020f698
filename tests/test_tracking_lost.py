"""Lost parts are found again, and of joints that fit alike the likelier one is taken."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
from scipy.spatial.transform import Rotation
from two_boxes import CAMERA, HINGE, make_model, start

from robodistill.config import TrackingConfig
from robodistill.tracking.articulation import FreeParts, joint_motion
from robodistill.tracking.axes import to_edge
from robodistill.tracking.background import Background
from robodistill.tracking.joint_guesses import likely_joints, trial_values
from robodistill.tracking.joint_trial import _chosen, _leaves, _mixed, _Solved
from robodistill.tracking.layers import Window
from robodistill.tracking.look import Look
from robodistill.tracking.lost import Lost
from robodistill.tracking.motion import Joint
from robodistill.tracking.photometric import linearize
from robodistill.tracking.picture import Picture
from robodistill.tracking.tracker import Follower, follow

MODEL = make_model()
CONFIG = TrackingConfig()
SLIDE = replace(HINGE, kind="prismatic", axis=np.array([0, 0, 1.0]), values=np.linspace(0, 0.06, 9))


def picture_at(Ts: np.ndarray) -> Picture:
    behind = np.full((120, 160, 3), 0.4, np.float32)
    layers = MODEL.draw(Ts, Window(CAMERA, 0, 0, 160, 120))
    return Picture(layers.over(layers.color, behind), behind, np.ones((120, 160), np.float32), CAMERA)


def lost_and_found(picture: Picture, Ts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Poses, and what is seen of the parts there."""
    lost = Lost(MODEL, CONFIG, Follower(MODEL, CONFIG, FreeParts(MODEL.centers)).solve)
    found, q = lost.found(picture, Ts, linearize(MODEL, Ts, picture, CONFIG.spread))
    return found, q.visible


def test_a_lid_is_found_where_it_turned_to():
    """It was last seen closed, and is open by 1.3 rad, which no search nearby would reach."""
    closed = np.stack([start()] * 2)
    opened = np.stack([start(), start() @ joint_motion(HINGE, -1.3)])
    found, visible = lost_and_found(picture_at(opened), closed)
    apart = np.linalg.norm(MODEL.posed_points(found) - MODEL.posed_points(opened), axis=1)
    assert apart.mean() < 0.002 and visible.min() > 0.7
    before = np.linalg.norm(MODEL.posed_points(closed) - MODEL.posed_points(opened), axis=1)
    assert before[MODEL.labels == 1].mean() > 0.05


def test_what_is_not_there_stays_lost():
    """With the lid out of the picture its pose is left as it was."""
    closed = np.stack([start()] * 2)
    away = closed.copy()
    away[1, :3, 3] += [2.0, 0, 0]
    found, visible = lost_and_found(picture_at(away), closed)
    assert np.array_equal(found, closed) and visible[1] < 0.2


def test_places_to_look_at_hold_the_true_one():
    hinges = [joint for joint in likely_joints(MODEL, 0, 1) if joint.kind == "revolute"]
    off = [
        np.linalg.norm(np.cross(joint.origin - HINGE.origin, HINGE.axis))
        for joint in hinges
        if abs(joint.axis @ HINGE.axis) > 0.99
    ]
    assert min(off) < 0.012
    assert np.abs(trial_values(MODEL, HINGE) - -1.3).min() < 0.13
    assert np.ptp(trial_values(MODEL, SLIDE)) > 0.5 * MODEL.size


def test_what_leaves_its_parent_must_be_much_nearer():
    """A lid that is lifted off has to fit better than one that turns; along an edge is likelier than askew."""
    hinge = replace(HINGE, values=np.linspace(-0.9, 0, 9))
    along = replace(SLIDE, axis=np.array([1.0, 0, 0]), values=np.linspace(0, 0.03, 9))
    askew = replace(along, axis=np.array([np.cos(0.1), np.sin(0.1), 0]))
    assert _leaves(MODEL, SLIDE) and not _leaves(MODEL, hinge) and not _leaves(MODEL, along)

    def chosen(*costs: tuple[Joint, float], rest: float = -0.8) -> Joint:
        each = [_Solved(joint, np.array([cost]), np.zeros(0)) for joint, cost in costs]
        return _chosen(MODEL, each, _Solved(HINGE, np.array([rest]), np.zeros(0))).joint

    assert chosen((SLIDE, -1.0), (hinge, -1.0)) is hinge
    assert chosen((SLIDE, -1.0), (hinge, -0.9)) is SLIDE
    assert chosen((SLIDE, -1.0), (along, -0.98)) is along
    assert chosen((SLIDE, -1.0), (along, -0.98), rest=-0.92) is SLIDE  # a quarter of what it brings is much
    assert chosen((along, -1.0), (hinge, -1.01)) is along
    assert chosen((along, -1.0), (hinge, -1.01), rest=-0.999) is hinge  # the slide hardly moves
    assert chosen((along, -0.99), (hinge, -1.01), rest=-0.96) is hinge  # it brings less than most of what that does
    assert chosen((along, -0.99), (hinge, -1.0), rest=-0.96) is along
    assert chosen((along, -1.0), (askew, -1.005)) is along
    assert chosen((along, -1.0), (askew, -1.05)) is askew
    # threads go round their axis: what turns about an edge is no screw
    beside = replace(hinge, kind="screw", pitch=0.01)
    through = replace(beside, origin=MODEL.centers[1])
    assert chosen((beside, -1.2), (hinge, -1.0)) is hinge
    assert chosen((through, -1.2), (hinge, -1.0)) is through


def test_a_joint_is_begun_where_each_frame_was_nearest():
    """Two hinges that lost a frame each, and a slide that is not asked: values of both, of poses turned to them."""
    true = np.array([0.0, -0.4, -0.8])

    def solved(joint: Joint, values: np.ndarray, costs: tuple) -> _Solved:
        Ts = np.stack([np.stack([start(), start() @ joint_motion(joint, value)]) for value in values])
        return _Solved(replace(joint, values=values), np.array(costs), Ts)

    best = solved(HINGE, np.array([0.0, -0.4, 1.2]), (-3.0, -3.0, -2.0))
    other = solved(HINGE, np.array([0.9, -0.41, -0.8]), (-1.0, -3.01, -3.0))
    slide = solved(SLIDE, np.array([0.01, 0.02, 0.03]), (-9.0, -9.0, -9.0))
    mixed = _mixed(MODEL, best, [slide, other, best])
    assert mixed.kind == "revolute" and np.allclose(mixed.values, true, atol=1e-9)
    assert _mixed(MODEL, best, [best, slide]) is None


def test_what_its_lid_hides_is_not_charged_for_where_it_was_followed():
    """A box seen to be half behind its lid costs less there than where nobody knows whether it is."""
    Ts = np.stack([start()] * 2)
    picture = picture_at(Ts)
    q = linearize(MODEL, Ts, picture, CONFIG.spread)
    told, untold = (Look.at(MODEL, picture, Ts, replace(q, visible=np.full(2, it)), CONFIG) for it in (1.0, 0.1))
    hidden = told._known_hidden
    assert hidden[0] > 50 and not untold._known_hidden.any()
    assert np.isclose(untold.cost(Ts, [0]) - told.cost(Ts, [0]), 0.2 * hidden[0] / 1000, atol=1e-3)
    # the box moved to the lid, or the lid to the box, is the same, and charged alike
    assert np.isclose(untold.cost(Ts, [0], [0, 1]), untold.cost(Ts, [1], [0, 1]), atol=1e-3)
    assert untold.cost(Ts, [1]) < untold.cost(Ts, [1], [0, 1])
    behind = Ts.copy()
    behind[0, :3, 3] += 0.03 * (start()[:3, :3] @ np.array([0, 0, -1.0]))  # further below: no less is hidden
    assert told.cost(behind, [0]) > told.cost(Ts, [0])


def test_a_frame_is_solved_from_where_it_is_known_to_be():
    """Between two frames the lid opens by 1.3 rad, further than is looked; with poses from elsewhere it is found."""
    closed = np.stack([start()] * 2)
    opened = np.stack([start(), start() @ joint_motion(HINGE, -1.3)])
    frames = [(255 * picture_at(Ts).rgb).astype(np.uint8) for Ts in (closed, opened)]
    behind = Background(frames, np.zeros((120, 160), bool))
    behind.rgb[:], behind.known[:] = 0.4, 1.0
    off = {}
    for known in (None, {1: opened + 1e-3}):
        Ts = follow(MODEL, frames, CAMERA, closed, CONFIG, background=behind, seek=False, known=known).Ts_camera_part
        off[known is None] = np.linalg.norm(MODEL.posed_points(Ts[1]) - MODEL.posed_points(opened), axis=1).mean()
    assert off[False] < 0.003 < 0.02 < off[True]


def test_edges_that_axes_lie_along():
    """Slides along the larger part's, though a smaller one's is nearer; hinges along the nearest of all."""

    def turned(degrees: float) -> np.ndarray:
        return Rotation.from_euler("z", degrees, degrees=True).as_matrix()

    parts = SimpleNamespace(
        up=None,
        radii=np.array([2.0, 1.0]),
        axes=np.stack([turned(-8), turned(2)]),
        principal=np.stack([turned(-14), turned(30)]),
    )
    slide, hinge = (replace(HINGE, kind=kind, axis=np.array([1.0, 0, 0])) for kind in ("prismatic", "revolute"))
    assert abs(np.degrees(to_edge(parts, slide)[2]) - 8) < 0.1
    assert abs(np.degrees(to_edge(parts, hinge)[2]) + 2) < 0.1
    parts = SimpleNamespace(
        up=None, radii=np.ones(2), axes=np.stack([turned(40)] * 2), principal=np.stack([turned(45)] * 2)
    )
    assert to_edge(parts, slide) is None
