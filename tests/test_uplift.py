"""Uplift: means over views with the rasteriser's weights, the codec, and diffusion."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scene_gaussians import random_scene
from scene_labelled import labelled_field

from robodistill.config import UpliftConfig
from robodistill.errors import BadInput
from robodistill.features.codec import encode, quantised, scene_decoder
from robodistill.features.patches import Patches
from robodistill.features.smooth import smooth
from robodistill.features.uplift import uplift
from robodistill.features.view_weights import ViewWeights
from robodistill.field.features import Decoder, FeatureLayer
from robodistill.field.graph import neighbour_graph
from robodistill.raster.rasterize import blending_weights, cell_weights

RAW = UpliftConfig(dims=0, rounds=0, view_power=0.0)


@pytest.fixture(scope="module")
def scene():
    return labelled_field()


def maps_of(scene, noise=0.0):
    return [scene.map(view, noise, seed=k) for k, view in enumerate(scene.field.views)]


def labels_of(layer, scene):
    return layer.similarity(scene.directions).argmax(-1)


@pytest.mark.parametrize("columns, rows", [(1, 1), (3, 2), (7, 5), (47, 31)])
def test_cell_weights_are_sums_of_pixel_weights(columns, rows):
    """A Gaussian's weight in a cell is the sum over the cell's pixels, for cells of any size down to a pixel."""
    scene = random_scene(3)
    one = (*scene.args()[:4], scene.viewmats[0], scene.Ks[0], 47, 31)
    starts, ids, weights = (t.numpy() for t in blending_weights(*one))
    pixel = np.repeat(np.arange(47 * 31), np.diff(starts))
    cell = (pixel // 47 * rows // 31) * columns + pixel % 47 * columns // 47
    wanted = np.zeros((len(scene.means), columns * rows))
    np.add.at(wanted, (ids, cell), weights)
    starts, cells, weights = (t.numpy() for t in cell_weights(*one, columns, rows))
    found = np.zeros_like(wanted)
    np.add.at(found, (np.repeat(np.arange(len(scene.means)), np.diff(starts)), cells), weights)
    assert starts[-1] == len(cells) and np.abs(found - wanted).max() < 1e-5
    few = [t.numpy() for t in cell_weights(*one, columns, rows, least=0.2, threads=1)]
    assert len(few[2]) == few[0][-1] == (weights > 0.2).sum() > 0 and few[2].sum() == weights[weights > 0.2].sum()


def test_views_come_in_order_whatever_the_threads(scene):
    """Weights found in threads are those of the views that they come with, and add up to the sums beside them."""
    maps, views = maps_of(scene), scene.field.views
    found = list(ViewWeights(scene.field, RAW).of(zip(views, maps, strict=True)))
    assert len(found) == len(views) > torch.get_num_threads()
    for k, (seen, weights, sums) in enumerate(found):
        (_, alone, _), *none = ViewWeights(scene.field, RAW).of([(views[k], maps[k])])
        assert seen is maps[k] and not none and abs(weights - alone).max() == 0
        assert np.allclose(sums, weights.sum(1).A1, atol=1e-4) and sums.max() > 1


def test_uplift_is_the_weighted_mean_of_the_maps(scene):
    """Without codec, diffusion and angles, a Gaussian's feature is what its definition says."""
    maps = maps_of(scene)
    layer = uplift(scene.field, scene.field.views, maps, RAW)
    k, total, support = 700, torch.zeros(24), 0.0
    f = scene.field
    for view, seen in zip(f.views, maps, strict=True):
        from robodistill.field.render import view_tensors

        V, K = view_tensors(f.means, view.camera, view.T_world_camera)
        size = (view.camera.width, view.camera.height)
        gaussians = (f.means, f.quats_wxyz, f.scales, f.opacities)
        starts, ids, weights = blending_weights(*gaussians, V[0], K[0], *size)
        pixels = torch.arange(size[0] * size[1]).repeat_interleave(starts.diff())[ids == k]
        cells = seen[pixels // size[0] * 12 // size[1], pixels % size[0] * 16 // size[0]]
        total += (weights[ids == k, None] * cells).sum(0)
        support += float(weights[ids == k].sum())
    assert support > 1 and torch.allclose(layer.features()[k], total / support, atol=2e-3)  # kept in half precision


@pytest.mark.parametrize("config", [RAW, UpliftConfig(dims=6), UpliftConfig()])
def test_features_point_to_what_things_are(scene, config):
    """Noise of twice the signal in each cell leaves most labels right; edges of cells cost the rest."""
    layer = uplift(scene.field, scene.field.views, maps_of(scene, 2.0), config)
    assert (labels_of(layer, scene) == scene.labels).float().mean() > 0.9


def test_diffusion_averages_noise_and_keeps_edges(scene):
    """After diffusion noise is a fraction of what it was, and neighbours of another colour have not mixed."""
    random = torch.Generator().manual_seed(1)
    exact = scene.directions[scene.labels]
    noisy = exact + 0.3 * torch.randn(exact.shape, generator=random)
    calm = smooth(scene.field, noisy, torch.ones(len(exact)), UpliftConfig())
    assert (calm - exact).norm() < 0.5 * (noisy - exact).norm()
    still = smooth(scene.field, exact, torch.ones(len(exact)), UpliftConfig())
    assert (still - exact).norm(dim=-1).max() < 0.2


def test_unseen_gaussians_take_their_neighbours_features(scene):
    """What no view supports has its neighbours' feature, not zero."""
    exact = scene.directions[scene.labels].clone()
    support = torch.ones(len(exact))
    exact[::10], support[::10] = 0, 0
    calm = smooth(scene.field, exact, support, UpliftConfig())
    assert ((calm @ scene.directions.mT).argmax(-1) == scene.labels)[::10].float().mean() > 0.95


def test_codec_keeps_a_handful_among_a_wall():
    """Two dimensions hold more of a few noisy patches than the strongest two of all patches, which hold the wall."""
    scene = labelled_field(dim=64, seed=2)
    patches, random = Patches(scene.field, 24), np.random.default_rng(0)
    share = np.bincount(patches.of, scene.labels.numpy() == 2, patches.count) / np.bincount(patches.of)
    few = share > 0.5
    assert few.sum() < 0.05 * patches.count
    features = scene.directions.numpy()[2 * few] + 0.35 * random.standard_normal((patches.count, 64))
    W = scene_decoder(patches, torch.from_numpy(features).float(), torch.ones(patches.count), 2).weights[0]
    assert W.shape == (64, 2) and torch.allclose(W.mT @ W, torch.eye(2), atol=1e-5)
    plain = torch.from_numpy(np.linalg.svd(features, full_matrices=False)[2][:2].T).float()
    kept, without = ((scene.directions[2] @ basis).norm() for basis in (W, plain))
    assert kept > without + 0.2


def test_quantised_codes_decode_to_what_they_were():
    """A byte a number changes features by less than a percent; zero stays zero."""
    codes = torch.randn(50, 8, generator=torch.Generator().manual_seed(0))
    codes[7] = 0
    decoder = Decoder((torch.linalg.qr(torch.randn(20, 8, generator=torch.Generator().manual_seed(1)))[0],), (None,))
    small, kept = quantised(decoder, codes)
    assert kept.dtype == torch.int8 and not kept[7].any()
    wanted = decoder(codes)
    assert (small(kept) - wanted).norm() < 0.01 * wanted.norm()
    assert torch.allclose(encode(decoder, wanted), codes, atol=1e-5)


def test_similarity_is_the_cosine_of_decoded_codes():
    """Through the Gram matrix, or decoded in pieces, it is the same cosine; zero codes have none."""
    random = torch.Generator().manual_seed(0)
    codes, directions = torch.randn(40, 5, generator=random), torch.randn(3, 12, generator=random)
    codes[4] = 0
    linear = Decoder((torch.randn(12, 5, generator=random),), (None,))
    deep = Decoder(
        (torch.randn(9, 5, generator=random), torch.randn(12, 9, generator=random)),
        (torch.randn(9, generator=random), torch.randn(12, generator=random)),
    )
    for decoder in (linear, deep):
        layer = FeatureLayer("t", "uplift", codes, decoder)
        wanted = torch.nn.functional.cosine_similarity(layer.features()[:, None], directions[None], dim=-1)
        wanted[4] = 0
        assert torch.allclose(layer.similarity(directions), wanted, atol=1e-5)
        assert torch.allclose(
            layer.similarity(directions, codes[:6].reshape(2, 3, 5)), wanted[:6].reshape(2, 3, 3), atol=1e-5
        )


def test_maps_must_fit_the_views(scene):
    """One map for each view, at least one view."""
    with pytest.raises(BadInput, match="5 feature maps"):
        uplift(scene.field, scene.field.views, maps_of(scene)[:5], RAW)
    with pytest.raises(BadInput, match="at least one"):
        uplift(scene.field, [], [], RAW)


def test_any_dimension_at_run_time(scene):
    """The teacher's dimension is whatever the maps have, also 1."""
    for dim in (1, 3, 700):
        maps = [torch.ones(4, 5, dim) for _ in scene.field.views]
        assert uplift(scene.field, scene.field.views, maps, UpliftConfig()).dim == dim


def test_graph_has_nearest_others():
    """Neighbours are sorted, never the point itself, and as many as there are."""
    means = torch.rand(50, 3, generator=torch.Generator().manual_seed(0))
    means[10] = means[11]
    graph = neighbour_graph(means, 6)
    assert (graph.neighbours != np.arange(50)[:, None]).all() and (np.diff(graph.distances, axis=1) >= 0).all()
    wanted = torch.cdist(means, means).fill_diagonal_(9).sort(-1).values[:, :6]
    assert np.allclose(graph.distances, wanted.numpy(), atol=1e-6)
    assert (
        neighbour_graph(means[:3], 6).neighbours.shape == (3, 2) and neighbour_graph(means[:1], 6).neighbours.size == 0
    )


def test_uplift_is_deterministic(scene):
    """The same maps give the same bytes."""
    a, b = (
        uplift(scene.field, scene.field.views, maps_of(scene, 1.0), replace(UpliftConfig(), dims=8)) for _ in range(2)
    )
    assert torch.equal(a.codes, b.codes) and torch.equal(a.decoder.weights[0], b.decoder.weights[0])
