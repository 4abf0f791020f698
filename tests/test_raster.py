"""The compiled kernel: the same values and gradients as the twin, whatever the threads; weights; wrong use."""

import pytest
import torch
from scene_gaussians import Scene, dense_reference, random_scene

from robodistill.errors import BadInput, MissingPart
from robodistill.raster.kernel import load_kernel
from robodistill.raster.rasterize import blending_weights, rasterize, view_colors
from robodistill.raster.twin import rasterize_twin

try:
    load_kernel()
except MissingPart as error:
    pytest.skip(f"no compiled kernel: {error}", allow_module_level=True)

MODES = ("RGB", "D", "ED", "RGB+D", "RGB+ED")


def run(scene: Scene, backend: str, mode: str = "RGB", backgrounds: torch.Tensor | None = None) -> list[torch.Tensor]:
    """Image, alpha and the gradients of a fixed random functional of both."""
    scene, leaves = scene.requires_grad()
    image, alpha, meta = rasterize(*scene.args(), render_mode=mode, backgrounds=backgrounds, backend=backend)
    assert meta["backend"] == backend
    g = torch.Generator().manual_seed(5)
    loss = sum((x * torch.randn(x.shape, generator=g, dtype=torch.float64).to(x)).sum() for x in (image, alpha))
    loss.backward()
    grads = [x.grad if x.grad is not None else torch.zeros_like(x) for x in leaves.values()]
    return [image.detach(), alpha.detach(), *grads]


def assert_close(ours: list[torch.Tensor], truth: list[torch.Tensor], values: float, gradients: float) -> None:
    """Values absolutely, gradients relative to the largest of their tensor."""
    for a, b in zip(ours[:2], truth[:2], strict=True):
        assert (a - b).abs().max() <= values
    for a, b in zip(ours[2:], truth[2:], strict=True):
        assert (a - b).abs().max() <= gradients * b.abs().max().clamp_min(1e-12)


@pytest.mark.parametrize("channels", [1, 3, 4, 8, 17, 64, 65, 130])
def test_kernel_equals_twin_in_float64(channels):
    """Any number of channels, also beyond the 64 whose gradients are gathered at a time; only rounding differs."""
    scene = random_scene(channels, channels=channels)
    assert_close(run(scene, "kernel"), run(scene, "twin"), 1e-12, 1e-11)


@pytest.mark.parametrize("mode", MODES)
def test_kernel_equals_twin_in_every_mode(mode):
    """Colour, depth and both, over a background, for two cameras with colours of their own."""
    scene = random_scene(3, channels=4, cameras=2)
    g = torch.Generator().manual_seed(1)
    colors = torch.rand(2, len(scene.means), 4, generator=g, dtype=torch.float64)
    scene = Scene(**{**vars(scene), "colors": colors})
    backgrounds = torch.rand(2, 4, generator=g, dtype=torch.float64) if "RGB" in mode else None
    assert_close(run(scene, "kernel", mode, backgrounds), run(scene, "twin", mode, backgrounds), 1e-11, 1e-10)


def test_kernel_equals_dense_reference():
    """The image is that of every Gaussian at every pixel: tiles, blocks and early stops change nothing."""
    scene = random_scene(11, n=150, width=53, height=37)
    image, alpha, _ = rasterize(*scene.args(), backend="kernel")
    expected = dense_reference(scene)
    assert (image - expected[0]).abs().max() < 1e-12 and (alpha - expected[1]).abs().max() < 1e-12


@pytest.mark.parametrize("scale", [0.02, 0.15, 0.8])
def test_float32_is_near_float64(scale):
    """Small, middling and very large Gaussians: values to 1e-4, gradients to 1e-3 of their largest."""
    scene = random_scene(7, n=400, width=80, height=60, scale=scale)
    assert_close(run(scene.to(torch.float32), "kernel"), run(scene, "twin"), 1e-4, 1e-3)


def test_gradients_are_finite_differences():
    """Central differences in float64 for every input, the pose included."""
    scene = random_scene(2, n=12, channels=2, width=20, height=14)
    leaves = [x.clone().requires_grad_() for x in scene.args()[:6]]

    def image(*inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return rasterize(*inputs, scene.Ks, 20, 14, render_mode="RGB+D", backend="kernel")[:2]

    # alpha is cut below 1/255, a step that a difference may straddle: the step is small, the tolerance not
    assert torch.autograd.gradcheck(image, leaves, eps=1e-7, atol=1e-5, rtol=1e-4)


def test_bits_do_not_depend_on_threads():
    """Image and gradients are the same bits for 1, 2, 3 and 5 threads."""
    scene = random_scene(4, n=3000, width=120, height=90, scale=0.05, dtype=torch.float32)
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3, 5):
            torch.set_num_threads(threads)
            results.append(run(scene, "kernel", "RGB+ED"))
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


@pytest.mark.filterwarnings("ignore:Sparse")
def test_weights_make_the_image():
    """Weights by pixel, times colours, are the image; their sums are alpha; each pixel's Gaussians come near to far."""
    scene = random_scene(9, n=200, width=47, height=31)
    starts, ids, weights = blending_weights(*scene.args()[:4], scene.viewmats[0], scene.Ks[0], 47, 31)
    image, alpha, _ = rasterize(*scene.args(), backend="kernel")
    matrix = torch.sparse_csr_tensor(starts, ids.long(), weights, size=(47 * 31, 200))
    assert (matrix @ scene.colors - image.view(-1, 3)).abs().max() < 1e-12
    assert (matrix @ torch.ones(200, 1).double() - alpha.view(-1, 1)).abs().max() < 1e-12
    depth = (scene.means @ scene.viewmats[0, :3, :3].T + scene.viewmats[0, :3, 3])[:, 2][ids.long()]
    inner = torch.ones(len(ids), dtype=torch.bool)
    inner[starts[:-1][starts[:-1] < len(ids)]] = False
    assert (depth.diff()[inner[1:]] >= 0).all() and (weights > 0).all()


def test_spherical_harmonics_are_evaluated():
    """With sh_degree the colours are those seen from the camera's place."""
    scene = random_scene(6, cameras=2)
    coefficients = torch.randn(len(scene.means), 16, 3, generator=torch.Generator().manual_seed(0)).double() * 0.2
    args = scene.args()
    image, _, _ = rasterize(*args[:4], coefficients, *args[5:], sh_degree=3)
    colors = view_colors(scene.means, coefficients, scene.viewmats, 3)
    assert torch.equal(image, rasterize(*args[:4], colors, *args[5:])[0])
    assert not torch.allclose(colors[0], colors[1])


@pytest.mark.parametrize("case", ["none", "behind", "transparent", "outside"])
def test_nothing_visible_gives_an_empty_image(case):
    """Without a visible Gaussian the image is zero and every gradient is zero, not NaN."""
    scene = random_scene(1, n=0 if case == "none" else 5)
    change = {
        "behind": {"means": scene.means * -1},
        "transparent": {"opacities": scene.opacities * 0.001},
        "outside": {"means": scene.means + 1000.0 * torch.tensor([1.0, 0, 0], dtype=torch.float64)},
    }.get(case, {})
    results = run(Scene(**{**vars(scene), **change}), "kernel", "RGB+ED")
    assert all(torch.equal(x, torch.zeros_like(x)) for x in results)


def test_a_needle_and_a_giant_are_exact():
    """Extreme shapes: 1 to 1000 in axes, and one Gaussian far larger than the image."""
    scene = random_scene(8, n=30)
    scales = scene.scales.clone()
    scales[:10] *= torch.tensor([30.0, 0.03, 0.03], dtype=torch.float64)
    scales[10] = 20.0
    scene = Scene(**{**vars(scene), "scales": scales})
    assert_close(run(scene, "kernel"), run(scene, "twin"), 1e-11, 1e-9)


def test_wrong_mode_and_backend_are_named():
    """The error says what was given and what would be valid."""
    scene = random_scene(0, n=3)
    with pytest.raises(BadInput, match="'RGBD'.*|RGB\\+ED.*'RGBD'"):
        rasterize(*scene.args(), render_mode="RGBD")
    with pytest.raises(BadInput, match="kernel, twin, gsplat.*'metal'"):
        rasterize(*scene.args(), backend="metal")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_gsplat_on_cuda_equals_the_kernel():
    """The two back ends give one image and one gradient."""
    scene = random_scene(3, n=500, width=64, height=48, dtype=torch.float32)
    ours = run(scene, "kernel", "RGB+ED")
    cuda = Scene(**{k: v.cuda() if isinstance(v, torch.Tensor) else v for k, v in vars(scene).items()})
    theirs = [x.cpu() for x in run(cuda, "gsplat", "RGB+ED")]
    assert_close(ours, theirs, 1e-3, 1e-2)


def test_twin_runs_where_the_kernel_is_missing(monkeypatch, caplog):
    """Without the library the image is the same, and one warning names the cost."""
    from robodistill.raster import rasterize as module

    def missing():
        raise MissingPart("no compiler")

    monkeypatch.setattr(module, "load_kernel", missing)
    module.kernel_is_there.cache_clear()
    try:
        scene = random_scene(0, n=20)
        image, _, meta = rasterize(*scene.args())
        assert meta["backend"] == "twin" and torch.equal(image, rasterize_twin(*scene.args())[0])
        rasterize(*scene.args())
        assert [r.message for r in caplog.records if "slower" in r.message] == [r.message for r in caplog.records]
        assert len(caplog.records) == 1
    finally:
        module.kernel_is_there.cache_clear()
