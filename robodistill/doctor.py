"""What is installed, what is missing, what each missing part would add and how to get it.

Nothing is assumed from names: libraries are imported, the kernel is loaded and a picture is drawn off-screen, all in
other processes, because what is broken may abort the process it is in. What the package needs is read from its own
metadata, so this list cannot differ from pyproject.toml. Nothing is installed, downloaded or changed.
"""

import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement

from robodistill.errors import RobodistillError
from robodistill.resources import find_resource
from robodistill.teachers.catalog import TEACHERS, teachers_of

State = Literal["ok", "missing", "broken"]


@dataclass(frozen=True)
class Check:
    """One line of the diagnosis."""

    name: str
    state: State
    """`missing`: not there, and only what `adds` says is lost. `broken`: there, or required, and does not work."""
    detail: str
    """What was found."""
    adds: str = ""
    """What this part is for."""
    how: str = ""
    """How to get or repair it."""


EXTRAS = {
    "sim": "simulated captures with ground truth (`robodistill sim`), physics",
    "ros": "rosbag2 and MCAP recordings as captures, and ROS 2 nodes without a ROS installation",
    "geometry": "meshes, TSDF fusion and point-cloud registration with Open3D",
    "robot": "robot models, inverse kinematics, collision checks and motion planning",
    "viewer": "the web viewer",
    "bench": "the numba peer and the plots of `robodistill bench`",
    "test": "running the tests",
}

IMPORT_NAMES = {
    "opencv-python-headless": "cv2",
    "pillow": "PIL",
    "scikit-image": "skimage",
    "scikit-learn": "sklearn",
    "pytest-xdist": "xdist",
    "pyyaml": "yaml",
    "roboticstoolbox-python": "roboticstoolbox",
}

# Needed by a library, found by the dynamic linker only when the library is imported.
SYSTEM_LIBRARIES = {"open3d": "libusb-1.0-0", "cv2": "libglib2.0-0"}


def run_checks() -> list[Check]:
    """Diagnose this machine; takes some seconds, as libraries are really imported."""
    probes: list[Callable[[], Check]] = [
        check_python,
        check_compiler,
        check_kernel,
        check_base,
        check_cuda,
        *[lambda extra=extra: check_extra(extra) for extra in EXTRAS],
        check_rendering,
        check_sample,
        check_transformers,
        check_weights,
        check_torchvision,
        check_ros,
        check_zed,
        check_threads,
        check_machine,
        check_disk,
    ]
    with ThreadPoolExecutor(max(2, min(4, os.cpu_count() or 2))) as pool:
        return list(pool.map(lambda probe: probe(), probes))


def _try(code: str, *arguments: str, seconds: float = 120, **environment: str) -> tuple[bool, str]:
    """Run code in a new Python; returns whether it ended well, and its last line of output or its error."""
    command = [sys.executable, "-c", code, *arguments]
    surroundings = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ, **environment}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, env=surroundings, check=False)
    except subprocess.TimeoutExpired:
        return False, f"gave no answer in {seconds:.0f} s"
    if done.returncode < 0:
        return False, f"aborted by signal {-done.returncode}"
    said = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
    return done.returncode == 0, said[-1] if said else ""


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _requirements(extra: str = "") -> list[Requirement]:
    """What the installed package asks for: its base, or one extra; empty where it is not installed."""
    try:
        lines = importlib.metadata.requires("robodistill") or []
    except importlib.metadata.PackageNotFoundError:
        return []
    needs = [Requirement(line) for line in lines]
    base = [need for need in needs if not need.marker or need.marker.evaluate({"extra": ""})]
    if not extra:
        return base
    return [need for need in needs if need not in base and need.marker and need.marker.evaluate({"extra": extra})]


IMPORT_EACH = """
import importlib, json, sys
faults = {}
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except Exception as error:
        faults[name] = str(error).splitlines()[0] if str(error) else type(error).__name__
print(json.dumps(faults))
"""


def _libraries(needs: list[Requirement]) -> tuple[list[str], list[str], list[str]]:
    """Import what is required; returns descriptions of what works, is absent, and is wrong."""
    versions = {need.name: _version(need.name) for need in needs}
    modules = {need.name: IMPORT_NAMES.get(need.name, need.name) for need in needs if versions[need.name]}
    ended, said = _try(IMPORT_EACH, *modules.values()) if modules else (True, "{}")
    # Where the process died, importing one by one tells which library it was.
    faults = json.loads(said) if ended else {module: why for module in modules.values() if (why := _fault(module))}
    fine, absent, wrong = [], [], []
    for need in needs:
        version, module = versions[need.name], modules.get(need.name)
        if version is None:
            absent.append(need.name)
        elif not need.specifier.contains(version, prereleases=True):
            wrong.append(f"{need.name} is {version}, needed is {need.specifier}")
        elif module in faults:
            hint = f" (Debian package {SYSTEM_LIBRARIES[module]})" if module in SYSTEM_LIBRARIES else ""
            wrong.append(f"{need.name} {version} does not import: {faults[module]}{hint}")
        else:
            fine.append(f"{need.name} {version}")
    return fine, absent, wrong


def _fault(module: str) -> str:
    ended, said = _try(f"import {module}")
    return "" if ended else said


def check_python() -> Check:
    """The interpreter."""
    found = f"{platform.python_version()} at {sys.executable}"
    good = sys.version_info >= (3, 10)
    return Check("python", "ok" if good else "broken", found, "everything", "install Python 3.10 or newer")


def check_compiler() -> Check:
    """A C++ compiler, needed at installation only."""
    path = shutil.which(os.environ.get("CXX", "g++")) or shutil.which("c++")
    adds = "building the CPU kernel at installation"
    return Check("compiler", "ok" if path else "missing", path or "no g++", adds, "apt-get install g++")


def check_kernel() -> Check:
    """The compiled rasteriser loads, and this processor can run it."""
    adds = "rendering and fitting on the CPU, tens of times faster than the PyTorch twin that stands in"
    how = "with g++ there, install robodistill again: pip install --force-reinstall --no-deps -e . (or `make demo`)"
    works, said = _try(
        "from robodistill.raster.kernel import load_kernel\n"
        "lib = load_kernel(); print(lib._name.rsplit('/', 1)[-1], lib.rd_instruction_set().decode() or 'baseline')"
    )
    built = any((Path(__file__).parent / "raster").glob("_kernel*.so"))
    state: State = "ok" if works else "broken" if built else "missing"
    return Check("kernel", state, said.removeprefix("robodistill.errors.MissingPart: "), adds, how)


def check_base() -> Check:
    """Every required library imports, in a version that fits."""
    needs = _requirements()
    adds, how = "everything", "pip install -c constraints.txt -e ."
    if not needs:
        return Check("base", "broken", "robodistill itself is not installed, only found on the path", adds, how)
    fine, absent, wrong = _libraries(needs)
    faults = [f"missing: {', '.join(absent)}"] * bool(absent) + wrong
    return Check("base", "broken" if faults else "ok", "; ".join(faults) or ", ".join(fine), adds, how)


def check_extra(extra: str) -> Check:
    """The libraries of one optional extra."""
    fine, absent, wrong = _libraries(_requirements(extra))
    how = f'pip install -c constraints.txt -e ".[{extra}]"'
    state: State = "broken" if wrong else "missing" if absent else "ok"
    detail = "; ".join([", ".join(fine)] * bool(fine) + [f"missing: {', '.join(absent)}"] * bool(absent) + wrong)
    return Check(f"[{extra}]", state, detail, EXTRAS[extra], how)


CUDA_TORCH = "on a machine with an NVIDIA GPU, install a CUDA build of torch"


def check_cuda() -> Check:
    """A CUDA device that torch sees and gsplat has kernels for, or can compile them for."""
    adds = "rendering and fitting on an NVIDIA GPU"
    if (_version("torch") or "").endswith("+cpu"):
        return Check("cuda", "missing", "this torch is a CPU build", adds, CUDA_TORCH)
    works, said = _try(
        "import json, torch; there = torch.cuda.is_available()\n"
        "print(json.dumps([torch.version.cuda, torch.cuda.get_device_name() if there else None]))"
    )
    if not works:
        return Check("cuda", "missing", f"torch does not import: {said}", adds, "see base, above")
    built_for, device = json.loads(said)
    if device is None:
        why = "this torch is a CPU build" if built_for is None else f"torch for CUDA {built_for} sees no device"
        return Check("cuda", "missing", why, adds, CUDA_TORCH)
    # Looked for, not called: where the kernels are not built, gsplat's first call compiles for minutes.
    gsplat = importlib.util.find_spec("gsplat")
    folders = gsplat.submodule_search_locations if gsplat else None
    compiled = any(True for folder in folders or [] for _ in Path(folder).glob("csrc*.so"))
    if compiled or shutil.which("nvcc"):
        kernels = "gsplat's kernels are built" if compiled else "gsplat builds its kernels on first use, in minutes"
        return Check("cuda", "ok", f"{device}; {kernels}", adds)
    how = "install the CUDA toolkit (nvcc) that fits torch, so that gsplat can build its kernels"
    return Check("cuda", "broken", f"{device}, but gsplat has no compiled kernels and there is no nvcc", adds, how)


RENDER_A_BALL = """
import mujoco, numpy
ball = '<mujoco><worldbody><light pos="0 0 3"/><camera name="c" pos="0 0 2"/><geom size=".5" rgba="1 0 0 1"/>'
renderer = mujoco.Renderer(mujoco.MjModel.from_xml_string(ball + '</worldbody></mujoco>'), 48, 64)
data = mujoco.MjData(renderer.model); mujoco.mj_forward(renderer.model, data)
renderer.update_scene(data, 'c'); image = renderer.render().astype(int); renderer.close()
assert image[24, 32, 0] > image[24, 32, 1] + 50 and image[0, 0, 0] < image[24, 32, 0], 'the picture is empty'
"""


def check_rendering() -> Check:
    """MuJoCo draws a red ball off-screen."""
    adds = "pictures from the simulator"
    how = "apt-get install libegl1 libegl-mesa0 libgl1-mesa-dri (or libosmesa6, with MUJOCO_GL=osmesa)"
    if _version("mujoco") is None:
        return Check("rendering", "missing", "not tried without mujoco", adds, 'pip install -e ".[sim]"')
    faults = []
    for way in dict.fromkeys([os.environ.get("MUJOCO_GL", "egl"), "egl", "osmesa"]):
        works, said = _try(RENDER_A_BALL, MUJOCO_GL=way)
        if works:
            return Check("rendering", "ok", f"off-screen through {way}", adds)
        faults.append(f"{way}: {said}")
    return Check("rendering", "broken", "; ".join(faults), adds, how)


def check_sample() -> Check:
    """The files that ship beside the code."""
    try:
        return Check("sample", "ok", str(find_resource("assets/demo")), "`robodistill demo`")
    except RobodistillError as error:
        return Check("sample", "broken", str(error), "`robodistill demo`", "install from a complete source")


def check_transformers() -> Check:
    """The library that runs teachers."""
    adds = "teachers other than the built-in one: CLIP, SigLIP, DINO, SAM, CLIPSeg"
    how = 'pip install -c constraints.txt "transformers>=5,<6"'
    version = _version("transformers")
    if version is None:
        return Check("transformers", "missing", "not installed", adds, how)
    works, said = _try("from transformers import CLIPModel, Sam2Model, DINOv3ViTModel")
    return Check("transformers", "ok" if works else "broken", version if works else f"{version}: {said}", adds, how)


def check_weights() -> Check:
    """Models in the Hugging Face cache, and which teachers read them."""
    home = os.environ.get("HF_HOME", Path.home() / ".cache" / "huggingface")
    cache = Path(os.environ.get("HF_HUB_CACHE", Path(home) / "hub"))
    found = []
    for folder in sorted(cache.glob("models--*")):
        kinds = set()
        for config in folder.glob("snapshots/*/config.json"):
            try:
                kinds.add(json.loads(config.read_text()).get("model_type"))
            except (OSError, ValueError, AttributeError):
                kinds.add(None)
        teachers = ", ".join(name for kind in kinds for name in teachers_of(kind))
        whole = any(folder.glob("snapshots/*/model*.safetensors"))
        note = f" ({teachers}{'' if whole else ', but no safetensors'})" if teachers else ""
        found.append(folder.name.removeprefix("models--").replace("--", "/") + note)
    adds = "weights of teachers, usable without a network"
    how = f"hf download NAME once, such as {TEACHERS['siglip'].model}, or name a local folder (siglip:FOLDER)"
    return Check("weights", "ok" if found else "missing", ", ".join(found) or f"none in {cache}", adds, how)


def check_torchvision() -> Check:
    """Not needed; a build that does not fit torch breaks transformers."""
    version = _version("torchvision")
    if version is None:
        return Check("torchvision", "ok", "absent, and not needed")
    works, said = _try("import torchvision")
    adds = "nothing here; a build that does not fit torch keeps transformers from importing"
    detail = version if works else f"{version} does not fit torch: {said}"
    return Check("torchvision", "ok" if works else "broken", detail, adds, "pip uninstall torchvision")


def check_ros() -> Check:
    """A sourced ROS 2."""
    adds = "live topics and services in a ROS 2 graph; recordings need only the extra [ros]"
    how = "install ROS 2 and `source /opt/ros/DISTRO/setup.bash`; make the environment with --system-site-packages"
    if importlib.util.find_spec("rclpy") is None:
        return Check("ros 2", "missing", "no rclpy", adds, how)
    works, said = _try("import rclpy")
    found = f"rclpy of {os.environ.get('ROS_DISTRO', 'an unnamed distribution')}"
    return Check("ros 2", "ok" if works else "broken", found if works else f"{found}: {said}", adds, how)


def check_zed() -> Check:
    """Stereolabs' Python API; pip's package of that name is something else."""
    adds = "ZED cameras and SVO recordings"
    how = "install the ZED SDK and run the get_python_api.py in its folder"
    version = _version("pyzed")
    if version is None:
        return Check("zed", "missing", "no pyzed", adds, how)
    works, said = _try("import pyzed.sl as sl; sl.Camera, sl.InitParameters")
    if works:
        return Check("zed", "ok", f"pyzed {version}", adds)
    wrong = int(version.split(".")[0]) < 3
    found = f"pyzed {version} is an unrelated package of that name" if wrong else f"pyzed {version}: {said}"
    return Check("zed", "broken", found, adds, f"{'pip uninstall pyzed; ' if wrong else ''}{how}")


def check_threads() -> Check:
    """How idle OpenMP threads wait; read before torch is loaded, so the command line sets it."""
    policy = os.environ.get("OMP_WAIT_POLICY", "")
    adds = "full speed when other programs use the processor too; idle threads would spin"
    good = policy.upper() == "PASSIVE"
    detail = f"OMP_WAIT_POLICY={policy or '(unset)'}"
    return Check("threads", "ok" if good else "missing", detail, adds, "export OMP_WAIT_POLICY=PASSIVE")


def check_machine() -> Check:
    """Cores and memory."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    enough = cores >= 2 and memory >= 3.5
    adds = "a field in a minute or so: 2 cores and 4 GB are the tested base"
    detail = f"{platform.machine()}, {cores} cores, {memory:.1f} GB memory"
    return Check("machine", "ok" if enough else "missing", detail, adds, "a bigger machine, or smaller --max-side")


def check_disk() -> Check:
    """Room for results where the program was started."""
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    adds = "room for captures, fields and reports"
    detail = f"{free:.1f} GB free in {Path.cwd()}"
    return Check("disk", "ok" if free >= 1 else "missing", detail, adds, "free 1 GB or work in another folder")
