"""The peers of the benchmarks do the same work as what they are compared with."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from scene_gaussians import Scene, random_scene

from robodistill.bench.peers.raster_numba import NumbaRender, rasterize_numba
from robodistill.errors import MissingPart
from robodistill.raster.twin import rasterize_twin


def render(scene: Scene, background: torch.Tensor | None = None) -> NumbaRender:
    means, quats, scales, opacities, colors, viewmats, Ks, width, height = scene.args()
    background = None if background is None else background[0]
    return rasterize_numba(
        means, quats, scales, opacities, colors, viewmats[0], Ks[0], width, height, background=background
    )


@pytest.mark.parametrize("channels", [1, 3, 4, 13])
@pytest.mark.parametrize("opaque", [False, True])
def test_numba_equals_the_twin(channels, opaque):
    """Single against double precision: images within 1e-4, gradients within 1e-3 of their norm."""
    pytest.importorskip("numba")
    scene = random_scene(channels, n=300, channels=channels, width=83, height=61)
    if opaque:  # clamped alphas, and pixels that stop early
        scene = replace(scene, opacities=torch.ones_like(scene.opacities), scales=2 * scene.scales)
    g = torch.Generator().manual_seed(0)
    background, v_image, v_alpha = (
        torch.randn(*size, generator=g, dtype=torch.float64)
        for size in ((1, channels), (1, 61, 83, channels), (1, 61, 83, 1))
    )
    peer = render(scene, background)
    scene, leaves = scene.requires_grad()
    image, alpha = rasterize_twin(*scene.args(), backgrounds=background)
    np.testing.assert_allclose(peer.image, image[0].detach(), atol=1e-4)
    np.testing.assert_allclose(peer.alpha, alpha[0, ..., 0].detach(), atol=1e-4)

    ((image * v_image).sum() + (alpha * v_alpha).sum()).backward()
    expected = {name: leaf.grad.numpy() for name, leaf in leaves.items()}
    expected["viewmat"] = expected.pop("viewmats")[0]
    actual = peer.backward(v_image[0], v_alpha[0, ..., 0])
    assert actual.keys() == expected.keys()
    for name, gradient in expected.items():
        assert np.linalg.norm(actual[name] - gradient) < 1e-3 * np.linalg.norm(gradient), name


def test_numba_gives_the_same_bits_twice():
    """Gradients are summed in a fixed order, so threads do not show."""
    numba = pytest.importorskip("numba")
    scene = random_scene(5, n=400, width=64, height=48)
    v_image, v_alpha = np.ones((48, 64, 3)), np.ones((48, 64))
    threads = numba.get_num_threads()
    try:
        runs = []
        for count in (1, threads, threads):
            numba.set_num_threads(count)
            runs.append(render(scene).backward(v_image, v_alpha))
    finally:
        numba.set_num_threads(threads)
    for name, gradient in runs[0].items():
        assert np.array_equal(gradient, runs[1][name]) and np.array_equal(gradient, runs[2][name]), name


@pytest.mark.parametrize("n", [0, 5])
def test_numba_renders_nothing_to_black(n):
    """An empty field, or one behind the camera, gives zeros forward and backward."""
    pytest.importorskip("numba")
    scene = random_scene(1, n=n)
    scene = replace(scene, means=scene.means - torch.tensor([0, 0, 100.0], dtype=torch.float64))
    peer = render(scene)
    assert peer.image.shape == (30, 40, 3) and not peer.image.any() and not peer.alpha.any()
    for name, gradient in peer.backward(np.ones((30, 40, 3)), np.ones((30, 40))).items():
        assert not gradient.any(), name


def test_missing_numba_is_named(monkeypatch):
    """Without numba the error says what to install."""
    monkeypatch.setitem(sys.modules, "numba", None)
    for module in ("numba_blend", "numba_project"):  # as before their first import
        monkeypatch.delitem(sys.modules, f"robodistill.bench.peers.{module}", raising=False)
        monkeypatch.delattr(f"robodistill.bench.peers.{module}", raising=False)
    with pytest.raises(MissingPart, match="robodistill\\[bench\\]"):
        render(random_scene(0, n=1))
