"""Edits of a field: what is taken, painted or moved, and how the hole is closed."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from robodistill.edit.edit import delete, extract, move, recolor
from robodistill.edit.fill import rotations_to
from robodistill.edit.support import find_support
from robodistill.edit.surface_grid import enclosed, membrane
from robodistill.errors import BadInput
from robodistill.field.features import Decoder, FeatureLayer
from robodistill.field.gaussians import FieldView, GaussianField
from robodistill.field.render import render
from robodistill.geometry.camera import Camera
from robodistill.raster.rotate_sh import rotate_sh
from robodistill.raster.sh import evaluate_sh, rgb_to_sh0, sh0_to_rgb

CAMERA = Camera.from_fov(np.radians(45), 120, 90)
SPACING = 0.01
TABLE, BOX = (0.7, 0.6, 0.5), (0.1, 0.2, 0.7)


def looking_down(angle: float = 0.0, tilt: float = 0.6) -> np.ndarray:
    """T_world_camera 0.7 m from the origin."""
    T = np.eye(4)
    T[:3, :3] = (Rotation.from_euler("z", angle) * Rotation.from_euler("x", np.pi + tilt)).as_matrix()
    T[:3, 3] = T[:3, :3] @ [0, 0, -0.7]
    return T


def sheet(points: np.ndarray, normal: tuple, rgb: np.ndarray) -> dict:
    """Flat Gaussians along a face."""
    n = len(points)
    quats = rotations_to(torch.tensor([normal], dtype=torch.float32)).repeat(n, 1)
    sh = torch.zeros(n, 4, 3)
    sh[:, 0] = rgb_to_sh0(torch.as_tensor(np.broadcast_to(rgb, (n, 3)).copy(), dtype=torch.float32))
    return {
        "means": torch.tensor(points, dtype=torch.float32),
        "quats_wxyz": quats,
        "scales": torch.tensor([0.7, 0.7, 0.1]).repeat(n, 1) * SPACING,
        "opacities": torch.full((n,), 0.9),
        "sh": sh,
    }


def table_with_box(half: float = 0.04, height: float = 0.06, light: tuple | None = None, lift: float = 0.0) -> tuple:
    """A table top z = 0 with a box on it: field, selection, (N, 2) positions of the table's Gaussians under the box.

    There is no table under the box, as no camera saw it. `light` is the shift of shadows per height; shadow is 60 %.
    """
    steps = np.arange(-0.25, 0.2501, SPACING)
    flat = np.stack([*np.meshgrid(steps, steps, indexing="ij"), np.zeros((len(steps),) * 2)], -1).reshape(-1, 3)
    under = (np.abs(flat[:, :2]) < half).all(1)
    flat = flat[~under] if lift == 0 else flat
    rgb = np.tile(np.array(TABLE), (len(flat), 1))
    if light is not None:
        ts = np.linspace(0, height, 30)
        dark = np.any([(np.abs(flat[:, :2] - t * np.array(light)) < half).all(1) for t in ts], 0)
        rgb[dark] *= 0.6
    side = np.arange(-half, half + 1e-9, SPACING)
    up = np.arange(SPACING / 2, height, SPACING)
    a, b = (g.ravel() for g in np.meshgrid(side, up, indexing="ij"))
    c, d = (g.ravel() for g in np.meshgrid(side, side, indexing="ij"))
    faces = [(np.column_stack([c, d, np.full(len(c), height)]), (0, 0, 1))]
    for s in (-half, half):
        faces.append((np.column_stack([np.full(len(a), s), a, b]), (np.sign(s), 0, 1e-3)))
        faces.append((np.column_stack([a, np.full(len(a), s), b]), (0, np.sign(s), 1e-3)))
    pieces = [sheet(flat, (0, 0, 1), rgb)]
    pieces += [sheet(points + [0, 0, lift], normal, BOX) for points, normal in faces]
    n = sum(len(p["means"]) for p in pieces)
    selection = torch.arange(n) >= len(flat)
    codes = torch.where(selection[:, None], torch.tensor([[0.0, 1.0]]), torch.tensor([[1.0, 0.0]]))
    views = tuple(FieldView(f"{k}", CAMERA, looking_down(a, 0.5)) for k, a in enumerate(np.arange(6) * np.pi / 3))
    field = GaussianField(
        **{name: torch.cat([p[name] for p in pieces]) for name in pieces[0]},
        views=views,
        features={"truth": FeatureLayer("truth", "uplift", codes, Decoder((torch.eye(2),), (None,)))},
        groups=torch.where(selection, 2, 1).int()[:, None],
    )
    return field, selection


@pytest.fixture(scope="module")
def scene() -> tuple[GaussianField, torch.Tensor]:
    return table_with_box()


def random_field(n: int = 60, degree: int = 3, seed: int = 0) -> GaussianField:
    g = torch.Generator().manual_seed(seed)
    return GaussianField(
        means=0.1 * torch.randn(n, 3, generator=g),
        quats_wxyz=torch.nn.functional.normalize(torch.randn(n, 4, generator=g), dim=-1),
        scales=0.02 * (0.2 + torch.rand(n, 3, generator=g)),
        opacities=0.3 + 0.7 * torch.rand(n, generator=g),
        sh=0.3 * torch.randn(n, (degree + 1) ** 2, 3, generator=g),
    )


def some_move(angle: float = 0.9) -> torch.Tensor:
    T = torch.eye(4)
    T[:3, :3] = torch.tensor(Rotation.from_rotvec([angle, -0.4, 0.7]).as_matrix())
    T[:3, 3] = torch.tensor([0.05, -0.02, 0.03])
    return T


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_moving_a_thing_is_moving_the_camera_the_other_way(degree):
    """Colour that depends on the view, depth and alpha are those seen from the inversely moved camera."""
    field, T = random_field(degree=degree), some_move()
    everything = torch.ones(len(field), dtype=torch.bool)
    moved = move(field, everything, T, fill=False).field
    eye = looking_down()
    a = render(moved, CAMERA, eye)
    b = render(field, CAMERA, np.linalg.inv(T.double().numpy()) @ eye)
    assert a.alpha.max() > 0.9
    torch.testing.assert_close(a.rgb, b.rgb, atol=2e-4, rtol=0)  # float32, and alphas cut at 1/255 may flip
    torch.testing.assert_close(a.alpha, b.alpha, atol=2e-4, rtol=0)


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_turned_harmonics_look_the_same_in_turned_directions(degree):
    """f'(R d) = f(d) for all directions."""
    sh = torch.randn(5, (degree + 1) ** 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    R = some_move()[:3, :3].double()
    R = torch.linalg.qr(R)[0] * torch.sign(torch.diagonal(torch.linalg.qr(R)[1]))  # orthonormal in float64
    dirs = torch.randn(40, 1, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    turned = evaluate_sh(degree, dirs @ R.mT, rotate_sh(sh, R)[None])
    torch.testing.assert_close(turned, evaluate_sh(degree, dirs, sh[None]), atol=1e-10, rtol=0)


def test_moving_there_and_back_changes_nothing():
    """Means, colours and orientations come back (a quaternion up to its sign)."""
    field = random_field()
    part = torch.arange(len(field)) % 3 == 0
    there = move(field, part, some_move(), fill=False)
    back = move(there.field, there.selection, torch.linalg.inv(some_move()), fill=False)
    before, after = field.select(part), back.field.select(back.selection)
    torch.testing.assert_close(after.means, before.means, atol=1e-6, rtol=0)
    torch.testing.assert_close(after.sh, before.sh, atol=1e-5, rtol=0)
    torch.testing.assert_close((after.quats_wxyz * before.quats_wxyz).sum(-1).abs(), torch.ones(part.sum()))


def test_extract_and_delete_without_filling_share_the_gaussians(scene):
    """Each Gaussian is in one of both, with its features and groups."""
    field, selection = scene
    taken, rest = extract(field, selection), delete(field, selection, fill=False)
    assert len(taken.field) == int(selection.sum()) and len(taken.field) + len(rest.field) == len(field)
    assert (taken.field.groups == 2).all() and (rest.field.groups == 1).all()
    assert (taken.field.features["truth"].codes == torch.tensor([0.0, 1.0])).all()
    assert taken.selection.all() and not rest.selection.any()
    assert taken.field.background == (0.0, 0.0, 0.0)


def test_the_hole_is_closed_with_the_supports_own_surface(scene):
    """Seen from above, the table is whole: its colour within 2 %, its height within 1 mm, no alpha below 0.9."""
    field, selection = scene
    edited = delete(field, selection)
    assert edited.filled > 20 and "fill the hole" in edited.note
    for angle in (0.0, 2.0):
        seen = render(edited.field, CAMERA, looking_down(angle, 0.4))
        open_ = render(delete(field, selection, fill=False).field, CAMERA, looking_down(angle, 0.4))
        middle = (slice(35, 55), slice(45, 75))
        assert open_.alpha[middle].min() < 0.1
        assert seen.alpha[middle].min() > 0.9
        assert (seen.rgb[middle] / seen.alpha[middle][..., None] - torch.tensor(TABLE)).abs().max() < 0.02
        T = looking_down(angle, 0.4)
        points = CAMERA.unproject(seen.depth.double().numpy()) @ T[:3, :3].T + T[:3, 3]
        assert np.abs(points[middle][..., 2]).max() < 1e-3


def test_new_gaussians_carry_the_layers_of_the_surface(scene):
    """Features and groups of what fills the hole are the table's."""
    field, selection = scene
    edited = delete(field, selection)
    assert (edited.field.groups == 1).all()
    assert (edited.field.features["truth"].codes == torch.tensor([1.0, 0.0])).all()


def test_a_cast_shadow_goes_with_the_thing():
    """Where the box's shadow lay, the table is as bright as elsewhere within 8 % on average; it was 40 % darker."""
    field, selection = table_with_box(light=(0.8, 0.5))
    table = ~selection
    rgb = sh0_to_rgb(field.sh[:, 0])
    dark = table & (rgb[:, 0] < 0.5)
    assert dark.sum() > 30
    edited = delete(field, selection)
    assert "shadow is taken off" in edited.note
    places = field.means[dark]
    nearest = torch.cdist(places, edited.field.means).argmin(1)
    after = sh0_to_rgb(edited.field.sh[nearest, 0])
    assert (after.mean(0) / torch.tensor(TABLE) - 1).abs().max() < 0.08


def test_without_shadows_no_light_is_invented(scene):
    """On an evenly lit table no colour changes but for rounding."""
    field, selection = scene
    edited = delete(field, selection)
    assert "shadow" not in edited.note
    kept = edited.field.sh[: len(edited.field) - edited.filled]
    torch.testing.assert_close(sh0_to_rgb(kept[:, 0]), torch.tensor(TABLE).expand(len(kept), 3), atol=1e-3, rtol=0)


def test_a_thing_in_the_air_leaves_no_hole():
    """Nothing is filled and the note says why."""
    field, selection = table_with_box(lift=0.3)
    edited = delete(field, selection)
    assert edited.filled == 0 and len(edited.field) == int((~selection).sum())
    assert edited.note == "nothing was filled: the selection stands on no plane"


def test_the_support_is_the_plane_of_the_table(scene):
    """Height 0 within half a millimetre and level within 0.2 degrees, with its up side towards the box."""
    field, selection = scene
    support = find_support(field, selection.numpy())
    up = support.T_plane_world[2, :3]
    assert up[2] > np.cos(np.radians(0.2))
    assert abs(support.coordinates(np.zeros((1, 3)))[0, 2]) < 5e-4
    assert support.spacing == pytest.approx(SPACING, rel=0.2)


def test_the_fill_turns_with_the_scene(scene):
    """Gravity is not known: a world turned upside down is filled alike."""
    field, selection = scene
    everything = torch.ones(len(field), dtype=torch.bool)
    T = some_move(2.5)
    turned = move(field, everything, T, fill=False).field
    views = tuple(replace(v, T_world_camera=T.double().numpy() @ v.T_world_camera) for v in field.views)
    edited = delete(replace(turned, views=views), selection)
    assert edited.filled == pytest.approx(delete(field, selection).filled, rel=0.15)  # another grid over the same hole


def test_a_moved_thing_leaves_a_closed_hole_and_stays_selected(scene):
    """The box is 0.12 m further, the table is whole where it stood, and the selection names the box."""
    field, selection = scene
    T = torch.eye(4)
    T[0, 3] = 0.12
    edited = move(field, selection, T)
    box = edited.field.select(edited.selection)
    torch.testing.assert_close(box.means, field.means[selection] + torch.tensor([0.12, 0, 0]))
    assert (box.groups == 2).all() and edited.filled > 20
    again = recolor(edited.field, edited.selection, (1.0, 0.0, 0.0))
    red = sh0_to_rgb(again.field.sh[again.selection][:, 0]).mean(0)
    assert red[0] > 0.9 and red[1:].max() < 0.05


@pytest.mark.parametrize("old", [(0.02, 0.02, 0.02), (0.5, 0.1, 0.1), (0.95, 0.95, 0.95)])
def test_a_new_colour_keeps_the_shading(old):
    """The median Gaussian gets the colour; order of brightness stays, of black and white things too."""
    field = random_field(40, degree=1)
    shade = torch.linspace(0.8, 1.05, 40)
    sh = field.sh.clone()
    sh[:, 0] = rgb_to_sh0(shade[:, None] * torch.tensor(old))
    field = replace(field, sh=sh)
    chosen = torch.arange(40) >= 9
    edited = recolor(field, chosen, (0.2, 0.5, 0.3)).field
    rgb = sh0_to_rgb(edited.sh[:, 0])
    torch.testing.assert_close(rgb[chosen].median(0).values, torch.tensor([0.2, 0.5, 0.3]), atol=0.01, rtol=0)
    assert (rgb[chosen].diff(dim=0) > -1e-6).all()
    torch.testing.assert_close(edited.sh[~chosen], field.sh[~chosen], atol=0, rtol=0)
    spread = edited.sh[chosen][:, 1:]
    torch.testing.assert_close(spread, spread.mean(-1, keepdim=True).expand_as(spread))  # gloss is grey


def test_useless_selections_are_refused(scene):
    """None for every edit, all for deletion; the message counts."""
    field, selection = scene
    nothing, everything = torch.zeros_like(selection), torch.ones_like(selection)
    edits = [delete, extract, lambda f, s: recolor(f, s, (1, 0, 0)), lambda f, s: move(f, s, torch.eye(4))]
    for edit in edits:
        with pytest.raises(BadInput, match=f"none of {len(field)} Gaussians is selected"):
            edit(field, nothing)
    with pytest.raises(BadInput, match=f"all {len(field)} Gaussians are selected"):
        delete(field, everything)


def test_moves_that_are_not_rigid_are_refused(scene):
    """Scale, reflection, NaN, a wrong last row or shape."""
    field, selection = scene
    scaled, mirrored, lost, projective = (torch.eye(4) for _ in range(4))
    scaled[0, 0], mirrored[0, 0], lost[0, 3], projective[3, 0] = 2, -1, torch.nan, 0.5
    for T in (scaled, mirrored, lost):
        with pytest.raises(BadInput, match="a move must be rigid"):
            move(field, selection, T)
    with pytest.raises(BadInput, match="last row"):
        move(field, selection, projective)
    with pytest.raises(BadInput, match="shape"):
        move(field, selection, torch.eye(3))


@pytest.mark.parametrize("rgb", [(1.2, 0, 0), (0.1, 0.2), (float("nan"), 0, 0)])
def test_colours_that_are_none_are_refused(scene, rgb):
    """Three numbers from 0 to 1 are asked for."""
    with pytest.raises(BadInput, match="three numbers from 0 to 1"):
        recolor(*scene, rgb)


def test_a_table_does_not_grow_over_its_edge():
    """A hole that surface surrounds is enclosed; the void beside an edge is not."""
    surface = np.zeros((20, 30), bool)
    surface[:, :15] = True
    surface[8:12, 5:9] = False
    inside = enclosed(surface)
    assert inside[8:12, 5:9].all()
    assert not inside[:, 17:].any()


def test_the_membrane_continues_slopes_and_shuns_stains():
    """A linear field is bridged within 1 % of its range, though a cell at the hole's rim is stained."""
    x = np.linspace(0, 1, 24)
    truth = np.repeat(np.tile(x[:, None], (1, 24))[..., None], 4, 2)
    known, trust = truth.copy(), np.ones((24, 24))
    trust[9:15, 9:15] = 0
    known[9:15, 9:15] = 50.0  # untrusted cells may hold anything
    clean = membrane(known, trust)
    assert np.abs(clean - truth)[2:-2, 2:-2].max() < 0.02
    known[8, 10] += 3.0
    assert np.abs(membrane(known, trust) - clean)[10:14, 10:14].max() < 0.02
