"""The doctor tells what works from what is absent and what is broken, and survives libraries that abort."""

import importlib.metadata
import json
from dataclasses import asdict

import pytest
from packaging.requirements import Requirement

from robodistill import doctor


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Returns a function that installs a fake distribution, for this process and for those it starts."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def install(name: str, version: str, **files: str) -> None:
        folder = tmp_path / f"{name}-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (tmp_path / name).mkdir()
        for module, text in {"__init__": "", **files}.items():
            (tmp_path / name / f"{module}.py").write_text(text)

    return install


def test_a_whole_diagnosis():
    """Every check answers; here, where the tests run, base and test tools work; what is not ok says how to get it."""
    checks = doctor.run_checks()
    by_name = {check.name: check for check in checks}
    assert len(by_name) == len(checks)
    for name in ("python", "base", "[test]"):
        assert by_name[name].state == "ok", by_name[name]
    for check in checks:
        assert check.state in ("ok", "missing", "broken") and check.detail
        assert check.state == "ok" or (check.adds and check.how), check
    assert json.loads(json.dumps([asdict(check) for check in checks]))


def test_every_extra_is_explained():
    """The doctor knows the extras of the package, but for those that only gather others."""
    extras = set(importlib.metadata.metadata("robodistill").get_all("Provides-Extra"))
    assert set(doctor.EXTRAS) == extras - {"dev", "all"}


def test_every_extra_requires_something_of_its_own():
    """Requirements are told apart by extra: mujoco belongs to [sim], torch to none."""
    base = {need.name for need in doctor._requirements()}
    assert "torch" in base and "mujoco" not in base
    assert [need.name for need in doctor._requirements("sim")] == ["mujoco"]
    assert all({need.name for need in doctor._requirements(extra)} - base for extra in doctor.EXTRAS)


def test_a_child_that_dies_is_reported():
    """Exceptions, aborts and endless loops in the probed process become words."""
    assert doctor._try("print(1); print(2)") == (True, "2")
    assert doctor._try("raise ValueError('no such thing')") == (False, "ValueError: no such thing")
    assert doctor._try("import os; os.abort()") == (False, "aborted by signal 6")
    assert doctor._try("while True: pass", seconds=0.2)[0] is False


def test_libraries_are_sorted_by_what_is_wrong(installed):
    """Fine, absent, too old and failing libraries are told apart."""
    installed("goodlib", "1.2")
    installed("oldlib", "1.2")
    installed("sadlib", "3.0", __init__="raise OSError('libusb-1.0.so.0: cannot open shared object file')")
    needs = [Requirement(line) for line in ("goodlib>=1", "oldlib>=2", "sadlib", "absentlib")]
    fine, absent, wrong = doctor._libraries(needs)
    assert (fine, absent) == (["goodlib 1.2"], ["absentlib"])
    assert "oldlib is 1.2, needed is >=2" in wrong
    assert any("sadlib 3.0" in line and "libusb" in line for line in wrong) and len(wrong) == 2


def test_an_aborting_library_does_not_hide_the_others(installed):
    """Where an import kills the process, the library that did it is named and the others are still judged."""
    installed("goodlib", "1.2")
    installed("killer", "1.0", __init__="import os; os.abort()")
    fine, _, wrong = doctor._libraries([Requirement("goodlib"), Requirement("killer")])
    assert fine == ["goodlib 1.2"]
    assert wrong == ["killer 1.0 does not import: aborted by signal 6"]


def test_the_wrong_pyzed_is_recognised(installed):
    """pip's package of that name has no camera in it."""
    installed("pyzed", "1.3.0")
    check = doctor.check_zed()
    assert check.state == "broken" and "unrelated" in check.detail and "pip uninstall" in check.how


def test_the_real_pyzed_is_recognised(installed):
    """Stereolabs' package has sl.Camera and sl.InitParameters."""
    installed("pyzed", "5.1", sl="class Camera: pass\nclass InitParameters: pass\n")
    assert doctor.check_zed().state == "ok"


def test_a_torchvision_that_does_not_fit_is_broken(installed):
    """Absent is fine; present and failing is reported, with the cure."""
    if doctor._version("torchvision") is None:
        assert doctor.check_torchvision().state == "ok"
    installed("torchvision", "0.1", __init__="raise RuntimeError('operator torchvision::nms does not exist')")
    check = doctor.check_torchvision()
    assert check.state == "broken" and "nms" in check.detail and "pip uninstall" in check.how


def test_cached_weights_are_listed(tmp_path, monkeypatch):
    """The hub's folder names become model names; an empty cache is missing, not broken."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    assert doctor.check_weights().state == "missing"
    snapshot = tmp_path / "models--openai--clip-vit-base-patch32" / "snapshots" / "0123"
    snapshot.mkdir(parents=True)
    assert doctor.check_weights().detail == "openai/clip-vit-base-patch32"
    (snapshot / "config.json").write_text('{"model_type": "clip"}')
    assert doctor.check_weights().detail == "openai/clip-vit-base-patch32 (clip, but no safetensors)"
    (snapshot / "model.safetensors").touch()
    assert doctor.check_weights().detail == "openai/clip-vit-base-patch32 (clip)"


def test_spinning_threads_are_reported(monkeypatch):
    """Unset or active waiting is reported; passive is fine."""
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    assert doctor.check_threads().state == "missing"
    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")
    assert doctor.check_threads().state == "ok"


def test_a_ball_that_is_not_red_is_no_picture(monkeypatch):
    """Rendering counts only if the drawn ball is there: an off-screen context that draws nothing is broken."""
    pytest.importorskip("mujoco")
    monkeypatch.setattr(doctor, "RENDER_A_BALL", doctor.RENDER_A_BALL.replace("1 0 0 1", "1 0 0 0"))
    check = doctor.check_rendering()
    assert check.state == "broken"
