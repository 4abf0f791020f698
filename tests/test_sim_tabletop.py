"""`sim tabletop`: the written capture and its truth."""

import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from robodistill.capture.folder import FolderCapture
from robodistill.errors import BadInput, MissingPart
from robodistill.sim.colors import COLORS, are_close, draw_color
from robodistill.sim.objects import CATEGORIES
from robodistill.sim.tabletop import make_tabletop

pytestmark = pytest.mark.sim
SEED, VIEWS, WIDTH, HEIGHT = 11, 6, 200, 150


def tabletop(out: Path, **changes: object) -> Path:
    arguments = {"seed": SEED, "views": VIEWS, "width": WIDTH, "height": HEIGHT, "noise": "none"} | changes
    try:
        return make_tabletop(out=out, **arguments).capture
    except MissingPart as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def capture(tmp_path_factory) -> Path:
    return tabletop(tmp_path_factory.mktemp("sim") / "clean")


@pytest.fixture(scope="module")
def truth(capture) -> dict:
    return json.loads((capture / "truth.json").read_text())


def labels(capture: Path, kind: str, name: str) -> np.ndarray:
    return cv2.imread(str(capture / kind / f"{name}.png"), cv2.IMREAD_UNCHANGED)


def digest(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("noise", ["none", "sensor"])
def test_the_same_arguments_give_the_same_bytes(tmp_path, noise):
    """All files, with and without noise."""
    a, b = (tabletop(tmp_path / name, views=2, noise=noise) for name in "ab")
    assert digest(a) == digest(b)
    assert len(digest(a)) == 2 * 4 + 2


def test_views_do_not_change_the_objects(tmp_path, truth):
    """Fewer and smaller pictures show the same things in the same places under the same phrases."""
    other = json.loads((tabletop(tmp_path / "c", views=1, width=64, height=48) / "truth.json").read_text())
    for key in ("objects", "phrases", "absent_phrases"):
        assert other[key] == truth[key]


def test_noise_changes_pictures_only(tmp_path, capture, truth):
    """With a sensor's noise the masks, poses and truth stay."""
    noisy = tabletop(tmp_path / "n", noise="sensor")
    clean, other = digest(capture), digest(noisy)
    for name in clean:
        same = name.startswith(("masks", "parts")) or name == "transforms.json"
        assert (clean[name] == other[name]) == same, name
    assert json.loads((noisy / "truth.json").read_text())["objects"] == truth["objects"]


def test_masks_parts_and_counts_agree(capture, truth):
    """A pixel's part belongs to its object, and visible pixels are those of the mask."""
    owner = {part["id"]: it["id"] for it in truth["objects"] for part in it["parts"]} | {0: 0}
    assert len(truth["frames"]) == VIEWS == len(FolderCapture(capture))
    for frame in truth["frames"]:
        masks, parts = labels(capture, "masks", frame["name"]), labels(capture, "parts", frame["name"])
        assert masks.dtype == parts.dtype == np.uint16
        np.testing.assert_array_equal(np.vectorize(owner.get)(parts), masks)
        for it in truth["objects"]:
            assert frame["visible_pixels"][str(it["id"])] == (masks == it["id"]).sum()


def test_every_object_is_seen(truth):
    """Nothing is hidden in all views."""
    for it in truth["objects"]:
        assert max(frame["visible_pixels"][str(it["id"])] for frame in truth["frames"]) > 20, it["category"]


def test_pixels_of_an_object_lie_in_its_box(capture, truth):
    """Depth, mask, camera pose and object pose agree: back-projected, an object's pixels fall into its box.

    1 mm: depth is rounded to millimetres, and no more can come of it along a ray.
    """
    for frame in FolderCapture(capture).frames():
        points = frame.camera.unproject(frame.depth.astype(float))
        world = points @ frame.T_world_camera[:3, :3].T + frame.T_world_camera[:3, 3]
        masks = labels(capture, "masks", frame.name)
        for it in truth["objects"]:
            T = np.array(it["T_world_object"])
            inside = (world[masks == it["id"]] - T[:3, 3]) @ T[:3, :3]
            assert (np.abs(inside) < np.array(it["size"]) / 2 + 0.001).all(), it["category"]


def test_views_agree_about_the_table(capture):
    """Table points of all views lie in z = 0 within the rounding of depth, 0.5 mm along the ray."""
    for frame in FolderCapture(capture).frames():
        points = frame.camera.unproject(frame.depth.astype(float))
        world = points @ frame.T_world_camera[:3, :3].T + frame.T_world_camera[:3, 3]
        near = (np.abs(world[..., :2]) < 0.4).all(-1) & (np.abs(world[..., 2]) < 0.003)
        near &= labels(capture, "masks", frame.name) == 0
        assert near.mean() > 0.1
        assert np.quantile(np.abs(world[near][:, 2]), 0.98) < 0.001


def test_depth_is_there_and_near(capture):
    """The room closes the picture: every pixel has a depth below 5 m."""
    for frame in FolderCapture(capture).frames():
        assert frame.valid.all()
        assert 0.2 < frame.depth.min() and frame.depth.max() < 5


def test_phrases_name_one_thing_and_absent_ones_none(truth):
    """Checked word by word against the list of objects."""
    objects = truth["objects"]

    def fitting(phrase: str) -> list[int]:
        words = phrase.split(" of the ")[-1]
        color, category = words.split(" ", 1) if words.split(" ")[0] in COLORS else (None, words)
        return [it["id"] for it in objects if it["category"] == category and color in (None, it["color"])]

    assert {phrase["object"] for phrase in truth["phrases"]} == {it["id"] for it in objects}
    for phrase in truth["phrases"]:
        assert fitting(phrase["phrase"]) == [phrase["object"]], phrase
        if "part" in phrase:
            (it,) = (it for it in objects if it["id"] == phrase["object"])
            (part,) = (part for part in it["parts"] if part["id"] == phrase["part"])
            assert phrase["phrase"].startswith(f"{part['name']} of the ")
    assert len(truth["absent_phrases"]) > 20
    for phrase in truth["absent_phrases"]:
        assert fitting(phrase) == [], phrase


def test_rendered_colors_deserve_their_words(capture, truth):
    """The median pixel of an object's coloured parts is nearest to its word, or to one that people use for it too.

    Nearest in CIE Lab among samples of all words under weak and strong light, lightness counting less.
    """
    rng = np.random.default_rng(0)
    words = [word for word in COLORS for _ in range(24)]
    light = np.tile(np.linspace(0.55, 1.0, 24), len(COLORS))[:, None]
    samples = cv2.cvtColor(
        (np.array([draw_color(word, rng) for word in words]) * light)[None].astype(np.float32), cv2.COLOR_RGB2LAB
    )[0]
    seen: dict[int, list[np.ndarray]] = {}
    for frame in FolderCapture(capture).frames():
        parts = labels(capture, "parts", frame.name)
        for it in truth["objects"]:
            ids = [p["id"] for p in it["parts"] if (p["color"], p["material"]) == (it["color"], it["material"])]
            seen.setdefault(it["id"], []).append(frame.rgb[np.isin(parts, ids)])
    for it in truth["objects"]:
        median = np.median(np.concatenate(seen[it["id"]]), axis=0) / 255
        lab = cv2.cvtColor(median[None, None].astype(np.float32), cv2.COLOR_RGB2LAB)[0, 0]
        word = words[int((np.square(samples - lab) * [0.35, 1, 1]).sum(1).argmin())]
        assert are_close(word, it["color"]), (it["category"], it["color"], word, median)


def test_truth_lists_joints_in_the_object_frame(tmp_path):
    """An articulated thing comes with axis, origin and limits; the origin lies in or at the object's box."""
    truth = json.loads(
        (
            tabletop(tmp_path / "a", views=1, objects=["cabinet", "stapler", "scissors", "chest"]) / "truth.json"
        ).read_text()
    )
    for it in truth["objects"]:
        assert it["joints"], it["category"]
        for joint in it["joints"]:
            assert set(joint["parts"]) <= {part["name"] for part in it["parts"]}
            assert np.linalg.norm(joint["axis"]) == pytest.approx(1)
            assert (np.abs(joint["origin"]) < np.array(it["size"]) / 2 + 0.01).all()
            assert joint["limits"][0] <= joint["value"] <= joint["limits"][1]


def test_a_folder_that_holds_something_is_refused(tmp_path):
    """Nothing is overwritten, and the folder is named."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    with pytest.raises(BadInput, match="mine exists and is not an empty folder"):
        make_tabletop(SEED, 1, 64, 48, "none", tmp_path / "mine")
    assert (tmp_path / "mine" / "notes.txt").read_text() == "keep"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"views": 0}, "views is 0"),
        ({"width": 8}, "image size is 8x48"),
        ({"noise": "loud"}, "'none' and 'sensor' are known"),
        ({"seed": -1}, "seed is -1"),
        ({"objects": ["sofa"]}, "no object 'sofa'"),
        ({"objects": []}, "0 objects were given"),
    ],
)
def test_bad_arguments_are_refused(tmp_path, changes, message):
    """One clear line, and nothing is written."""
    arguments = {"seed": 0, "views": 1, "width": 64, "height": 48, "noise": "none"} | changes
    with pytest.raises(BadInput, match=message):
        make_tabletop(out=tmp_path / "x", **arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_stopped_run_leaves_nothing(tmp_path):
    """Neither the folder nor its unfinished form remains."""

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tabletop(tmp_path / "x", views=2, progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_categories_stand_in_truth(truth):
    """Objects are of known categories, with sizes in household range."""
    for it in truth["objects"]:
        assert it["category"] in CATEGORIES
        assert 0.003 < min(it["size"]) and max(it["size"]) < 0.4
