"""Where is this object? Plain things, moved and turned since they were scanned, partly hidden, or not there."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scene_located import textured_field
from scipy.spatial.transform import Rotation

from robodistill.capture.frame import Frame
from robodistill.errors import BadInput, HonestNo
from robodistill.field.gaussians import GaussianField
from robodistill.field.standing import standing_object
from robodistill.geometry.camera import Camera
from robodistill.inversion import object_pose
from robodistill.inversion.foreground import change_from, color_space, foreground, matted, shaded_palette
from robodistill.inversion.object_fit import Sight, draw_object, fit_pose
from robodistill.inversion.object_pose import ObjectFinder
from robodistill.inversion.twist import moved, pose_error
from robodistill.raster.sh import rgb_to_sh0
from robodistill.sim.views import look_at

CAMERA = Camera.from_fov(0.8, 160, 120)
STEP = 0.005
POSES = [look_at(np.array(eye), np.array([0.02, 0.0, 0.03]), roll) for eye, roll in (((0.3, 0.2, 0.25), 0.5),)]
POSES += [look_at(np.array([-0.25, 0.28, 0.12]), np.array([0.0, 0.02, 0.03]), -0.8)]


def box(low, high, color) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means, rotations and colours of flat Gaussians on the faces of a box."""
    low, high = np.array(low, float), np.array(high, float)
    flat = {0: [2**-0.5, 0, 2**-0.5, 0], 1: [2**-0.5, 2**-0.5, 0, 0], 2: [1.0, 0, 0, 0]}
    means, turns = [], []
    for axis in range(3):
        a, b = (k for k in range(3) if k != axis)
        grid = np.meshgrid(*(np.arange(low[k] + STEP / 2, high[k], STEP) for k in (a, b)))
        for side in (low, high):
            face = np.zeros((grid[0].size, 3))
            face[:, a], face[:, b], face[:, axis] = grid[0].ravel(), grid[1].ravel(), side[axis]
            means.append(face)
            turns.append(np.tile(flat[axis], (len(face), 1)))
    means = np.concatenate(means)
    return means, np.concatenate(turns), np.tile(color, (len(means), 1))


def plain_thing() -> GaussianField:
    """A blue body with a red grip on one end: nothing that SIFT would see."""
    parts = [box((-0.06, -0.03, 0), (0.06, 0.03, 0.03), (0.15, 0.25, 0.75))]
    parts += [box((0.02, -0.02, 0.03), (0.05, 0.02, 0.09), (0.8, 0.15, 0.1))]
    return joined_parts(parts)


def joined_parts(parts: list) -> GaussianField:
    """Boxes as one thing."""
    means, turns, colors = (np.concatenate(x) for x in zip(*parts, strict=True))
    n = len(means)
    return GaussianField(
        means=torch.from_numpy(means).float(),
        quats_wxyz=torch.from_numpy(turns).float(),
        scales=torch.tensor([0.6, 0.6, 0.1]).repeat(n, 1) * STEP,
        opacities=torch.full((n,), 0.95),
        sh=rgb_to_sh0(torch.from_numpy(colors).float())[:, None],
    )


def place(seed: int = 3) -> np.ndarray:
    """(H, W, 3) uint8 of somewhere else: blots in browns and greys."""
    random = np.random.default_rng(seed)
    small = random.uniform(0.35, 0.75, (8, 10, 1)) * [1.0, 0.92, 0.8] + 0.03 * random.standard_normal((8, 10, 3))
    return np.kron((255 * small.clip(0, 1)), np.ones((15, 16, 1))).astype(np.uint8)


def photo(field, T_object_camera, light: float = 0.8, hidden: float = 0.0, seed: int = 0) -> Frame:
    """The thing in that place, in other light, a hand's colour over a share of its width; its depth beside it."""
    drawn = draw_object(field, CAMERA, T_object_camera)
    a, random = drawn.alpha[..., None], np.random.default_rng(seed)
    rgb = place() * (1 - a) + 255 * light * drawn.rgb * a
    columns = np.flatnonzero((drawn.alpha > 0.5).any(0))
    if hidden:
        rgb[:, columns[0] - 8 : columns[0] + round(hidden * len(columns))] = [205, 150, 120]
    rgb = (rgb + 3 * random.standard_normal(rgb.shape)).clip(0, 255).round().astype(np.uint8)
    depth = np.where(drawn.depth > 0, drawn.depth * (1 + 0.002 * random.standard_normal(drawn.depth.shape)), 1.5)
    return Frame(rgb, depth.astype(np.float32), CAMERA, None)


@pytest.fixture(scope="module")
def thing():
    return plain_thing()


@pytest.fixture(scope="module")
def finder(thing):
    return ObjectFinder(thing, hypotheses=16)


@pytest.mark.parametrize(("T", "hidden"), [(POSES[0], 0.0), (POSES[1], 0.2)])
def test_a_plain_thing_is_found_wherever_it_is(thing, finder, T, hidden):
    """Without a guess, by colour alone, in other light, a fifth of it hidden: to 5 mm and 3 degrees, and it is sure."""
    found = finder.find([photo(thing, T, hidden=hidden).rgb], CAMERA)
    metres, angle = pose_error(found.T_world_camera, T)
    assert metres < 0.02 and np.degrees(angle) < 3
    middle = np.append(thing.means.numpy().mean(0), 1)
    assert np.linalg.norm((found.T_camera_world @ middle - np.linalg.inv(T) @ middle)[:3]) < 0.005
    assert found.converged and found.confidence > 0.5 and not found.reason


def test_depth_makes_it_exact(thing, finder):
    """With measured depth, to 2 mm."""
    frame = photo(thing, POSES[0])
    found = finder.locate(frame)
    middle = np.append(thing.means.numpy().mean(0), 1)
    assert np.linalg.norm((found.T_camera_world @ middle - np.linalg.inv(POSES[0]) @ middle)[:3]) < 0.002
    assert found.converged and found.evidence["depth"] > 0.9


def test_what_sticks_out_tells_more_than_light(monkeypatch):
    """Light that falls from the other side than it did in the scan says that a block is half a turn further; a thin
    bar that would then stand in free space says that it is not."""

    def block(left: float, right: float) -> GaussianField:
        halves = [box((-0.06, -0.03, 0), (0, 0.03, 0.04), (left, left, 0.4))]
        halves += [box((0, -0.03, 0), (0.06, 0.03, 0.04), (right, right, 0.4))]
        bar = [box((-0.005, -0.005, 0.04), (0.005, 0.005, 0.06), (0.1, 0.1, 0.1))]
        bar += [box((0.005, -0.005, 0.05), (0.045, 0.005, 0.06), (0.1, 0.1, 0.1))]
        return joined_parts([*halves, *bar])

    T = look_at(np.array([0.05, 0.3, 0.3]), np.array([0.0, 0.0, 0.02]))
    frame = photo(block(0.75, 0.25), T)
    finder, half_turned = ObjectFinder(block(0.25, 0.75), hypotheses=4), np.diag([-1.0, -1, 1, 1]) @ T
    answers = {}
    for weight in (object_pose._THROUGH, 0.0):
        monkeypatch.setattr(object_pose, "_THROUGH", weight)
        found = finder.find(
            [frame.rgb], CAMERA, depth=frame.depth, previous=[np.linalg.inv(it) for it in (T, half_turned)]
        )
        answers[weight > 0] = pose_error(found.T_world_camera, T)[1]
    assert np.degrees(answers[True]) < 3 and np.degrees(answers[False]) > 170


def test_what_is_not_there_is_not_found(finder):
    """A picture of the place alone, and of a thing of other colours."""
    other = plain_thing()
    other = GaussianField(*(getattr(other, n) for n in ("means", "quats_wxyz", "scales", "opacities")), 0 * other.sh)
    for rgb in (place(), photo(other, POSES[0]).rgb):
        found = finder.find([rgb], CAMERA)
        assert not found.converged and found.reason and found.confidence < 0.5


def test_wrong_use_is_named(thing, finder):
    """Frames of another size, no frame, no object, an unknown focal length."""
    with pytest.raises(BadInput, match="160x120"):
        finder.find([np.zeros((60, 80, 3), np.uint8)], CAMERA)
    with pytest.raises(BadInput, match="at least one"):
        finder.find([], CAMERA)
    with pytest.raises(BadInput, match="no object"):
        ObjectFinder(thing.select(torch.arange(5)))
    with pytest.raises(BadInput, match="focal length"):
        finder.locate(photo(thing, POSES[0]), focal_known=False)


def test_outline_and_colours_lead_back(thing, finder):
    """From 8 degrees and 5 % of its distance off, the fit returns; without the outline it does not."""
    T = POSES[0]
    frame = photo(thing, T)
    sight = finder.sight([frame.rgb], CAMERA)
    views = finder.views
    turned = np.eye(4)
    turned[:3, :3] = Rotation.from_rotvec([0.1, -0.08, 0.06]).as_matrix()
    turned[:3, 3] = views.center - turned[:3, :3] @ views.center
    off = moved(turned @ T, np.array([0.004, -0.004, 0.02, 0, 0, 0]))
    away = pose_error(off, T)[0]
    fit = fit_pose(thing, sight, off, views.center, views.radius, 15, 1.0, 0.5)
    assert pose_error(fit.T_object_camera, T)[0] < 0.1 * away
    assert (np.linalg.eigvalsh(fit.information) > 0).all()
    nothing = Sight(CAMERA, sight.rgb, np.zeros_like(sight.chance))
    lost = fit_pose(thing, nothing, off, views.center, views.radius, 15, 1.0, 0.5)
    assert pose_error(lost.T_object_camera, T)[0] > 0.1 * away


def test_what_never_changes_is_no_object(thing):
    """A second thing of the same colours that stands still is left out, where frames of a still camera show it."""
    still = draw_object(thing, CAMERA, look_at(np.array([0.5, 0.5, 0.5]), np.array([0.12, -0.12, 0.0])))
    frames, masks = [], []
    for k in range(8):
        drawn = draw_object(thing, CAMERA, moved(POSES[0], np.array([0.02 * k - 0.05, 0.01 * k, 0, 0, 0, 0])))
        a, b = drawn.alpha[..., None], still.alpha[..., None]
        rgb = (place() * (1 - b) + 255 * still.rgb * b) * (1 - a) + 255 * drawn.rgb * a
        frames.append(rgb.round().astype(np.uint8))
        masks.append(drawn.alpha > 0.9)
    palette = shaded_palette(draw_object(thing, CAMERA, POSES[0]).rgb[masks[0]])
    alone, moving = (foreground(color_space(frames[0]), palette, c) for c in (None, change_from(frames)))
    other = (still.alpha > 0.9) & ~masks[0]
    assert moving[masks[0]].mean() > 0.5 and moving[other].mean() < 0.5 * alone[other].mean()
    assert change_from(frames[:2]) is None and change_from([frames[0]] * 5) is None


def test_what_is_not_found_is_looked_for_where_a_film_changes(thing, finder, monkeypatch):
    """Once more, with more of what moves taken for the thing, the surer answer; not where nothing is found to move."""
    sights: list[Sight] = []

    def answers(sight, *args):
        sights.append(sight)
        sure = len(sights) == 2
        return replace(unsure, confidence=0.9 if sure else 0.2, converged=sure)

    frames = [photo(thing, moved(POSES[0], np.array([0.02 * k, 0, 0, 0, 0, 0]))).rgb for k in range(5)]
    unsure = finder._answer([], CAMERA, 0.0)
    monkeypatch.setattr(finder, "find_in", answers)
    assert finder.find(frames, CAMERA).converged and len(sights) == 2
    change = change_from(frames)
    more = sights[1].chance - sights[0].chance
    assert more[change > 0.9].mean() > 0 and np.abs(more[change == 0]).max() < 0.05
    for still in ([frames[0]], [frames[0]] * 5):
        sights.clear()
        assert not finder.find(still, CAMERA).converged and len(sights) == 1


def test_rims_are_measured_to_parts_of_a_pixel():
    """A disc of known radius: the matted mask has its area to a hundredth, the mask of whole pixels has not its rim."""
    y, x = np.mgrid[:60, :80]
    cover = np.clip(15.3 - np.hypot(x - 40.3, y - 29.6) + 0.5, 0, 1).astype(np.float32)
    rgb = cover[..., None] * np.float32([0.9, 0.2, 0.1]) + (1 - cover[..., None]) * np.float32([0.4, 0.5, 0.45])
    coarse = (cover > 0.5).astype(np.float32)
    fine = matted(rgb.astype(np.float32), coarse)
    assert np.abs(fine - cover).mean() < 0.1 * np.abs(coarse - cover).mean()
    assert fine.sum() == pytest.approx(cover.sum(), rel=0.01)


def test_what_stands_on_the_table_is_cut_out():
    """The blocks on the ground, and none of the ground but at their feet; an empty ground is an honest no."""
    field = textured_field()
    kept, heights = standing_object(field).numpy(), field.means[:, 2].numpy()
    assert kept[heights > 0.02].all() and kept[heights < 0.001].mean() < 0.1
    with pytest.raises(HonestNo, match="nothing stands"):
        standing_object(field.select(field.means[:, 2] < 0.001))
    with pytest.raises(HonestNo, match="no surface"):
        standing_object(plain_thing())


@pytest.mark.parametrize(
    ("right", "evidence"),
    [  # overlap, color, structure, margin of first poses in films of hands, and of things that are not in the film
        (True, (0.473, 0.433, 0.995, 0.163)),  # thin glasses: little of an outline is theirs alone
        (True, (0.504, 0.419, 0.989, 0.245)),
        (True, (0.778, 0.683, 0.960, 0.206)),
        (True, (0.924, 0.797, 0.813, 0.446)),  # a plain stapler
        (True, (0.691, 0.522, 0.911, 0.427)),
        (False, (0.741, 0.469, 0.296, 0.008)),  # other glasses
        (False, (0.727, 0.469, -0.036, 0.003)),
        (False, (0.536, 0.341, 0.402, 0.143)),  # other pliers
        (False, (0.470, 0.333, 0.665, 0.253)),  # pliers where glasses are
        (False, (0.224, 0.140, 0.647, 0.008)),
    ],
)
def test_what_tells_a_right_pose_from_another_thing(right, evidence):
    known = dict(zip(("overlap", "color", "structure", "margin"), evidence, strict=True)) | {"contrary": 0.0}
    assert (object_pose._confidence(known) >= 0.5) == right
