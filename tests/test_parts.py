"""Parts without clicks, region merging, and the measure of parts."""

import numpy as np
import pytest
import torch

from robodistill.config import PartsConfig
from robodistill.errors import BadInput
from robodistill.field.features import Decoder, FeatureLayer
from robodistill.field.gaussians import FieldView, GaussianField
from robodistill.geometry.camera import Camera
from robodistill.geometry.merging import RegionGraph, merge_levels, unite
from robodistill.parts.mask_agreement import mask_agreement
from robodistill.parts.parts import find_parts, name_parts
from robodistill.parts.quality import majority_labels, part_iou
from robodistill.teachers.teacher import Calibration

SPACING = 0.01
GRAY = (0.5, 0.5, 0.5)
RED = (0.9, 0.1, 0.1)


def sheet(corner, across, down, normal_axis: int, color: tuple, noise: float = 0.02, seed: int = 0) -> tuple:
    """Means, scales and colours of a flat grid of Gaussians, `SPACING` apart, from corner to corner + across + down."""
    rng = np.random.default_rng(seed)
    across, down = np.array(across, float), np.array(down, float)
    n, m = (round(np.linalg.norm(side) / SPACING) + 1 for side in (across, down))
    i, j = (x.reshape(-1, 1) for x in np.meshgrid(np.linspace(0, 1, n), np.linspace(0, 1, m)))
    means = np.array(corner) + i * across + j * down
    scales = np.full((len(means), 3), 0.6 * SPACING)
    scales[:, normal_axis] = 0.001
    colors = np.array(color) + rng.normal(0, noise, means.shape)
    return means, scales, colors


def make_field(sheets: list) -> tuple[GaussianField, torch.Tensor]:
    """A field of these sheets, seen from above and aside, and the number of each Gaussian's sheet from 0."""
    means, scales, colors = (torch.tensor(np.concatenate(x), dtype=torch.float32) for x in zip(*sheets, strict=True))
    count = len(means)
    field = GaussianField(
        means=means,
        quats_wxyz=torch.tensor([1.0, 0, 0, 0]).repeat(count, 1),
        scales=scales,
        opacities=torch.full((count,), 0.95),
        sh=((colors - 0.5) / 0.28209479177387814)[:, None],
        views=(looking_down(),),
    )
    return field, torch.from_numpy(np.repeat(np.arange(len(sheets)), [len(s[0]) for s in sheets]))


def looking_down(height: float = 0.8) -> FieldView:
    T = np.diag([1.0, -1.0, -1.0, 1.0])
    T[2, 3] = height
    return FieldView("0", Camera.from_fov(1.0, 64, 64), T)


def two_halves(noise: float = 0.02) -> tuple[GaussianField, torch.Tensor]:
    """A plate of 0.4 x 0.2 m, left half gray, right half red."""
    left = sheet((-0.2, -0.1, 0), (0.19, 0, 0), (0, 0.2, 0), 2, GRAY, noise, 0)
    right = sheet((0, -0.1, 0), (0.2, 0, 0), (0, 0.2, 0), 2, RED, noise, 1)
    return make_field([left, right])


def layer_of(labels: torch.Tensor, noise: float, dim: int = 16, seed: int = 0) -> FeatureLayer:
    """Features that are a random orthonormal direction for each label, with noise of this length."""
    g = torch.Generator().manual_seed(seed)
    directions = torch.linalg.qr(torch.randn(dim, dim, generator=g))[0]
    codes = directions[labels.long()] + noise * torch.randn(len(labels), dim, generator=g) / dim**0.5
    return FeatureLayer("test", "uplift", codes, Decoder((torch.eye(dim),), (None,)))


def random_graph(seed: int, count: int = 300) -> RegionGraph:
    rng = np.random.default_rng(seed)
    chain = np.column_stack([np.arange(count - 1), np.arange(1, count)])
    links = np.concatenate([chain, rng.integers(0, count, (100, 2))])
    means = rng.normal(size=(count, 4)).astype(np.float32)
    borders = unite(links, np.ones(len(links)), rng.random(len(links)), count)
    return RegionGraph(np.ones(count, np.float32), means, *borders)


def is_nested(fine: np.ndarray, coarse: np.ndarray) -> bool:
    """Whether each fine label above 0 lies in one coarse label."""
    pairs = np.unique(np.column_stack([fine, coarse])[fine > 0], axis=0)
    return len(pairs) == len(np.unique(pairs[:, 0]))


@pytest.mark.parametrize("twins", [False, True])
@pytest.mark.parametrize("seed", [0, 1])
def test_levels_of_merging_are_nested(seed, twins):
    """Every region of one tolerance lies in one region of the next, and there are fewer of them."""
    levels = merge_levels(random_graph(seed), [0.5, 1, 2, 4], twins)
    for fine, coarse in zip(levels, levels[1:], strict=False):
        assert is_nested(fine + 1, coarse + 1)
        assert coarse.max() <= fine.max()
    assert levels[-1].max() < levels[0].max()


def test_nothing_cheap_is_left_unmerged():
    """After a level, each two regions that touch cost more than its tolerance, counted anew from the nodes."""
    graph = random_graph(3)
    labels = merge_levels(graph, [1.0])[0]
    merged = graph.joined(labels, labels.max() + 1)
    assert 1 < len(merged.sizes) < 300
    assert merged.costs().min() > 1.0


def test_joined_graph_keeps_the_sums():
    """Joining regions keeps the sum of vectors, and of links and barriers between what is still apart."""
    graph, labels = random_graph(4), np.random.default_rng(0).integers(0, 10, 300)
    merged = graph.joined(labels, 10)
    # float32 sums of 300 numbers
    np.testing.assert_allclose(merged.sizes @ merged.means, graph.means.sum(0), atol=1e-3)
    crossing = labels[graph.pairs[:, 0]] != labels[graph.pairs[:, 1]]
    assert merged.lengths.sum() == pytest.approx(graph.lengths[crossing].sum(), rel=1e-5)
    assert merged.barriers.sum() == pytest.approx(graph.barriers[crossing].sum(), rel=1e-5)
    assert (merged.pairs[:, 0] < merged.pairs[:, 1]).all()


def test_twins_on_one_region_join_before_they_join_it():
    """Two alike regions on either side of a third become one, and without `twins` they stay two."""
    means = np.array([[0.0], [10.0], [0.0]], np.float32)
    sizes = np.full(3, 20, np.float32)
    graph = RegionGraph(sizes, means, *unite(np.array([[0, 1], [1, 2]]), np.full(2, 10.0), np.zeros(2), 3))
    assert len(set(merge_levels(graph, [5.0])[0])) == 3
    a, b, c = merge_levels(graph, [5.0], twins=True)[0]
    assert a == c != b


def test_colour_tells_parts_apart_without_features():
    """The two colours of one plate are two parts at some scale, to within the Gaussians at the border."""
    field, truth = two_halves()
    labels = find_parts(field, PartsConfig())
    assert labels.shape == (len(field), PartsConfig().scales) and labels.dtype == torch.int32
    assert part_iou(labels, truth + 1).max() > 0.95


def test_hollow_edge_tells_parts_apart_of_one_colour():
    """A wall on a floor of the same colour is another part than the floor at some scale."""
    floor = sheet((-0.2, -0.1, 0), (0.4, 0, 0), (0, 0.2, 0), 2, GRAY, seed=0)
    wall = sheet((-0.2, -0.1, 0.01), (0.4, 0, 0), (0, 0, 0.15), 1, GRAY, seed=1)
    field, truth = make_field([floor, wall])
    # the row of Gaussians along the edge may go to either side
    assert part_iou(find_parts(field, PartsConfig()), truth + 1).max() > 0.85
    blind = find_parts(field, PartsConfig(fold_weight=0.0))
    assert part_iou(blind, truth + 1).max() < 0.75


def test_features_tell_parts_apart_that_look_alike():
    """Of one flat plate of one colour, noisy features make two parts; without them there are none to be told apart."""
    left = sheet((-0.2, -0.1, 0), (0.19, 0, 0), (0, 0.2, 0), 2, GRAY, seed=0)
    right = sheet((0, -0.1, 0), (0.2, 0, 0), (0, 0.2, 0), 2, GRAY, seed=1)
    field, truth = make_field([left, right])
    assert part_iou(find_parts(field, PartsConfig(), layer_of(truth, 0.7)), truth + 1).max() > 0.9
    assert part_iou(find_parts(field, PartsConfig()), truth + 1).max() < 0.75


def test_masks_tell_parts_apart_that_look_alike():
    """The same plate is cut where the masks of a view cut it."""
    left = sheet((-0.2, -0.1, 0), (0.19, 0, 0), (0, 0.2, 0), 2, GRAY, seed=0)
    right = sheet((0, -0.1, 0), (0.2, 0, 0), (0, 0.2, 0), 2, GRAY, seed=1)
    field, truth = make_field([left, right])
    view = looking_down()
    maps = np.ones((1, 64, 64), np.int32)
    maps[..., 32:] = 2
    labels = find_parts(field, PartsConfig(mask_weight=200.0), masks=[(view.camera, view.T_world_camera, maps)])
    assert part_iou(labels, truth + 1).max() > 0.85  # patches across the border may go to either side


def test_scales_are_nested_and_small_things_are_no_part():
    """Labels of one scale lie in one label of the next; a lone Gaussian and a transparent one are of none."""
    field, truth = two_halves()
    far = field.select(torch.tensor([0, 1]))
    means = torch.cat([field.means, far.means + torch.tensor([3.0, 0, 0])])
    both = {name: torch.cat([getattr(field, name), getattr(far, name)]) for name in ("quats_wxyz", "scales", "sh")}
    opacities = torch.cat([field.opacities, far.opacities])
    opacities[10] = 0.01
    field = GaussianField(means=means, opacities=opacities, **both)
    labels = find_parts(field, PartsConfig(scales=6)).numpy()
    for fine, coarse in zip(labels.T, labels.T[1:], strict=False):
        assert is_nested(fine, coarse)
    assert (labels[-2:] == 0).all() and (labels[10] == 0).all()
    assert (labels[:, -1] > 0).sum() == len(field) - 3


def test_same_input_gives_same_parts():
    """Nothing is drawn at random."""
    field, truth = two_halves()
    layer = layer_of(truth, 0.5, dim=100)  # more dimensions than are compared
    assert torch.equal(find_parts(field, PartsConfig(), layer), find_parts(field, PartsConfig(), layer))


def test_bad_config_is_named():
    """A number of scales that makes no sense is told."""
    with pytest.raises(BadInput, match="at least 1"):
        find_parts(two_halves()[0], PartsConfig(scales=0))


def test_empty_field_has_no_parts():
    """No Gaussian, no label, no error."""
    field = two_halves()[0]
    none = field.select(torch.zeros(len(field), dtype=torch.bool))
    assert find_parts(none, PartsConfig()).shape == (0, PartsConfig().scales)


def test_mask_agreement_is_the_share_of_common_views():
    """Two Gaussians in one region in one of two views agree by half; a view that sees neither does not count."""
    field, truth = two_halves()
    view = looking_down()
    one = np.ones((1, 64, 64), np.int32)
    two = one.copy()
    two[..., 32:] = 2
    away = np.eye(4)
    away[2, 3] = 5.0  # above, looking up
    middles = [int(((field.means - torch.tensor([x, 0.0, 0.0])).norm(dim=-1)).argmin()) for x in (-0.15, -0.05, 0.1)]
    pairs = np.array([[middles[0], middles[2]], [middles[0], middles[1]]])
    seen = [(view.camera, view.T_world_camera, maps) for maps in (one, two)]
    assert mask_agreement(field, pairs, seen) == pytest.approx([0.5, 1.0])
    assert mask_agreement(field, pairs, [*seen, (view.camera, away, two)]) == pytest.approx([0.5, 1.0])
    assert mask_agreement(field, pairs, []) == pytest.approx([1.0, 1.0])


def test_part_iou_of_known_counts():
    """A group that swallows background is charged for it; 0 is no group; small true parts are not asked for."""
    truth = torch.tensor([0] * 40 + [1] * 40 + [2] * 40 + [3] * 5)
    exact = truth.clone()
    swallowing = torch.where(truth == 2, 1, torch.where(truth == 0, 2, truth))
    swallowing[:40] = 1  # background, 1 and 2 are one group of 120
    labels = torch.stack([exact, swallowing, torch.zeros_like(truth)], 1)
    np.testing.assert_allclose(part_iou(labels, truth), [1, 40 / 120, 0])


def test_majority_labels_are_those_of_the_pixels():
    """Each Gaussian gets the label under it; one that no view sees gets 0."""
    field, truth = two_halves()
    view = looking_down()
    away = field.select(torch.tensor([*range(len(field)), 0]))
    away.means[-1] = torch.tensor([0.0, 0, 5.0])
    image = np.full((64, 64), 7, np.int32)
    image[:, 32:] = 9
    found = majority_labels(away, [(view.camera, view.T_world_camera, image)])
    expected = torch.where(truth == 0, 7, 9)
    middle = field.means[:, 0].abs() < 0.02  # pixels over the border
    assert torch.equal(found[:-1][~middle].long(), expected[~middle])
    assert found[-1] == 0


class Words:
    """A text teacher whose words are the directions of `layer_of`."""

    spec, dim, calibration = "words", 16, Calibration(scale=10, negatives=("third",))

    def encode_text(self, phrases):
        directions = torch.linalg.qr(torch.randn(16, 16, generator=torch.Generator().manual_seed(0)))[0]
        return directions[[("first", "second", "third").index(p) for p in phrases]]

    def contrasts(self, phrase, inside=None):
        return self.encode_text(self.calibration.negatives)


def test_parts_get_the_word_they_look_like():
    """Each part is named by its own direction, surely; label 0 is not named."""
    field, truth = two_halves()
    labels = truth + 1
    labels[:5] = 0
    named = name_parts(field, labels, layer_of(truth, 0.5), Words(), ["second", "first"])
    assert {label: word for label, (word, _) in named.items()} == {1: "first", 2: "second"}
    # cosines 1 and 0 at scale 10: all but e^-10
    assert all(score > 0.99 for _, score in named.values())


def test_naming_needs_words_of_the_right_space():
    """No word, and a text encoder of another dimension, are told."""
    field, truth = two_halves()
    with pytest.raises(BadInput, match="at least one"):
        name_parts(field, truth, layer_of(truth, 0), Words(), [])
    with pytest.raises(BadInput, match="dimensions"):
        name_parts(field, truth, layer_of(truth, 0, dim=20), Words(), ["first"])
