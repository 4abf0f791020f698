"""Finding parts: pieces, what moves together, borders."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from box_field import scanned
from planned_objects import lidded
from scipy.sparse import coo_matrix
from two_boxes import CAMERA, HINGE, make_film, make_model, start

from robodistill.config import TrackingConfig
from robodistill.errors import HonestNo
from robodistill.progress import silent
from robodistill.tracking.articulation import joint_motion
from robodistill.tracking.background import Background
from robodistill.tracking.borders import alike, cut
from robodistill.tracking.layers import Window
from robodistill.tracking.model import PartModel
from robodistill.tracking.motion_bank import MotionBank
from robodistill.tracking.part_errors import UNSEEN, errors_by_part
from robodistill.tracking.part_proposals import in_pieces, likely_splits
from robodistill.tracking.part_search import search_parts
from robodistill.tracking.part_trial import PartTrials
from robodistill.tracking.photometric import linearize, unlit
from robodistill.tracking.picture import Picture
from robodistill.tracking.recut import recut
from robodistill.tracking.segments import FEW, MANY, pieces
from robodistill.tracking.tracker import follow


@pytest.fixture(scope="module")
def model() -> PartModel:
    return make_model()


@pytest.fixture(scope="module")
def film(model: PartModel) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    return make_film(model)


@pytest.fixture(scope="module")
def shell(model: PartModel) -> PartModel:
    """What a scan sees of it: nothing tells whose the faces between base and lid are."""
    outside = (np.abs(model.points[:, 2] - 0.031) > 0.0025) | (model.points[:, 1] > 0.045)
    return PartModel(model.field.select(torch.from_numpy(outside)), model.labels[outside])


@pytest.fixture(scope="module")
def tree(shell: PartModel) -> tuple[np.ndarray, np.ndarray]:
    """Six slabs across both parts, no branch of which is a whole part, and the branches."""
    slab = np.clip(np.floor((shell.points[:, 0] + 0.08) / 0.0267).astype(int), 0, 5)
    half = np.clip(np.floor((shell.points[:, 0] + 0.08) / 0.08).astype(int), 0, 1)
    pieces = [(slab == k) & (shell.labels == p) for k in range(6) for p in range(2)]
    pieces += [(half == k) & (shell.labels == p) for k in range(2) for p in range(2)]
    pieces += [slab == k for k in range(6)] + [half == k for k in range(2)]
    return slab, np.stack(pieces)


def test_parts_are_split_by_their_motion(shell: PartModel, film: tuple, tree: tuple):
    """The lid is put together from its pieces, and no more is split: once for all, and once for a film of one part."""
    frames, poses, _ = film
    config = replace(TrackingConfig(), jump=0.008)
    found = _searched(shell, tree, frames, poses[0][0], config)
    assert found.max() == 1 and _shared(found, shell.labels) > 0.9  # of what no frame shows nobody knows
    rigid = [
        (255 * np.clip(layers.over(layers.color, np.full((120, 160, 3), 0.4, np.float32)), 0, 1)).astype(np.uint8)
        for layers in (shell.draw(T[[0, 0]], Window(CAMERA, 0, 0, 160, 120)) for T in poses[:, :1].repeat(2, 1))
    ]
    assert _searched(shell, tree, rigid, poses[0][0], config).max() == 0


def test_a_third_part_is_found_that_moves_less(shell: PartModel, film: tuple, tree: tuple):
    """Half of the lid opens half as far: the search goes on from two parts, and ends at three."""
    frames, poses, angles = film
    halves = np.where((shell.labels == 1) & (shell.points[:, 0] < 0), 2, shell.labels)
    parts, window = replace(shell, labels=halves), Window(CAMERA, 0, 0, 160, 120)
    behind, shown = Background(frames, np.zeros((120, 160), bool)).rgb, []
    for Ts, angle in zip(poses, angles, strict=True):
        layers = parts.draw(np.stack([*Ts, Ts[0] @ joint_motion(HINGE, 0.5 * angle)]), window)
        shown.append((255 * np.clip(layers.over(layers.color, behind), 0, 1)).astype(np.uint8))
    few = (shell.points[:, 0] < 0) + 2 * shell.labels
    found = _searched(shell, (few, tree[1]), shown, poses[0][0], replace(TrackingConfig(), jump=0.008))
    assert found.max() == 2
    counts = np.array([np.bincount(found[halves == part], minlength=3) for part in range(3)])
    assert sorted(counts.argmax(1)) == [0, 1, 2] and (counts.max(1) > 0.8 * counts.sum(1)).all(), counts


def test_a_film_of_another_thing_shows_no_parts(shell: PartModel, tree: tuple):
    """Said before the search, not after."""
    frames = [np.full((120, 160, 3), 30, np.uint8)] * 6
    with pytest.raises(HonestNo, match="does not show this object"):
        _searched(shell, tree, frames, start(), TrackingConfig())


def test_errors_are_those_of_the_parts_motions(shell: PartModel, film: tuple):
    """Open, each part's Gaussians err less where they are; what is hidden by the other part there costs the same."""
    frames, poses, _ = film
    picture = Picture(frames[9] / np.float32(255), *_behind(frames), CAMERA)
    errors = errors_by_part(shell, picture, poses[9], unlit(2), [0, 1])
    assert errors.shape == (2, len(shell.labels)) and errors.max() <= UNSEEN
    own = errors[shell.labels, np.arange(len(shell.labels))]
    other = errors[1 - shell.labels, np.arange(len(shell.labels))]
    for part in (0, 1):
        seen = (shell.labels == part) & (own < UNSEEN)
        assert seen.sum() > 200 and own[seen].mean() < 0.6 * other[seen].mean()
    turned = errors_by_part(shell, picture, poses[9], unlit(2), [1, 0])
    assert np.array_equal(turned[::-1], errors)
    masked = replace(picture, usable=np.zeros((120, 160), np.float32))
    assert (errors_by_part(shell, masked, poses[9], unlit(2), [0, 1]) == UNSEEN).all()


def test_a_bank_finds_the_motion_that_suits(shell: PartModel, film: tuple):
    """Of motions that were each lost in half of the pictures, each part gets its own; together they cost more."""
    frames, poses, _ = film
    pictures = [Picture(f / np.float32(255), *_behind(frames), CAMERA) for f in frames]
    Ts = poses.copy()
    Ts[::2, 0, :3, 3] += [0.03, 0.01, 0.0]
    bank = MotionBank(_whole(shell), pictures)
    for lost in (Ts, poses[:, ::-1]):
        bank.add(lost, [linearize(shell, T, p, 0.05) for T, p in zip(lost, pictures, strict=True)])
    starts = bank.starts(shell.labels)
    late = slice(6, None)  # before that both go nearly the same way
    assert np.abs(starts[late] - poses[late]).max() < 1e-9
    apart, half = bank.cost(shell.labels == 0) + bank.cost(shell.labels == 1), shell.points[:, 0] < 0
    assert bank.cost(np.ones(len(shell.labels), bool)) - apart > 10 * abs(
        bank.cost(shell.labels == 0) - bank.cost((shell.labels == 0) & half) - bank.cost((shell.labels == 0) & ~half)
    )


def test_a_piece_takes_on_all_that_moves_as_it_does(shell: PartModel, film: tuple, tree: tuple):
    """No branch is of the whole lid, nor does one end at its border; but the motion of one tells all of it."""
    frames, poses, _ = film
    pictures = [Picture(f / np.float32(255), *_behind(frames), CAMERA) for f in frames]
    bank = MotionBank(_whole(shell), pictures)
    bank.add(poses, [linearize(shell, T, p, 0.05) for T, p in zip(poses, pictures, strict=True)])
    links = 0.12 * alike(shell.field)
    labels, pair = likely_splits(np.zeros(len(shell.labels), int), tree[1], bank, links, 4)[0]
    assert pair == (0, 1) and _shared(labels, shell.labels) > 0.9
    assert max(_shared(branch.astype(int), shell.labels) for branch in tree[1]) < 0.85


def test_two_parts_may_have_shared_a_third(shell: PartModel, film: tuple):
    """A lid that is half with one half of the base and half with the other is taken from both."""
    frames, poses, _ = film
    pictures = [Picture(f / np.float32(255), *_behind(frames), CAMERA) for f in frames]
    bank, halves = MotionBank(_whole(shell), pictures), (shell.points[:, 0] > 0).astype(int)
    bank.add(poses, [linearize(shell, T, p, 0.05) for T, p in zip(poses, pictures, strict=True)])
    lid = shell.labels == 1
    labels, pair = likely_splits(halves, np.stack([lid, ~lid]), bank, 0.12 * alike(shell.field), 4)[0]
    assert pair[1] == 2 and np.array_equal(labels, np.where(lid, 2, halves))


def test_large_parts_are_followed_in_pieces(shell: PartModel, tree: tuple):
    """None across parts, none smaller than can be followed, and as many as there are."""
    found = in_pieces(shell.labels, tree[1])
    counts = np.bincount(found)
    assert found.max() > 3 and counts.min() > 0.03 * len(found)
    for piece in range(found.max() + 1):
        assert len(np.unique(shell.labels[found == piece])) == 1
    small = np.where(np.arange(len(found)) < 0.2 * len(found), 1, 0)
    assert (in_pieces(small, tree[1][:0]) == small).all()  # no pieces: parts as they are


def test_moving_apart_counts_only_where_parts_do(shell: PartModel, film: tuple):
    """Two halves of a base gain nothing; base and lid what their pictures say, each no more than asked for."""
    frames, poses, _ = film
    config, whole = replace(TrackingConfig(), jump=0.008), _whole(shell)
    background = Background(frames, np.zeros((120, 160), bool))
    trials = PartTrials(whole, frames, CAMERA, poses[0][0], background, config, silent, 9)
    halves = np.where(shell.labels == 1, 1, np.where(shell.points[:, 0] < 0, 0, 2))
    near = poses[::3]
    assert abs(trials.parted(halves, (0, 2), near[:, [0, 1, 0]], near[:, [0, 1, 0]]).gain) < 1e-3
    found = trials.parted(shell.labels, (0, 1), near, near[:, [0, 0]])
    assert found.gains[0] == 0 < found.gain and found.gain_of_many(1e-3) <= 1e-3 < found.gain


def test_borders_are_cut_once_more_where_that_is_nearer(shell: PartModel, film: tuple):
    """The front of the base, gone with the lid, comes back; a right border stays, and one of which nothing is seen."""
    frames, poses, _ = film
    background = Background(frames, np.zeros((120, 160), bool))

    def again(labels: np.ndarray, lost: float = 0.0) -> np.ndarray:
        model = replace(shell, labels=labels)
        shown = [Picture(f / np.float32(255), background.rgb, background.known, CAMERA) for f in frames]
        quadratics = [linearize(model, T, p, 0.05) for T, p in zip(poses, shown, strict=True)]
        quadratics = [replace(q, cost=q.cost + lost) for q in quadratics]
        return recut(model, frames, CAMERA, background, poses, quadratics, TrackingConfig()).labels

    side = (shell.labels == 0) & (shell.points[:, 1] < -0.045)
    wrong = np.where(side, 1, shell.labels)
    assert (again(wrong) != shell.labels).sum() < 0.6 * side.sum()
    assert (again(wrong)[side] == 0).mean() > 0.9
    assert (again(shell.labels) != shell.labels).mean() < 0.02
    assert (again(wrong, np.inf) == wrong).all()


def _whole(shell: PartModel) -> PartModel:
    return PartModel(shell.field, np.zeros(len(shell.labels), int))


def _searched(shell: PartModel, tree: tuple, frames: list, T: np.ndarray, config: TrackingConfig) -> np.ndarray:
    whole = _whole(shell)
    background = follow(whole, frames, CAMERA, T[None], config).background
    return search_parts(whole, *tree, frames, CAMERA, T, background, config)[0]


def _behind(frames: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Background and whether it is known, of a film of two boxes."""
    background = Background(frames, np.zeros((120, 160), bool))
    return background.rgb, background.known


def _shared(found: np.ndarray, true: np.ndarray) -> float:
    """Share of Gaussians that are in the same of two parts, whatever these are called."""
    right = (found == true).mean()
    return max(right, 1 - right)


def test_a_border_is_cut_where_it_costs_least():
    """Of two labels the sum is the least there is, by trying all; of three it is near it."""
    rng = np.random.default_rng(0)
    a, b = np.triu_indices(7, 1)
    for parts in (2, 2, 2, 3, 3):
        costs, weights = rng.random((7, parts)), 0.5 * rng.random(len(a)) * (rng.random(len(a)) < 0.5)
        links = coo_matrix((weights, (a, b)), shape=(7, 7))
        sums = {
            labels: costs[np.arange(7), labels].sum() + weights[np.not_equal(*np.array(labels)[[a, b]])].sum()
            for labels in itertools.product(range(parts), repeat=7)
        }
        found = sums[tuple(cut(costs, links, rng.integers(0, parts, 7)).tolist())]
        assert min(sums.values()) - 1e-9 <= found <= min(sums.values()) * (1.05 if parts > 2 else 1) + 1e-3


def test_neighbours_of_one_colour_are_linked(model: PartModel):
    """Each pair once, and links within a blotch of colour are the strong ones."""
    links = alike(model.field)
    assert (links.row < links.col).all() and 0 < links.data.min() and links.data.max() <= 1
    colors = model.field.sh[:, 0].numpy()
    same = np.abs(colors[links.row] - colors[links.col]).max(1) < 1e-3
    assert links.data[same].mean() > 2 * links.data[~same].mean()


def test_pieces_of_what_stands():
    """Small pieces are mostly of one part, every branch is whole small ones, the table is none of them."""
    scan = scanned(lidded())
    found = pieces(scan.field)
    of_thing = scan.labels >= 0
    assert found.keep[~of_thing].mean() < 0.02 and found.keep[of_thing].mean() > 0.8
    assert found.few.max() + 1 == FEW and found.branches.shape == (2 * MANY - 2, found.keep.sum())
    sizes = found.branches.sum(1)
    assert found.branches[:MANY].sum(0).min() == found.branches[:MANY].sum(0).max() == 1  # the leaves, first
    overlaps = found.branches.astype(int) @ found.branches.T.astype(int)
    assert ((overlaps == 0) | (overlaps == np.minimum(sizes[:, None], sizes))).all()
    true = scan.labels[found.keep]
    counts = [np.bincount(true[branch & (true >= 0)], minlength=2) for branch in found.branches[:MANY]]
    assert sum(c.max() for c in counts) > 0.85 * (true >= 0).sum()
