"""ZED cameras, against a stand-in for the SDK's module."""

import sys
import types

import fake_zed
import numpy as np
import pytest

from robodistill.capture import zed
from robodistill.capture.zed import ZedError, ZedOptions, ZedSource
from robodistill.errors import BadInput, MissingPart


@pytest.fixture(autouse=True)
def fresh():
    """No camera open, none broken."""
    fake_zed.opened.clear()
    fake_zed.broken_at.clear()
    yield
    assert not any(camera.is_open or camera.tracked for camera in fake_zed.opened), "a camera was not let go"


def test_frames_of_a_file():
    """Colour is RGB, depth metres with 0 for what is not finite, poses only where they are tracked; all are copies."""
    with ZedSource(ZedOptions("demo.svo2"), fake_zed) as source:
        assert len(source) == 4
        frames = list(source)
    assert [frame.rgb[0, 0].tolist() for frame in frames] == [[30 + k, 20, 10] for k in range(4)]
    assert [float(frame.depth[5, 5]) for frame in frames] == [1, 2, 3, 4]
    assert not frames[0].depth[0, :3].any()
    assert frames[0].T_world_camera is None
    assert [round(float(frame.T_world_camera[0, 3]), 6) for frame in frames[1:]] == [0.1, 0.2, 0.3]
    assert np.diff([frame.stamp for frame in frames]) == pytest.approx(0.033, abs=1e-6)
    assert frames[0].camera.K.tolist() == [[50, 0, 31.5], [0, 51, 17.5], [0, 0, 1]]


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("", ("live", None)),
        ("12345", ("serial", 12345)),
        ("scan.svo", ("svo", "scan.svo")),
        ("robot.local", ("stream", ("robot.local", 30000))),
        ("10.0.0.7:31000", ("stream", ("10.0.0.7", 31000))),
    ],
)
def test_sources(source, wanted):
    """The first camera, one by serial number, a file, a stream; in metres and OpenCV's axes."""
    ZedSource(ZedOptions(source), fake_zed).close()
    parameters = fake_zed.opened[0].parameters
    assert parameters.source == wanted
    assert parameters.svo_real_time_mode == (wanted[0] != "svo")
    assert parameters.coordinate_units == fake_zed.UNIT.METER
    assert parameters.coordinate_system == fake_zed.COORDINATE_SYSTEM.IMAGE


def test_broken_frames_are_counted_and_a_dead_camera_is_an_error():
    """One bad frame is skipped; thirty in a row are the end."""
    fake_zed.broken_at.add(1)
    with ZedSource(ZedOptions("x.svo"), fake_zed) as source:
        assert len(list(source)) == 3 and source.dropped == 1
    fake_zed.broken_at.update(range(100))
    with ZedSource(ZedOptions(), fake_zed) as source, pytest.raises(ZedError, match="30 frames in a row"):
        next(iter(source))


def test_errors_name_what_is_valid():
    """No such mode, no such camera, no depth range."""
    with pytest.raises(BadInput, match="DEPTH_MODE has no 'SONAR'; it has .*NEURAL"):
        ZedSource(ZedOptions(depth_mode="SONAR"), fake_zed)
    with pytest.raises(BadInput, match="0 < least < most"):
        ZedSource(ZedOptions(min_depth=3, max_depth=1), fake_zed)
    with pytest.raises(ZedError, match="404 cannot be opened.*CAMERA_NOT_DETECTED"):
        ZedSource(ZedOptions("404"), fake_zed)
    fake_zed.opened[-1].close()


def test_the_other_pyzed_is_told_from_a_missing_one(monkeypatch):
    """The registry's package of that name is refused with the way to the genuine one."""
    monkeypatch.setitem(sys.modules, "pyzed", types.ModuleType("pyzed"))
    monkeypatch.setitem(sys.modules, "pyzed.sl", None)
    monkeypatch.setattr(zed.importlib.metadata, "version", lambda name: "1.3.0")
    with pytest.raises(MissingPart, match="1.3.0 is another program of that name.*get_python_api.py"):
        zed.load_sdk()

    def missing(name):
        raise zed.importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(zed.importlib.metadata, "version", missing)
    with pytest.raises(MissingPart, match="not installed.*get_python_api.py"):
        zed.load_sdk()
    monkeypatch.setitem(sys.modules, "pyzed.sl", fake_zed)
    assert zed.load_sdk() is fake_zed
