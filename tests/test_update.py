"""Scene updates on an analytic field: what is gone, how a thing moved, what fills the hole, features that follow."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from test_edit import CAMERA, looking_down, table_with_box

from robodistill.capture.folder import CaptureWriter
from robodistill.capture.frame import Frame
from robodistill.cli import main
from robodistill.edit.changes import find_changes, gone_gaussians
from robodistill.edit.edit import move
from robodistill.edit.motion import Cloud, find_motion
from robodistill.edit.refine import refined
from robodistill.edit.update import update_scene
from robodistill.errors import BadInput, HonestNo
from robodistill.field.gaussians import GaussianField
from robodistill.field.render import render

NEW = [(0.3, 0.3), (1.6, 0.5), (2.9, 0.3), (4.2, 0.5), (5.4, 0.4)]


@pytest.fixture(scope="module")
def scene():
    """A field, its box, the motion of the box, the true field after it, and five views of that."""
    field, selection = table_with_box()
    T = np.eye(4)
    T[:3, :3] = Rotation.from_euler("z", 0.6).as_matrix()
    T[:3, 3] = 0.12, -0.05, 0.0
    after = move(field, selection, torch.from_numpy(T)).field  # what was under the box is filled: a whole table
    return field, selection, T, after, [shot(after, *angles) for angles in NEW]


def shot(field: GaussianField, angle: float, tilt: float) -> Frame:
    """What a perfect camera sees."""
    T = looking_down(angle, tilt)
    with torch.no_grad():
        seen = render(field, CAMERA, T)
    rgb = (255 * seen.rgb.clamp(0, 1)).round().byte().numpy()
    return Frame(rgb, seen.depth.numpy().astype(np.float32), CAMERA, T, f"{angle}")


def difference(field: GaussianField, truth: GaussianField) -> float:
    """Mean absolute colour error over views that no update has seen."""
    errors = []
    for angle in (0.9, 3.5):
        with torch.no_grad():
            pair = [render(f, CAMERA, looking_down(angle, 0.4)).rgb for f in (field, truth)]
        errors.append(float((pair[0] - pair[1]).abs().mean()))
    return float(np.mean(errors))


def test_what_is_gone_is_seen_through(scene):
    """Of the box that was moved most Gaussians are gone, of the table that is still there none."""
    field, selection, _, _, frames = scene
    gone = gone_gaussians(field, frames)
    assert gone[selection].float().mean() > 0.5
    assert not gone[~selection].any()


def test_nothing_changed_means_no_changes(scene):
    """Views of the field itself find nothing gone and nothing new."""
    field = scene[0]
    changes = find_changes(field, [shot(field, *angles) for angles in NEW])
    assert not changes.gone.any() and sum(mask.sum() for mask in changes.new) == 0


def test_a_known_motion_and_views_give_the_new_scene(scene):
    """The box stands in its new place, its features with it, the table under its old place is whole."""
    field, selection, T, after, frames = scene
    done = update_scene(field, frames, selection, T)
    assert done.moved == int(selection.sum()) and done.added > 0
    stale, fresh = difference(field, after), difference(done.field, after)
    assert fresh < 0.15 * stale, (stale, fresh)
    codes, groups = done.field.features["truth"].codes, done.field.groups
    red = (done.field.sh[:, 0] - field.sh[selection, 0].mean(0)).abs().amax(-1) < 0.3
    assert (codes[red, 1] == 1).float().mean() > 0.9 and (groups[red, 0] == 2).float().mean() > 0.9
    moved = done.field.means[codes[:, 1] == 1].mean(0)
    expected = field.means[selection].mean(0).double().numpy() @ T[:3, :3].T + T[:3, 3]
    np.testing.assert_allclose(moved.numpy(), expected, atol=0.01)
    told = torch.from_numpy(field.means[selection].double().numpy() @ T[:3, :3].T + T[:3, 3])
    away = torch.cdist(told, done.field.means.double()).amin(1)
    assert (away < 1e-5).float().mean() > 0.9  # its shape is not fitted anew


def test_a_motion_alone_moves_and_fills(scene):
    """Without views the hole is closed from its rim."""
    field, selection, T, after, _ = scene
    done = update_scene(field, (), selection, T)
    assert (done.gone, done.added) == (0, 0) and difference(done.field, after) < 0.02


def test_views_alone_bring_the_field_up_to_date(scene):
    """Told nothing of a motion, the box leaves its old place and surface appears in the new one."""
    field, _, _, after, frames = scene
    done = update_scene(field, frames)
    assert done.gone > 50 and done.added > 20 and done.T_world_world is None
    assert difference(done.field, after) < 0.3 * difference(field, after)


def test_the_motion_is_found_in_the_views(scene):
    """Within the spacing of the Gaussians, 10 mm, and 5 degrees, up to the box's symmetry of a quarter turn."""
    field, selection, T, _, frames = scene
    found = update_scene(field, frames, selection).T_world_world
    off = np.linalg.inv(T) @ found
    center = field.means[selection].mean(0).double().numpy()
    assert np.linalg.norm(off[:3, :3] @ center + off[:3, 3] - center) < 0.010
    angle = np.degrees(np.arctan2(off[1, 0], off[0, 0])) % 90
    assert min(angle, 90 - angle) < 5


def test_motion_of_an_uneven_cloud_is_exact():
    """Half of an asymmetric coloured cloud, turned by 2 rad: found to a millimetre; another cloud is an honest no."""
    rng = np.random.default_rng(0)
    points = rng.uniform(-1, 1, (900, 3)) * [0.06, 0.03, 0.02] + [0, 0, 0.02]
    points = points[(points[:, 0] < 0.02) | (points[:, 1] > 0)]
    colors = np.clip(0.5 + 8 * points, 0, 1)
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = Rotation.from_euler("z", 2.0).as_matrix(), [0.1, 0.2, 0.0]
    normals = rng.normal(size=points.shape)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    before = Cloud(points, colors, normals)
    seen = points[:, 2] > 0.015
    after = Cloud(points[seen] @ T[:3, :3].T + T[:3, 3], colors[seen])
    found = find_motion(before, after, np.array([0.0, 0, 1]))
    np.testing.assert_allclose(found, T, atol=5e-3)
    with pytest.raises(HonestNo, match="no motion explains"):
        find_motion(before, Cloud(rng.uniform(-0.5, 0.5, (500, 3)), colors[:1].repeat(500, 0)), np.eye(3)[2])
    with pytest.raises(HonestNo, match="too little"):
        find_motion(before, Cloud(points[:5], colors[:5]), np.eye(3)[2])


def test_what_tipped_over_is_found_too():
    """A tall box that no longer stands as it stood: turned by 0.7 rad about a level axis."""
    rng = np.random.default_rng(1)
    half, face = np.array([0.02, 0.03, 0.09]), rng.integers(0, 6, 900)
    normals = np.concatenate([np.eye(3), -np.eye(3)])[face]
    points = np.where(normals != 0, normals, rng.uniform(-1, 1, (900, 3))) * half
    colors = np.clip(0.5 + 5 * points, 0, 1)
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = Rotation.from_euler("x", 0.7).as_matrix(), [0.1, 0.0, 0.02]
    found = find_motion(
        Cloud(points, colors, normals), Cloud(points @ T[:3, :3].T + T[:3, 3], colors), np.array([0.0, 0, 1])
    )
    np.testing.assert_allclose(found, T, atol=5e-3)


def test_only_what_changed_is_fitted(scene):
    """A box that became darker is drawn as it is after a few steps; what is further off keeps every bit."""
    _, _, _, after, frames = scene
    box = (after.sh[:, 0] - after.sh[:, 0].median(0).values).abs().amax(-1) > 0.3
    dim = replace(after, sh=torch.where(box[:, None, None], 0.7 * after.sh - 0.3, after.sh))
    places = after.means[box].numpy()
    none = torch.zeros_like(box)
    fitted = refined(dim, frames, places, none)
    assert difference(fitted, after) < 0.4 * difference(dim, after)
    far = torch.cdist(after.means, after.means[box]).amin(1) > 0.06
    assert far.sum() > 100
    for name in ("means", "scales", "opacities", "sh"):
        assert (getattr(fitted, name)[far] - getattr(dim, name)[far]).abs().max() < 1e-6
    assert (fitted.means[box] - dim.means[box]).abs().max() > 1e-4
    relit = refined(dim, frames, places, box)
    assert difference(relit, after) < 0.4 * difference(dim, after)
    for name in ("means", "quats_wxyz", "scales", "opacities"):
        assert (getattr(relit, name)[box] - getattr(dim, name)[box]).abs().max() < 1e-6
    assert refined(dim, frames, np.zeros((0, 3)), none) is dim


def test_bad_updates_are_named(scene):
    """What is missing is said."""
    field, selection, T, _, frames = scene
    with pytest.raises(BadInput, match="a transform, new views, or both"):
        update_scene(field, (), selection)
    with pytest.raises(BadInput, match="needs the thing"):
        update_scene(field, (), None, T)
    blind = Frame(frames[0].rgb, None, CAMERA, frames[0].T_world_camera, "blind")
    with pytest.raises(BadInput, match="depth and poses"):
        update_scene(field, [blind], selection)


def test_update_on_the_command_line(scene, tmp_path, capsys):
    """A capture of new views updates a field folder; the motion is never asked for without its thing."""
    field, _, _, after, frames = scene
    field.save(tmp_path / "a.field")
    with CaptureWriter(tmp_path / "views") as writer:
        for frame in frames:
            writer.add(frame)
    out = ["-o", str(tmp_path / "b.field")]
    assert main(["update", str(tmp_path / "a.field"), *out, "--views", str(tmp_path / "views"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (
        told["gone"] > 50 and told["seconds"] > 0 and told["gaussians"] == len(GaussianField.load(tmp_path / "b.field"))
    )
    assert difference(GaussianField.load(tmp_path / "b.field"), after) < 0.3 * difference(field, after)
    assert main(["update", str(tmp_path / "a.field"), *out]) == 2
    assert "exists" in capsys.readouterr().err
    (tmp_path / "T.json").write_text("[[1, 0], [0, 1]]")
    wrong = ["update", str(tmp_path / "a.field"), "-o", str(tmp_path / "c.field"), "--moved", "box"]
    assert main([*wrong, "--transform", str(tmp_path / "T.json")]) == 2
    assert "shape (2, 2)" in capsys.readouterr().err
    assert main(wrong) == 2
    assert "--views, or --moved with --transform" in capsys.readouterr().err
