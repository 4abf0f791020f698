"""Queries, segmentation, phrases, selections and the verbs on field folders."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from scene_labelled import labelled_field

from robodistill.cli import main
from robodistill.config import QueryConfig
from robodistill.errors import BadInput, UnsupportedVersion
from robodistill.field.features import Decoder, FeatureLayer
from robodistill.field.gaussians import GaussianField
from robodistill.language import query
from robodistill.language.phrase import other_colors, whole_of, without_color
from robodistill.language.query import Querier
from robodistill.language.segment import label_gaussians, segment
from robodistill.language.selection import Selection, oriented_box, select
from robodistill.teachers.truth import TruthTeacher

TEXT = TruthTeacher("dim=256")
WORDS = ["background", "red slab", "blue slab"]
PART = "handle of the red slab"


@pytest.fixture(scope="module")
def field() -> GaussianField:
    """See `labelled_words`."""
    return labelled_words()


def labelled_words() -> GaussianField:
    """Wall, red slab, blue slab; the upper third of the red one is its handle; features as the truth teacher paints."""
    scene = labelled_field()
    f = scene.field
    directions = TEXT.encode_text([*WORDS, "handle red slab"])
    labels = scene.labels.clone()
    high = f.means[:, 1] < f.means[labels == 1, 1].quantile(0.33)
    labels[(labels == 1) & high] = 3
    codes = torch.nn.functional.normalize(directions, dim=-1)[labels]
    codes = codes + 0.2 * torch.randn(codes.shape, generator=torch.Generator().manual_seed(0)) / 16
    layer = FeatureLayer("truth:dim=256", "uplift", codes.half(), Decoder((torch.eye(256),), (None,)))
    return replace(f, features={"truth": layer}, groups=labels[:, None].int())


def truth(field: GaussianField, *labels: int) -> torch.Tensor:
    return torch.isin(field.groups[:, 0], torch.tensor(labels))


def iou(selection: Selection, wanted: torch.Tensor) -> float:
    mask = selection.mask(len(wanted))
    return float((mask & wanted).sum() / (mask | wanted).sum())


@pytest.fixture(scope="module")
def ask(field) -> Querier:
    return Querier(field, field.layer(), TEXT, QueryConfig())


@pytest.mark.parametrize("phrase, labels", [("red slab", (1, 3)), ("blue slab", (2,)), (PART, (3,))])
def test_phrases_find_what_they_name(ask, field, phrase, labels):
    """The Gaussians of the thing, its middle and its box."""
    found, wanted = ask(phrase), truth(field, *labels)
    assert found.found and found.score > 0.5 and iou(found, wanted) > 0.9
    assert np.linalg.norm(found.center - field.means[wanted].median(0).values.numpy()) < 0.03
    extent = (field.means[wanted].amax(0) - field.means[wanted].amin(0)).sort(descending=True).values
    assert np.abs(np.array(found.box.size) - extent.numpy()).max() < 0.1


@pytest.mark.parametrize(
    "phrase", ["green slab", "hammer", "blue hammer", "lid of the hammer", "handle of the green slab"]
)
def test_absent_things_are_not_found(ask, phrase):
    """A wrong colour, a thing that is not there, the part of one: refused, with a reason."""
    found = ask(phrase)
    assert not found.found and found.reason


def test_what_was_never_seen_is_no_answer(field):
    """A Gaussian without features fits no phrase, though its cosine with all contrasts is as high."""
    layer = field.layer()
    layer = replace(layer, codes=layer.codes * ~truth(field, 2)[:, None])
    text = TruthTeacher("dim=256")
    text.calibration = replace(text.calibration, offset=-0.1, negatives=tuple(WORDS))
    asked = Querier(field, layer, text, QueryConfig())
    assert not asked("hammer").found and asked.scores("hammer")[truth(field, 2)].max() < 1e-6
    assert not asked("blue slab").found and asked.scores("hammer").isfinite().all()


def test_answers_hang_neither_on_feature_length_nor_on_the_metric(field):
    """Longer features, or codes in another basis of the same features, give the same Gaussians."""
    layer = field.layer()
    longer = replace(layer, codes=layer.codes * 8)
    mixed = torch.randn(256, 256, generator=torch.Generator().manual_seed(0)) + 16 * torch.eye(256)
    turned = replace(layer, codes=layer.codes.float() @ torch.linalg.inv(mixed).mT, decoder=Decoder((mixed,), (None,)))
    answers = [Querier(field, it, TEXT, QueryConfig())("red slab") for it in (layer, longer, turned)]
    assert all(torch.equal(a.gaussians, answers[0].gaussians) for a in answers[:2])
    assert iou(answers[2], answers[0].mask(len(field))) > 0.99


def test_a_neighbour_of_the_same_colour_is_left_out(field):
    """What is red only, and touches the red slab, is no slab."""
    layer = field.layer()
    y = field.means[:, 1]
    plank = truth(field, 1) & (y > y[truth(field, 1)].quantile(0.6))
    codes = layer.codes.clone()
    codes[plank] = TEXT.encode_text(["red"]).half()
    found = Querier(field, replace(layer, codes=codes), TEXT, QueryConfig())("red slab")
    assert found.found and iou(found, truth(field, 1, 3) & ~plank) > 0.85


@pytest.mark.parametrize("floor", [0.0, -0.2])
def test_contrasts_in_two_steps_give_the_same_answers(field, monkeypatch, floor):
    """With many contrasts most Gaussians drop out after the first few; what is selected does not change."""

    class Wordy(TruthTeacher):
        """Compares a phrase with other words."""

        def contrasts(self, phrase: str, inside: str | None = None) -> torch.Tensor:
            return self.encode_text(["mug", "pen", "background", "hammer", "bowl", "spoon", "cup", "pan"])

    phrases, text = ("red slab", "blue slab", "slab", "green slab", PART), Wordy("dim=256")
    text.calibration = replace(text.calibration, floor=floor)
    quick = [Querier(field, field.layer(), text, QueryConfig())(phrase) for phrase in phrases]
    assert [it.found for it in quick[:2]] == [True, True]
    monkeypatch.setattr(query, "_FIRST", 1000)
    for one, phrase in zip(quick, phrases, strict=True):
        whole = Querier(field, field.layer(), text, QueryConfig())(phrase)
        assert torch.equal(one.gaussians, whole.gaussians) and one.score == whole.score


def test_scores_are_a_heat_map(ask, field):
    """The thing is hot, the rest is not."""
    scores = ask.scores("blue slab")
    assert (
        scores.shape == (len(field),) and scores[truth(field, 2)].median() > 0.9 > 0.5 > scores[truth(field, 0)].max()
    )


def test_text_must_be_of_the_features_teacher(field):
    """Another dimension is named."""
    with pytest.raises(BadInput, match="256 dimensions.*has 64"):
        Querier(field, field.layer(), TruthTeacher("dim=64"), QueryConfig())


def test_segmentation_labels_the_pixels(field):
    """In a view every solid pixel has the label of what it shows; where nothing is, none."""
    labels = label_gaussians(field.layer(), TEXT, WORDS)
    view = field.views[0]
    found = segment(field, labels, WORDS, view.camera, view.T_world_camera)
    assert set(np.unique(found.labels)) >= {0, 1, 2}
    from robodistill.field.render import render

    votes = torch.nn.functional.one_hot(truth(field, 1, 3) + 2 * truth(field, 2).long(), 3).float()
    seen = render(field, view.camera, view.T_world_camera, votes)
    solid = (seen.alpha > 0.9).numpy()
    assert (found.labels == seen.features.argmax(-1).numpy())[solid].mean() > 0.97
    away = view.T_world_camera @ np.diag([-1.0, 1, -1, 1])
    assert (segment(field, labels, WORDS, view.camera, away).labels == -1).all()
    with pytest.raises(BadInput, match="each once"):
        label_gaussians(field.layer(), TEXT, ["a", "a"])


def test_phrases_are_read():
    """Wholes, colours, and what is left without them."""
    assert whole_of("handle of the red mug") == "red mug" and whole_of("lid of a Jar") == "Jar"
    assert whole_of("red mug") is None and whole_of("of") is None
    assert "blue mug" in other_colors("red mug") and "red mug" not in other_colors("red mug")
    assert other_colors("mug") == [] and "grey mug" not in other_colors("gray mug")
    assert without_color("red mug") == "mug" and without_color("mug") is None and without_color("red") is None


def test_box_fits_turned_points():
    """Of a turned cuboid the sides, the middle and a proper rotation are found."""
    from scipy.spatial.transform import Rotation

    R, sides = Rotation.from_rotvec([0.3, -0.5, 0.8]).as_matrix(), np.array([0.3, 0.2, 0.1])
    points = (np.random.default_rng(0).random((4000, 3)) - 0.5) * sides @ R.T + [1, 2, 3]
    box = oriented_box(points)
    T = np.array(box.T_world_box)
    assert np.allclose(box.size, sides, rtol=0.05) and np.allclose(T[:3, 3], [1, 2, 3], atol=0.01)
    assert np.isclose(np.linalg.det(T[:3, :3]), 1) and np.allclose(np.abs(T[:3, :3].T @ R), np.eye(3), atol=0.05)
    assert np.isfinite(oriented_box(np.zeros((2, 3))).size).all()


def test_selection_survives_its_file(field, tmp_path):
    """What is written is read; another version and other files are refused, existing ones kept."""
    one = select(field, torch.arange(5, 40), "thing", 0.7)
    path = one.save(tmp_path / "s.json")
    back = Selection.load(path)
    assert (
        torch.equal(back.gaussians, one.gaussians) and back.box == one.box and back.found and back.center == one.center
    )
    with pytest.raises(BadInput, match="exists"):
        one.save(path)
    path.write_text(path.read_text().replace('"schema": 1', '"schema": 9'))
    with pytest.raises(UnsupportedVersion):
        Selection.load(path)
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(BadInput, match="not a selection"):
        Selection.load(tmp_path / "x.json")


@pytest.fixture(scope="module")
def saved(field, tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("fields") / "scene.field"
    field.save(path)
    return str(path)


def told(capsys) -> dict:
    return json.loads(capsys.readouterr().out)


def test_field_keeps_features_and_parts_on_disk(field, saved):
    """Codes, decoder, teacher and part labels come back; missing and broken ones are named."""
    back = GaussianField.load(saved)
    assert torch.equal(back.layer().codes, field.layer().codes) and torch.equal(back.groups, field.groups)
    assert back.layer().teacher == "truth:dim=256" and back.layer("truth").way == "uplift"
    with pytest.raises(BadInput, match="no features of 'clip'; it has those of truth"):
        back.layer("clip")


def test_broken_features_are_named(field, tmp_path):
    """A features file that is gone, cut off, or of another field."""
    path = field.save(tmp_path / "a.field")
    whole = (path / "features.safetensors").read_bytes()
    (path / "features.safetensors").write_bytes(whole[:100])
    with pytest.raises(BadInput, match="features.safetensors is broken"):
        GaussianField.load(path)
    (path / "features.safetensors").unlink()
    with pytest.raises(BadInput, match="is missing"):
        GaussianField.load(path)
    other = field.select(torch.arange(30)).save(tmp_path / "b.field")
    (path / "features.safetensors").write_bytes((other / "features.safetensors").read_bytes())
    with pytest.raises(BadInput, match="30"):
        GaussianField.load(path)


def test_query_verb_answers(saved, tmp_path, capsys):
    """JSON with the contract's keys, a mask, a selection file; exit code 3 and the reason where it is not there."""
    files = ["--view", "0", "--mask", str(tmp_path / "m.png"), "-o", str(tmp_path / "s.json")]
    assert main(["query", saved, "blue slab", "--json", *files]) == 0
    answer = told(capsys)
    assert answer["found"] and {"score", "center", "box", "gaussians", "seconds"} <= answer.keys()
    assert Selection.load(tmp_path / "s.json").gaussians.numel() == answer["gaussians"]
    import cv2

    assert 0.01 < (cv2.imread(str(tmp_path / "m.png"), -1) == 255).mean() < 0.5
    assert main(["query", saved, "green slab", "--json"]) == 3
    answer = told(capsys)
    assert answer["found"] is False and "colour" in answer["message"]
    assert main(["query", saved, "blue slab", "--mask", str(tmp_path / "n.png")]) == 2
    assert main(["query", saved, "blue slab", "--view", "0", "--mask", str(tmp_path / "m.png")]) == 2


def test_segment_verb_writes_a_palette(saved, tmp_path, capsys):
    """The picture's indices are the labels, counted from 1."""
    from PIL import Image

    out = tmp_path / "l.png"
    assert main(["segment", saved, ", ".join(WORDS), "--view", "0", "-o", str(out), "--json"]) == 0
    pixels = told(capsys)["labels"]
    indices = np.array(Image.open(out))
    assert list(pixels) == WORDS and [int((indices == k + 1).sum()) for k in range(3)] == list(pixels.values())
    assert main(["segment", saved, "a,,b", "--view", "0", "-o", str(tmp_path / "x.png")]) == 2


def test_prompt_verb_selects_what_is_clicked(saved, field, tmp_path, capsys):
    """A click on the blue slab selects it; a click outside the image is refused."""
    from robodistill.pipeline.language import view_mask

    view = field.views[0]
    mask = view_mask(field, truth(field, 2), view.camera, view.T_world_camera)
    v, u = np.argwhere(mask).mean(0).round().astype(int)
    out = tmp_path / "p.png"
    assert main(["prompt", saved, "--view", "0", "--point", f"{u},{v}", "-o", str(out), "--json"]) == 0
    assert abs(told(capsys)["gaussians"] - int(truth(field, 2).sum())) < 0.2 * int(truth(field, 2).sum())
    assert main(["prompt", saved, "--view", "0", "--point", "9999,3", "-o", str(tmp_path / "q.png")]) == 2
    assert main(["prompt", saved, "--view", "0", "--point", "1", "-o", str(tmp_path / "q.png")]) == 2


def test_parts_verb_groups_and_names(saved, tmp_path, capsys):
    """Each scale has its parts; words find theirs; the field can be drawn by parts and by features."""
    out = tmp_path / "g.field"
    assert main(["parts", saved, "-o", str(out), "--words", ",".join(WORDS), "--json"]) == 0
    scales = told(capsys)["parts"]
    assert len(scales) == GaussianField.load(out).groups.shape[1] and scales[0]["count"] >= scales[-1]["count"] >= 1
    assert {"red slab", "blue slab"} <= {name for scale in scales for _, name, _ in scale["names"]}
    for what in ("parts", "feature"):
        assert main(["render", str(out), "--view", "0", "--what", what, "-o", str(tmp_path / f"{what}.png")]) == 0
    assert (
        main(["render", str(out), "--view", "0", "--what", "parts", "--scale", "99", "-o", str(tmp_path / "x.png")])
        == 2
    )


def test_edit_verb_makes_fields(saved, field, tmp_path, capsys):
    """Delete, extract, paint and move by words; exactly one of them; nothing is written where nothing is found."""
    changes = {"delete": [], "extract": [], "color": ["0,1,0"], "move": ["0,0,0.1,0,0,90"]}
    counts = {}
    for change, values in changes.items():
        out = tmp_path / f"{change}.field"
        assert main(["edit", saved, "blue slab", f"--{change}", *values, "-o", str(out), "--json"]) == 0
        counts[change] = told(capsys)["gaussians"]
        assert len(GaussianField.load(out)) == counts[change]
    blue = int(truth(field, 2).sum())
    assert abs(counts["extract"] - blue) < 0.1 * blue and counts["color"] == len(field)
    assert main(["edit", saved, "hammer", "--delete", "-o", str(tmp_path / "no.field")]) == 3
    assert main(["edit", saved, "blue slab", "-o", str(tmp_path / "no.field")]) == 2
    assert main(["edit", saved, "blue slab", "--delete", "--extract", "-o", str(tmp_path / "no.field")]) == 2
    assert main(["edit", saved, "blue slab", "--color", "1,2", "-o", str(tmp_path / "no.field")]) == 2
    assert not (tmp_path / "no.field").exists()


def test_colourless_field_says_what_it_lacks(field, tmp_path, capsys):
    """A field without features is answered with how to get them."""
    path = replace(field, features={}, groups=None).save(tmp_path / "plain.field")
    assert main(["query", str(path), "mug"]) == 2
    assert "--teacher" in capsys.readouterr().err
    assert main(["render", str(path), "--view", "0", "--what", "parts", "-o", str(tmp_path / "x.png")]) == 2
