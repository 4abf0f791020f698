"""What pyproject.toml cannot say: the compiled kernel, the files that ROS 2 expects, the supported Python.

The kernel is a plain C-ABI library that `robodistill.raster` loads with ctypes: it needs a C++ compiler, but neither
Python's nor torch's headers, and one build serves every Python. Without a compiler the installation still succeeds.
"""

import os
import platform
import sys
from glob import glob
from pathlib import Path

import setuptools
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

NAME = "robodistill"

if int(setuptools.__version__.split(".")[0]) < 61:
    sys.exit(f"setuptools {setuptools.__version__} is too old for pyproject.toml: pip install -U 'setuptools>=64,<80'")


def compile_flags():
    """Optimise for any x86-64 with AVX2, or for what ROBODISTILL_MARCH names (such as `native`)."""
    march = os.environ.get("ROBODISTILL_MARCH", "x86-64-v3" if platform.machine() in ("x86_64", "AMD64") else "")
    flags = ["-O3", "-g0", "-std=c++17", "-fopenmp", "-fno-math-errno", "-fno-trapping-math", "-fvisibility=hidden"]
    flags += ["-Wno-psabi"]  # wide vectors are passed between the kernel's own inlined functions only
    return [*flags, f"-march={march}"] if march else flags


class BuildKernel(build_ext):
    """Build the library under a name without Python's ABI tag, and say clearly when it could not be built."""

    def get_ext_filename(self, fullname):
        return os.path.join(*fullname.split(".")) + ".so"

    def run(self):
        super().run()
        for ext in self.extensions:
            if not Path(self.get_ext_fullpath(ext.name)).is_file():
                self.warn(
                    f"{ext.name} was not built (no working C++ compiler?): rendering will use the PyTorch twin, "
                    "tens of times slower. Install g++ (Debian: apt-get install g++) and install robodistill again."
                )


def shared_files():
    """Files for PREFIX/share, as (folder, files): ament's index entry and whatever is read at run time."""
    share = f"share/{NAME}"
    # pyproject.toml and README.md are here because `colcon build --symlink-install` links only what is listed.
    top = [name for name in ("package.xml", "pyproject.toml", "README.md") if os.path.isfile(name)]
    files = [("share/ament_index/resource_index/packages", [f"resource/{NAME}"]), (share, top)]
    for tree in ("launch", "config", "assets", "interfaces"):
        for folder, _, names in os.walk(tree):
            listed = [os.path.join(folder, name) for name in sorted(names) if not name.endswith(".pyc")]
            if listed:
                files.append((f"{share}/{folder}", listed))
    return files


setup(
    python_requires=">=3.10",
    license="Apache-2.0",  # as a plain string old and new setuptools take it here only
    data_files=shared_files(),
    ext_modules=[
        Extension(
            f"{NAME}.raster._kernel",
            sources=sorted(glob(f"{NAME}/*/csrc/*.cpp")),
            depends=sorted(glob(f"{NAME}/*/csrc/*.h*")),
            extra_compile_args=compile_flags(),
            extra_link_args=["-fopenmp"],
            language="c++",
            optional=True,
        )
    ],
    cmdclass={"build_ext": BuildKernel},
)
