"""Capture to field by files: results, interruption, resumption, refusals."""

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from capture_samples import make_folder
from test_field import room_frame

from robodistill.capture.folder import CaptureWriter
from robodistill.capture.open import open_capture
from robodistill.capture.resize import limit_size
from robodistill.config import BuildConfig, FeaturesConfig, FitConfig, SeedConfig
from robodistill.errors import BadInput, EmptyCapture
from robodistill.field.gaussians import GaussianField
from robodistill.pipeline.build import build_field, is_held_out, read_frames

CONFIG = BuildConfig(hold_out=4, seed=SeedConfig(gaussians=500), fit=FitConfig(steps=25))


@pytest.fixture(scope="module")
def capture(tmp_path_factory):
    path = tmp_path_factory.mktemp("room") / "capture"
    with CaptureWriter(path, depth_unit=0.0001) as writer:
        for x in np.linspace(-0.4, 0.4, 9):
            writer.add(room_frame(x, f"frame_{int(100 * x + 50):03d}", turn=-0.3 * x))
    return path


def test_build_makes_a_field(capture, tmp_path):
    """The folder holds the field, every frame is one of its views, and what is reported is so."""
    seen = []
    made = build_field(capture, tmp_path / "a.field", CONFIG, progress=lambda *args: seen.append(args[:3]))
    field = GaussianField.load(made.path)
    assert len(field) == made.gaussians and made.held_out == 2
    assert made.psnr > 20 and made.depth_median < 0.02
    assert made.bytes == sum(f.stat().st_size for f in made.path.iterdir())
    assert ("fit", 25, 25) in seen and ("read", 9, 9) in seen
    assert [p.name for p in tmp_path.iterdir()] == ["a.field"]


def test_a_killed_build_resumes_to_the_same_field(capture, tmp_path):
    """Stopped in the middle and called again, the build ends where an uninterrupted one does, bit for bit."""
    whole = build_field(capture, tmp_path / "whole.field", CONFIG).path
    config = replace(CONFIG, checkpoint_every=0.0)

    class Killed(BaseException):
        pass

    def kill(stage, done, total, note=""):
        if stage == "fit" and done == 12:
            raise Killed

    with pytest.raises(Killed):
        build_field(capture, tmp_path / "cut.field", config, progress=kill)
    assert not (tmp_path / "cut.field").exists()
    steps = []
    done = build_field(
        capture, tmp_path / "cut.field", config, progress=lambda s, d, t, n="": steps.append((s, d))
    ).path
    fitted = [d for s, d in steps if s == "fit"]
    assert fitted[0] == 12 and fitted[-1] == 25
    assert (done / "gaussians.ply").read_bytes() == (whole / "gaussians.ply").read_bytes()
    assert not (tmp_path / ".cut.field.building").exists()


def test_interrupt_keeps_the_state(capture, tmp_path):
    """Ctrl-C ends the fit between two steps; the state is there and no half field."""

    def interrupt(stage, done, total, note=""):
        if stage == "fit" and done == 5:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)  # let the signal arrive

    with pytest.raises(KeyboardInterrupt, match="of 25; the state is kept"):
        build_field(capture, tmp_path / "a.field", CONFIG, progress=interrupt)
    assert [p.name for p in tmp_path.iterdir()] == [".a.field.building"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_state_of_another_config_is_not_used(capture, tmp_path, caplog):
    """Changed steps begin anew, with a warning."""

    def interrupt(stage, done, total, note=""):
        if stage == "fit" and done == 5:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)

    with pytest.raises(KeyboardInterrupt):
        build_field(capture, tmp_path / "a.field", CONFIG, progress=interrupt)
    config = replace(CONFIG, fit=FitConfig(steps=8))
    first = []
    build_field(
        capture, tmp_path / "a.field", config, progress=lambda s, d, t, n="": first.append(d) if s == "fit" else 0
    )
    assert first[0] == 1 and "starting over" in caplog.text


def test_damaged_state_is_not_used(capture, tmp_path, caplog):
    """A state file that cannot be read costs the work in it, not the build."""
    folder = tmp_path / ".a.field.building"
    folder.mkdir()
    (folder / "state.safetensors").write_bytes(b"nonsense")
    build_field(capture, tmp_path / "a.field", CONFIG)
    assert "cannot be read" in caplog.text


def test_build_works_in_a_thread(capture, tmp_path):
    """Signals can be caught in the main thread only; elsewhere the build runs without."""
    made = []
    worker = threading.Thread(target=lambda: made.append(build_field(capture, tmp_path / "a.field", CONFIG)))
    worker.start()
    worker.join()
    assert made and made[0].gaussians > 0


def test_existing_field_is_kept(capture, tmp_path):
    """Nothing is replaced unasked."""
    out = tmp_path / "a.field"
    out.mkdir()
    (out / "mine").write_text("x")
    with pytest.raises(BadInput, match="exists.*--overwrite"):
        build_field(capture, out, CONFIG)
    assert (out / "mine").read_text() == "x"


def test_missing_parent_is_named(capture, tmp_path):
    """The folder for the field must exist."""
    with pytest.raises(BadInput, match="not a folder"):
        build_field(capture, tmp_path / "no" / "a.field", CONFIG)


def test_a_teacher_that_is_not_there_is_told_before_the_fit(capture, tmp_path):
    """Half a minute of fitting would be lost on a folder that does not exist; nothing is left beside the field."""
    stages = []
    features = FeaturesConfig(teacher=f"clip:{tmp_path / 'nowhere'}")
    with pytest.raises(BadInput, match="nowhere"):
        build_field(
            capture, tmp_path / "a.field", replace(CONFIG, features=features), progress=lambda *a: stages.append(a[0])
        )
    assert not stages and not list(tmp_path.iterdir())


def test_capture_without_poses_is_refused(tmp_path):
    """Frames that cannot be placed make no field; the error says so before any work."""
    path = make_folder(tmp_path / "capture")
    capture = open_capture(path)

    class NoPoses(type(capture)):
        def __getitem__(self, index):
            return replace(super().__getitem__(index), T_world_camera=None)

    with pytest.raises(EmptyCapture, match="pose"):
        build_field(NoPoses(path), tmp_path / "a.field", CONFIG)


def test_held_out_frames_are_the_middle_of_their_group():
    """One of every n, none for 0 and 1."""
    assert [i for i in range(20) if is_held_out(i, 8)] == [4, 12]
    assert not any(is_held_out(i, every) for i in range(9) for every in (0, 1))


def test_resizing_keeps_rays_and_surfaces(capture):
    """At half the size a pixel's point still lies on the wall: K follows the half-pixel rule, depth is not smeared."""
    frame = read_frames(open_capture(capture), 64)[0]
    small = limit_size(frame, 32)
    assert small.rgb.shape == (24, 32, 3) and small.camera.width == 32
    points = small.camera.unproject(small.depth) @ small.T_world_camera[:3, :3].T + small.T_world_camera[:3, 3]
    off = np.abs(points[..., 2] - (2 - 0.5 * points[..., 0]))
    assert np.median(off) < 2e-3
    assert limit_size(frame, 64) is frame
    depth = np.full((48, 64), 1.0, np.float32)
    depth[:, 33:] = 3.0  # the edge falls inside a pixel of the small image
    depth[:4] = 0
    small = limit_size(replace(frame, depth=depth), 32).depth
    assert set(np.unique(small)) == {0.0, 1.0, 3.0}


def test_sigint_on_the_command_line_is_one_line(capture, tmp_path):
    """A real process, a real Ctrl-C: exit code 130, one line, the state kept."""
    command = [sys.executable, "-m", "robodistill.cli", "build", str(capture), "-o", str(tmp_path / "a.field")]
    process = subprocess.Popen(
        [*command, "--steps", "100000"], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    state = tmp_path / ".a.field.building" / "state.safetensors"
    time.sleep(1)
    deadline = time.monotonic() + 60
    while not state.exists() and time.monotonic() < deadline and process.poll() is None:
        process.send_signal(signal.SIGINT) if fitting(process.pid) else None
        time.sleep(0.5)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "interrupted" in err.splitlines()[-1] and "the state is kept" in err and "Traceback" not in err
    assert state.exists() and out == ""


def fitting(pid: int) -> bool:
    """Whether the process catches SIGINT with the fit's own handler: it has loaded the kernel."""
    with open(f"/proc/{pid}/maps") as maps:
        return "_kernel" in maps.read()
