"""The viewer without a browser: what it opens, what it shows, how slow work gives way."""

import os
import signal
import subprocess
import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scene_viewed import FRAMES, grasp_list, plan_of_swing, swing, viewed_field, write_results, write_video

from robodistill.edit.edit import move
from robodistill.errors import BadInput
from robodistill.geometry.camera import Camera
from robodistill.viewer.cameras import browser_camera, first_look, look_through, looking_at, world_up, wxyz_xyz
from robodistill.viewer.canvas import Canvas
from robodistill.viewer.grasps import hand_mesh, rank_colors
from robodistill.viewer.jobs import Jobs
from robodistill.viewer.motion import MotionActor
from robodistill.viewer.plan import PlanActor
from robodistill.viewer.playback import with_inset
from robodistill.viewer.prepared import Prepared
from robodistill.viewer.results import Failure, Result, open_results
from robodistill.viewer.splats import Layer, heat_colors, one_field
from robodistill.viewer.video import Video, film


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_results(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def field():
    return viewed_field()


def test_a_folder_opens_with_all_that_is_in_it(folder):
    """Every kind is recognised by its content, fields come first, and names are those of the files."""
    found = {item.name: item.kind for item in open_results(folder)}
    assert found == {
        "slabs.field": "field",
        "demo.mp4": "video",
        "grasps.json": "grasps",
        "motion.json": "motion",
        "plan.json": "plan",
        "trajectory.json": "trajectory",
    }
    assert next(iter(found)) == "slabs.field"


def test_a_broken_file_hides_no_other(folder, tmp_path):
    """Of a missing, an empty, a torn and an unknown file each says what is wrong; what is whole opens all the same."""
    (tmp_path / "whole.mp4").write_bytes((folder / "demo.mp4").read_bytes())
    (tmp_path / "torn.field").mkdir()
    (tmp_path / "cut.json").write_text('{"parts": [')
    (tmp_path / "motion.json").write_bytes((folder / "motion.json").read_bytes())  # without its arrays
    (tmp_path / "notes.txt").write_text("no result")
    items = list(open_results(tmp_path))
    assert [item.name for item in items if isinstance(item, Result)] == ["whole.mp4"]
    told = {item.path.name: item.message for item in items if isinstance(item, Failure)}
    assert set(told) == {"torn.field", "cut.json", "motion.json"}
    assert "no JSON" in told["cut.json"] and "field.json" in told["torn.field"]
    for path, words in ((tmp_path / "none.field", "does not exist"), (tmp_path / "notes.txt", "can be shown")):
        (failure,) = open_results(path)
        assert words in failure.message and str(path) in failure.message


def test_points_open(tmp_path):
    """A coloured cloud comes back; a file that is none is named."""
    import trimesh

    points = np.random.default_rng(0).normal(size=(50, 3))
    trimesh.PointCloud(points, colors=np.full((50, 4), 200, np.uint8)).export(tmp_path / "cloud.ply")
    (cloud,) = open_results(tmp_path / "cloud.ply")
    assert cloud.kind == "points" and np.allclose(cloud.value.points, points, atol=1e-5)
    assert (cloud.value.colors == 200).all()
    (tmp_path / "bad.ply").write_text("ply\n")
    (failure,) = open_results(tmp_path / "bad.ply")
    assert "bad.ply" in failure.message


def test_a_posed_layer_is_a_moved_field(field):
    """What is drawn of a layer with a pose is what an edit that moves the whole field gives."""
    T = looking_at(np.array([0.3, -0.2, 0.5]), np.array([0.0, 0.4, 0.1]))
    moved = move(field, torch.ones(len(field), dtype=torch.bool), torch.from_numpy(T)).field
    placed = one_field([Layer(field, T_world_layer=T)])
    for name in ("means", "quats_wxyz", "scales", "sh"):
        assert torch.allclose(getattr(placed, name), getattr(moved, name), atol=1e-5), name
    halves = [Layer(field.select(field.groups[:, 0] == k)) for k in range(3)]
    assert len(one_field(halves)) == len(field)


def test_splats_have_the_shape_of_gaussians(field):
    """Covariances are those that the field's axes and scales make."""
    covariances = Layer(field).covariances
    assert np.allclose(np.linalg.eigvalsh(covariances), np.sort(field.scales.numpy() ** 2, 1), atol=1e-9)


def test_heat_is_hot_where_the_score_is(field):
    """A high score is red, a low one blue, and both are in range."""
    scores = (field.groups[:, 0] == 1).float()
    colors = heat_colors(field, scores)
    assert colors.min() >= 0 and colors.max() <= 1
    hot, cold = colors[scores == 1].mean(0), colors[scores == 0].mean(0)
    assert hot[0] > hot[2] + 0.2 and hot[0] > cold[0]


def test_cameras_go_to_the_browser_and_back(field):
    """Looking through one of the field's views gives that view's picture plane again, at the browser's size."""
    camera, T_world_camera, middle = first_look(field)
    state = SimpleNamespace(image_width=800, image_height=600)
    look_through(state, camera, T_world_camera, middle)
    forward = np.array(state.look_at) - state.position
    state.wxyz = wxyz_xyz(looking_at(np.array(state.position), np.array(state.look_at)))[0]
    seen, T = browser_camera(state, 400)
    assert np.allclose(T, T_world_camera, atol=1e-6) and (seen.width, seen.height) == (400, 300)
    assert np.allclose(seen.K[1, 1] / seen.height, camera.K[1, 1] / camera.height) and forward @ T[:3, 2] > 0
    assert np.allclose(world_up(field), [0, 0, 1])


def test_a_new_job_cancels_the_old_one():
    """The first job ends at its next check and changes nothing; only the second one's words are shown at the end."""
    told, applied, go, ended = [], [], threading.Event(), threading.Event()
    jobs = Jobs(lambda text, share=None: told.append(text))

    def slow(job):
        go.wait(10)
        try:
            with job.applying():
                applied.append("slow")
        finally:
            ended.set()
        return "slow is done"

    def quick(job):
        job.progress("step", 1, 2)
        with job.applying():
            applied.append("quick")
        return "quick is done"

    first = jobs.start("slow", slow)
    jobs.start("quick", quick)
    wait_for(lambda: told[-1] == "quick is done")
    go.set()
    assert ended.wait(10) and applied == ["quick"]
    assert told[-1] == "quick is done" and "slow is done" not in told and "quick: step 1/2" in told
    with pytest.raises(Exception, match="^$"):
        first.check()


def test_only_what_lasts_is_announced():
    """What is over at once tells its end alone; what lasts tells its name first."""
    told, go = [], threading.Event()
    jobs = Jobs(lambda text, share=None: told.append(text))
    jobs.start("quick", lambda job: "done").thread.join(10)
    assert told == ["done"]
    jobs.start("slow", lambda job: "slow is done" if go.wait(10) else "never")
    wait_for(lambda: told[1:] == ["slow …"])
    go.set()
    wait_for(lambda: told[2:] == ["slow is done"])


class Browser:
    """A browser's handle that keeps the pictures it gets, and takes `seconds` of a number of splats to draw them."""

    def __init__(self, field, seconds=lambda count: 0.0):
        camera, T_world_camera, _ = first_look(field)
        wxyz, position = wxyz_xyz(T_world_camera)
        state = {"wxyz": wxyz, "position": position, "fov": 1.0, "image_width": 96, "image_height": 64}
        self.camera = SimpleNamespace(**state, on_update=lambda listener: None)
        self.pictures, self.splats, self._seconds = [], {}, seconds
        self.scene, self.flush = self, lambda: None

    def set_background_image(self, image, *_, **__):
        self.pictures.append(image)

    def add_gaussian_splats(self, name, means, *_, **__):
        self.splats[name] = len(means)
        return SimpleNamespace(remove=lambda: self.splats.pop(name))

    def get_render(self, *_, **__):
        threading.Event().wait(self._seconds(sum(self.splats.values())))


def test_pictures_are_waited_for(field):
    """After the wait the newest colours have been sent, and a browser that draws by itself is not waited for."""
    browser = Browser(field)
    canvas = Canvas(browser, "server")
    try:
        for level in (0.0, 1.0):
            canvas.show("slabs", Layer(field, torch.full((len(field), 3), level)))
            canvas.wait_drawn(20)
            assert abs(np.median(browser.pictures[-1]) - 255 * level) < 60
    finally:
        canvas.close()
    Canvas(Browser(field), "browser").wait_drawn(20)


@pytest.mark.parametrize(("seconds", "by_server"), [(lambda n: 0.0, False), (lambda n: n * 2e-4, True)])
def test_only_quick_browsers_draw_splats(field, seconds, by_server):
    """Who seems quick with few splats, as in a busy moment, has to be so with many."""
    browser = Browser(field, seconds)
    canvas = Canvas(browser, "auto")
    try:
        canvas.show("slabs", Layer(field))
        wait_for(lambda: browser.splats.get("/probe") is None and len(browser.pictures) > 1)
        wait_for(lambda: not any(thread.name == "viewer: probe" for thread in threading.enumerate()))
        assert canvas.by_server == by_server and ("/slabs" in browser.splats) != by_server
    finally:
        canvas.close()


def test_errors_of_jobs_are_told():
    """Bad input is one line; a defect is called one; neither ends the page."""
    told = []
    jobs = Jobs(lambda text, share=None: told.append(text))

    def bad(job):
        raise BadInput("no such thing")

    jobs.start("bad", bad)
    wait_for(lambda: told[-1] == "**bad: no.** no such thing")
    jobs.start("broken", lambda job: 1 / 0)
    wait_for(lambda: "broken failed" in told[-1] and "ZeroDivisionError" in told[-1])


def test_fields_are_prepared_once(field):
    """Two that ask at the same time get the same querier; errors come to each who asks."""
    prepared, got = Prepared(field, "slabs"), []
    threads = [threading.Thread(target=lambda: got.append(prepared.querier())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(got) == 3 and got[0] is got[1] is got[2]
    assert got[0]("red mug").found and prepared.groups() is field.groups
    bare = Prepared(Layer(field).field.select(torch.arange(30)), "bare")
    assert bare.querier().field is bare.field


def test_videos_are_read_and_films_written(tmp_path):
    """A frame by its time; what was written as a film is read again."""
    write_video(tmp_path / "v.mp4")
    video = Video(tmp_path / "v.mp4")
    assert len(video) == FRAMES and video.at(0.5).mean() == pytest.approx(100, abs=8)
    assert video[10_000].mean() > video[0].mean() + 100
    pytest.importorskip("av")
    data = film((np.full((33, 48, 3), 25 * k, np.uint8) for k in range(8)), 24)
    (tmp_path / "f.mp4").write_bytes(data)
    written = Video(tmp_path / "f.mp4")
    assert len(written) == 8 and written[7].mean() == pytest.approx(175, abs=10) and written[0].shape == (32, 48, 3)
    with pytest.raises(BadInput, match="a frame at least"):
        film([], 24)


def test_grippers_stand_where_grasps_are():
    """The hand's mesh is open by as much as asked, and its pads lie on both sides of the origin."""
    from robodistill.robots.robot import load_robot

    robot = load_robot(grasp_list().robot)
    narrow, wide = (hand_mesh(robot, "right", opening) for opening in (0.01, 0.045))
    assert not np.allclose(narrow.vertices, wide.vertices)
    inside = wide.vertices[np.abs(wide.vertices[:, 2]) < 0.01]
    assert (inside[:, 0] < -0.02).any() and (inside[:, 0] > 0.02).any() and not (np.abs(inside[:, 0]) < 0.02).any()
    colors = rank_colors(np.array([0.9, 0.5, 0.1]))
    assert colors[0, 1] > colors[0, 0] and colors[2, 0] > colors[2, 1]
    assert (rank_colors(np.array([0.4])) == colors[:1]).all()


def test_a_motion_starts_where_the_field_is(field):
    """The body's first pose in the world is rest."""
    motion = swing(field)
    T_world_camera = np.linalg.inv(motion.Ts_camera_part[0, motion.root])
    assert np.allclose(T_world_camera @ motion.Ts_camera_part[0], np.eye(4), atol=1e-12)
    assert np.allclose(Camera.from_fov(1.0, 64, 48).K, motion.camera.K)


def test_a_plan_moves_the_robot_the_parts_and_the_film(field, tmp_path):
    """Two arms stand where the object is; parts go as far as is repeated; of two videos that of the motion is shown."""
    viser = pytest.importorskip("viser", reason="the viewer needs viser")
    posed = []
    shown = SimpleNamespace(name="slabs", field=field, split=lambda labels: True, pose=posed.append, is_split=True)
    write_video(tmp_path / "demo.mp4")
    long = SimpleNamespace(duration=9.0, at=lambda seconds: None)
    server = viser.ViserServer("localhost", 18790, verbose=False)
    page = SimpleNamespace(client=server, fields=[shown], shown=shown, motions=[], videos=[long])
    page.videos.append(Video(tmp_path / "demo.mp4"))
    try:
        plan = plan_of_swing()
        with pytest.raises(BadInput, match="lid, box.*there is none"):
            PlanActor("plan", plan, page)
        page.motions.append(MotionActor("motion", swing(field), page))
        actor = PlanActor("plan", plan, page)
        assert np.allclose(actor.root.position, -plan.T_world_object[:3, 3]) and actor.duration == 2.0
        assert "nothing is held" in actor.go(0.2) and np.allclose(posed[-1], np.eye(4))
        assert "right holds lid" in actor.go(1.0)
        turned = posed[-1][0]
        assert np.allclose(posed[-1][1], np.eye(4))  # the base stays, whatever the film did with it
        assert np.isclose(np.arccos((np.trace(turned[:3, :3]) - 1) / 2), np.radians(30), atol=0.02)
        assert "nothing is held" in actor.go(2.0)
        assert actor.picture(2.0).mean() > actor.picture(1.0).mean() + 50 > actor.picture(0.0).mean() + 100
    finally:
        server.stop()


def test_a_video_lies_in_the_corner_of_a_film():
    """As wide as its share, as high as its shape asks; the rest stays."""
    made = with_inset(np.zeros((40, 100, 3), np.uint8), np.full((60, 120, 3), 200, np.uint8))
    assert (made[:15, :30] == 200).all() and not made[16:].any() and not made[:, 31:].any()
    assert with_inset(made, None) is made


def wait_for(true):
    """Until it holds."""
    for _ in range(1000):
        if true():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it did not come")


@pytest.mark.parametrize("words", [["view"], ["view", "x", "--port", "0"], ["view", "x", "--draw", "nobody"]])
def test_wrong_use_is_told(words, capsys):
    """One line and exit code 2."""
    from robodistill.cli import main

    assert main(words) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_verb_prints_its_address_and_serves(tmp_path):
    """One JSON object on stdout, the page can be fetched, a missing file is told, an interrupt ends it with 130."""
    import json
    from urllib.request import urlopen

    pytest.importorskip("viser")
    words = [sys.executable, "-m", "robodistill.cli", "view", str(tmp_path / "none.field"), "--port", "18760", "--json"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as process:
        try:
            address = json.loads(process.stdout.readline())["address"]
            assert address.startswith("http://localhost:187") and b"<html" in urlopen(address).read(4000).lower()
            assert "none.field does not exist" in process.stderr.readline()
        finally:
            process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=120)
    assert process.returncode == 130 and rest == ""
