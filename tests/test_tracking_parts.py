"""Finding parts: pieces, what moves together, borders."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from box_field import scanned
from planned_objects import lidded
from scipy.sparse import coo_matrix
from two_boxes import CAMERA, make_film, make_model

from robodistill.tracking.background import Background
from robodistill.tracking.borders import alike, cut
from robodistill.tracking.model import PartModel
from robodistill.tracking.photometric import Picture, linearize
from robodistill.tracking.regroup import corrected, regrouped
from robodistill.tracking.segments import pieces
from robodistill.tracking.tracker import Followed


@pytest.fixture(scope="module")
def model() -> PartModel:
    return make_model()


@pytest.fixture(scope="module")
def film(model: PartModel) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    return make_film(model)


def test_pieces_are_put_together_by_their_motion(model: PartModel, film: tuple):
    """Three pieces of each part, one lost in half of the frames, small ones across the border: both parts whole.

    Of what a scan sees: nothing tells whose the faces between base and lid are.
    """
    outside = (np.abs(model.points[:, 2] - 0.031) > 0.0025) | (model.points[:, 1] > 0.045)
    model = PartModel(model.field.select(torch.from_numpy(outside)), model.labels[outside])
    frames, poses, _ = film
    slab = np.clip(np.floor((model.points[:, 0] + 0.08) / 0.055).astype(int), 0, 2)
    cut_up = PartModel(model.field, slab + 3 * model.labels)
    small = np.floor((model.points[:, 0] + 0.08) / 0.0161).astype(int) + 10 * model.labels
    small[(model.points[:, 0] > 0.05) & (model.points[:, 2] > 0.01)] = 99
    small = np.unique(small, return_inverse=True)[1]
    assert len(np.unique(model.labels[small == small.max()])) == 2
    Ts = np.repeat(poses, 3, axis=1)
    Ts[::2, 4, :3, 3] += [0.02, 0.01, 0.0]
    background = Background(frames, np.zeros((120, 160), bool))
    quadratics = [
        linearize(cut_up, T, Picture(f / np.float32(255), background.rgb, background.known, CAMERA), 0.05)
        for T, f in zip(Ts, frames, strict=True)
    ]
    followed = Followed(Ts, quadratics, background)
    found = regrouped(cut_up, small, frames, CAMERA, followed)
    assert found.max() == 1 and _shared(found, model.labels) > 0.9  # of what no frame shows nobody knows
    # of parts that were followed, one that has a slab of the other's gives it back
    wrong = PartModel(model.field, np.where(model.points[:, 0] < -0.04, 1, model.labels))
    followed = Followed(poses, [replace(q, lights=q.lights[[0, 3]]) for q in quadratics], background)
    assert _shared(corrected(wrong, frames, CAMERA, followed), model.labels) > 0.9


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
    """Small pieces are mostly of one part, large ones are whole small ones, the table is none of them."""
    scan = scanned(lidded())
    large, small = pieces(scan.field).T
    of_thing = scan.labels >= 0
    assert (small[~of_thing] == -1).mean() > 0.98 and (small[of_thing] >= 0).mean() > 0.8
    assert large.max() + 1 == 8 and small.max() + 1 == 64
    inside = of_thing & (small >= 0)
    assert all(len(np.unique(large[small == k])) == 1 for k in range(64))
    counts = [np.bincount(scan.labels[inside & (small == k)], minlength=2) for k in range(64)]
    assert sum(c.max() for c in counts) > 0.85 * inside.sum()
