"""The package builds as wheel, sdist and colcon package, with and without a compiler, and works away from its source.

Every build here compiles the kernel anew, which takes most of the time.
"""

import importlib.metadata
import os
import re
import runpy
import shutil
import subprocess
import sys
import tarfile
import types
import xml.etree.ElementTree as ElementTree
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import robodistill
from robodistill import resources
from robodistill.resources import MissingResource, find_resource

ROOT = Path(__file__).parent.parent
SET_UP = ["pyproject.toml", "setup.py", "setup.cfg", "package.xml", "constraints.txt", "MANIFEST.in", "Makefile"]
SET_UP += ["scripts/setup.sh", ".ci/run"]


def run(command: list, **options) -> subprocess.CompletedProcess:
    """Run to the end; output as text."""
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **options)


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """A copy of the checkout, without what was built in it."""
    copy = tmp_path_factory.mktemp("source") / "robodistill"
    built = [".git", ".venv", "*.so", "__pycache__", "build", "dist", "out", "install", "log", "*.egg-info", ".*_cache"]
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*built))
    return copy


def build(source: Path, kind: str, **environment: str) -> tuple[Path, str]:
    """Build a `wheel` or an `sdist` of a fresh copy, as pip does; returns the file and what was said."""
    shutil.rmtree(source / "build", ignore_errors=True)
    out = source.parent / f"{kind}{len(list(source.parent.iterdir()))}"
    out.mkdir()
    code = f"import sys, setuptools.build_meta as backend; backend.build_{kind}(sys.argv[1])"
    done = run([sys.executable, "-c", code, out], cwd=source, env={**os.environ, **environment})
    assert done.returncode == 0, done.stderr
    (made,) = out.iterdir()
    return made, done.stdout + done.stderr


def test_versions_agree():
    """ROS 2 and pip are told the same name, version and licence."""
    package = ElementTree.parse(ROOT / "package.xml").getroot()
    facts = importlib.metadata.metadata("robodistill")
    assert package.findtext("name") == facts["Name"] == "robodistill"
    assert package.findtext("version") == facts["Version"] == robodistill.__version__
    assert package.findtext("license") == facts["License"] == "Apache-2.0"
    assert package.findtext("export/build_type") == "ament_python"


@pytest.mark.parametrize("name", ["torchvision", "pyzed", "plyfile", "lietorch", "nerfstudio"])
def test_unwanted_packages_are_required_nowhere(name):
    """These break, mislead or bind (torchvision breaks transformers; pip's pyzed is another package)."""
    assert not [file for file in SET_UP if name in (ROOT / file).read_text().lower()]


def test_set_up_files_name_no_host():
    """Where packages come from is the user's choice: no index, no address, no local build of torch."""
    for file in set(SET_UP) - {"package.xml"}:
        text = (ROOT / file).read_text()
        assert not re.search(r"https?://|index-url|find-links|\d\+cpu|\+cu\d", text), file


def test_every_requirement_is_pinned():
    """constraints.txt pins all that the package and its extras ask for, on each supported Python."""
    pins = [Requirement(line) for line in (ROOT / "constraints.txt").read_text().splitlines() if line[:1] != "#"]
    for python in ("3.10", "3.11", "3.13"):
        here = {"python_version": python}
        pinned = {canonicalize_name(pin.name): pin for pin in pins if not pin.marker or pin.marker.evaluate(here)}
        for line in importlib.metadata.requires("robodistill"):
            need = Requirement(line)
            if need.name != "robodistill":
                (pin,) = pinned[canonicalize_name(need.name)].specifier
                assert pin.operator == "==" and need.specifier.contains(pin.version), f"{need} on Python {python}"


def test_wheel_works_elsewhere(source, tmp_path):
    """An installed wheel brings its kernel, finds its files and starts, far from the checkout."""
    wheel, _ = build(source, "wheel")
    names = zipfile.ZipFile(wheel).namelist()
    assert "robodistill/raster/_kernel.so" in names
    assert any(name.endswith("share/ament_index/resource_index/packages/robodistill") for name in names)
    assert not [name for name in names if name.startswith("tests/") or "csrc" in name]
    site = tmp_path / "site"
    done = run([sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--target", site, wheel])
    assert done.returncode == 0, done.stderr
    code = (
        "import robodistill; print(robodistill.__file__)\n"
        "from robodistill.raster.kernel import load_kernel; print(load_kernel()._name)\n"
        "from robodistill.resources import find_resource; print(find_resource('launch/build_field.launch.py'))\n"
    )
    done = run([sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(site)})
    assert done.returncode == 0, done.stderr
    assert all(line.startswith(str(site)) for line in done.stdout.splitlines()), done.stdout


def test_installs_without_a_compiler(source):
    """No compiler: the build succeeds, says clearly what is lost, and leaves the kernel out."""
    wheel, said = build(source, "wheel", CC="/bin/false", CXX="/bin/false")
    assert "was not built" in said and "apt-get install g++" in said
    assert not [name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".so")]


def test_sdist_is_complete(source):
    """The source distribution holds all that building, testing and make need."""
    archive, _ = build(source, "sdist")
    names = {name.partition("/")[2] for name in tarfile.open(archive).getnames()}
    made = (".so", ".pyc")
    tracked = [path.relative_to(source) for path in source.rglob("*") if path.is_file() and path.suffix not in made]
    roots = ("robodistill", "tests", "launch", "config", "assets", "resource", "scripts", ".ci")
    wanted = {str(path) for path in tracked if path.parts[0] in roots} | {*SET_UP, "LICENSE", "CHANGELOG.md"}
    assert not wanted - names


@pytest.mark.parametrize("march", ["native", "armv8.2-a", ""])
def test_target_processor_can_be_chosen(march, monkeypatch):
    """ROBODISTILL_MARCH names what the kernel is built for; empty leaves it to the compiler."""
    monkeypatch.setenv("ROBODISTILL_MARCH", march)
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("setuptools.setup", lambda **_: None)
    flags = runpy.run_path("setup.py")["compile_flags"]()
    assert [flag for flag in flags if flag.startswith("-march")] == ([f"-march={march}"] if march else [])
    # Fast maths would let the compiler drop the tests for NaN and infinity that the kernel relies on.
    assert "-ffast-math" not in flags and "-fopenmp" in flags


@pytest.mark.skipif(not shutil.which("colcon"), reason="colcon is not installed")
@pytest.mark.parametrize("link", [[], ["--symlink-install"]], ids=["install", "symlink-install"])
def test_colcon_builds(source, tmp_path, link):
    """A colcon workspace builds the package, and its prefix holds code, kernel, launch file and index entry."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "robodistill").symlink_to(source)
    plain = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    plain["PATH"] = plain["PATH"].replace(str(Path(sys.executable).parent), "")
    done = run(["colcon", "build", *link], cwd=tmp_path, env=plain)
    assert done.returncode == 0, done.stdout + done.stderr
    prefix = tmp_path / "install" / "robodistill"
    assert (prefix / "share/ament_index/resource_index/packages/robodistill").is_file()
    assert (prefix / "share/robodistill/launch/build_field.launch.py").is_file()
    assert (prefix / "lib/robodistill/robodistill").is_file()
    code = (
        "import robodistill.resources as r, pathlib\n"
        "print(r.find_resource('launch')); print(*pathlib.Path(r.__file__).parent.glob('raster/_kernel.so'))"
    )
    script = f'. {tmp_path}/install/setup.sh && python3 -c "{code}"'
    done = run(["sh", "-c", script], cwd="/", env=plain)
    assert done.returncode == 0 and "_kernel.so" in done.stdout, done.stdout + done.stderr


class FakeLaunch:
    """Stands in for ROS 2's launch: keeps what a description was made of."""

    def __init__(self, *args, **kwargs):
        self.args, self.kwargs = args, kwargs


def load_launch_file(path: Path, monkeypatch) -> list:
    """The entities of a launch file's description, made with the stand-in."""
    kinds = {"launch": ["LaunchDescription"], "launch.actions": ["DeclareLaunchArgument", "ExecuteProcess"]}
    kinds["launch.substitutions"] = ["LaunchConfiguration"]
    for module, names in kinds.items():
        fake = types.ModuleType(module)
        for name in names:
            setattr(fake, name, type(name, (FakeLaunch,), {}))
        monkeypatch.setitem(sys.modules, module, fake)
    return runpy.run_path(str(path))["generate_launch_description"]().args[0]


def test_launch_file_runs_the_command_line(monkeypatch, tmp_path, capsys):
    """build_field.launch.py makes a command line that `robodistill build` understands, from declared arguments."""
    entities = load_launch_file(ROOT / "launch" / "build_field.launch.py", monkeypatch)
    declared = {e.args[0] for e in entities if type(e).__name__ == "DeclareLaunchArgument"}
    (process,) = [e for e in entities if type(e).__name__ == "ExecuteProcess"]
    values = {"capture": str(tmp_path / "no-such-capture"), "output": str(tmp_path / "x.field")}
    assert declared == set(values)
    command = [values[word.args[0]] if isinstance(word, FakeLaunch) else word for word in process.kwargs["cmd"]]
    assert Path(command[0]).name == "robodistill"
    from robodistill.cli import main

    # It got as far as opening the capture: the options are right.
    assert main(command[1:]) == 2 and "no-such-capture" in capsys.readouterr().err


def test_launch_file_finds_colcons_executable(monkeypatch, tmp_path):
    """Where the command is not on PATH, it is that of the prefix the launch file lies in."""
    installed = tmp_path / "share" / "robodistill" / "launch" / "build_field.launch.py"
    installed.parent.mkdir(parents=True)
    installed.write_text((ROOT / "launch" / "build_field.launch.py").read_text())
    monkeypatch.setenv("PATH", str(tmp_path))
    process = load_launch_file(installed, monkeypatch)[-1]
    assert process.kwargs["cmd"][0] == str(tmp_path / "lib" / "robodistill" / "robodistill")


def test_resources_are_found_in_a_checkout():
    """A checkout's own files come before those of any installation."""
    assert find_resource("launch/build_field.launch.py") == ROOT / "launch" / "build_field.launch.py"


@pytest.mark.parametrize("place", ["prefix", "ament"])
def test_resources_are_found_in_an_installation(place, tmp_path, monkeypatch):
    """Installed files are found below the package's own prefix and below those that ROS 2 lists."""
    prefix, ament = tmp_path / "usr", tmp_path / "ament"
    monkeypatch.setattr(resources, "PACKAGE", prefix / "lib" / "python3.11" / "site-packages" / "robodistill")
    monkeypatch.setenv("AMENT_PREFIX_PATH", os.pathsep.join(["/nowhere", str(ament)]))
    wanted = (prefix if place == "prefix" else ament) / "share" / "robodistill" / "assets" / "demo"
    wanted.mkdir(parents=True)
    assert find_resource("assets/demo") == wanted


def test_a_missing_resource_says_where_it_was_sought(monkeypatch):
    """The error names the file and every place."""
    monkeypatch.setenv("AMENT_PREFIX_PATH", "/some/overlay")
    with pytest.raises(MissingResource, match=r"assets/nothing.*/some/overlay/share/robodistill"):
        find_resource("assets/nothing")


TOOLS = ["bash", "dirname", "grep", "tr", "cat", "cut", "id", "find", "ls", "sha256sum", "env", "sort", "paste", "sed"]


def test_set_up_says_in_one_line_what_it_may_not_install(tmp_path):
    """Without g++, a usable Python and the right to install them: one line each, and it stops where it must."""
    for tool in TOOLS:
        (tmp_path / tool).symlink_to(shutil.which(tool))
    environment = {"PATH": str(tmp_path), "VENV": str(tmp_path / "venv"), "PYTHON": "/bin/false"}
    done = run([ROOT / "scripts" / "setup.sh", "demo"], env=environment)
    lines = done.stderr.splitlines()
    assert done.returncode == 1 and len(lines) == 2, done.stderr
    assert "going on without fast rendering" in lines[0] and "apt-get install g++" in lines[0]
    assert "no Python 3.10 or newer was found" in lines[1]


def test_set_up_refuses_an_unknown_purpose():
    """A wrong word is told, not guessed."""
    done = run([ROOT / "scripts" / "setup.sh", "everything"])
    assert done.returncode == 2 and "'everything' is neither demo nor test" in done.stderr


def test_make_help_names_every_target():
    """`make` alone explains itself, and each target it names exists."""
    if not shutil.which("make"):
        pytest.skip("make is not installed")
    told = run(["make", "-C", ROOT, "--no-print-directory"]).stdout
    named = set(re.findall(r"^make (\w+)", told, re.MULTILINE))
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE).group(1).split()
    assert named == set(phony) - {"help"}
