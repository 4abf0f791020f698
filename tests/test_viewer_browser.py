"""The viewer in a real Chromium without a display: it loads, answers, moves, filters, edits, and serves several."""

import numpy as np
import pytest
from scene_viewed import write_results

from robodistill.bench.chromium import PROGRAM, Chromium, wait_until
from robodistill.field.gaussians import GaussianField

pytest.importorskip("viser", reason="the viewer needs viser: pip install 'robodistill[viewer]'")
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium: apt-get install chromium")
WAIT = 90  # seconds; only a busy machine needs them
SIZE = (880, 420)
PANEL = 330  # pixels at the right that the page's panels cover
FEW = 1200  # pixels: joints and frusta are blue too, a slab has ten times as many


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_results(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def chromium():
    browser = Chromium(*SIZE)
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def viewer(folder):
    yield from serve([folder / name for name in ("slabs.field", "motion.json", "demo.mp4", "grasps.json")], "server")


@pytest.fixture(scope="module")
def page(chromium, viewer):
    opened = chromium.open(viewer.address)
    opened.wait_for("4 shown", WAIT)
    return opened


def serve(paths, drawn_by):
    from robodistill.viewer.server import Viewer

    viewer = Viewer(paths, port=18770, drawn_by=drawn_by)
    yield viewer
    viewer.stop()


def scene(page):
    """What of the page shows the scene: (H, W, 3) float in [0, 1]."""
    return page.picture()[:, :-PANEL].astype(float) / 255


def reds(picture):
    """(u, v) of the middle and the number of pixels that are red; the same of blue."""
    found = []
    for channel in (0, 2):
        others = [k for k in range(3) if k != channel]
        there = (picture[..., channel] > 0.5) & (picture[..., others].max(-1) < 0.6 * picture[..., channel])
        v, u = np.nonzero(there)
        found.append((u.mean() if len(u) else -1, v.mean() if len(v) else -1, len(u)))
    return found


def both_slabs(page):
    """Red, blue as `reds` gives them, once both are where the field's camera saw them."""

    def there():
        red, blue = reds(scene(page))
        as_seen = min(red[2], blue[2]) > FEW and red[0] < blue[0] - 60 and abs(red[1] - blue[1]) < 25
        return (red, blue) if as_seen else None

    return wait_until(there, WAIT)


def as_opened(page):
    """Nothing asked, the clock at its begin; then as `both_slabs`."""
    page.press("Time")
    page.type("Time, s", "0", enter=True)
    page.press("Ask")
    page.press("As it was seen")
    return both_slabs(page)


def click_red(page):
    """Select the red slab by a click."""
    (u, v, _), _ = as_opened(page)
    page.click(u, v)
    page.wait_for("what was clicked is at (0.1", WAIT)


def test_a_field_is_seen_from_where_its_camera_was(page):
    """Red to the left of blue, at the same height, both about as large."""
    red, blue = both_slabs(page)
    assert 0.6 < red[2] / blue[2] < 1.7


def test_a_phrase_becomes_a_heat_map(page):
    """What is asked for turns hot and gets a box with words; the rest turns grey, what was blue too."""
    page.type("What is where?", "blue bowl", enter=True)
    page.wait_for("blue bowl is at", WAIT)

    def hot():
        red, blue = reds(scene(page))
        return red[2] > 2 * FEW and blue[2] < FEW and red[0] > SIZE[0] / 2

    assert wait_until(hot, WAIT)
    red, green, blue = np.moveaxis(scene(page), -1, 0)
    assert ((red > 0.9) & (abs(green - 0.55) < 0.1) & (blue < 0.25)).sum() > 200, "the edges of the box"


def test_what_is_not_there_is_said_plainly(page):
    """An absent thing is not found, an unknown word is named; neither leaves a box."""
    page.type("What is where?", "hammer", enter=True)
    page.wait_for("“hammer” was not found", WAIT)
    page.type("What is where?", "xyzzy", enter=True)
    page.wait_for("does not know 'xyzzy'", WAIT)


def test_a_click_selects(page):
    """A click on the red slab selects it and nothing of the blue one; edits then act on it."""
    click_red(page)
    page.press("Edit")
    page.wait_for("Acts on what was clicked", WAIT)


def test_edits_are_seen_undone_and_saved(page, folder):
    """A deleted slab is gone from the picture, comes back, and the saved field has no more Gaussians than were left."""
    click_red(page)
    page.press("Edit")
    page.press("Extract")
    page.wait_for("extract: ", WAIT)
    page.type("Save as", "one.field")
    page.press("Save")
    page.wait_for("Saved as", WAIT)
    saved, whole = GaussianField.load(folder / "one.field"), GaussianField.load(folder / "slabs.field")
    assert 50 < len(saved) < 0.2 * len(whole) and saved.means[:, 0].max() < 0.45
    page.press("Save")
    page.wait_for("exists", WAIT)
    page.type("Save as", "../outside.field")
    page.press("Save")
    page.wait_for("without a folder", WAIT)
    page.press("Undo")
    page.wait_for(f"Back to {len(whole):,}", WAIT)
    as_opened(page)


def test_the_slider_moves_parts_and_video(page):
    """At the end of the motion the red slab is turned away, the joint's angle is told, and the video is bright."""
    as_opened(page)
    page.press("Time")
    page.wait_for("0 of 0 to 60 °", WAIT)
    before = reds(scene(page))[0][2]
    page.type("Time, s", "1.1", enter=True)
    page.wait_for("60 of 0 to 60 °", WAIT)
    page.wait_for("Frame 12 of 12", WAIT)
    assert wait_until(lambda: 0 < reds(scene(page))[0][2] < 0.75 * before, WAIT)
    assert wait_until(lambda: any(it[0] == 64 and it[2] > 200 for it in page.images()), WAIT), "the last frame"
    page.press("Play")
    page.wait_for("Pause", WAIT)
    page.wait_for("Play", WAIT)


def test_grasps_are_filtered_and_shown_step_by_step(page):
    """The filter leaves those with clearance; the reasons of the others are told; one click shows a step."""
    page.press("Grasps")
    page.wait_for("3 of 3 shown", WAIT)
    assert "no normal on both sides" in page.text() and "41" in page.text()
    page.type("Clear by, mm", "5", enter=True)
    page.wait_for("2 of 3 shown", WAIT)
    before = scene(page)
    page.press("Lift")
    page.wait_for("Rank 1, lift: right arm, score 0.90", WAIT)
    assert wait_until(lambda: np.abs(scene(page) - before).mean() > 0.002, WAIT), "the robot appears"


def test_pictures_are_drawn_from_where_the_browser_looks(page):
    """The render panel draws what the browser sees: depth from red, near, to blue, far, and not the grey wall."""
    page.press("Picture")
    page.choose("What", "depth")
    page.press("Draw")
    page.wait_for("depth, 640 ×", WAIT)
    shown = wait_until(lambda: [it for it in page.images() if it[0] == 640], WAIT)[0]
    assert max(shown[2:]) > 1.3 * min(shown[2:])
    page.choose("What", "parts")
    page.press("Draw")
    page.wait_for("parts, 640 ×", WAIT)


def test_cameras_do_not_stand_in_the_way(page):
    """The camera that the browser looks through has a picture, too, which would fill the view."""
    as_opened(page)
    page.press("Scene")
    page.press("Cameras")
    page.wait_for("cameras.", WAIT)
    both_slabs(page)


def test_two_browsers_do_not_disturb_each_other(chromium, viewer, page):
    """The second one's question changes the second page only."""
    as_opened(page)
    second = chromium.open(viewer.address)
    second.resize(900, 300)
    second.wait_for("4 shown", WAIT)
    second.type("What is where?", "red mug", enter=True)
    second.wait_for("red mug is at", WAIT)
    assert wait_until(lambda: reds(scene(second))[1][2] < FEW, WAIT)
    assert reds(scene(page))[1][2] > 2 * FEW and "red mug is at" not in page.text()
    second.close()
    wait_until(lambda: viewer.browsers == 1, WAIT)


def test_broken_files_are_named_on_the_page(chromium, folder, tmp_path):
    """What is broken or missing is told, what is whole is shown; splats of the browser look as the pictures do."""
    (tmp_path / "torn.json").write_text("{")
    grasps = (folder / "grasps.json").read_text()
    (tmp_path / "hands.json").write_text(grasps.replace('"yumi"', '"nobody"'))
    broken = [tmp_path / name for name in ("torn.json", "gone.field", "hands.json")]
    for viewer in serve([folder / "slabs.field", *broken], "browser"):
        page = chromium.open(viewer.address)
        page.resize(900, 300)  # splats without a graphics card cost by the pixel
        page.wait_for("3 could not be", WAIT)
        red, blue = both_slabs(page)
        assert 0.6 < red[2] / blue[2] < 1.7
        page.press("Scene")
        page.wait_for("torn.json cannot be shown", WAIT)
        page.wait_for("gone.field cannot be shown", WAIT)
        page.wait_for("hands.json cannot be shown", WAIT)
        assert "Grasps" not in page.text()
        page.close()
