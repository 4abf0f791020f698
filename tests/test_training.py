"""What the built-in teacher is trained on, and how: views, crops, clouds, checkpoints."""

import numpy as np
import pytest
import torch

from robodistill.sim.colors import COLORS
from robodistill.sim.objects import CATEGORIES
from robodistill.sim.scene import make_scene
from robodistill.sim.shapes import box
from robodistill.sim.spec import ObjectSpec, Piece
from robodistill.teachers.builtin.image_net import BLOCKS, STRIDE
from robodistill.teachers.builtin.teacher import Builtin
from robodistill.training import card, clouds, crops, export, image, labels, loop, pairs, scenes, shape, views, visual
from robodistill.training.checkpoint import Progressed, average, load_checkpoint, save_checkpoint
from robodistill.training.image import Learner


@pytest.fixture(scope="module")
def shard(tmp_path_factory):
    """The views of one seed, as they are stored."""
    return views.load_shard(views.make_shard(3, tmp_path_factory.mktemp("views")))


def test_labels_say_what_is_drawn(shard):
    """Things are of the simulator, a colour is one that its thing may have in training, the room has none."""
    things, colors = labels.ROLES["thing"], labels.ROLES["color"]
    assert len(shard["rgb"]) % views.VIEWS == 0 and len(shard["rgb"]) > 0
    for rows, table in zip(shard["rows"], shard["table"], strict=True):
        for row in table[np.unique(rows)]:
            name = things[row[0]]
            assert (row[6] > 0) == (name in CATEGORIES or name == "unknown")
            assert (row[1] == labels.IGNORE) == (row[6] == 0)
            assert row[6] == 0 or not labels.held_out(colors[row[1]], name)


def test_some_pairs_of_colour_and_thing_are_kept_out():
    """About one in nine, and no thing loses all its colours."""
    share = np.mean([labels.held_out(color, name) for color in COLORS for name in CATEGORIES])
    assert 0.07 < share < 0.16
    assert all(len(labels.trained_colors(name)) >= 6 for name in CATEGORIES)


def test_the_same_seed_draws_the_same_views(shard):
    """Byte for byte."""
    first = next(scenes.draw_views(3, 1, 1))
    assert np.array_equal(first.rgb, shard["rgb"][0]) and np.array_equal(first.rows, shard["rows"][0])


def test_pairs_show_the_same_surface_twice(shard):
    """Matched cells have the same piece of the same thing in both crops, but where they straddle an edge."""
    rng, same = np.random.default_rng(0), []
    while len(same) < 12:
        found = crops.draw_pair(shard, rng)
        if found is None or len(found[2]) < 8:
            continue
        first, second, cells, places = found
        at = np.rint(places).astype(int).clip(0, len(second.rows) - 1)
        same.append((first.rows.ravel()[cells] == second.rows[at[:, 0], at[:, 1]]).mean())
    assert np.mean(same) > 0.8


def test_a_crop_is_a_piece_of_its_view(shard):
    """Its labels are those at its cells' places in the view."""
    rng = np.random.default_rng(1)
    crop = crops.draw_crop(shard, rng)
    assert crop.channels.shape == (9, crops.SIDE, crops.SIDE) and crop.rows.shape == (crops.SIDE // STRIDE,) * 2
    assert np.abs(crop.channels[:8]).max() <= 1.001
    assert (crop.labels[..., 6] > 0).any()


def closed_box_with_something_inside() -> ObjectSpec:
    """Six walls around a ball of another part."""
    walls = [box(0.1, 0.1, 0.004).at(z=s * 0.048) for s in (-1, 1)]
    walls += [box(0.1, 0.004, 0.1).at(y=s * 0.048) for s in (-1, 1)]
    walls += [box(0.004, 0.1, 0.1).at(x=s * 0.048) for s in (-1, 1)]
    pieces = [Piece("body", wall) for wall in walls]
    return ObjectSpec("box", (*pieces, Piece("strip", box(0.03, 0.03, 0.03))))


def test_what_is_shut_in_is_not_in_a_cloud(monkeypatch):
    """Nothing of the inside of a closed box is seen."""
    monkeypatch.setattr(clouds, "CATEGORIES", {"box": lambda rng: closed_box_with_something_inside()})
    monkeypatch.setattr(clouds, "_STRANGE", 0.0)
    cloud = clouds.draw_cloud(0)
    parts = labels.ROLES["part"]
    assert {parts[k] for k in np.unique(cloud.labels[:, 5])} == {"body"}
    middle = cloud.points - (cloud.points.min(0) + cloud.points.max(0)) / 2
    assert np.linalg.norm(middle, axis=1).min() > 0.04


def test_clouds_stand_on_the_table():
    """z is above the support and metres are kept; what is shown of a cloud has its labels."""
    rng = np.random.default_rng(0)
    for seed in range(6):
        cloud = clouds.draw_cloud(seed)
        assert -0.001 < cloud.points[:, 2].min() and np.ptp(cloud.points, axis=0).max() < 0.4
        values, told = clouds.show(cloud, 200, rng)
        assert values.shape == (200, 7) and np.isfinite(values).all()
        assert set(np.unique(told[:, 0])) <= set(np.unique(cloud.labels[:, 0]))


def test_a_training_goes_on_where_it_stopped(tmp_path):
    """Two steps, a file and a third step end where three steps end."""

    def fresh():
        torch.manual_seed(0)
        net = torch.nn.Linear(3, 2)
        return net, {k: v.clone() for k, v in net.state_dict().items()}, torch.optim.AdamW(net.parameters(), 0.1)

    def step(net, averaged, optimizer, k):
        optimizer.zero_grad()
        (net(torch.full((4, 3), float(k + 1))) ** 2).sum().backward()
        optimizer.step()
        average(averaged, net, k, 0.9)

    whole = fresh()
    for k in range(3):
        step(*whole, k)
    first = fresh()
    for k in range(2):
        step(*first, k)
    save_checkpoint(tmp_path / "c", *first, Progressed(1.5, 2, [{"loss": 1.0}]))
    later = fresh()
    at = load_checkpoint(tmp_path / "c", *later)
    step(*later, at.step)
    assert at == Progressed(1.5, 2, [{"loss": 1.0}])
    assert all(torch.equal(a, b) for a, b in zip(whole[0].parameters(), later[0].parameters(), strict=True))
    assert all(torch.equal(whole[1][name], later[1][name]) for name in whole[1])


def test_learning_lowers_the_loss(shard):
    """On one small batch, each role's loss falls within a few steps."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    singles = [crops.draw_crop(shard, rng) for _ in range(3)]
    found = None
    while found is None or len(found[2]) < 8:
        found = crops.draw_pair(shard, rng)
    learner = Learner()
    optimizer = torch.optim.AdamW(learner.parameters(), 3e-3)
    told = []
    for _ in range(6):
        loss, terms = learner.loss(singles, list(found[:2]), [found[2:]], "cpu")
        told.append(terms)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert set(told[0]) == {*BLOCKS, "visual"}
    assert all(told[-1][role] < told[0][role] for role in BLOCKS)


def test_whole_pairs_show_the_same_surface_twice(shard):
    """Matched cells are the same points in space, wherever the windows were cut."""
    rng, found = np.random.default_rng(0), []
    while len(found) < 6:
        pair = pairs.draw_whole_pair(shard, rng)
        if pair is not None and all(it.any() for it in pair.points):
            found.append(pair)
    for pair in found:
        first, second = pair.crops
        assert first.channels.shape == (9, 240, 320) and pair.points[0].shape == (3, 60, 80)
        at = np.rint(pair.places).astype(int).clip(0, [59, 79])
        same = first.rows.ravel()[pair.cells] == second.rows[at[:, 0], at[:, 1]]
        assert same.mean() > 0.7
        depth = pair.points[0][2].ravel()[pair.cells]
        assert (depth > 0).mean() > 0.9 and 0.2 < np.median(depth) < 1.5


def test_the_shares_of_a_place_are_bilinear():
    """They add to one and point at the place."""
    cells, shares = visual._around(np.array([[1.25, 2.5], [0.0, 3.0]], np.float32), (4, 5))
    assert shares.sum(1) == pytest.approx([1, 1])
    assert (shares * (cells // 5)).sum(1) == pytest.approx([1.25, 0])
    assert (shares * (cells % 5)).sum(1) == pytest.approx([2.5, 3])


class Interrupted(Exception):
    """As if someone pressed Ctrl-C."""


def trainings(folder, check):
    """Each script's short run: its function, and arguments that lack the file to write."""
    encoder = {"views": folder, "validation": check, "seed": 3}
    return {
        "image": lambda out: image.train(image.Arguments(**encoder, out=out, steps=2, singles=1, pairs=1, report=1)),
        "shape": lambda out: shape.train(shape.Arguments(out, steps=2, pool=12, batch=2, report=1, validation=2)),
        "visual": lambda out: visual.train(
            visual.Arguments(**encoder, image=export.Arguments().out, out=out, steps=2, pairs=1, report=1)
        ),
    }


@pytest.mark.parametrize("name", ["image", "shape", "visual"])
def test_an_interrupted_training_ends_where_a_whole_one_ends(name, shard, tmp_path, monkeypatch):
    """Bit for bit, and twice the same."""
    folder = tmp_path / "views"
    folder.mkdir()
    monkeypatch.setattr(shape, "_FIRST", 4)
    small = {key: value[: views.VIEWS] for key, value in shard.items()}
    from safetensors.numpy import save_file

    save_file({key: np.ascontiguousarray(value) for key, value in small.items()}, folder / "a.safetensors")
    train = trainings(folder, folder)[name]
    train(tmp_path / "whole")
    saved = loop.save_checkpoint

    def stop(*given):
        saved(*given)
        raise Interrupted

    monkeypatch.setattr(loop, "save_checkpoint", stop)
    with pytest.raises(Interrupted):
        train(tmp_path / "parts")
    monkeypatch.setattr(loop, "save_checkpoint", saved)
    train(tmp_path / "parts")
    whole, parts = (export.averaged(tmp_path / it) for it in ("whole", "parts"))
    assert whole.keys() == parts.keys() and len(whole) > 3
    assert all(torch.equal(whole[key], parts[key]) for key in whole)


def test_training_landmarks_leaves_words_as_they_are(tmp_path):
    """What is put into the file that ships is new landmarks alone."""
    out = tmp_path / "weights.safetensors"
    out.write_bytes(export.Arguments().out.read_bytes())
    before = export.shipped(out)
    landmarks = {k.removeprefix("image/"): v.float() + 1 for k, v in before.items() if k.startswith("image/landmarks.")}
    from safetensors.torch import save_file

    save_file({f"averaged/{key}": value for key, value in landmarks.items()}, tmp_path / "visual")
    export.main(export.Arguments(visual=tmp_path / "visual", out=out))
    after = export.shipped(out)
    assert before.keys() == after.keys() and landmarks
    for key, value in before.items():
        assert torch.equal(value, after[key]) != key.startswith("image/landmarks.")


def test_the_card_shows_matches_and_curves(tmp_path):
    """Two views with lines between them, right ones in green; a PNG of a curve that a file holds."""
    net = torch.nn.Linear(1, 1)
    at = Progressed(2.0, 20, [{"minutes": 1.0, "matched": 0.5}, {"minutes": 2.0, "matched": 0.6}])
    save_checkpoint(tmp_path / "c", net, {}, torch.optim.AdamW(net.parameters()), at)
    assert card.curve_picture({"landmarks": tmp_path / "c"})[:4] == b"\x89PNG"
    picture = card.match_row(make_scene(31, ["mug", "book", "car"]), 31, Builtin("head=visual"))
    green = (np.abs(picture.astype(int) - [40, 220, 60]) < 25).all(-1)
    assert picture.shape == (240, 640, 3) and green[:, 300:340].any()
