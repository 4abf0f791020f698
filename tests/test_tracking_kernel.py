"""The compiled kernel of tracking says what numpy and torch say."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from two_boxes import CAMERA, make_model

from robodistill.raster.rasterize import kernel_is_there
from robodistill.tracking import alignment, alignment_kernel, photometric
from robodistill.tracking.alignment import Scene
from robodistill.tracking.layers import Window
from robodistill.tracking.model import PartModel
from robodistill.tracking.part_columns import columns_in_torch, part_columns
from robodistill.tracking.picture import Picture

pytestmark = pytest.mark.skipif(not kernel_is_there(), reason="the kernel is not built")


def scene(parts: int, blur: float, seed: int, edge: bool) -> tuple[PartModel, np.ndarray, Scene]:
    """Parts of the two boxes, a little off, before a picture of them with a hand over it."""
    rng, boxes = np.random.default_rng(seed), make_model()
    labels = np.digitize(boxes.points[:, 0], np.linspace(-0.08, 0.08, parts + 1)[1:-1])
    model = PartModel(boxes.field, labels)
    T = np.eye(4)
    T[:3, :3] = Rotation.random(random_state=seed).as_matrix()
    T[:3, 3] = [0.12 if edge else 0.01, -0.02, 0.45]
    Ts = np.tile(T, (parts, 1, 1))
    Ts[:, :3, 3] += rng.normal(0, 0.01, (parts, 3))
    full = Window(CAMERA, 0, 0, 160, 120)
    layers, behind = model.draw(Ts, full), rng.uniform(0.2, 0.8, (120, 160, 3)).astype(np.float32)
    shown = (0.8 * layers.over(layers.color, behind) + rng.normal(0, 0.01, behind.shape)).astype(np.float32)
    shown[40:70, 60:90] = [0.8, 0.6, 0.5]
    known = (rng.uniform(size=(120, 160)) > 0.2).astype(np.float32)
    usable = np.ones((120, 160), np.float32)
    usable[80:, 100:] = 0
    picture = Picture(shown, behind, known, CAMERA, usable if seed % 2 else None)
    picture = picture.half if blur else picture
    Ts[:, :3, 3] += rng.normal(0, 0.003, (parts, 3))
    lights = photometric.unlit(parts) + rng.normal(0, 0.05, (parts, 4))
    window = photometric.window_of(model, Ts, picture.camera)
    return model, Ts, Scene(model.draw(Ts, window), window, picture, lights, 0.05, blur)


@pytest.mark.parametrize("parts", [1, 2, 4])
@pytest.mark.parametrize("blur", [0.0, 1.5])
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("edge", [False, True])
def test_alignment_in_the_kernel_is_that_in_numpy(parts: int, blur: float, seed: int, edge: bool):
    model, Ts, made = scene(parts, blur, seed, edge)
    middles = np.einsum("pij,pj->pi", Ts[:, :3, :3], model.centers) + Ts[:, :3, 3]
    (near, sums), (also, others) = (way.normal_equations(made, middles) for way in (alignment, alignment_kernel))
    assert abs(near.cost) > 0.01 and sums.area.max() > 50
    np.testing.assert_allclose([also.cost, also.misfit], [near.cost, near.misfit], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(also.hidden, near.hidden, rtol=1e-3, atol=1e-2)
    np.testing.assert_allclose(others.visible, sums.visible, atol=2e-3)
    np.testing.assert_allclose(others.area, sums.area, rtol=1e-5)
    # each number against the largest that its two freedoms allow
    scale = np.sqrt(np.diag(sums.A)) + 1e-9
    np.testing.assert_allclose(others.A / np.outer(scale, scale), sums.A / np.outer(scale, scale), atol=2e-4)
    np.testing.assert_allclose(others.b, sums.b, atol=2e-4 * np.abs(sums.b).max())
    assert alignment_kernel.compare(made).cost == also.cost


def test_nothing_that_is_drawn_costs_nothing():
    _, _, made = scene(2, 0.0, 0, False)
    empty = replace(made, layers=type(made.layers)(tuple(np.zeros_like(plane) for plane in made.layers.planes)))
    for way in (alignment, alignment_kernel):
        compared, sums = way.normal_equations(empty, np.ones((2, 3)))
        assert compared.cost == 0 and not sums.A.any() and not sums.visible.any()


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_columns_in_the_kernel_are_those_in_torch(degree: int):
    field, rng = make_model().field, torch.Generator().manual_seed(degree)
    sh = 0.5 * torch.randn(len(field), (degree + 1) ** 2, 3, generator=rng)
    part = replace(field, sh=sh)
    axes = torch.nn.functional.normalize(torch.randn(len(field), 3, generator=rng), dim=-1)
    T = torch.eye(4)
    T[:3, :3] = torch.from_numpy(Rotation.random(random_state=degree).as_matrix())
    T[:3, 3] = torch.tensor([0.05, 0.0, 0.4])
    torch.testing.assert_close(part_columns(part, axes, T), columns_in_torch(part, axes, T), atol=2e-5, rtol=1e-5)


def test_tracking_goes_without_the_kernel(monkeypatch: pytest.MonkeyPatch):
    model, Ts, made = scene(2, 0.0, 1, False)
    asked = (model, Ts, made.picture, 0.05, made.lights)
    fast = photometric.linearize(*asked)
    monkeypatch.setattr(photometric, "kernel_is_there", lambda: False)
    slow = photometric.linearize(*asked)
    np.testing.assert_allclose(slow.H, fast.H, atol=1e-4 * np.abs(fast.H).max())
    assert abs(slow.cost - photometric.misfit(*asked, 0.0)) < 1e-5
