"""Fields: seeding from depth, fitting, files, rendering; on a small analytic room."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from robodistill.capture.frame import Frame
from robodistill.config import FitConfig, PolicyConfig, SeedConfig
from robodistill.errors import BadInput, EmptyCapture, UnsupportedVersion
from robodistill.field.fit import Fit
from robodistill.field.gaussians import GaussianField
from robodistill.field.losses import psnr, ssim
from robodistill.field.policy import SplitPrune
from robodistill.field.render import render
from robodistill.field.seed import seed_field
from robodistill.geometry.camera import Camera

CAMERA = Camera.from_fov(1.0, 64, 48)


def room_frame(x: float, name: str = "", turn: float = 0.0) -> Frame:
    """A slanted wall z = 2 - 0.5 X with a smooth pattern, seen from (x, 0, 0) turned about y; exact by ray casting."""
    c, s = np.cos(turn), np.sin(turn)
    T = np.array([[c, 0, s, x], [0, 1, 0, 0], [-s, 0, c, 0], [0, 0, 0, 1.0]])
    rays = CAMERA.rays() @ T[:3, :3].T
    depth = (2 - 0.5 * x) / (rays[..., 2] + 0.5 * rays[..., 0])
    points = rays * depth[..., None] + T[:3, 3]
    waves = [np.sin(5 * points[..., 0]), np.cos(4 * points[..., 1]), np.sin(3 * points[..., 0] + 2 * points[..., 1])]
    rgb = (127 + 100 * np.stack(waves, -1)).astype(np.uint8)
    return Frame(rgb, depth.astype(np.float32), CAMERA, T, name or f"{x:g}")


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    return [room_frame(x, turn=-0.3 * x) for x in np.linspace(-0.4, 0.4, 7)]


@pytest.fixture(scope="module")
def fitted(frames) -> GaussianField:
    field = seed_field(frames[::2], SeedConfig(gaussians=1500))
    fit = Fit(field, frames[::2], FitConfig(steps=80))
    while not fit.is_done:
        fit.step()
    return fit.field()


def test_seeds_lie_on_the_surface(frames):
    """Centres are on the measured wall, the thin axis is its normal, and their number is about what was asked."""
    field = seed_field(frames, SeedConfig(gaussians=1500))
    off = (field.means[:, 2] - (2 - 0.5 * field.means[:, 0])).abs()
    assert off.median() < 1e-3 and off.max() < 0.01
    assert 0.7 * 1500 < len(field) < 1.3 * 1500
    view = render(field, CAMERA, frames[3].T_world_camera)
    normal = torch.tensor([-0.5, 0, -1.0])  # towards the camera
    cosine = (view.normals[10:-10, 10:-10] @ (normal / normal.norm()).float()).median()
    assert cosine > 0.99


def test_fit_renders_unseen_views(frames, fitted):
    """A view between the training ones comes out sharp, its depth within a tenth of a pixel's 36 mm."""
    truth = frames[3]
    view = render(fitted, CAMERA, truth.T_world_camera)
    assert psnr(view.rgb, torch.from_numpy(truth.rgb) / 255) > 33
    error = (view.depth - torch.from_numpy(truth.depth))[4:-4, 4:-4].abs()
    assert error.median() < 4e-3


def test_blended_planes_beat_blended_centres(fitted, frames):
    """On the slanted wall the depth of blended centres leans towards the camera; that of blended planes does not."""
    from robodistill.field.render import view_tensors
    from robodistill.raster.rasterize import rasterize

    truth = torch.from_numpy(frames[0].depth)
    viewmats, Ks = view_tensors(fitted.means, CAMERA, frames[0].T_world_camera)
    args = (fitted.means, fitted.quats_wxyz, fitted.scales, fitted.opacities, fitted.sh[:, 0])
    centres = rasterize(*args, viewmats, Ks, CAMERA.width, CAMERA.height, render_mode="ED")[0][0, ..., 0]
    planes = render(fitted, CAMERA, frames[0].T_world_camera).depth
    inner = (slice(4, -4), slice(4, -4))
    assert 2 * (planes - truth)[inner].abs().median() < (centres - truth)[inner].abs().median()


def test_fit_is_deterministic(frames):
    """The same frames, config and seed give the same field, bit for bit."""

    def run() -> GaussianField:
        fit = Fit(seed_field(frames, SeedConfig(gaussians=500)), frames, FitConfig(steps=12))
        while not fit.is_done:
            fit.step()
        return fit.field()

    a, b = run(), run()
    assert torch.equal(a.means, b.means) and torch.equal(a.sh, b.sh) and torch.equal(a.opacities, b.opacities)


def test_restored_fit_continues_exactly(frames):
    """Saving and restoring the state between steps, across a split, changes nothing."""
    config = FitConfig(steps=30, policy=PolicyConfig(first_step=5, every=5, last_share=0.9))
    seeds = seed_field(frames, SeedConfig(gaussians=400))
    whole, first, second = (Fit(seeds, frames, config) for _ in range(3))
    for _ in range(30):
        whole.step()
    for _ in range(13):
        first.step()
    second.restore({k: v.clone() for k, v in first.state().items()})
    for _ in range(17):
        second.step()
    assert second.is_done and len(whole.field()) > len(seeds)
    assert torch.equal(whole.field().means, second.field().means)
    assert torch.equal(whole.field().sh, second.field().sh)


def test_policy_splits_where_the_error_is():
    """The largest errors are split, the transparent pruned, never more than there is room for."""
    policy = SplitPrune(PolicyConfig(split_share=0.2, min_opacity=0.1, max_gaussians=11), steps=100)
    error = torch.arange(10.0)
    opacities = torch.full((10,), 0.5)
    opacities[9] = 0.01
    change = policy.decide(error, opacities)
    assert change.keep.tolist() == [True] * 9 + [False]
    assert change.split.nonzero()[:, 0].tolist() == [7, 8]
    assert SplitPrune(PolicyConfig(max_gaussians=9), 100).decide(error, opacities).split.sum() == 0


def test_error_is_blended_to_the_gaussians_that_made_it(frames):
    """What a fit collects for a Gaussian is the sum over pixels of its blending weight times the colour error."""
    from robodistill.raster.rasterize import blending_weights

    field = seed_field(frames, SeedConfig(gaussians=300))
    fit = Fit(field, frames[:1], FitConfig(steps=100))
    target, p = fit.targets[0], fit.params
    view = render(fit.field(), CAMERA, frames[0].T_world_camera)
    wrong = (view.rgb - torch.from_numpy(frames[0].rgb) / 255).abs().sum(-1).view(-1)
    gaussians = (p["means"], p["quats"], p["log_scales"].exp(), p["logits"].sigmoid())
    starts, ids, weights = blending_weights(*gaussians, target.viewmats[0], target.Ks[0], CAMERA.width, CAMERA.height)
    pixel = torch.repeat_interleave(torch.arange(len(wrong)), starts.diff())
    expected = torch.zeros(len(field)).index_add_(0, ids.long(), weights.detach() * wrong[pixel].detach())
    fit.step()
    assert torch.allclose(fit.error, expected, atol=1e-3, rtol=1e-3)


def test_save_and_load_are_inverse(fitted, tmp_path):
    """A saved field loads as it was: Gaussians to float32 rounding, views exactly."""
    path = fitted.save(tmp_path / "a.field")
    loaded = GaussianField.load(path)
    for name in ("means", "quats_wxyz", "scales", "opacities", "sh"):
        assert torch.allclose(getattr(loaded, name), getattr(fitted, name), rtol=1e-4, atol=1e-5), name
    assert [v.name for v in loaded.views] == [v.name for v in fitted.views]
    assert all((a.T_world_camera == b.T_world_camera).all() for a, b in zip(loaded.views, fitted.views, strict=True))
    assert sorted(f.name for f in path.iterdir()) == ["field.json", "gaussians.ply"]


def test_every_sh_degree_survives_the_ply(fitted, tmp_path):
    """The order of the coefficients in the file is that of 3DGS: channel by channel."""
    for degree in range(4):
        sh = torch.randn(len(fitted), (degree + 1) ** 2, 3, generator=torch.Generator().manual_seed(degree))
        field = replace(fitted, sh=sh)
        loaded = GaussianField.load(field.save(tmp_path / f"{degree}.field") / "gaussians.ply")
        assert loaded.sh_degree == degree and torch.allclose(loaded.sh, sh)
        assert not loaded.views


def test_ply_written_by_another_program_loads(tmp_path):
    """ASCII, another order of columns, extra normals, an unnormalised quaternion: a 3DGS PLY all the same."""
    names = "nx ny nz x y z rot_0 rot_1 rot_2 rot_3 opacity f_dc_0 f_dc_1 f_dc_2 scale_0 scale_1 scale_2".split()
    rows = ["0 0 1 1 2 3 2 0 0 0 0 0.5 0 -0.5 -3 -4 -5", "0 0 1 4 5 6 0 3 0 0 9 0 0 0 -1 -1 -1"]
    head = ["ply", "format ascii 1.0", "element vertex 2", *(f"property float {n}" for n in names), "end_header"]
    path = tmp_path / "other.ply"
    path.write_text("\n".join([*head, *rows]) + "\n")
    field = GaussianField.load(path)
    assert field.means.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert torch.allclose(field.quats_wxyz, torch.tensor([[1.0, 0, 0, 0], [0, 1, 0, 0]]))
    assert torch.allclose(field.scales[0], torch.tensor([-3.0, -4, -5]).exp()) and field.opacities[0] == 0.5


def break_version(path):
    index = json.loads((path / "field.json").read_text())
    (path / "field.json").write_text(json.dumps({**index, "version": 99}))


def break_key(path):
    index = json.loads((path / "field.json").read_text())
    (path / "field.json").write_text(json.dumps({**index, "colour": 1}))


def break_count(path):
    index = json.loads((path / "field.json").read_text())
    (path / "field.json").write_text(json.dumps({**index, "gaussians": 1}))


def truncate(path):
    data = (path / "gaussians.ply").read_bytes()
    (path / "gaussians.ply").write_bytes(data[: len(data) // 2])


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        (break_version, UnsupportedVersion),
        (break_key, UnsupportedVersion),
        (break_count, BadInput),
        (truncate, BadInput),
        (lambda p: (p / "gaussians.ply").write_text("not a ply"), BadInput),
        (lambda p: (p / "gaussians.ply").unlink(), BadInput),
        (lambda p: (p / "field.json").unlink(), BadInput),
        (lambda p: (p / "field.json").write_bytes(b"\xff\xfe\x00"), BadInput),
    ],
)
def test_broken_fields_are_named(fitted, tmp_path, damage, error):
    """A damaged field folder is one named error that says which file."""
    path = fitted.save(tmp_path / "a.field")
    damage(path)
    with pytest.raises(error, match="a.field"):
        GaussianField.load(path)


def test_nothing_is_overwritten_unasked(fitted, tmp_path):
    """Saving over a field needs to be asked for, and then replaces it whole."""
    path = fitted.save(tmp_path / "a.field")
    with pytest.raises(BadInput, match="exists"):
        fitted.save(path)
    half = fitted.select(torch.arange(len(fitted)) < 10)
    assert len(GaussianField.load(half.save(path, overwrite=True))) == 10
    assert [p.name for p in tmp_path.iterdir()] == ["a.field"]


def test_non_finite_fields_are_not_written(fitted, tmp_path):
    """gsplat's writer would drop such Gaussians without a word."""
    means = fitted.means.clone()
    means[3, 1] = float("nan")
    with pytest.raises(BadInput, match="means"):
        replace(fitted, means=means).save(tmp_path / "a.field")
    assert not (tmp_path / "a.field").exists()


def test_frames_without_depth_or_pose_cannot_seed(frames):
    """The error says what is missing."""
    with pytest.raises(EmptyCapture, match="depth and a pose"):
        seed_field([replace(f, depth=None) for f in frames], SeedConfig())
    with pytest.raises(EmptyCapture, match="depth and a pose"):
        seed_field([replace(f, T_world_camera=None) for f in frames], SeedConfig())


def test_depth_without_a_surface_cannot_seed(frames):
    """Single measured pixels are no surface; the error says so."""
    dots = np.zeros_like(frames[0].depth)
    dots[::5, ::5] = 1.0
    with pytest.raises(EmptyCapture, match="no surface"):
        seed_field([replace(f, depth=dots) for f in frames], SeedConfig())


def test_a_seed_that_is_alone_stays_small(frames):
    """A small near surface before a far wall: with no neighbours it must not cover what is around it."""
    depth = np.full((48, 64), 2.5, np.float32)
    depth[20:30, 28:38] = 0
    depth[22:28, 30:36] = 0.6
    field = seed_field([replace(frames[3], depth=depth, T_world_camera=np.eye(4))], SeedConfig(gaussians=80))
    near = field.means[:, 2] < 1
    assert near.any() and not near.all()
    assert field.scales[near].max() < field.scales[~near].median()


def test_fit_works_without_depth(frames):
    """Colour alone is enough once there are seeds."""
    fit = Fit(
        seed_field(frames, SeedConfig(gaussians=300)), [replace(f, depth=None) for f in frames], FitConfig(steps=9)
    )
    before = fit.step()
    while not fit.is_done:
        last = fit.step()
    assert last < before


def test_rendering_follows_the_pose_gradient(fitted, frames):
    """Descent on the image error through the pose brings a displaced camera back: the gradient has the right sign."""
    from robodistill.geometry import se3

    truth = torch.from_numpy(frames[3].rgb) / 255
    T = se3.from_matrix(torch.from_numpy(frames[3].T_world_camera).float())
    twist = torch.tensor([0.02, -0.01, 0.0, 0.0, 0.0, 0.01], requires_grad=True)
    optimizer = torch.optim.Adam([twist], lr=2e-3)
    start = float(twist.detach().norm())
    for _ in range(40):
        optimizer.zero_grad()
        view = render(fitted, CAMERA, se3.as_matrix(se3.compose(T, se3.exp(twist))))
        (view.rgb - truth).abs().mean().backward()
        optimizer.step()
    assert twist.detach().norm() < 0.5 * start


def test_ssim_is_one_for_equal_images_and_falls_with_noise():
    """And it is symmetric."""
    g = torch.Generator().manual_seed(0)
    a = torch.rand(40, 50, 3, generator=g)
    b = (a + 0.2 * torch.randn(40, 50, 3, generator=g)).clamp(0, 1)
    assert ssim(a, a) > 0.9999 and ssim(a, b) < 0.9
    assert torch.isclose(ssim(a, b), ssim(b, a))


def test_psnr_of_a_known_error():
    """An error of one tenth everywhere is 20 dB; a mask restricts it."""
    a, b = torch.zeros(4, 4, 3), torch.full((4, 4, 3), 0.1)
    assert abs(psnr(a, b) - 20) < 1e-4
    b[:2] = 0
    mask = torch.zeros(4, 4, dtype=torch.bool)
    mask[2:] = True
    assert abs(psnr(a, b, mask) - 20) < 1e-4
