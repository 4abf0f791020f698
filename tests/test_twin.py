"""The PyTorch rasteriser against its definition, against gsplat's projection, and against the laws it must obey."""

from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version

import pytest
import torch
from scene_gaussians import Scene, dense_reference, random_scene

from robodistill.errors import BadInput
from robodistill.raster.projection import project_gaussians, quats_to_matrices
from robodistill.raster.twin import rasterize_twin

EXACT = 1e-12  # float64, a few hundred additions of numbers near 1


def gradients(render, scene: Scene, seed: int = 7) -> dict[str, torch.Tensor]:
    """Gradients of a random weighting of image and alpha."""
    scene, leaves = scene.requires_grad()
    image, alpha = render(scene)
    g = torch.Generator().manual_seed(seed)
    v_image = torch.randn(image.shape, generator=g, dtype=torch.float64).to(image.dtype)
    v_alpha = torch.randn(alpha.shape, generator=g, dtype=torch.float64).to(image.dtype)
    ((image * v_image).sum() + (alpha * v_alpha).sum()).backward()
    return {name: leaf.grad for name, leaf in leaves.items()}


def twin(scene: Scene, **options) -> tuple[torch.Tensor, torch.Tensor]:
    return rasterize_twin(*scene.args(), **options)


def depth_scene(scene: Scene) -> Scene:
    """The same scene with each Gaussian's depth as its only colour, per camera."""
    rows, shift = scene.viewmats[:, 2, :3], scene.viewmats[:, 2, 3]
    return replace(scene, colors=(torch.einsum("ck,nk->cn", rows, scene.means) + shift[:, None])[..., None])


@pytest.fixture(params=[(0, 3, 1), (1, 1, 2), (2, 7, 1)], ids=lambda p: f"seed{p[0]}-D{p[1]}-C{p[2]}")
def scene(request) -> Scene:
    seed, channels, cameras = request.param
    return random_scene(seed, channels=channels, cameras=cameras)


def test_scene_reaches_every_branch():
    """The test scenes hold saturated and empty pixels, Gaussians out of view, and visible ones with clamped slopes."""
    scene = replace(random_scene(0, n=200), opacities=torch.ones(200, dtype=torch.float64))
    _, alpha = dense_reference(scene)
    radii = project_gaussians(*scene.args()[:4], *scene.args()[5:]).radii
    assert alpha.max() > 0.999 and (radii == 0).any() and (radii > 10).any()
    assert (dense_reference(random_scene(0))[1] == 0).any()
    x, z = (scene.means @ scene.viewmats[0, :3, :3].mT + scene.viewmats[0, :3, 3])[:, [0, 2]].T
    slope_limit = (scene.width - scene.Ks[0, 0, 2] + 0.15 * scene.width) / scene.Ks[0, 0, 0]
    assert ((x / z > slope_limit) & (radii[0, :, 0] > 0)).any()


def test_equals_every_gaussian_at_every_pixel(scene):
    """Tiling, sorting and culling leave the values of the definition."""
    for actual, expected in zip(twin(scene), dense_reference(scene), strict=True):
        torch.testing.assert_close(actual, expected, atol=EXACT, rtol=0)


@pytest.mark.parametrize("opaque", [False, True])
def test_gradients_equal_every_gaussian_at_every_pixel(opaque):
    """So do the gradients, also where alpha is clamped and where pixels stop early."""
    scene = random_scene(3, n=80)
    if opaque:
        scene = replace(scene, opacities=torch.ones_like(scene.opacities), scales=scene.scales * 1.5)
    actual, expected = gradients(twin, scene), gradients(dense_reference, scene)
    for name in expected:
        torch.testing.assert_close(actual[name], expected[name], atol=EXACT * expected[name].abs().max(), rtol=0)


def test_gradients_are_those_of_finite_differences():
    """torch.autograd.gradcheck on every differentiable input, the whole pose included."""
    scene = random_scene(4, n=6, width=17, height=9, scale=0.3)
    scene = replace(scene, opacities=scene.opacities * 0.5)  # alphas clear of the clamp, which has a kink
    background = torch.tensor([[0.2, 0.5, 0.9]], dtype=torch.float64)

    def render(means, quats, scales, opacities, colors, viewmats, background):
        args = (means, quats, scales, opacities, colors, viewmats, scene.Ks, scene.width, scene.height)
        return torch.cat(rasterize_twin(*args, backgrounds=background, render_mode="RGB+ED"), -1)

    inputs = [x.requires_grad_() for x in (*scene.args()[:6], background)]
    # The image jumps where a Gaussian's alpha crosses 1/255; with steps of 1e-7 no pixel of this scene does so.
    assert torch.autograd.gradcheck(render, inputs, eps=1e-7, atol=1e-5, rtol=1e-4)


@pytest.fixture
def gsplat_torch():
    try:
        found = version("gsplat")
    except PackageNotFoundError:
        pytest.skip("gsplat is not installed")
    if found != "1.5.3":
        pytest.skip(f"reads private names of gsplat 1.5.3, found {found}")
    return pytest.importorskip("gsplat.cuda._torch_impl")


def test_projection_equals_gsplat(gsplat_torch):
    """Centres, conics, depths and the choice of visible Gaussians are gsplat's, with their gradients."""
    scene, leaves = random_scene(5, n=300, cameras=3).requires_grad()
    means, quats, scales, opacities, _, viewmats, Ks, width, height = scene.args()
    ours = project_gaussians(means, quats, scales, torch.ones_like(opacities), viewmats, Ks, width, height)
    covars, _ = gsplat_torch._quat_scale_to_covar_preci(quats, scales, compute_preci=False)
    radii, means2d, depths, conics, _ = gsplat_torch._fully_fused_projection(means, covars, viewmats, Ks, width, height)
    xx, xy, yy = ours.covs2d.unbind(-1)
    our_conics = torch.stack([yy, -xy, xx], -1) / (xx * yy - xy * xy)[..., None]
    torch.testing.assert_close(ours.means2d, means2d, atol=1e-11, rtol=0)
    torch.testing.assert_close(our_conics, conics, atol=EXACT, rtol=1e-10)
    torch.testing.assert_close(ours.depths, depths, atol=EXACT, rtol=0)
    # Ours ends where alpha 1 fades to 1/255, 3.3290 standard deviations, gsplat's torch version at 3.33.
    torch.testing.assert_close(ours.radii, radii.to(ours.radii.dtype), atol=1, rtol=0)
    assert torch.equal(ours.radii[..., 0] > 0, radii[..., 0] > 0)

    g = torch.Generator().manual_seed(0)
    weights = [torch.randn(x.shape, generator=g, dtype=x.dtype) for x in (means2d, conics, depths)]
    names = ("means", "quats", "scales", "viewmats")
    results = []
    for outputs in ((ours.means2d, our_conics, ours.depths), (means2d, conics, depths)):
        loss = sum((x * w).sum() for x, w in zip(outputs, weights, strict=True))
        results.append(torch.autograd.grad(loss, [leaves[name] for name in names], retain_graph=True))
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, atol=1e-10 * b.abs().max().item(), rtol=0)


def test_order_of_gaussians_does_not_matter():
    """Shuffling Gaussians whose depths differ changes no value and shuffles the gradients alike."""
    scene = random_scene(6, n=100)
    p = torch.randperm(100, generator=torch.Generator().manual_seed(0))
    shuffled = replace(scene, **{k: getattr(scene, k)[p] for k in ("means", "quats", "scales", "opacities", "colors")})
    torch.testing.assert_close(twin(shuffled)[0], twin(scene)[0], atol=EXACT, rtol=0)
    torch.testing.assert_close(
        gradients(twin, shuffled)["means"], gradients(twin, scene)["means"][p], atol=1e-10, rtol=0
    )


def test_equal_depths_blend_in_order_of_index():
    """Of two Gaussians at the same depth the first one given lies in front."""
    scene = random_scene(6, n=2)
    scene = replace(
        scene,
        means=torch.tensor([[0.0, 0, 2], [0, 0, 2]], dtype=torch.float64),
        opacities=torch.full((2,), 0.9, dtype=torch.float64),
        scales=torch.full((2, 3), 0.3, dtype=torch.float64),
        colors=torch.eye(2, 3, dtype=torch.float64),
        viewmats=torch.eye(4, dtype=torch.float64)[None],
    )
    image, _ = twin(scene)
    center = image[0, 15, 20]
    assert center[0] > 0.8 and 0 < center[1] < 0.15


def test_moving_world_and_camera_together_changes_nothing():
    """Only the pose of the Gaussians relative to the camera counts, for values and for gradients of colours."""
    scene = random_scene(8, cameras=2)
    turn = torch.nn.functional.normalize(torch.tensor([0.5, -0.3, 0.8, 0.1], dtype=torch.float64), dim=0)
    w, v = turn[:1], turn[1:]
    T = torch.eye(4, dtype=torch.float64)
    T[:3, :3] = quats_to_matrices(turn)
    T[:3, 3] = torch.tensor([0.3, -2.0, 1.0])
    qw, qv = scene.quats[:, :1], scene.quats[:, 1:]
    turned = [w * qw - (qv * v).sum(-1, True), w * qv + qw * v + torch.linalg.cross(v.expand_as(qv), qv)]
    moved = replace(
        scene,
        means=scene.means @ T[:3, :3].mT + T[:3, 3],
        quats=torch.cat(turned, 1),
        viewmats=scene.viewmats @ torch.linalg.inv(T),
    )
    torch.testing.assert_close(twin(moved)[0], twin(scene)[0], atol=1e-11, rtol=0)
    for name in ("colors", "opacities", "scales"):
        torch.testing.assert_close(gradients(twin, moved)[name], gradients(twin, scene)[name], atol=1e-9, rtol=0)


def test_background_shows_through_what_is_left():
    """image + (1 - alpha) * background, per camera."""
    scene = random_scene(9, cameras=2)
    background = torch.tensor([[0.2, 0.5, 0.9], [1.0, 0.0, 0.3]], dtype=torch.float64)
    black, alpha = twin(scene)
    image, same_alpha = twin(scene, backgrounds=background)
    torch.testing.assert_close(image, black + (1 - alpha) * background[:, None, None], atol=EXACT, rtol=0)
    torch.testing.assert_close(image, dense_reference(scene, background)[0], atol=EXACT, rtol=0)
    assert torch.equal(alpha, same_alpha)


def test_batch_of_cameras_equals_single_calls():
    """Cameras do not see each other, with shared colours and with colours per camera."""
    scene = random_scene(10, cameras=3)
    per_view = torch.rand(3, len(scene.means), 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for colors in (scene.colors, per_view):
        image, alpha = twin(replace(scene, colors=colors))
        for c in range(3):
            one = replace(
                scene,
                viewmats=scene.viewmats[c : c + 1],
                Ks=scene.Ks[c : c + 1],
                colors=colors if colors.ndim == 2 else colors[c],
            )
            torch.testing.assert_close(twin(one)[0][0], image[c], atol=EXACT, rtol=0)
            torch.testing.assert_close(twin(one)[1][0], alpha[c], atol=EXACT, rtol=0)


def test_depth_is_blended_like_a_colour():
    """ "D" is the depth as colour, "ED" that over alpha, and "RGB+" puts it last, without background."""
    scene = random_scene(11, cameras=2)
    background = torch.ones(2, 3, dtype=torch.float64)
    rgb, alpha = twin(scene, backgrounds=background)
    depth = twin(depth_scene(scene))[0]
    expected = depth / alpha.clamp(min=1e-10)
    for mode, image in {"D": depth, "ED": expected, "RGB+D": (rgb, depth), "RGB+ED": (rgb, expected)}.items():
        image = torch.cat(image, -1) if isinstance(image, tuple) else image
        actual, same_alpha = twin(scene, backgrounds=background, render_mode=mode)
        torch.testing.assert_close(actual, image, atol=EXACT, rtol=0)
        torch.testing.assert_close(same_alpha, alpha, atol=EXACT, rtol=0)
    with torch.no_grad():
        covered = alpha[..., 0] > 0.5
    assert (expected[..., 0][covered] > 1.8).all() and (expected[..., 0][covered] < 4.2).all()


def test_gaussians_behind_the_camera_are_not_there():
    """Behind, at, and before the near plane: no trace in the image, and gradients of exactly zero, not NaN."""
    scene = random_scene(12)
    scene = replace(scene, viewmats=torch.eye(4, dtype=torch.float64)[None])
    means = scene.means.clone()
    means[:10, 2] = torch.linspace(-3, 0.01, 10, dtype=torch.float64)
    means[10] = 0
    scene = replace(scene, means=means)
    rest = replace(scene, **{k: getattr(scene, k)[11:] for k in ("means", "quats", "scales", "opacities", "colors")})
    torch.testing.assert_close(twin(scene)[0], twin(rest)[0], atol=EXACT, rtol=0)
    grads = gradients(twin, scene)
    for name in ("means", "quats", "scales", "opacities", "colors"):
        assert torch.equal(grads[name][:11], torch.zeros_like(grads[name][:11])), name
        assert torch.isfinite(grads[name]).all(), name
    assert torch.isfinite(grads["viewmats"]).all()


def test_far_plane_hides_what_lies_beyond():
    """Gaussians at the far plane or beyond are dropped."""
    scene = random_scene(12)
    depth = project_gaussians(*scene.args()[:4], *scene.args()[5:]).depths[0]
    near = {k: getattr(scene, k)[depth < 3] for k in ("means", "quats", "scales", "opacities", "colors")}
    torch.testing.assert_close(twin(scene, far_plane=3.0)[0], twin(replace(scene, **near))[0], atol=EXACT, rtol=0)


@pytest.mark.parametrize("n", [0, 5])
def test_nothing_visible_gives_black_and_zero_gradients(n):
    """An empty field, or one out of view, renders to zeros that still backpropagate zeros."""
    scene = random_scene(13, n=n)
    scene = replace(scene, means=scene.means - torch.tensor([0, 0, 100.0], dtype=torch.float64))
    image, alpha = twin(scene)
    assert image.shape == (1, 30, 40, 3) and alpha.shape == (1, 30, 40, 1)
    assert not image.any() and not alpha.any()
    for name, gradient in gradients(twin, scene).items():
        assert not gradient.any(), name


def test_float32_is_close_to_float64():
    """Single precision costs 1e-4 at most here; rims of Gaussians (alpha near 1/255) may fall on either side."""
    scene = random_scene(14, n=500, width=80, height=60)
    single, double = twin(scene.to(torch.float32))[0].double(), twin(scene)[0]
    difference = (single - double).abs()
    assert difference.max() < 2 / 255 and (difference > 1e-4).double().mean() < 1e-3
    assert twin(scene.to(torch.float32))[0].dtype == torch.float32


def test_unknown_mode_is_named():
    """The error says what was given and what would be valid."""
    with pytest.raises(BadInput, match="RGB\\+ED; got 'XYZ'"):
        twin(random_scene(0), render_mode="XYZ")
